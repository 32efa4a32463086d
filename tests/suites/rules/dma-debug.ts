import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The mapping is ended with the length that was received, not with the one it was made with. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE / 2, 1);
  dmaUnmapSingle(dev, dma, SIZE / 2, FromDevice);
  bench.kfree(buffer);
};

/** The same arguments, whatever happened meanwhile. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE / 2, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'dma-debug',
  applies: anywhere,
  wrong,
  right,
};
