import type { CallSite } from './call-site';

/** Who made an access: a CPU, the table walker of one, or a bus master by its device's name. */
export type Accessor =
  | { readonly kind: 'cpu' | 'walker'; readonly cpu: number }
  | { readonly kind: 'device'; readonly name: string; readonly snoops: boolean };

export type AccessKind =
  | 'load'
  | 'poll'
  | 'store'
  | 'clean'
  | 'invalidate'
  | 'clean+invalidate'
  | 'table walk'
  | 'device read'
  | 'device poll'
  | 'device write';

/** An access in one of whose possible states something is wrong. */
export interface Verdict {
  /** The number of the event. */
  readonly event: number;
  readonly by: Accessor;
  readonly access: AccessKind;
  /** Physical address of the first byte, and how many. */
  readonly address: number;
  readonly size: number;
  /** Bits of arch/arm/coherence/sets.ts. */
  readonly bits: number;
}

/** Two live mappings of one page that may not be together, seen at an access through one of them. */
export interface Mismatch {
  readonly kind: 'type' | 'cacheability';
  readonly event: number;
  readonly cpu: number;
  readonly access: AccessKind;
  readonly address: number;
  /** What the two say, for people: `normal write-back`, `device`. */
  readonly mappings: readonly [string, string];
}

/** An access through a translation that may be an older one. */
export interface StaleTranslation {
  readonly event: number;
  readonly cpu: number;
  readonly access: AccessKind;
  readonly virtualAddress: number;
  /** Where the older translation leads, and the newer; null where there is none any more. */
  readonly older: number;
  readonly newer: number | null;
}

/**
 * What the hardware side tells of a run under `all`. Only what may be wrong or is watched is told:
 * the hot path knows nothing of this.
 */
export interface HardwareObserver {
  verdict(verdict: Verdict): void;
  mismatch(mismatch: Mismatch): void;
  staleTranslation(stale: StaleTranslation): void;
  /** A CPU reaches watched bytes. `event` is the number of the event. */
  cpuTouches(event: number, cpu: number, access: AccessKind, address: number, size: number): void;
  /** A master reaches memory: before it happens, once per piece of a line. */
  deviceTouches(event: number, device: string, write: boolean, address: number, size: number): void;
  /**
   * A transfer of a device begins (its doorbell) and ends (its completion or its being aborted).
   * It is a number from 1 on, by which those of one device are told apart.
   */
  transferBegins(device: string, transfer: number): void;
  /** What the device touches from now on is of this transfer; 0: of none. */
  transferActs(device: string, transfer: number): void;
  transferEnds(device: string, transfer: number): void;
}

/** What an observer asks of the hardware side: addresses are physical. */
export interface MemoryWatch {
  /** From now on each CPU access to these bytes is told; calls nest. */
  watch(address: number, size: number): void;
  unwatch(address: number, size: number): void;
  /** The contents of these bytes become undefined, and never written. */
  forget(address: number, size: number): void;
}

/** Directions as the DMA API has them. */
export type Direction = 'to-device' | 'from-device' | 'bidirectional';

/**
 * How memory came to be mapped; each has its own call to end it. `linked`: piece by piece to bus
 * addresses that were reserved before (dma_iova_link).
 */
export type DmaKind =
  'single' | 'linked' | 'scatter-gather' | 'resource' | 'coherent' | 'noncoherent';

/** Who makes a call of the DMA API. */
export interface DmaCaller {
  readonly device: string;
  /** The driver that the device is bound to, `platform` where there is none (dev_driver_string). */
  readonly driver: string;
  /** The software takes the device for coherent. */
  readonly coherent: boolean;
}

/** What every call of the streaming DMA API names. */
export interface DmaArguments extends DmaCaller {
  readonly kind: DmaKind;
  readonly size: number;
  readonly direction: Direction;
  /** Bits of DMA_ATTR_*. */
  readonly attrs: number;
  /** DMA_ATTR_SKIP_CPU_SYNC: nobody's ownership changes. */
  readonly skipsSync: boolean;
}

/** Memory that is to be mapped, by its physical address. */
export interface DmaRequest extends DmaArguments {
  readonly address: number;
}

/** A mapping or a part of one, as a later call names it: by the address the device uses. */
export interface DmaCall extends DmaArguments {
  readonly busAddress: number;
}

/** A streaming mapping as it was made. */
export interface DmaRange extends DmaRequest, DmaCall {}

/**
 * An entry of a scatter list: its memory, and the bus addresses that it carries (struct
 * scatterlist). With a mapping that merges these are of other memory than its own.
 */
export interface SgPiece {
  /** Physical. */
  readonly address: number;
  readonly length: number;
  readonly busAddress: number;
  readonly busLength: number;
}

/** What every call on a scatter list names: the first `nents` entries, as the driver gives it. */
export interface SgCall extends DmaCaller {
  readonly entries: readonly SgPiece[];
  readonly direction: Direction;
  readonly attrs: number;
  readonly skipsSync: boolean;
}

/** A scatter list as it was mapped. */
export interface SgRange extends SgCall {
  /** How many entries carry bus addresses: what dma_map_sg answers. */
  readonly mapped: number;
  readonly maxSegSize: number;
  /** A mask: no segment crosses a multiple of it and one. */
  readonly segBoundary: number;
  /** Of dma_alloc_noncontiguous: the CPU has it first. */
  readonly isAllocation: boolean;
}

/** Memory that the DMA API allocates, as the call that frees it names it. */
export interface DmaMemoryCall extends DmaCaller {
  /** Noncoherent: of dma_alloc_pages and dma_alloc_noncoherent. */
  readonly kind: 'coherent' | 'noncoherent';
  readonly size: number;
  /** Coherent memory is bidirectional. */
  readonly direction: Direction;
  readonly attrs: number;
  readonly busAddress: number;
  /** Where the CPU has it; an address without a mapping under DMA_ATTR_NO_KERNEL_MAPPING. */
  readonly virtualAddress: number;
  /** Of a pool that the tree reserved for the device: dma-debug is not told of that. */
  readonly ofDevicePool?: boolean;
}

/** Memory that the DMA API has allocated. */
export interface DmaMemoryRange extends DmaMemoryCall {
  /** Its physical memory, in the order of bus addresses. */
  readonly pieces: readonly { readonly address: number; readonly size: number }[];
}

/** A block of a DMA pool. */
export interface DmaPoolBlock extends DmaCaller {
  readonly pool: string;
  readonly busAddress: number;
  readonly size: number;
}

export type DmaOperation = 'unmap' | 'sync for CPU' | 'sync for device';

/** Memory that was not mapped for where it is. */
export interface RefusedMemory {
  readonly device: string;
  readonly driver: string;
  /** As hexCpu writes it. */
  readonly virtualAddress: number;
  readonly size: number;
}

/**
 * What the software side tells: every call of the DMA API, and who has which memory. A site is
 * that of the call in the driver. Cache maintenance between the beginning of a call and its end
 * is what the call asked for.
 */
export interface SoftwareObserver {
  mapBegins(request: DmaRequest, site: CallSite): void;
  dmaMapped(range: DmaRange, site: CallSite): void;
  /** The device cannot reach the memory: nothing is mapped. */
  mapFailed(request: DmaRequest, site: CallSite): void;
  /** The address is not of the linear map: nothing was begun. */
  mapRefused(memory: RefusedMemory, site: CallSite): void;
  /** Another WARN of the DMA API, by its words. */
  warned(caller: Pick<DmaCaller, 'device' | 'driver'>, words: string, site: CallSite): void;
  /** dma_mapping_error was asked about what a mapping answered. */
  mappingChecked(device: string, busAddress: number, site: CallSite): void;
  callBegins(operation: DmaOperation, call: DmaCall, site: CallSite): void;
  dmaUnmapped(call: DmaCall, site: CallSite): void;
  syncedForCpu(call: DmaCall, site: CallSite): void;
  syncedForDevice(call: DmaCall, site: CallSite): void;
  sgMapBegins(call: SgCall, site: CallSite): void;
  sgMapped(range: SgRange, site: CallSite): void;
  sgMapFailed(call: SgCall, site: CallSite): void;
  sgCallBegins(operation: DmaOperation, call: SgCall, site: CallSite): void;
  sgUnmapped(call: SgCall, site: CallSite): void;
  sgSyncedForCpu(call: SgCall, site: CallSite): void;
  sgSyncedForDevice(call: SgCall, site: CallSite): void;
  /**
   * While a mapping is made: the device is given a slot in place of the memory, and what the CPU
   * copies between the two until the call ends, and in later calls on the mapping, is theirs.
   */
  bounced(device: string, address: number, slot: number, size: number): void;
  /** The memory is there, zeroed. */
  memoryAllocated(range: DmaMemoryRange, site: CallSite): void;
  /** The memory is about to be freed: its pages are still its own. */
  memoryFreed(call: DmaMemoryCall, site: CallSite): void;
  /** The block is the driver's: told last. */
  /** The block is the driver's: told before the pool fills it. */
  poolAllocated(block: DmaPoolBlock, site: CallSite): void;
  /** The block is the pool's again, and filled by it: nobody is to touch it any more. */
  poolFreed(block: DmaPoolBlock, site: CallSite): void;
  /** Of the page allocator and of kmalloc, all that nobody else gets: physical addresses. */
  allocated(address: number, size: number, site: CallSite): void;
  freed(address: number, size: number, site: CallSite): void;
}
