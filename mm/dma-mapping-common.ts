import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  hasDmaAttr,
} from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import { ENOMEM } from '../drivers/base/kernel/errno';
import type { CpuAddr, DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import type { DmaRequest } from '../drivers/base/types/observer';
import { checkDirection, dmaOpsOf } from './dma-dispatch';
import { beginCall, beginMap, deviceNames } from './dma-observed';
import type { Observed } from './dma-observed';
import { physToPage } from './page-alloc';

/*
 * The streaming DMA API: one dispatch for every device, whatever is behind it
 * (kernel/dma/mapping.c). Error conventions are the kernel's: an address that is to be tested
 * with dmaMappingError, or a negative errno.
 */

export { DMA_MAPPING_ERROR, DmaAttr, DmaDirection };
export type { DmaAttrs };
export * from './dma-alloc';
export * from './dma-alloc-pages';
export * from './dma-limits';
export * from './dma-mapping-sg';

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
    dmaOpsOf(dev)?.mapPage(dev, page, offset, size, direction, attrs) ?? DMA_MAPPING_ERROR;
  if (observed === null) return address;
  tellMapped(observed, address);
  return address;
};

const tellMapped = (
  { observer, told: request, site }: Observed<DmaRequest>,
  address: DmaAddr,
): void => {
  if (address === DMA_MAPPING_ERROR) observer.mapFailed(request, site);
  else observer.dmaMapped({ ...request, busAddress: address }, site);
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
    dmaOpsOf(dev)?.unmapPage(dev, address, size, direction, attrs);
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

/**
 * Maps registers of another device, for DMA between devices (dma_map_resource). Nothing is done to
 * caches, which is wrong for memory. DMA_MAPPING_ERROR if the device cannot reach them.
 */
export const dmaMapResource = (
  dev: Device,
  physical: PhysAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): DmaAddr => {
  checkDirection(direction);
  const page = physToPage(physical);
  const observed = beginMap(dev, page, physical % PAGE_SIZE, size, direction, attrs, 'resource');
  const address =
    dmaOpsOf(dev)?.mapResource?.(dev, physical, size, direction, attrs) ?? DMA_MAPPING_ERROR;
  if (observed !== null) tellMapped(observed, address);
  return address;
};

/**
 * Maps physical memory or, with DmaAttr.Mmio, registers (dma_map_phys of kernels after 6.12).
 * DMA_MAPPING_ERROR as dmaMapPage and dmaMapResource.
 */
export const dmaMapPhys = (
  dev: Device,
  physical: PhysAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): DmaAddr =>
  hasDmaAttr(attrs, DmaAttr.Mmio)
    ? dmaMapResource(dev, physical, size, direction, attrs)
    : dmaMapPage(dev, physToPage(physical), physical % PAGE_SIZE, size, direction, attrs);

/** Ends what dmaMapPhys made, with the attributes of then (dma_unmap_phys). */
export const dmaUnmapPhys = (
  dev: Device,
  address: DmaAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  const unmap = hasDmaAttr(attrs, DmaAttr.Mmio) ? dmaUnmapResource : dmaUnmapPage;
  unmap(dev, address, size, direction, attrs);
};

/** Ends what dmaMapResource made (dma_unmap_resource). */
export const dmaUnmapResource = (
  dev: Device,
  address: DmaAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  checkDirection(direction);
  const observed = beginCall('unmap', dev, address, size, direction, attrs, 'resource');
  try {
    dmaOpsOf(dev)?.unmapResource?.(dev, address, size, direction, attrs);
  } finally {
    observed?.observer.dmaUnmapped(observed.told, observed.site);
  }
};

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
    dmaOpsOf(dev)?.syncSingleForCpu(dev, address, size, direction);
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
    dmaOpsOf(dev)?.syncSingleForDevice(dev, address, size, direction);
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
