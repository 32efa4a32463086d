import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;
const SIZE = 256;

/** The driver only marks the packet as seen. The line that it marks is the one before the packet. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  for (let at = 0; at < SIZE; at += 4) cpu.load32(buffer + at);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice, DmaAttr.SkipCpuSync));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice, DmaAttr.SkipCpuSync);
  // Dirty now: when it is evicted, its old bytes replace what the device wrote beside the mark.
  cpu.store8(buffer, 0xff);
  for (let at = 4; at < SIZE; at += 4) cpu.load32(buffer + at);
  bench.kfree(buffer);
};

/** The old line is gone when the mark is set: it is read anew, packet and all. */
export const right = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  for (let at = 0; at < SIZE; at += 4) cpu.load32(buffer + at);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  cpu.store8(buffer, 0xff);
  for (let at = 4; at < SIZE; at += 4) cpu.load32(buffer + at);
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'lost-device-write',
  applies: hasCache,
  consequences: ['stale-cpu-read'],
  provisional: ['lost-cpu-write'],
  wrong,
  right,
};
