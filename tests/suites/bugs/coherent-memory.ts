import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { DmaAttr, DmaDirection, dmaMapPage } from '../../../mm/dma-mapping-common';
import { dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../mm/pgprot';
import { aliasIsHarmless, withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import type { Bug } from './bug';
import { flush } from './maintenance';
import { exposedIf } from './visibility';

/*
 * Coherent memory by remapping, while a cacheable mapping of the same page is or was there.
 */

const { FromDevice } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const SIZE = 256;

/** The device writes the page, and the CPU reads it through its uncached mapping. */
const receive = (bench: DriverBench, page: Page, uncached: CpuAddr): number => {
  const { dev, device } = bench;
  const dma = bench.mapped(dmaMapPage(dev, page, 0, PAGE_SIZE, FromDevice, SkipCpuSync));
  let wrong = 0;
  for (let packet = 0; packet < 4; packet++) {
    device.writePattern(dma, SIZE, packet);
    wrong += bench.wrongBytes(uncached, SIZE, packet);
  }
  dmaUnmapPage(dev, dma, PAGE_SIZE, FromDevice, SkipCpuSync);
  return wrong;
};

/** __dma_alloc_remap: flushed once, remapped; the linear map has the page cached as before. */
const remapLowmem = (bench: DriverBench): number => {
  const page = bench.allocPages();
  flush(bench, bench.addressOf(page), PAGE_SIZE);
  const uncached = bench.vmap(page, 'dmacoherent');
  const wrong = receive(bench, page, uncached);
  bench.vunmap(uncached);
  bench.freePages(page);
  return wrong;
};

/** Memory that has no other mapping, or on which a clean one does no harm. */
const useShared = (bench: DriverBench): number => {
  const shared = bench.allocShared();
  const wrong = receive(bench, shared.page, shared.cpuAddress);
  bench.freeShared(shared);
  return wrong;
};

export const broken: Bug = {
  name: 'dma_alloc_coherent_keeps_the_cacheable_alias',
  title: 'ARM: dma_alloc_coherent() remaps uncached what stays mapped cached',
  source: 'A. Bergmann, ARM DMA list of April 2011, item 1; c79095092834 with CMA',
  rules: ['cacheability-mismatch', 'refill-after-invalidate', 'stale-cpu-read'],
  masters: 'non-coherent',
  unfit: withoutSharedPages,
  shows: exposedIf(({ machine }) => !aliasIsHarmless(machine)),
  buggy: remapLowmem,
  fixed: useShared,
};

/** A page that is mapped once, and whose only mapping is to become uncached. */
const changeAttributes = (bench: DriverBench, flushesFirst: boolean): number => {
  const { cpu, kernel } = bench;
  const { cache, outer, pages, root, tables, tlb, info } = kernel.mm;
  const page = bench.allocUncachedPage();
  const va = bench.vmap(page);
  for (let at = 0; at < PAGE_SIZE; at += 4) cpu.store32(va + at, 0);
  const flushPage = (): void => {
    cache.dmaFlushRange(va, PAGE_SIZE);
    outer.flushRange(pageToPhys(page), PAGE_SIZE);
  };
  if (flushesFirst) flushPage();
  tables.unmap(root, va, PAGE_SIZE);
  tlb.flushKernelRange(va, PAGE_SIZE);
  const prot = withMemory(PAGE_KERNEL, 'dmacoherent');
  tables.map(root, { va, pa: pageToPhys(page), size: PAGE_SIZE, prot, blocks: false });
  if (info.type !== 'v4wb') cpu.isb();
  if (!flushesFirst) flushPage();
  const wrong = receive(bench, page, va);
  bench.vunmap(va);
  pages.freePagesAt(page, 0);
  return wrong;
};

export const refilled: Bug = {
  name: 'a_page_is_flushed_before_its_attributes_change',
  title: '__dma_clear_buffer: flushed through the cached mapping, which then becomes uncached',
  source: 'arch/arm/mm/dma-mapping.c of 3.5, __dma_clear_buffer()',
  rules: ['refill-after-invalidate', 'stale-cpu-read'],
  consequences: ['cacheability-mismatch'],
  masters: 'non-coherent',
  unfit: withoutSharedPages,
  shows: exposedIf(({ machine }) => !aliasIsHarmless(machine)),
  buggy: bench => changeAttributes(bench, true),
  fixed: bench => changeAttributes(bench, false),
};
