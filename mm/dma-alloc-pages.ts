import { DmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaDirection, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaMemory, DmaPages } from '../drivers/base/kernel/dma-map-ops';
import type { Gfp } from '../drivers/base/kernel/gfp';
import { KernelOops } from '../drivers/base/kernel/oops';
import { SgEntry, SgTable } from '../drivers/base/kernel/scatterlist';
import type { UserVma } from '../drivers/base/kernel/user-vma';
import type { CpuAddr, DmaAddr } from '../drivers/base/types/address';
import { hexCpu } from '../drivers/base/types/address';
import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';
import { dmaOpsOf, checkDirection } from './dma-dispatch';
import {
  beginSgCall,
  beginSgMap,
  endSgMap,
  tellAllocated,
  tellFreed,
  tellWarning,
} from './dma-observed';
import type { MappingDirection, ToldMemory } from './dma-observed';
import { mmapPages } from './dma-user';
import { pageToPhys, pfnToPage, physToPage } from './page-alloc';

/*
 * Memory of a device's own that is cached and goes by ownership, as streaming mappings do: it is
 * allocated and mapped in one, zeroed, and the CPU's first (kernel/dma/mapping.c). What is wrong
 * about a call is answered with null, where Linux also warns.
 */

const allocPages = (
  dev: Device,
  size: number,
  direction: DmaDirection,
  gfp: Gfp,
): DmaPages | null => {
  const asksForZone = gfp.dma === true || gfp.dma32 === true || gfp.highmem === true;
  if (dev.dma.coherentMask === 0) {
    tellWarning(dev, 'dma_alloc_pages() without a coherent mask');
    return null;
  }
  if (asksForZone) {
    tellWarning(dev, "dma_alloc_pages() from a zone of the caller's choice");
    return null;
  }
  if (size <= 0) return null;
  const bytes = alignUp(size, PAGE_SIZE);
  return dmaOpsOf(dev)?.allocPages?.(dev, bytes, direction, gfp) ?? null;
};

const freePages = (
  dev: Device,
  size: number,
  page: Page,
  handle: DmaAddr,
  direction: DmaDirection,
): void => {
  dmaOpsOf(dev)?.freePages?.(dev, alignUp(size, PAGE_SIZE), page, handle, direction);
};

const told = (
  dev: Device,
  size: number,
  { page, dmaHandle }: DmaPages,
  direction: MappingDirection,
): ToldMemory => ({
  kind: 'noncoherent',
  size,
  direction,
  attrs: DmaAttr.None,
  busAddress: dmaHandle,
  virtualAddress: addressOf(dev, page),
});

/** page_address(): such pages are never of highmem. */
const addressOf = (dev: Device, page: Page): CpuAddr => {
  const address = dev.services.memory.physToVirt(pageToPhys(page));
  if (address !== null) return address;
  throw new KernelOops(`${dev.name}: a page without an address`);
};

/** Pages and where the bus has them (dma_alloc_pages); null also if zones are asked for. */
export const dmaAllocPages = (
  dev: Device,
  size: number,
  direction: DmaDirection,
  gfp: Gfp,
): DmaPages | null => {
  checkDirection(direction);
  const pages = allocPages(dev, size, direction, gfp);
  if (pages !== null && dev.services.observer !== null) {
    const piece = { address: pageToPhys(pages.page), size };
    tellAllocated(dev, told(dev, size, pages, direction), [piece]);
  }
  return pages;
};

/** Frees what dmaAllocPages gave; all arguments are those of then (dma_free_pages). */
export const dmaFreePages = (
  dev: Device,
  size: number,
  page: Page,
  dmaHandle: DmaAddr,
  direction: DmaDirection,
): void => {
  checkDirection(direction);
  if (dev.services.observer !== null) {
    tellFreed(dev, told(dev, size, { page, dmaHandle }, direction));
  }
  freePages(dev, size, page, dmaHandle, direction);
};

/** Maps pages of dmaAllocPages to user mode, cached: 0 or -ENXIO (dma_mmap_pages). */
export const dmaMmapPages = (_dev: Device, vma: UserVma, size: number, page: Page): number =>
  mmapPages(vma, size, 'cached', index => pfnToPage(page + index));

/** As dmaAllocPages, by address (dma_alloc_noncoherent). */
export const dmaAllocNoncoherent = (
  dev: Device,
  size: number,
  direction: DmaDirection,
  gfp: Gfp,
): DmaMemory | null => {
  const pages = dmaAllocPages(dev, size, direction, gfp);
  return pages && { cpuAddr: addressOf(dev, pages.page), dmaHandle: pages.dmaHandle };
};

/** Frees what dmaAllocNoncoherent gave (dma_free_noncoherent). */
export const dmaFreeNoncoherent = (
  dev: Device,
  size: number,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
  direction: DmaDirection,
): void => {
  const physical = dev.services.memory.virtToPhys(cpuAddr);
  if (physical === null) {
    throw new KernelOops(`dma_free_noncoherent of ${hexCpu(cpuAddr)}, which no page has`);
  }
  dmaFreePages(dev, size, physToPage(physical), dmaHandle, direction);
};

/**
 * Memory that the device sees as one piece, and the CPU in as many as there are
 * (dma_alloc_noncontiguous): `nents` is 1. Null also for attributes other than AllocSinglePages.
 */
export const dmaAllocNoncontiguous = (
  dev: Device,
  size: number,
  direction: DmaDirection,
  gfp: Gfp,
  attrs: number,
): SgTable | null => {
  checkDirection(direction);
  if (attrs !== DmaAttr.None && attrs !== DmaAttr.AllocSinglePages) {
    tellWarning(dev, 'dma_alloc_noncontiguous() with an attribute that it does not take');
    return null;
  }
  const ops = dmaOpsOf(dev);
  const table =
    ops?.allocNoncontiguous === undefined
      ? allocSinglePiece(dev, size, direction, gfp)
      : ops.allocNoncontiguous(dev, size, direction, gfp, attrs);
  if (table === null) return null;
  table.nents = 1;
  const entries = table.sgl.slice(0, table.origNents);
  endSgMap(beginSgMap(dev, entries, direction, attrs), dev, entries, 1, true);
  return table;
};

/** alloc_single_sgt(). */
const allocSinglePiece = (
  dev: Device,
  size: number,
  direction: DmaDirection,
  gfp: Gfp,
): SgTable | null => {
  const pages = allocPages(dev, size, direction, gfp);
  if (pages === null) return null;
  const entry = new SgEntry(pages.page, 0, alignUp(size, PAGE_SIZE));
  entry.dmaAddress = pages.dmaHandle;
  entry.dmaLength = entry.length;
  return new SgTable([entry]);
};

/** Frees what dmaAllocNoncontiguous gave; all arguments are those of then. */
export const dmaFreeNoncontiguous = (
  dev: Device,
  size: number,
  table: SgTable,
  direction: DmaDirection,
): void => {
  checkDirection(direction);
  const ops = dmaOpsOf(dev);
  const entries = table.sgl.slice(0, table.origNents);
  const observed = beginSgCall('unmap', dev, entries, direction);
  observed?.observer.sgUnmapped(observed.told, observed.site);
  if (ops?.freeNoncontiguous === undefined) {
    const { page, dmaAddress } = onlyPiece(dev, table);
    freePages(dev, size, page, dmaAddress, direction);
  } else {
    ops.freeNoncontiguous(dev, size, table, direction);
  }
};

const onlyPiece = (dev: Device, { sgl: [entry] }: SgTable): SgEntry => {
  if (entry !== undefined) return entry;
  throw new KernelOops(`${dev.name}: a scatterlist without pieces`);
};

/**
 * Where the CPU has all of it in one piece; null without room. What is written there is another
 * alias of the pages: flushKernelVmapRange and invalidateKernelVmapRange go with the syncs.
 */
export const dmaVmapNoncontiguous = (dev: Device, size: number, table: SgTable): CpuAddr | null => {
  const ops = dmaOpsOf(dev);
  if (ops?.allocNoncontiguous !== undefined) {
    return ops.vmapNoncontiguous?.(dev, size, table) ?? null;
  }
  const { page } = onlyPiece(dev, table);
  return addressOf(dev, page);
};

export const dmaVunmapNoncontiguous = (dev: Device, address: CpuAddr): void => {
  const ops = dmaOpsOf(dev);
  if (ops?.allocNoncontiguous !== undefined) ops.vunmapNoncontiguous?.(dev, address);
};

/** Maps it to user mode, cached: 0 or -ENXIO (dma_mmap_noncontiguous). */
export const dmaMmapNoncontiguous = (
  dev: Device,
  vma: UserVma,
  size: number,
  table: SgTable,
): number => {
  const ops = dmaOpsOf(dev);
  if (ops?.mmapNoncontiguous !== undefined) return ops.mmapNoncontiguous(dev, vma, size, table);
  const { page } = onlyPiece(dev, table);
  return dmaMmapPages(dev, vma, size, page);
};
