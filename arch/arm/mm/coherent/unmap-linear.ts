import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import {
  freePages,
  fromRequest,
  mapAlone,
  mappedBlock,
  pagesFrom,
  refusal,
  takePages,
  unmapBlock,
  zero,
} from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/**
 * Pages leave the linear map, which is in pages for that, and are mapped elsewhere, uncached: there
 * is no other mapping (A. Bergmann, May 2011).
 */
class UnmapLinear implements CoherentStrategy {
  readonly name = 'unmap-linear';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    this.#context = context;
  }

  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { mm, mappings, linear } = this.#context;
    const { size, memory, gfp } = request;
    if (gfp.atomic === true) return refusal('remapping may sleep');
    const page = takePages(mm, request, true);
    if (typeof page === 'object') return page;
    const phys = pageToPhys(page);
    const pages = { page, ...fromRequest(request) };
    const alias = mm.layout.physToVirt(phys);
    // CMA may lie in highmem.
    if (alias === null) return mapAlone(this.#context, page, request);
    if (!linear.isInPages(phys, size)) {
      freePages(mm, pages);
      return refusal('the linear map has a block there, of which no part can be unmapped');
    }
    zero(mm, alias, request);
    linear.unmap(phys, size);
    const cpuAddr = mappings.vmap(pagesFrom(page, size), withMemory(PAGE_KERNEL, memory));
    if (cpuAddr === null) {
      linear.map(phys, size);
      freePages(mm, pages);
      return refusal('no address space for another mapping');
    }
    linear.finishUnmap(cpuAddr, phys, size);
    return mappedBlock(this.#context, cpuAddr, page, request);
  }

  free(block: CoherentBlock): void {
    const { mm, linear } = this.#context;
    const { phys, size } = block;
    unmapBlock(this.#context, block);
    if (mm.layout.physToVirt(phys) !== null) linear.map(phys, size);
    freePages(mm, block);
  }
}

export const unmapLinear: CoherentKind = {
  name: 'unmap-linear',
  summary: 'taken out of the linear map, which is in pages, and mapped elsewhere',
  boot: () => ({ inPages: 'all' }),
  make: context => new UnmapLinear(context),
};
