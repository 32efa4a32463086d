import type { DmaMapOps } from '../../drivers/base/kernel/device';
import type { CacheMaintenance } from '../../mm/arch-dma';
import { directTranslation } from '../../mm/dma-direct';
import type { DirectMemory } from '../../mm/dma-direct';
import { composeDmaOps } from '../../mm/dma-ops';

/** Direct DMA without bouncing and without memory of a device's own; null: it snoops. */
export const directOps = (cache: CacheMaintenance | null, memory: DirectMemory): DmaMapOps =>
  composeDmaOps({ translation: directTranslation(memory), cache, bounce: null, allocation: {} });
