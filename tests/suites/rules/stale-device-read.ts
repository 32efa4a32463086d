import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** DMA_ATTR_SKIP_CPU_SYNC says that the buffer is the device's already: it was just filled. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice, DmaAttr.SkipCpuSync));
  device.checkPattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice, DmaAttr.SkipCpuSync);
  bench.kfree(buffer);
};

/** Mapping cleans: what the CPU wrote is in memory when the device reads it. */
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
  rule: 'stale-device-read',
  applies: hasCache,
  wrong,
  right,
};
