import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import {
  freePages,
  fromRequest,
  mapAlone,
  pagesFrom,
  refusal,
  takePages,
  unmapBlock,
  zero,
} from './pages';
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
    const { size, memory, gfp, isUnmapped } = request;
    if (gfp.atomic === true && isUnmapped !== true) return refusal('remapping may sleep');
    const page = takePages(mm, request, true);
    if (typeof page === 'object') return page;
    const phys = pageToPhys(page);
    const alias = mm.layout.physToVirt(phys);
    // CMA may lie in highmem.
    if (alias === null) return mapAlone(this.#context, page, request);
    const block = { phys, page, ...fromRequest(request) };
    zero(mm, alias, request);
    linear.flush(alias, phys, size);
    if (isUnmapped === true) return { ...block, cpuAddr: alias, isUnmapped };
    const cpuAddr = mappings.vmap(pagesFrom(page, size), withMemory(PAGE_KERNEL, memory));
    if (cpuAddr !== null) return { ...block, cpuAddr };
    freePages(mm, block);
    return refusal('no address space for another mapping');
  }

  free(block: CoherentBlock): void {
    unmapBlock(this.#context, block);
    freePages(this.#context.mm, block);
  }
}

export const legacyRemap: CoherentKind = {
  name: 'legacy-remap',
  summary: 'flushed once, mapped again uncached; the cacheable mapping stays',
  boot: () => ({}),
  make: context => new LegacyRemap(context),
};
