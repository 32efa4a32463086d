import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The mapping is ended when the packet is there, and the device, still running, receives another. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  device.writePattern(dma, SIZE, 2);
  bench.kfree(buffer);
};

/** The device is stopped first. */
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
  rule: 'device-access-after-unmap',
  applies: anywhere,
  wrong,
  right,
};
