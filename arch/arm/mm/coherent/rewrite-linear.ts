import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
import { freePages, fromRequest, refusal, takePages, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/**
 * The linear map is in pages, and those of a buffer become uncached where they are, as long as it
 * lives (G. King, August 2010: ARM_ATTRIB_ALLOCATOR with lowmem in PTEs).
 */
class RewriteLinear implements CoherentStrategy {
  readonly name = 'rewrite-linear';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    this.#context = context;
  }

  /** Does not sleep: nothing but entries is written. */
  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { mm, linear } = this.#context;
    const { size, memory } = request;
    const page = takePages(mm, request, false);
    if (typeof page === 'object') return page;
    const phys = pageToPhys(page);
    const block = { cpuAddr: linear.addressOf(phys), phys, page, ...fromRequest(request) };
    if (!linear.isInPages(phys, size)) {
      freePages(mm, block);
      return refusal('the linear map has a block there, of which no part can be changed');
    }
    zero(mm, block.cpuAddr, request);
    linear.makeUncached(phys, size, memory);
    return block;
  }

  free(block: CoherentBlock): void {
    const { mm, linear } = this.#context;
    linear.makeCached(block.phys, block.size);
    freePages(mm, block);
  }
}

export const rewriteLinear: CoherentKind = {
  name: 'rewrite-linear',
  summary: 'made uncached where it is in the linear map, which is in pages',
  boot: () => ({ inPages: 'all' }),
  make: context => new RewriteLinear(context),
};
