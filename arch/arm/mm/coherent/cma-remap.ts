import type { Page } from '../../../../drivers/base/kernel/dma-mapping';
import type { CmaPool } from '../../../../drivers/base/kernel/dma-pools';
import { hex } from '../../../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { invariant } from '../../../../drivers/base/types/errors';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { cmaAlignOrder } from '../../../../mm/cma';
import type { PageSource } from '../../../../mm/dma-contiguous';
import { pageToPhys, physToPage } from '../../../../mm/page-alloc';
import { freePages, fromRequest, mapAlone, refusal, unmapBlock, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/** Where the tree has no pool: as `cma=4M` on the command line. */
const SIZE = 4 * MIB;

/**
 * Contiguous memory from the pool that movable pages may use meanwhile. The linear map is in pages
 * there and nowhere else, and those of a buffer become uncached where they are; highmem is mapped
 * instead, as nothing else maps it (c79095092834 "ARM: integrate CMA with DMA-mapping", 3.5).
 */
class CmaRemap implements CoherentStrategy {
  readonly name = 'cma-remap';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    this.#context = context;
  }

  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { size, gfp, limit, cma = null } = request;
    if (gfp.atomic === true) return refusal('CMA may sleep');
    const source = cma === null ? this.#shared(size) : ownSource(cma, request);
    if (source === null) return refusal('no CMA on this machine');
    const page = source.take(true);
    if (page === null) return refusal(`not ${size} bytes in one piece are left of CMA`);
    if (pageToPhys(page) + size - 1 <= limit) return this.#uncached(page, { ...request, source });
    source.release(page);
    return refusal(`CMA is beyond ${hex(limit)}, which the device reaches`);
  }

  free(block: CoherentBlock): void {
    const { linear, mm } = this.#context;
    if (mm.layout.physToVirt(block.phys) === null) unmapBlock(this.#context, block);
    else linear.makeCached(block.phys, block.size);
    freePages(mm, block);
  }

  /** The area for all (dma_contiguous_default_area). */
  #shared(size: number): PageSource | null {
    const { area } = this.#context;
    if (area === null) return null;
    return {
      take: () => {
        const phys = area.allocate(size);
        return phys === null ? null : physToPage(phys);
      },
      release: page => {
        area.release(pageToPhys(page), size);
      },
    };
  }

  #uncached(page: Page, request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { linear, mm } = this.#context;
    const { size, memory } = request;
    const phys = pageToPhys(page);
    const cpuAddr = mm.layout.physToVirt(phys);
    if (cpuAddr === null) return mapAlone(this.#context, page, request);
    const block = { cpuAddr, phys, page, ...fromRequest(request) };
    if (!linear.isInPages(phys, size)) {
      freePages(mm, block);
      return refusal('the linear map has a block there, of which no part can be changed');
    }
    zero(mm, cpuAddr, request);
    linear.makeUncached(phys, size, memory);
    return block;
  }
}

/** The area of one device (dev_get_cma_area). */
const ownSource = (cma: CmaPool, { size, gfp }: CoherentRequest): PageSource => ({
  take: () => cma.alloc(size / PAGE_SIZE, cmaAlignOrder(size), gfp.noWarn === true),
  release: page => {
    const isMine = cma.release(page, size / PAGE_SIZE);
    invariant(isMine, `memory of CMA area ${cma.name} that is not`);
  },
});

export const cmaRemap: CoherentKind = {
  name: 'cma-remap',
  summary: 'of CMA, whose part of the linear map is in pages, made uncached there',
  boot: ({ cma, cmaWish = null, ownCma = [], dmaEnd }) => {
    if (cma !== null) return { inPages: [cma, ...ownCma] };
    const wish = cmaWish ?? { size: SIZE, align: SIZE, end: dmaEnd };
    return { setAside: [{ ...wish, linearMap: 'pages' }], inPages: ownCma };
  },
  make: context => new CmaRemap(context),
};
