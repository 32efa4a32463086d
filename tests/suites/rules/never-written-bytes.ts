import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** The device is sent more than was written: what follows is what the memory was used for before. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE - 32, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.checkPattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
};

/** Every byte that the device reads has been written. */
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
  rule: 'never-written-bytes',
  applies: anywhere,
  wrong,
  right,
};
