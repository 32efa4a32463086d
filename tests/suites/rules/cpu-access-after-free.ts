import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import type { DmaMemory } from '../../../drivers/base/kernel/dma-map-ops';
import { dmaPoolAlloc, dmaPoolCreate, dmaPoolDestroy, dmaPoolFree } from '../../../mm/dmapool';
import type { DmaPool } from '../../../mm/dmapool';
import type { DriverBench } from '../driver-bench';
import { AbortCase } from '../suite';
import { hasMmu } from './conditions';
import type { RuleExample } from './example';

const SIZE = 64;
const SEED = 3;

/** A descriptor that the device has written to. */
const withDescriptor = (
  { dev, device }: DriverBench,
  body: (pool: DmaPool, descriptor: DmaMemory) => void,
): void => {
  const pool = dmaPoolCreate('descriptors', dev, SIZE, SIZE, 0);
  const descriptor = pool && dmaPoolAlloc(pool, GFP_KERNEL);
  if (pool === null || descriptor === null) throw new AbortCase('no descriptor');
  device.writePattern(descriptor.dmaHandle, SIZE, SEED);
  body(pool, descriptor);
  dmaPoolDestroy(pool);
};

/** The descriptor is given back, and its status is looked at once more. */
export const wrong = (bench: DriverBench): void => {
  withDescriptor(bench, (pool, { cpuAddr, dmaHandle }) => {
    dmaPoolFree(pool, cpuAddr, dmaHandle);
    bench.cpu.load32(cpuAddr);
  });
};

/** The status is looked at first. */
export const right = (bench: DriverBench): void => {
  withDescriptor(bench, (pool, { cpuAddr, dmaHandle }) => {
    bench.cpu.load32(cpuAddr);
    dmaPoolFree(pool, cpuAddr, dmaHandle);
  });
};

export const example: RuleExample = {
  rule: 'cpu-access-after-free',
  applies: hasMmu,
  wrong,
  right,
};
