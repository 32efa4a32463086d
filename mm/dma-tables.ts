import { gatedDma } from '../drivers/base/kernel/call-gate';
import type { CallGate } from '../drivers/base/kernel/call-gate';
import type { DmaMapOps } from '../drivers/base/kernel/device';
import type { CacheMaintenance } from './arch-dma';
import type { DirectAllocation } from './dma-direct-alloc';
import { composeDmaOps } from './dma-ops';
import type { Bounce, DmaAllocation, Translation } from './dma-stages';

/** An IOMMU's part of a path: the addresses it gives, and memory that goes by them. */
export interface TranslatedPath {
  readonly translation: Translation;
  readonly allocation: DmaAllocation;
}

/** What a machine has to compose paths of. */
export interface DmaStages {
  readonly direct: Translation;
  readonly cache: CacheMaintenance;
  readonly allocation: DirectAllocation;
  readonly gate: CallGate | null;
}

/**
 * The tables that a machine's devices do DMA by: one composition each for a device that snoops and
 * one that does not, directly and behind each IOMMU. They have the names they had on 32-bit ARM:
 * arm_dma_ops, arm_coherent_dma_ops, iommu_ops, iommu_coherent_ops, dmabounce_ops.
 */
export class DmaTables {
  readonly #stages: DmaStages;
  readonly #made = new Map<Translation, Map<string, DmaMapOps>>();
  /** Where data goes that its device does not reach; set before devices are there. */
  bounce: Bounce | null = null;

  constructor(stages: DmaStages) {
    this.#stages = stages;
  }

  /** The table of a device by what it is, behind an IOMMU or not. */
  opsFor(isCoherent: boolean, iommu: TranslatedPath | null = null): DmaMapOps {
    const { direct } = this.#stages;
    const translation = iommu?.translation ?? direct;
    const { bounce } = this;
    const key = `${isCoherent ? 'coherent' : 'non-coherent'} ${bounce?.name ?? ''}`;
    const tables = this.#made.get(translation) ?? new Map<string, DmaMapOps>();
    this.#made.set(translation, tables);
    let ops = tables.get(key);
    if (ops === undefined) {
      ops = this.#compose(isCoherent, bounce, iommu);
      tables.set(key, ops);
    }
    return ops;
  }

  /** The table of one device alone, whose data goes through a bounce buffer of its own. */
  opsThrough(bounce: Bounce, isCoherent: boolean): DmaMapOps {
    return this.#compose(isCoherent, bounce, null);
  }

  #compose(isCoherent: boolean, bounce: Bounce | null, iommu: TranslatedPath | null): DmaMapOps {
    const { direct, cache, allocation, gate } = this.#stages;
    const composed = composeDmaOps({
      translation: iommu?.translation ?? direct,
      cache: isCoherent ? null : cache,
      bounce,
      allocation: iommu?.allocation ?? allocation,
    });
    return gatedDma(gate, composed, iommu === null ? allocation.allocCached : null);
  }
}
