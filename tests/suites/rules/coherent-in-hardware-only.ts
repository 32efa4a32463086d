import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { all, hasCache, hasSnoopPort } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The port snoops and the tree does not say so: what it wrote may be in a cache when that is invalidated. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device, machine } = bench;
  machine.hardware.strapCoherency(dev.name, true);
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.wrongBytes(buffer, SIZE, 2);
  bench.kfree(buffer);
  machine.hardware.strapCoherency(dev.name, false);
};

/** Tree and hardware agree. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 2);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.wrongBytes(buffer, SIZE, 2);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'coherent-in-hardware-only',
  applies: all(hasCache, hasSnoopPort),
  consequences: ['lost-device-write'],
  wrong,
  right,
};
