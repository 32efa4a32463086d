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

/** The buffer was mapped and unmapped once: the second time nothing is synced, to be fast. */
export const wrong = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  for (const [packet, attrs] of [DmaAttr.None, DmaAttr.SkipCpuSync].entries()) {
    const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice, attrs));
    device.writePattern(dma, SIZE, packet);
    dmaUnmapSingle(dev, dma, SIZE, FromDevice, attrs);
    // The lines that the first packet was read into are still there when the second is read.
    bench.wrongBytes(buffer, SIZE, packet);
  }
  bench.kfree(buffer);
};

/** Each transfer is mapped and unmapped, and each time the old lines go. */
export const right = (bench: DriverBench): void => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  for (let packet = 0; packet < 2; packet++) {
    const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
    device.writePattern(dma, SIZE, packet);
    dmaUnmapSingle(dev, dma, SIZE, FromDevice);
    bench.wrongBytes(buffer, SIZE, packet);
  }
  bench.kfree(buffer);
};

export const example: RuleExample = {
  rule: 'stale-cpu-read',
  applies: hasCache,
  wrong,
  right,
};
