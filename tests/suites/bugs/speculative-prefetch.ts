import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { exposedIf, speculates } from './visibility';

const { FromDevice } = DmaDirection;
const SIZE = 512;

/** Before 2.6.34 dma_unmap_single() did nothing: the lines were gone since dma_map_single(). */
const receive = (bench: DriverBench, unmapAttrs: number): number => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 61);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  device.startWrite(dma, SIZE, 62);
  device.finish();
  dmaUnmapSingle(dev, dma, SIZE, FromDevice, unmapAttrs);
  const wrong = bench.wrongBytes(buffer, SIZE, 62);
  bench.kfree(buffer);
  return wrong;
};

export const bug: Bug = {
  name: 'buffers_are_invalidated_before_dma_only',
  title: 'ARM: dma-mapping: lines that are prefetched during a transfer stay',
  source: '2ffe2da3e716',
  rules: ['refill-after-invalidate', 'stale-cpu-read'],
  unfit: hasCache,
  shows: exposedIf(speculates),
  buggy: bench => receive(bench, DmaAttr.SkipCpuSync),
  fixed: bench => receive(bench, DmaAttr.None),
};
