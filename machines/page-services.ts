import type { KernelMappings } from '../arch/arm/mm/ioremap';
import type { ArmMm } from '../arch/arm/mm/init';
import type { PageServices } from '../drivers/base/kernel/device';
import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { CpuAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { pageToPhys } from '../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../mm/pgprot';

/**
 * Before a page is accessed past the caches: a cacheable mapping of it that has ended since it was
 * maintained may have had lines filled, which a core may look at. Linux's drivers do not do this, and a
 * highmem page has such a mapping whenever the DMA layer maintains it.
 */
const dropLines = (mm: ArmMm, pages: readonly Page[], address: CpuAddr): void => {
  mm.cache.dmaFlushRange(address, pages.length * PAGE_SIZE);
  for (const page of pages) mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
};

/** Pages of the kernel's allocator and mappings in its vmalloc space. */
export const pageServices = (mm: ArmMm, mappings: KernelMappings): PageServices => ({
  allocPages: (gfp, order) => mm.pages.allocPages(gfp, order),
  freePages: (page, order) => {
    mm.pages.freePagesAt(page, order);
  },
  onReclaim: check => {
    mm.pages.mightReclaim = check;
  },
  vmap: (pages, memory) => {
    if (mm.vmalloc === null) return null;
    const address = mappings.vmap(pages, withMemory(PAGE_KERNEL, memory));
    if (address !== null && memory !== 'cached') dropLines(mm, pages, address);
    return address;
  },
  vunmap: address => {
    mappings.vunmap(address);
  },
});
