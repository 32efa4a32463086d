import {
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { all, hasCache, unmapInvalidates } from './conditions';
import type { RuleExample } from './example';

const { Bidirectional } = DmaDirection;
const SIZE = 256;

/** The answer is written where the request was, and the mapping ended: that drops dirty lines. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, Bidirectional));
  device.checkPattern(dma, SIZE, 1);
  dmaSyncSingleForCpu(dev, dma, SIZE, Bidirectional);
  bench.fill(buffer, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, Bidirectional);
  bench.kfree(buffer);
};

/** What was written is given to the device before the mapping ends, whoever is to read it. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, Bidirectional));
  device.checkPattern(dma, SIZE, 1);
  dmaSyncSingleForCpu(dev, dma, SIZE, Bidirectional);
  bench.fill(buffer, SIZE, 2);
  dmaSyncSingleForDevice(dev, dma, SIZE, Bidirectional);
  dmaUnmapSingle(dev, dma, SIZE, Bidirectional);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'lost-cpu-write',
  applies: all(hasCache, unmapInvalidates),
  wrong,
  right,
};
