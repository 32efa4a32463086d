import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The buffer is going to be overwritten anyway: but its dirty lines are written back later. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice, DmaAttr.SkipCpuSync));
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.kfree(buffer);
};

/** Mapping leaves no dirty line of the buffer behind. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'dirty-line-over-device-data',
  applies: hasCache,
  provisional: ['lost-device-write'],
  wrong,
  right,
};
