import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import { allocLowmem, freePages, pagesFrom, refusal, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/**
 * Pages are flushed once and mapped a second time, uncached (__dma_alloc_remap() of 2.6.35, and
 * dma_common_contiguous_remap() today). The linear map keeps them cacheable: a core that fills lines
 * unasked may bring them back at any time. Harmless where such lines stay clean and uncached
 * accesses do not look at them, or where the core does not speculate.
 */
class LegacyRemap implements CoherentStrategy {
  readonly name = 'legacy-remap';
  readonly keepsAlias = true;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    this.#context = context;
  }

  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { mm, mappings, linear } = this.#context;
    const { size, memory, gfp } = request;
    if (gfp.atomic === true) return refusal('remapping may sleep');
    const page = allocLowmem(mm, request);
    if (typeof page === 'object') return page;
    const phys = pageToPhys(page);
    const alias = linear.addressOf(phys);
    zero(mm, alias, size);
    linear.flush(alias, phys, size);
    const cpuAddr = mappings.vmap(pagesFrom(page, size), withMemory(PAGE_KERNEL, memory));
    if (cpuAddr !== null) return { cpuAddr, phys, page, size };
    freePages(mm, { cpuAddr: alias, phys, page, size });
    return refusal('no address space for another mapping');
  }

  free(block: CoherentBlock): void {
    const { mm, mappings } = this.#context;
    mappings.vunmap(block.cpuAddr);
    freePages(mm, block);
  }
}

export const legacyRemap: CoherentKind = {
  name: 'legacy-remap',
  summary: 'flushed once, mapped again uncached; the cacheable mapping stays',
  boot: () => ({}),
  make: context => new LegacyRemap(context),
};
