import type { KernelMappings } from '../arch/arm/mm/ioremap';
import type { ArmMm } from '../arch/arm/mm/init';
import type { PageServices } from '../drivers/base/kernel/device';
import { PAGE_KERNEL, withMemory } from '../mm/pgprot';

/** Pages of the kernel's allocator and mappings in its vmalloc space. */
export const pageServices = (mm: ArmMm, mappings: KernelMappings): PageServices => ({
  allocPages: (gfp, order) => mm.pages.allocPages(gfp, order),
  freePages: (page, order) => {
    mm.pages.freePagesAt(page, order);
  },
  vmap: (pages, memory) =>
    mm.vmalloc === null ? null : mappings.vmap(pages, withMemory(PAGE_KERNEL, memory)),
  vunmap: address => {
    mappings.vunmap(address);
  },
});
