import {
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** One request is sent after the other: the second is still the CPU's when the device reads it. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.checkPattern(dma, SIZE, 1);
  dmaSyncSingleForCpu(dev, dma, SIZE, ToDevice);
  bench.fill(buffer, SIZE, 2);
  device.checkPattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
};

/** Each request is given to the device before it is told to read it. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.checkPattern(dma, SIZE, 1);
  dmaSyncSingleForCpu(dev, dma, SIZE, ToDevice);
  bench.fill(buffer, SIZE, 2);
  dmaSyncSingleForDevice(dev, dma, SIZE, ToDevice);
  device.checkPattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'device-access-not-given',
  applies: hasCache,
  consequences: ['stale-device-read'],
  wrong,
  right,
};
