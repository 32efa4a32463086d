import { DMA_MAPPING_ERROR, DmaAttr, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import { EIO, ENOMEM } from '../drivers/base/kernel/errno';
import { bugOn } from '../drivers/base/kernel/oops';
import type { CpuAddr, DmaAddr } from '../drivers/base/types/address';
import { offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import { beginCall, beginMap, deviceNames } from './dma-observed';
import type { MappingDirection } from './dma-observed';
import { physToPage } from './page-alloc';

/*
 * The streaming DMA API: one dispatch for every device, whatever is behind it
 * (kernel/dma/mapping.c). Error conventions are the kernel's: an address that is to be tested
 * with dmaMappingError, or a negative errno.
 */

export { DMA_MAPPING_ERROR, DmaAttr, DmaDirection };
export type { DmaAttrs };

/** A mask of `bits` ones (DMA_BIT_MASK); above 53 bits the number is rounded up. */
export const dmaBitMask = (bits: number): number => (bits >= 64 ? 2 ** 64 : 2 ** bits - 1);

function checkDirection(direction: DmaDirection): asserts direction is MappingDirection {
  bugOn(direction === DmaDirection.None, 'a mapping needs a direction');
}

const opsOf = (dev: Device): DmaMapOps | null => dev.dma.ops;

/**
 * Maps a piece of a page for the device (dma_map_page_attrs).
 * DMA_MAPPING_ERROR if the device cannot reach it or is not set up for DMA.
 */
export const dmaMapPage = (
  dev: Device,
  page: Page,
  offset: number,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): DmaAddr => {
  checkDirection(direction);
  const observed = beginMap(dev, page, offset, size, direction, attrs);
  const address =
    opsOf(dev)?.mapPage(dev, page, offset, size, direction, attrs) ?? DMA_MAPPING_ERROR;
  if (observed === null) return address;
  const { observer, told: request, site } = observed;
  if (address === DMA_MAPPING_ERROR) observer.mapFailed(request, site);
  else observer.dmaMapped({ ...request, busAddress: address }, site);
  return address;
};

/** Ends a mapping; the arguments are those it was made with (dma_unmap_page_attrs). */
export const dmaUnmapPage = (
  dev: Device,
  address: DmaAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  checkDirection(direction);
  const observed = beginCall('unmap', dev, address, size, direction, attrs);
  try {
    opsOf(dev)?.unmapPage(dev, address, size, direction, attrs);
  } finally {
    observed?.observer.dmaUnmapped(observed.told, observed.site);
  }
};

/**
 * Maps a buffer of the linear map: what kmalloc and the page allocator give (dma_map_single_attrs).
 * An address of vmalloc, ioremap or user space is refused with DMA_MAPPING_ERROR.
 */
export const dmaMapSingle = (
  dev: Device,
  address: CpuAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): DmaAddr => {
  checkDirection(direction);
  const physical = dev.services.memory.virtToPhys(address);
  if (physical === null) {
    const { observer } = dev.services;
    observer?.mapRefused({ ...deviceNames(dev), virtualAddress: address, size }, callSite());
    return DMA_MAPPING_ERROR;
  }
  return dmaMapPage(dev, physToPage(physical), physical % PAGE_SIZE, size, direction, attrs);
};

/** As dmaUnmapPage (dma_unmap_single_attrs). */
export const dmaUnmapSingle = dmaUnmapPage;

/** The CPU may look at the buffer again; the device must not touch it until it is given back. */
export const dmaSyncSingleForCpu = (
  dev: Device,
  address: DmaAddr,
  size: number,
  direction: DmaDirection,
): void => {
  checkDirection(direction);
  const observed = beginCall('sync for CPU', dev, address, size, direction);
  try {
    opsOf(dev)?.syncSingleForCpu(dev, address, size, direction);
  } finally {
    observed?.observer.syncedForCpu(observed.told, observed.site);
  }
};

/** The device gets the buffer back. */
export const dmaSyncSingleForDevice = (
  dev: Device,
  address: DmaAddr,
  size: number,
  direction: DmaDirection,
): void => {
  checkDirection(direction);
  const observed = beginCall('sync for device', dev, address, size, direction);
  try {
    opsOf(dev)?.syncSingleForDevice(dev, address, size, direction);
  } finally {
    observed?.observer.syncedForDevice(observed.told, observed.site);
  }
};

/** As dmaSyncSingleForCpu, for a part of the mapping. */
export const dmaSyncSingleRangeForCpu = (
  dev: Device,
  address: DmaAddr,
  offset: number,
  size: number,
  direction: DmaDirection,
): void => {
  dmaSyncSingleForCpu(dev, offsetBy(address, offset), size, direction);
};

/** As dmaSyncSingleForDevice, for a part of the mapping. */
export const dmaSyncSingleRangeForDevice = (
  dev: Device,
  address: DmaAddr,
  offset: number,
  size: number,
  direction: DmaDirection,
): void => {
  dmaSyncSingleForDevice(dev, offsetBy(address, offset), size, direction);
};

/** -ENOMEM if a mapping failed, else 0. DMA address 0 is a good one. */
export const dmaMappingError = (dev: Device, address: DmaAddr): number => {
  const { observer } = dev.services;
  if (observer !== null) observer.mappingChecked(dev.name, address, callSite());
  return address === DMA_MAPPING_ERROR ? -ENOMEM : 0;
};

/** True if the device can do DMA with this mask (dma_supported). */
export const dmaSupported = (dev: Device, mask: number): boolean =>
  opsOf(dev)?.dmaSupported(dev, mask) ?? false;

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
  opsOf(dev)?.getRequiredMask(dev) ?? 2 ** 32 - 1;
