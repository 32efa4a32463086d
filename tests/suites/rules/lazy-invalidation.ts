import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { invalidatesLazily } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The device goes on after the unmap: what it reaches is a matter of luck for the next 10 ms. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  device.writePattern(dma, SIZE, 2);
  bench.kfree(buffer);
};

/** The device has stopped before the unmap, and a device that has is no danger. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'lazy-invalidation',
  master: 'lazy',
  applies: invalidatesLazily,
  consequences: ['device-access-after-unmap'],
  wrong,
  right,
};
