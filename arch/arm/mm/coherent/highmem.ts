import { hex } from '../../../../drivers/base/types/address';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import { getOrder, pagesOf } from '../../../../mm/zone';
import { freePages, pagesFrom, refusal, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/**
 * Pages of highmem, which have no mapping that stays, are mapped uncached (R. King, October 2010).
 * Never lowmem in their place. Lines that a temporary mapping has left are flushed before the first
 * use.
 */
class Highmem implements CoherentStrategy {
  readonly name = 'highmem';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    this.#context = context;
  }

  alloc({ size, memory, gfp, limit }: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { mm, mappings, linear } = this.#context;
    const { pages } = mm;
    if (!pages.hasHighmem) return refusal('no highmem on this machine');
    if (gfp.atomic === true) return refusal('remapping may sleep');
    const order = getOrder(size);
    const page = pages.allocPages({ highmem: true }, order);
    if (page === null) return refusal(`no free block of ${pagesOf(order)} pages of highmem`);
    const phys = pageToPhys(page);
    const refused = pages.isHighmem(page)
      ? phys + size - 1 > limit && `highmem is beyond ${hex(limit)}, which the device reaches`
      : `no free block of ${pagesOf(order)} pages of highmem`;
    const mapped =
      refused === false
        ? mappings.vmap(pagesFrom(page, size), withMemory(PAGE_KERNEL, memory))
        : null;
    if (mapped === null) {
      pages.freePagesAt(page, order);
      return refusal(refused === false ? 'no address space for a mapping' : refused);
    }
    linear.flush(mapped, phys, size);
    zero(mm, mapped, size);
    mm.barriers.mb();
    return { cpuAddr: mapped, phys, page, size };
  }

  free(block: CoherentBlock): void {
    const { mm, mappings } = this.#context;
    mappings.vunmap(block.cpuAddr);
    freePages(mm, block);
  }
}

export const highmem: CoherentKind = {
  name: 'highmem',
  summary: 'pages of highmem, which the linear map does not have',
  boot: () => ({}),
  make: context => new Highmem(context),
};
