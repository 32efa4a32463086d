import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { all, hasCache, mapInvalidates, speculates } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** Mapping has invalidated the buffer, so why again? Because the core prefetches meanwhile. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice, DmaAttr.SkipCpuSync);
  bench.wrongBytes(buffer, SIZE, 1);
  bench.kfree(buffer);
};

/** Invalidated again when the device is done: what was prefetched while it wrote is dropped. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.wrongBytes(buffer, SIZE, 1);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'refill-after-invalidate',
  applies: all(hasCache, speculates, mapInvalidates),
  provisional: ['stale-cpu-read'],
  wrong,
  right,
};
