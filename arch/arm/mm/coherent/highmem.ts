import { hex } from '../../../../drivers/base/types/address';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import type { PageSource } from '../../../../mm/dma-contiguous';
import { pageToPhys } from '../../../../mm/page-alloc';
import { getOrder, pagesOf } from '../../../../mm/zone';
import { freePages, mapAlone, refusal, unmapBlock } from './pages';
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

  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { size, gfp, limit } = request;
    const { pages } = this.#context.mm;
    if (!pages.hasHighmem) return refusal('no highmem on this machine');
    if (gfp.atomic === true) return refusal('remapping may sleep');
    const order = getOrder(size);
    const none = `no free block of ${pagesOf(order)} pages of highmem`;
    const source: PageSource = {
      take: () => pages.allocPages({ highmem: true }, order),
      release: page => {
        pages.freePagesAt(page, order);
      },
    };
    const page = source.take(true);
    if (page === null) return refusal(none);
    if (pages.isHighmem(page) && pageToPhys(page) + size - 1 <= limit) {
      return mapAlone(this.#context, page, { ...request, source });
    }
    source.release(page);
    return refusal(
      pages.isHighmem(page) ? `highmem is beyond ${hex(limit)}, which the device reaches` : none,
    );
  }

  free(block: CoherentBlock): void {
    unmapBlock(this.#context, block);
    freePages(this.#context.mm, block);
  }
}

export const highmem: CoherentKind = {
  name: 'highmem',
  summary: 'pages of highmem, which the linear map does not have',
  boot: () => ({}),
  make: context => new Highmem(context),
};
