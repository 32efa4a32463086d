import type { Device } from '../drivers/base/kernel/device';
import { EIO } from '../drivers/base/kernel/errno';
import type { DmaAddr } from '../drivers/base/types/address';
import { dmaLimit } from './dma-direct';
import { dmaOpsOf } from './dma-dispatch';

/*
 * Masks, and what else a device says it can do or is told it may (linux/dma-mapping.h). Where the
 * kernel says SIZE_MAX it is Infinity here.
 */

/** A mask of `bits` ones (DMA_BIT_MASK); above 53 bits the number is rounded up. */
export const dmaBitMask = (bits: number): number => (bits >= 64 ? 2 ** 64 : 2 ** bits - 1);

/** True if the device can do DMA with this mask (dma_supported). */
export const dmaSupported = (dev: Device, mask: number): boolean =>
  dev.dma.ops?.dmaSupported(dev, mask) ?? false;

/** Sets the streaming mask: 0, or -EIO and the old mask stays (dma_set_mask). */
export const dmaSetMask = (dev: Device, mask: number): number => {
  if (!dmaSupported(dev, mask)) return -EIO;
  dev.dma.mask = mask;
  return 0;
};

/** Sets the mask of coherent memory: 0, or -EIO and the old mask stays (dma_set_coherent_mask). */
export const dmaSetCoherentMask = (dev: Device, mask: number): number => {
  if (!dmaSupported(dev, mask)) return -EIO;
  dev.dma.coherentMask = mask;
  return 0;
};

/** Both masks; neither changes if the first fails (dma_set_mask_and_coherent). */
export const dmaSetMaskAndCoherent = (dev: Device, mask: number): number => {
  const result = dmaSetMask(dev, mask);
  return result === 0 ? dmaSetCoherentMask(dev, mask) : result;
};

/** The streaming mask (dma_get_mask). */
export const dmaGetMask = (dev: Device): number => dev.dma.mask;

/** The smallest mask with which the device reaches all memory; changes nothing. */
export const dmaGetRequiredMask = (dev: Device): number =>
  dmaOpsOf(dev)?.getRequiredMask(dev) ?? 2 ** 32 - 1;

/** True if there is memory that the device cannot reach as it is set up (dma_addressing_limited). */
export const dmaAddressingLimited = (dev: Device): boolean =>
  dmaLimit(dev, dev.dma.mask) < dmaGetRequiredMask(dev) ||
  dmaOpsOf(dev)?.reachesAllMemory?.(dev) === false;

/** The most bytes that one mapping can have (dma_max_mapping_size). */
export const dmaMaxMappingSize = (dev: Device): number =>
  dmaOpsOf(dev)?.maxMappingSize?.(dev) ?? Infinity;

/** The most bytes that one mapping can have without its getting slow (dma_opt_mapping_size). */
export const dmaOptMappingSize = (dev: Device): number =>
  Math.min(dmaMaxMappingSize(dev), dmaOpsOf(dev)?.optMappingSize?.(dev) ?? Infinity);

/** False: no sync of the mapping at this address does anything, and all may be left out. */
export const dmaNeedSync = (dev: Device, address: DmaAddr): boolean =>
  dmaOpsOf(dev)?.needSync?.(dev, address) ?? true;

/**
 * Pieces of a scatterlist that meet at a multiple of this + 1 are mapped as one; 0: none are
 * (dma_get_merge_boundary).
 */
export const dmaGetMergeBoundary = (dev: Device): number =>
  dmaOpsOf(dev)?.getMergeBoundary?.(dev) ?? 0;

/** The bytes that buffers must begin at a multiple of, and be apart (dma_get_cache_alignment). */
export const dmaGetCacheAlignment = (dev: Device): number => dev.services.dmaMinAlign;

/** The most bytes that a segment of a scatterlist may have (dma_get_max_seg_size). */
export const dmaGetMaxSegSize = (dev: Device): number => dev.dma.maxSegSize;

export const dmaSetMaxSegSize = (dev: Device, size: number): void => {
  dev.dma.maxSegSize = size;
};

/** No segment crosses a multiple of this mask + 1 (dma_get_seg_boundary). */
export const dmaGetSegBoundary = (dev: Device): number => dev.dma.segBoundary;

export const dmaSetSegBoundary = (dev: Device, mask: number): void => {
  dev.dma.segBoundary = mask;
};

/** The low bits of addresses that bouncing keeps (dma_get_min_align_mask). */
export const dmaGetMinAlignMask = (dev: Device): number => dev.dma.minAlignMask;

export const dmaSetMinAlignMask = (dev: Device, mask: number): void => {
  dev.dma.minAlignMask = mask;
};
