import type { Page } from '../../../../drivers/base/kernel/dma-mapping';
import type { PhysAddr } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { MAX_ORDER, getOrder, pagesOf } from '../../../../mm/zone';
import { pageToPhys } from '../../../../mm/page-alloc';
import { allocLowmem, freePages, refusal, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/**
 * As rewrite-linear, in a linear map of blocks: one that has a buffer is split into pages when that
 * is allocated, and stays so (arch_dma_set_uncached(), C. Hellwig, February 2020: not for
 * architectures whose blocks cannot be split).
 */
class UncachedInPlace implements CoherentStrategy {
  readonly name = 'uncached-in-place';
  readonly keepsAlias = false;
  readonly bytesHeld = 0;
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
    zero(mm, found.cpuAddr, found.size);
    linear.makeUncached(found.phys, found.size, request.memory);
    return found;
  }

  free(block: CoherentBlock): void {
    const { mm, linear } = this.#context;
    linear.makeCached(block.phys, block.size);
    freePages(mm, block);
  }

  /**
   * Memory in pages. What lies where nothing can be split is kept out of the way, in blocks that
   * grow, until the allocator has to give from elsewhere; then it is asked once more for what fits.
   */
  #find(request: CoherentRequest, unfit: CoherentBlock[]): CoherentBlock | CoherentRefusal {
    const { mm } = this.#context;
    const { size } = request;
    let refused: CoherentRefusal = refusal('no memory');
    for (let order = getOrder(size); order <= MAX_ORDER; order++) {
      const taken = Math.max(size, pagesOf(order) * PAGE_SIZE);
      const page = allocLowmem(mm, { ...request, size: taken });
      if (typeof page === 'object') return unfit.length === 0 ? page : refused;
      const block = this.#blockOf(page, taken);
      const reason = this.#split(block.phys, request);
      if (reason !== null) {
        unfit.push(block);
        refused = refusal(reason);
        continue;
      }
      if (order === getOrder(size)) return { ...block, size };
      freePages(mm, block);
      const again = allocLowmem(mm, request);
      if (typeof again === 'object') return again;
      const exact = this.#blockOf(again, size);
      const late = this.#split(exact.phys, request);
      if (late === null) return exact;
      unfit.push(exact);
      return refusal(late);
    }
    return refused;
  }

  #blockOf(page: Page, size: number): CoherentBlock {
    const phys = pageToPhys(page);
    return { cpuAddr: this.#context.linear.addressOf(phys), phys, page, size };
  }

  #split(phys: PhysAddr, { size, gfp }: CoherentRequest): string | null {
    const { linear } = this.#context;
    if (linear.isInPages(phys, size)) return null;
    if (gfp.atomic === true) return 'splitting a block stops all CPUs: not in atomic context';
    return linear.splitBlocks(phys, size);
  }
}

export const uncachedInPlace: CoherentKind = {
  name: 'uncached-in-place',
  summary: 'made uncached where it is in the linear map, whose block is split for that',
  boot: () => ({}),
  make: context => new UncachedInPlace(context),
};
