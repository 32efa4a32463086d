import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { hex } from '../../../../drivers/base/types/address';
import type { PhysAddr } from '../../../../drivers/base/types/address';
import { MIB } from '../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { physToPage } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import { pagesFrom, refusal, zero } from './pages';
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
    const { area } = this.#context;
    const { size, gfp, limit } = request;
    if (area === null) return refusal('no CMA on this machine');
    if (gfp.atomic === true) return refusal('CMA may sleep');
    const phys = area.allocate(size);
    if (phys === null) return refusal(`not ${size} bytes in one piece are left of CMA`);
    const refused =
      phys + size - 1 > limit
        ? refusal(`CMA is beyond ${hex(limit)}, which the device reaches`)
        : null;
    const block = refused ?? this.#uncached(phys, request);
    if ('refused' in block) area.release(phys, size);
    return block;
  }

  free({ cpuAddr, phys, size }: CoherentBlock): void {
    const { area, linear, mm, mappings } = this.#context;
    if (area === null) throw new KernelOops('memory freed that CMA never gave');
    if (mm.layout.physToVirt(phys) === null) mappings.vunmap(cpuAddr);
    else linear.makeCached(phys, size);
    area.release(phys, size);
  }

  #uncached(phys: PhysAddr, { size, memory }: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { linear, mm, mappings } = this.#context;
    const page = physToPage(phys);
    const inLowmem = mm.layout.physToVirt(phys);
    if (inLowmem !== null) {
      zero(mm, inLowmem, size);
      linear.makeUncached(phys, size, memory);
      return { cpuAddr: inLowmem, phys, page, size };
    }
    const mapped = mappings.vmap(pagesFrom(page, size), withMemory(PAGE_KERNEL, memory));
    if (mapped === null) return refusal('no address space for a mapping');
    linear.flush(mapped, phys, size);
    zero(mm, mapped, size);
    mm.barriers.mb();
    return { cpuAddr: mapped, phys, page, size };
  }
}

export const cmaRemap: CoherentKind = {
  name: 'cma-remap',
  summary: 'of CMA, whose part of the linear map is in pages, made uncached there',
  boot: ({ cma, dmaEnd }) =>
    cma === null
      ? { setAside: [{ size: SIZE, align: SIZE, end: dmaEnd, linearMap: 'pages' }] }
      : { inPages: [cma] },
  make: context => new CmaRemap(context),
};
