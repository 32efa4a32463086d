import { physAddr } from '../../../drivers/base/types/address';
import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import { physToDma } from '../../../mm/dma-direct';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** virt_to_phys() in place of a mapping: right on some boards, and never on others. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const physical = dev.services.memory.virtToPhys(buffer) ?? physAddr(0);
  device.checkPattern(physToDma(dev, physical), SIZE, 1);
  bench.kfree(buffer);
};

/** The address that a device is given is one that the DMA API has made. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.checkPattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'device-access-unmapped',
  applies: anywhere,
  // The memory may be what its last owner had mapped.
  provisional: ['device-access-after-unmap'],
  consequences: ['stale-device-read'],
  wrong,
  right,
};
