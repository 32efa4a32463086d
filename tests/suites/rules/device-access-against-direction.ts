import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { Bidirectional, ToDevice } = DmaDirection;
const SIZE = 256;

/** The device reads its commands, and writes the results where they were: into a read-only buffer. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.checkPattern(dma, SIZE, 1);
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
};

/** A buffer that is read and written is mapped so. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, Bidirectional));
  device.checkPattern(dma, SIZE, 1);
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, Bidirectional);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'device-access-against-direction',
  applies: anywhere,
  wrong,
  right,
};
