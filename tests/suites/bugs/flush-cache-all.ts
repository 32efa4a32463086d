import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { CacheLevel } from '../../../arch/arm/mm/cpu-info';
import type { CpuAddr } from '../../../drivers/base/types/address';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { clean } from './maintenance';
import { exposedIf } from './visibility';

const { ToDevice } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const SIZE = 256;

/** Lines of all levels: each is an operation. */
const linesOf = (levels: readonly CacheLevel[]): number =>
  levels.reduce((lines, { sets, ways }) => lines + sets * ways, 0);
const MANY_LINES = 4096;

/** ion: a large buffer is cleaned faster with all of the cache, by set and way. */
const cleanAll = ({ kernel }: DriverBench): void => {
  kernel.mm.cache.flushKernAll();
  kernel.mm.outer.flushAll();
};

const transmit = (bench: DriverBench, sync: (buffer: CpuAddr) => void): number => {
  const { dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  bench.fill(buffer, SIZE, 51);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, ToDevice, SkipCpuSync));
  sync(buffer);
  const { mismatches } = device.checkPattern(dma, SIZE, 51);
  dmaUnmapSingle(dev, dma, SIZE, ToDevice, SkipCpuSync);
  bench.kfree(buffer);
  return mismatches;
};

export const bug: Bug = {
  name: 'a_buffer_is_cleaned_with_the_whole_cache',
  title: 'ion: flush_cache_all() by set and way for one buffer, on a multiprocessor',
  source: 'ARM DDI 0487 D7.5: set/way operations are not for coherency management',
  rules: ['stale-device-read'],
  unfit: hasCache,
  /** A line may move to another core's cache while this one's is walked. */
  shows: exposedIf(({ core }) => core.multiprocessor),
  isLong: ({ kernel }) => linesOf(kernel.mm.info.levels) > MANY_LINES,
  buggy: bench =>
    transmit(bench, () => {
      cleanAll(bench);
    }),
  fixed: bench =>
    transmit(bench, buffer => {
      clean(bench, buffer, SIZE);
    }),
};
