import { DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import { bugOn } from '../drivers/base/kernel/oops';
import type { MappingDirection } from './dma-observed';

/*
 * Which table serves a call of the DMA API (dma_go_direct in kernel/dma/mapping.c).
 */

/** BUG_ON for DMA_NONE (valid_dma_direction). */
export function checkDirection(direction: DmaDirection): asserts direction is MappingDirection {
  bugOn(direction === DmaDirection.None, 'a mapping needs a direction');
}

/** The table that serves a device; null for one that is not set up for DMA (no dma_mask). */
export const dmaOpsOf = (dev: Device): DmaMapOps | null => dev.dma.ops;
