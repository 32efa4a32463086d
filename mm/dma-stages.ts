import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { SgEntry } from '../drivers/base/kernel/scatterlist';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import type { CacheMaintenance } from './arch-dma';
import type { IovaTranslation } from './dma-iova-translation';

/*
 * The three independent parts of DMA for a device: what address it uses, what becomes of the
 * caches, and whether its data takes a detour. dma-ops.ts puts them together.
 */

/** Gives memory an address that the device can use, and takes it back. No cache is touched. */
export interface Translation {
  readonly name: 'direct' | 'iommu';
  /** DMA_MAPPING_ERROR if the device cannot be given such an address. */
  map(
    dev: Device,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): DmaAddr;
  unmap(dev: Device, address: DmaAddr, size: number): void;
  /** The memory behind an address of the device; null: none. */
  toPhys(dev: Device, address: DmaAddr): PhysAddr | null;
  /** True if `map` could give the device this memory: what is not reachable is bounced. */
  reaches(dev: Device, address: PhysAddr, size: number): boolean;
  /** Bytes of the smallest page that it maps; absent: any byte has an address of its own. */
  granule?(dev: Device): number;
  /**
   * Maps many pieces at once and may merge them, filling in dmaAddress and dmaLength: segments, or
   * a negative errno with nothing mapped. Absent: each piece is mapped alone.
   */
  mapSg?(
    dev: Device,
    entries: readonly SgEntry[],
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): number;
  /** Ends what mapSg made. */
  unmapSg?(dev: Device, entries: readonly SgEntry[]): void;
  /** Absent: the device has no addresses that could be reserved. */
  readonly iova?: IovaTranslation;
  /** Registers of another device; DMA_MAPPING_ERROR if they have no address for this one. */
  mapResource(dev: Device, address: PhysAddr, size: number, direction: DmaDirection): DmaAddr;
  /** Absent: any number of bytes. */
  maxSize?(dev: Device): number;
  /** The most bytes that are mapped without delay; absent: any number. */
  optSize?(dev: Device): number;
  /** Pieces that meet at a multiple of this + 1 are merged; absent: none are. */
  mergeBoundary?(dev: Device): number;
  /** False: there is memory that no mask reaches. Absent: there is none. */
  reachesAllMemory?(dev: Device): boolean;
  supported(dev: Device, mask: number): boolean;
  requiredMask(dev: Device): number;
}

/** How a device would get at memory without a detour. */
export interface Reach {
  readonly isReachable: boolean;
  /** The IOMMU shows it whole pages of so many bytes; null: none is in between. */
  readonly granule: number | null;
}

/** Data that a device cannot reach where it is goes through memory that it can. */
export interface Bounce {
  readonly name: 'swiotlb' | 'no swiotlb' | 'dmabounce';
  /** Slots are coherent memory: no cache is maintained for them. Absent: they are cached. */
  readonly isCoherent?: boolean;
  /** True if this memory is to be bounced. */
  needs(
    dev: Device,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    reach: Reach,
  ): boolean;
  /** True if a list with such a piece is not merged behind an IOMMU (dev_use_sg_swiotlb); absent: never. */
  splitsLists?(dev: Device, size: number, direction: DmaDirection): boolean;
  /** Takes a slot and, unless the attributes skip it, copies the buffer in; null: full. */
  map(
    dev: Device,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
    granule: number | null,
  ): PhysAddr | null;
  /** True if an address, of any byte, is of a slot. */
  isSlot(dev: Device, address: PhysAddr): boolean;
  /** Copies back unless direction or attributes say otherwise, and gives the slot back. */
  unmap(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection, attrs: DmaAttrs): void;
  /** Copies a part, from any byte inside a slot on, into the slot and out of it. */
  syncForDevice(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection): void;
  syncForCpu(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection): void;
  /** Any of this device's data may be bounced, whatever it reaches: no mapping can be larger. */
  isForced(dev: Device, granule: number | null): boolean;
  /** The most bytes that one slot can have for this device. */
  maxMappingSize(dev: Device): number;
}

/** The part of the table that gives devices memory: it goes by the translation. */
export type DmaAllocation = Pick<
  DmaMapOps,
  | 'alloc'
  | 'free'
  | 'allocPages'
  | 'freePages'
  | 'allocNoncontiguous'
  | 'freeNoncontiguous'
  | 'vmapNoncontiguous'
  | 'vunmapNoncontiguous'
  | 'mmapNoncontiguous'
  | 'mmap'
  | 'getSgtable'
>;

/** How a device does DMA: three stages, and where its own memory comes from. */
export interface DmaPath {
  readonly translation: Translation;
  /** Null: the device snoops. */
  readonly cache: CacheMaintenance | null;
  /** Null: memory that it cannot reach is refused. */
  readonly bounce: Bounce | null;
  readonly allocation: DmaAllocation;
}
