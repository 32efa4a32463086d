import type { Page } from '../../../../drivers/base/kernel/dma-mapping';
import type { PhysAddr } from '../../../../drivers/base/types/address';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
import { freePages, fromRequest, refusal, takePages, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/** Pieces of memory that are tried: all pages of a block of 2 MiB, if it has to be. */
const TRIES = 512;

/**
 * As rewrite-linear, in a linear map of blocks: one that has a buffer is split into pages when that
 * is allocated, and stays so (arch_dma_set_uncached(), C. Hellwig, February 2020: not for
 * architectures whose blocks cannot be split).
 */
class UncachedInPlace implements CoherentStrategy {
  readonly name = 'uncached-in-place';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    this.#context = context;
  }

  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { mm, linear } = this.#context;
    const unfit: CoherentBlock[] = [];
    const found = this.#find(request, unfit);
    for (const block of unfit) freePages(mm, block);
    if ('refused' in found) return found;
    zero(mm, found.cpuAddr, request);
    linear.makeUncached(found.phys, found.size, request.memory);
    return found;
  }

  free(block: CoherentBlock): void {
    const { mm, linear } = this.#context;
    linear.makeCached(block.phys, block.size);
    freePages(mm, block);
  }

  /**
   * Memory in pages. What lies where nothing can be split is kept out of the way, so that the
   * allocator has to give from elsewhere.
   */
  #find(request: CoherentRequest, unfit: CoherentBlock[]): CoherentBlock | CoherentRefusal {
    let refused: string | null = null;
    for (let i = 0; i < TRIES; i++) {
      const page = takePages(this.#context.mm, request, false);
      if (typeof page === 'object') return refused === null ? page : refusal(refused);
      const block = this.#blockOf(page, request);
      refused = this.#split(block.phys, request);
      if (refused === null) return block;
      unfit.push(block);
    }
    return refusal(refused ?? 'no memory in pages');
  }

  #blockOf(page: Page, request: CoherentRequest): CoherentBlock {
    const phys = pageToPhys(page);
    const cpuAddr = this.#context.linear.addressOf(phys);
    return { cpuAddr, phys, page, ...fromRequest(request) };
  }

  #split(phys: PhysAddr, { size, gfp }: CoherentRequest): string | null {
    const { linear } = this.#context;
    if (linear.isInPages(phys, size)) return null;
    if (gfp.atomic === true) return 'splitting a block stops all CPUs';
    return linear.splitBlocks(phys, size);
  }
}

export const uncachedInPlace: CoherentKind = {
  name: 'uncached-in-place',
  summary: 'made uncached where it is in the linear map, whose block is split for that',
  boot: () => ({}),
  make: context => new UncachedInPlace(context),
};
