import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { hex, offsetBy, physAddr } from '../../../../drivers/base/types/address';
import type { CpuAddr } from '../../../../drivers/base/types/address';
import { MIB } from '../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { physToPage } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import { pagesFrom, refusal, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/** What 2.6 had for all coherent mappings (CONSISTENT_DMA_SIZE). */
const SIZE = 2 * MIB;
/** Its last-level tables are its own. */
const ALIGN = 2 * MIB;

/** As what all of it is mapped, whatever is asked for. */
const MEMORY = 'dmacoherent';

/**
 * Memory that is kept out of the linear map at boot and mapped once, uncached (R. King, October
 * 2010): nobody else ever has it.
 */
class Carveout implements CoherentStrategy {
  readonly name = 'carveout';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;
  readonly #mapping: CpuAddr | null;

  constructor(context: CoherentContext) {
    const { area, mappings } = context;
    this.#context = context;
    this.#mapping =
      area === null
        ? null
        : mappings.vmap(
            pagesFrom(physToPage(physAddr(area.base)), area.size),
            withMemory(PAGE_KERNEL, MEMORY),
          );
  }

  /** Does not sleep, and changes no mapping: the memory type is that of the one there is. */
  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { size, limit } = request;
    const { area, mm } = this.#context;
    if (area === null || this.#mapping === null) return refusal('no memory was set aside at boot');
    const phys = area.allocate(size);
    if (phys === null) return refusal(`not ${size} bytes are left of what was set aside`);
    if (phys + size - 1 > limit) {
      area.release(phys, size);
      return refusal(`what was set aside is beyond ${hex(limit)}, which the device reaches`);
    }
    const cpuAddr = offsetBy(this.#mapping, phys - area.base);
    zero(mm, cpuAddr, request);
    mm.barriers.mb();
    return { cpuAddr, phys, page: null, size, memory: MEMORY };
  }

  free({ phys, size }: CoherentBlock): void {
    const { area } = this.#context;
    if (area === null) throw new KernelOops('memory freed that was never set aside');
    area.release(phys, size);
  }
}

export const carveout: CoherentKind = {
  name: 'carveout',
  summary: 'set aside at boot, never in the linear map',
  boot: ({ dmaEnd }) => ({
    setAside: [{ size: SIZE, align: ALIGN, end: dmaEnd, linearMap: 'none' }],
  }),
  make: context => new Carveout(context),
};
