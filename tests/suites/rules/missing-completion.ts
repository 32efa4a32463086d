import { CacheOp } from '../../../drivers/base/types/isa';
import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { all, hasCache, hasNoOuter, maintenanceIsPending } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** The lines are cleaned, and the device is told, and nobody has waited for the cleaning to end. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, dev, device, line } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice, DmaAttr.SkipCpuSync));
  for (let at = 0; at < SIZE; at += line) cpu.cacheOp(CacheOp.CVAC, buffer + at);
  device.startCheck(dma, SIZE, 1, 'relaxed');
  bench.sleepUntilDone();
  device.finishCheck();
  dmaUnmapSingle(dev, dma, SIZE, ToDevice, DmaAttr.SkipCpuSync);
  bench.kfree(buffer);
};

/** Maintenance ends with a dsb. */
export const right = (bench: DriverBench): void => {
  const { cpu, dev, device, line } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice, DmaAttr.SkipCpuSync));
  for (let at = 0; at < SIZE; at += line) cpu.cacheOp(CacheOp.CVAC, buffer + at);
  cpu.dsb();
  device.startCheck(dma, SIZE, 1, 'relaxed');
  bench.sleepUntilDone();
  device.finishCheck();
  dmaUnmapSingle(dev, dma, SIZE, ToDevice, DmaAttr.SkipCpuSync);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'missing-completion',
  applies: all(hasCache, hasNoOuter, maintenanceIsPending),
  provisional: ['stale-device-read'],
  wrong,
  right,
};
