import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { exposedIf, isV5 } from './visibility';

const { Bidirectional } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const SIZE = 256;

/** begin_cpu_udmabuf as it was: the first time it maps, and only later times it syncs. */
const oldBegin = (bench: DriverBench, buffer: CpuAddr, mapped: DmaAddr | null): DmaAddr => {
  const { dev } = bench;
  if (mapped === null)
    return bench.mapped(dmaMapSingle(dev, buffer, SIZE, Bidirectional, SkipCpuSync));
  dmaSyncSingleForCpu(dev, mapped, SIZE, Bidirectional);
  return mapped;
};

const newBegin = (bench: DriverBench, buffer: CpuAddr, mapped: DmaAddr | null): DmaAddr => {
  const { dev } = bench;
  const dma = mapped ?? bench.mapped(dmaMapSingle(dev, buffer, SIZE, Bidirectional, SkipCpuSync));
  dmaSyncSingleForCpu(dev, dma, SIZE, Bidirectional);
  return dma;
};

/** An importer writes the buffer, and user space reads it between DMA_BUF_SYNC_START and _END. */
const readBack = (bench: DriverBench, begin: typeof oldBegin): number => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 81);
  const importer = bench.mapped(dmaMapSingle(dev, buffer, SIZE, Bidirectional));
  device.writePattern(importer, SIZE, 82);
  dmaUnmapSingle(dev, importer, SIZE, Bidirectional, SkipCpuSync);

  const dma = begin(bench, buffer, null);
  const wrong = bench.wrongBytes(buffer, SIZE, 82);
  dmaUnmapSingle(dev, dma, SIZE, Bidirectional, SkipCpuSync);
  bench.kfree(buffer);
  return wrong;
};

export const bug: Bug = {
  name: 'udmabuf_first_begin_does_not_sync',
  title: 'udmabuf: the first begin_cpu_access maps with SKIP_CPU_SYNC and syncs nothing',
  source: '1d0e25c1ddf2',
  rules: ['stale-cpu-read', 'refill-after-invalidate'],
  unfit: hasCache,
  /** v4wb has no line of it left: BIDIRECTIONAL is cleaned and invalidated there. */
  shows: exposedIf(bench => !isV5(bench)),
  buggy: bench => readBack(bench, oldBegin),
  fixed: bench => readBack(bench, newBegin),
};
