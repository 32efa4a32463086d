import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** The mapping is ended when the device was started, not when it is done. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.startCheck(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  device.finishCheck();
  bench.kfree(buffer);
};

/** First the device is done, and then the buffer is the CPU's. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.startCheck(dma, SIZE, 1);
  device.finishCheck();
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'cpu-access-in-transfer',
  applies: anywhere,
  // Where the device touches memory at the end of its window only.
  provisional: ['device-access-after-unmap'],
  wrong,
  right,
};
