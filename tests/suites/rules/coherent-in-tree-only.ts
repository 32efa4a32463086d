import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache, hasSnoopPort, all } from './conditions';
import type { RuleExample } from './example';

const { ToDevice } = DmaDirection;
const SIZE = 256;

/** dma-coherent in the tree, and the register that makes the port snoop is never written. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device, machine } = bench;
  machine.hardware.strapCoherency(dev.name, false);
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 1);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice));
  device.checkPattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice);
  bench.kfree(buffer);
  machine.hardware.strapCoherency(dev.name, true);
};

/** The port snoops, as the tree says: nothing has to be maintained. */
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
  rule: 'coherent-in-tree-only',
  master: 'coherent',
  applies: all(hasCache, hasSnoopPort),
  consequences: ['stale-device-read'],
  wrong,
  right,
};
