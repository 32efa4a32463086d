import { DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import { bugOn } from '../drivers/base/kernel/oops';
import { dmaLimit } from './dma-direct';
import type { MappingDirection } from './dma-observed';

/*
 * Which table serves a call of the DMA API (dma_go_direct in kernel/dma/mapping.c).
 */

/** BUG_ON for DMA_NONE (valid_dma_direction). */
export function checkDirection(direction: DmaDirection): asserts direction is MappingDirection {
  bugOn(direction === DmaDirection.None, 'a mapping needs a direction');
}

/** The table for streaming DMA; null for a device that is not set up for DMA (no dma_mask). */
export const mapOpsOf = (dev: Device): DmaMapOps | null => opsFor(dev, dev.dma.mask);

/** The table for the device's own memory, which goes by the coherent mask. */
export const allocOpsOf = (dev: Device): DmaMapOps | null => opsFor(dev, dev.dma.coherentMask);

const opsFor = (dev: Device, mask: number): DmaMapOps | null => {
  const { ops, bypass } = dev.dma;
  if (bypass === null) return ops;
  return dmaLimit(dev, mask) >= bypass.getRequiredMask(dev) ? bypass : ops;
};
