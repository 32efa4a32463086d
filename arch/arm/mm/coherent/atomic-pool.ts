import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { hex, physAddr } from '../../../../drivers/base/types/address';
import { KIB } from '../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { refusal, zero } from './pages';
import type { CoherentContext, CoherentKind, CoherentStrategy } from './strategy';

/** DEFAULT_DMA_COHERENT_POOL_SIZE. */
const SIZE = 256 * KIB;

/** As what all of it is mapped, whatever is asked for. */
const MEMORY = 'dmacoherent';

/**
 * A small pool that is made uncached once, at boot, and from which is given without any change of a
 * mapping: it is there for those who cannot sleep (atomic_pool_init(), 3.5).
 */
class AtomicPool implements CoherentStrategy {
  readonly name = 'atomic-pool';
  readonly keepsAlias = false;
  readonly #context: CoherentContext;

  constructor(context: CoherentContext) {
    const { area, mm, linear } = context;
    this.#context = context;
    if (area === null) return;
    const base = physAddr(area.base);
    zero(mm, linear.addressOf(base), area);
    linear.makeUncached(base, area.size, MEMORY);
  }

  /** Exhaustion is an answer like any other. */
  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const { size, limit } = request;
    const { area, mm, linear } = this.#context;
    if (area === null) return refusal('no pool was prepared at boot');
    const phys = area.allocate(size);
    if (phys === null) return refusal(`DMA coherent pool of ${area.size} bytes is too small`);
    if (phys + size - 1 > limit) {
      area.release(phys, size);
      return refusal(`the pool is beyond ${hex(limit)}, which the device reaches`);
    }
    const cpuAddr = linear.addressOf(phys);
    zero(mm, cpuAddr, request);
    mm.barriers.mb();
    return { cpuAddr, phys, page: null, size, memory: MEMORY };
  }

  free({ phys, size }: CoherentBlock): void {
    const { area } = this.#context;
    if (area === null) throw new KernelOops('memory freed that no pool gave');
    area.release(phys, size);
  }
}

export const atomicPool: CoherentKind = {
  name: 'atomic-pool',
  summary: 'a pool that is made uncached at boot',
  boot: ({ dmaEnd }) => ({
    setAside: [{ size: SIZE, align: SIZE, end: dmaEnd, linearMap: 'pages' }],
  }),
  make: context => new AtomicPool(context),
};
