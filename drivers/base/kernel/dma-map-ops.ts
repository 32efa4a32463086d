import type { CpuAddr, DmaAddr, PhysAddr } from '../types/address';
import type { DmaAttrs, DmaDirection, Page } from './dma-mapping';
import type { Gfp } from './gfp';
import type { IovaOps } from './iova-ops';
import type { SgEntry, SgTable } from './scatterlist';
import type { UserVma } from './user-vma';

/** Memory that a CPU and a device share, by both their addresses. */
export interface DmaMemory {
  /** With DmaAttr.NoKernelMapping a cookie: an address that no mapping has. */
  readonly cpuAddr: CpuAddr;
  readonly dmaHandle: DmaAddr;
}

/** Pages that were allocated and mapped for a device (dma_alloc_pages). */
export interface DmaPages {
  readonly page: Page;
  readonly dmaHandle: DmaAddr;
}

/**
 * One way to do DMA, for the devices `Dev` (struct dma_map_ops of 6.12): direct, through an IOMMU,
 * bounced. What is optional there is optional here and means the same if absent. Sizes are bytes.
 */
export interface DmaMapOpsOf<Dev> {
  /** Null without memory (NULL). Zeroed. */
  alloc?(dev: Dev, size: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null;
  free?(dev: Dev, size: number, cpuAddr: CpuAddr, handle: DmaAddr, attrs: DmaAttrs): void;
  allocPages?(dev: Dev, size: number, direction: DmaDirection, gfp: Gfp): DmaPages | null;
  freePages?(dev: Dev, size: number, page: Page, handle: DmaAddr, direction: DmaDirection): void;
  /** Memory in pieces that the device sees as one; absent: pages, which are one piece. */
  allocNoncontiguous?(
    dev: Dev,
    size: number,
    direction: DmaDirection,
    gfp: Gfp,
    attrs: DmaAttrs,
  ): SgTable | null;
  freeNoncontiguous?(dev: Dev, size: number, table: SgTable, direction: DmaDirection): void;
  /** Maps what allocNoncontiguous gave, cached, for the CPU; null if there is no room. */
  vmapNoncontiguous?(dev: Dev, size: number, table: SgTable): CpuAddr | null;
  vunmapNoncontiguous?(dev: Dev, address: CpuAddr): void;
  /** 0 or a negative errno. */
  mmapNoncontiguous?(dev: Dev, vma: UserVma, size: number, table: SgTable): number;
  /** 0 or a negative errno. */
  mmap?(
    dev: Dev,
    vma: UserVma,
    cpuAddr: CpuAddr,
    handle: DmaAddr,
    size: number,
    attrs: DmaAttrs,
  ): number;
  /** The pieces of memory behind an allocation, or a negative errno. */
  getSgtable?(
    dev: Dev,
    cpuAddr: CpuAddr,
    handle: DmaAddr,
    size: number,
    attrs: DmaAttrs,
  ): SgTable | number;

  /** DMA_MAPPING_ERROR if it fails, as all that answer a DmaAddr. */
  mapPage(
    dev: Dev,
    page: Page,
    offset: number,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): DmaAddr;
  unmapPage(
    dev: Dev,
    address: DmaAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): void;
  /** The number of segments that the device sees, at least 1, or a negative errno. */
  mapSg?(dev: Dev, entries: readonly SgEntry[], direction: DmaDirection, attrs: DmaAttrs): number;
  unmapSg?(dev: Dev, entries: readonly SgEntry[], direction: DmaDirection, attrs: DmaAttrs): void;
  /** Registers of another device: no cache has anything of them. */
  mapResource?(
    dev: Dev,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): DmaAddr;
  unmapResource?(
    dev: Dev,
    address: DmaAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): void;
  syncSingleForCpu(dev: Dev, address: DmaAddr, size: number, direction: DmaDirection): void;
  syncSingleForDevice(dev: Dev, address: DmaAddr, size: number, direction: DmaDirection): void;
  syncSgForCpu?(dev: Dev, entries: readonly SgEntry[], direction: DmaDirection): void;
  syncSgForDevice?(dev: Dev, entries: readonly SgEntry[], direction: DmaDirection): void;

  /** Addresses that are reserved first and led somewhere later; absent: there are none. */
  readonly iova?: IovaOps<Dev>;

  /** False: no sync of this mapping does anything. Absent: some may. */
  needSync?(dev: Dev, address: DmaAddr): boolean;
  /** True if a device with this mask can do DMA at all. */
  dmaSupported(dev: Dev, mask: number): boolean;
  /** The smallest mask with which the device reaches all memory. */
  getRequiredMask(dev: Dev): number;
  /** False: there is memory that no mask reaches. Absent: `getRequiredMask` is all that counts. */
  reachesAllMemory?(dev: Dev): boolean;
  /** The most bytes that one mapping can have; absent: any number. */
  maxMappingSize?(dev: Dev): number;
  /** The most bytes that one mapping can have without its getting slow; absent: any number. */
  optMappingSize?(dev: Dev): number;
  /** Pieces that meet at a multiple of this + 1 may be merged; absent: none are. */
  getMergeBoundary?(dev: Dev): number;
}
