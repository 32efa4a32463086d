import type { DriverBench } from '../driver-bench';
import { withoutSharedPages } from '../driver-bench';
import { DmaAttr, DmaDirection, dmaMapPage } from '../../../mm/dma-mapping-common';
import { dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { all, hasMmu } from '../rules/conditions';
import type { Bug } from './bug';
import { flush } from './maintenance';
import { isV5 } from './visibility';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';

const { Bidirectional } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const SIZE = 16;

/**
 * sh-mobile: dma_alloc_coherent() for the SoC, dma_declare_coherent_memory() on the result, which
 * ioremap()s it, and dma_alloc_coherent() from that: cached, device and uncached, all at once.
 */
const buggy = (bench: DriverBench): number => {
  const { dev, device, kernel } = bench;
  const page = bench.allocPages();
  flush(bench, bench.addressOf(page), PAGE_SIZE);
  const declared = bench.vmap(page, 'device');
  const allocated = bench.vmap(page, 'dmacoherent');
  const dma = bench.mapped(dmaMapPage(dev, page, 0, PAGE_SIZE, Bidirectional, SkipCpuSync));
  bench.storeWords(declared, SIZE, 0);
  bench.storeWords(allocated, SIZE, 1);
  kernel.mm.barriers.wmb();
  const { mismatches } = device.checkPattern(dma, SIZE, 1);
  dmaUnmapPage(dev, dma, PAGE_SIZE, Bidirectional, SkipCpuSync);
  bench.vunmap(allocated);
  bench.vunmap(declared);
  bench.freePages(page);
  return mismatches;
};

/** Memory that is mapped once, as what it is used as. */
const fixed = (bench: DriverBench): number => {
  const { device } = bench;
  const shared = bench.allocShared();
  bench.storeWords(shared.cpuAddress, SIZE, 1);
  const { mismatches } = device.checkPattern(shared.dmaAddress, SIZE, 1);
  bench.freeShared(shared);
  return mismatches;
};

export const bug: Bug = {
  name: 'one_page_has_three_aliases_of_three_kinds',
  title: 'sh-mobile: coherent memory that is declared and allocated again: three aliases',
  source: 'R. King, linux-arm-kernel, October 2010',
  rules: ['memory-type-mismatch'],
  consequences: ['cacheability-mismatch'],
  masters: 'non-coherent',
  unfit: all(hasMmu, withoutSharedPages),
  /** Before ARMv6 all of them are the same kind of memory. */
  shows: bench => (isV5(bench) ? 'may' : 'must'),
  buggy,
  fixed,
};
