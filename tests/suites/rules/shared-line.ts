import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import { byteAt } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { hasCache } from './conditions';
import type { RuleExample } from './example';

const { FromDevice } = DmaDirection;

/** struct { u8 rx[]; u32 packets; }: the counter lives in the last line of the buffer. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const size = bench.line - 4;
  const priv = bench.kmalloc(bench.line);
  const packets = byteAt(priv, size);
  cpu.store32(packets, 0);
  const dma = bench.mapped(dmaMapSingle(dev, priv, size, FromDevice));
  // Another packet is counted while the device has the line.
  cpu.store32(packets, cpu.load32(packets) + 1);
  device.writePattern(dma, size, 1);
  dmaUnmapSingle(dev, dma, size, FromDevice);
  bench.kfree(priv);
};

/** The buffer has its lines for itself: kmalloc() sees to that for what it gives. */
export const right = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const size = bench.line - 4;
  const rx = bench.kmalloc(size);
  const packets = bench.kmalloc(4);
  cpu.store32(packets, 0);
  const dma = bench.mapped(dmaMapSingle(dev, rx, size, FromDevice));
  cpu.store32(packets, cpu.load32(packets) + 1);
  device.writePattern(dma, size, 1);
  dmaUnmapSingle(dev, dma, size, FromDevice);
  bench.kfree(packets);
  bench.kfree(rx);
};

export const example: RuleExample = {
  rule: 'shared-line',
  applies: hasCache,
  consequences: [
    'dirty-line-over-device-data',
    'invalidate-of-dirty-bytes',
    'lost-cpu-write',
    'lost-device-write',
  ],
  wrong,
  right,
};
