import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The buffer is looked at while it is mapped: whether old or new is read, nobody knows. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  const before = cpu.load32(buffer);
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  if (before !== cpu.load32(buffer)) bench.wrongBytes(buffer, SIZE, 1);
  bench.kfree(buffer);
};

/** What the CPU wants of the old content it takes before it maps. */
export const right = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  const before = cpu.load32(buffer);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  if (before !== cpu.load32(buffer)) bench.wrongBytes(buffer, SIZE, 1);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'cpu-access-to-device-buffer',
  applies: anywhere,
  consequences: ['stale-cpu-read'],
  wrong,
  right,
};
