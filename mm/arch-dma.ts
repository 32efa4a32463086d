import type { DmaDirection, Page } from '../drivers/base/kernel/dma-mapping';
import type { CmaPool } from '../drivers/base/kernel/dma-pools';
import type { Gfp } from '../drivers/base/kernel/gfp';
import type { CpuAddr, PhysAddr } from '../drivers/base/types/address';
import type { PageSource } from './dma-contiguous';
import type { PgMemory } from './pgprot';

/** Cache maintenance around the transfers of a device that does not snoop. */
export interface CacheMaintenance {
  /** The device is about to get the buffer: what the CPU wrote reaches memory. */
  syncForDevice(address: PhysAddr, size: number, direction: DmaDirection): void;
  /** The CPU gets it back: what the device wrote is what the CPU reads. */
  syncForCpu(address: PhysAddr, size: number, direction: DmaDirection): void;
}

/** How coherent memory is made for a device that does not snoop. */
export type CoherentName =
  | 'legacy-remap'
  | 'unmap-linear'
  | 'rewrite-linear'
  | 'carveout'
  | 'highmem'
  | 'cma-remap'
  | 'atomic-pool'
  | 'uncached-in-place';

/** Coherent memory that is wanted. */
export interface CoherentRequest {
  /** Bytes, more than 0, whole pages. */
  readonly size: number;
  readonly memory: PgMemory;
  readonly gfp: Gfp;
  /** Largest physical address that the device reaches. */
  readonly limit: PhysAddr;
  /**
   * Where its pages come from, the allocator if absent. A strategy that has memory of its own asks
   * neither.
   */
  readonly source?: PageSource;
  /** The device's own contiguous area, for a strategy whose memory is contiguous areas. */
  readonly cma?: CmaPool | null;
  /** Nobody needs an address of it (DMA_ATTR_NO_KERNEL_MAPPING): none is kept that is not there. */
  readonly isUnmapped?: boolean;
  /** What it holds is nobody's concern: it need not be zeroed. */
  readonly isRaw?: boolean;
}

/** Coherent memory: zeroed, and nothing of it in any cache. */
export interface CoherentBlock {
  /** No address any more if `isUnmapped`. */
  readonly cpuAddr: CpuAddr;
  readonly phys: PhysAddr;
  /** Its first page; null for memory that has no struct page. */
  readonly page: Page | null;
  readonly size: number;
  /** As what it is mapped: any other mapping of it has to be the same. */
  readonly memory: PgMemory;
  readonly isUnmapped?: boolean;
  /** Where its pages go back to; absent: to the allocator, or they have never been there. */
  readonly source?: PageSource;
}

/** Why there is none, in a sentence: `no highmem on this machine`. */
export interface CoherentRefusal {
  readonly refused: string;
}

/** One strategy of making coherent memory (arch_dma_alloc). */
export interface CoherentAllocator {
  readonly name: CoherentName;
  /**
   * A cacheable mapping of the memory stays. Not an error by itself: whether it does harm is for
   * the core to say.
   */
  readonly keepsAlias: boolean;
  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal;
  /** Takes back what alloc gave, by the same object. */
  free(block: CoherentBlock): void;
}

/** What the DMA layer needs of an architecture (arch_sync_dma_for_device and its like). */
export interface ArchDma extends CacheMaintenance {
  /** ARCH_DMA_MINALIGN: bytes that two buffers must be apart not to share a line. */
  readonly minAlign: number;
  readonly coherent: CoherentAllocator;
  /** No line of these pages is in any cache from here on (arch_dma_prep_coherent). */
  prepareCoherent(address: PhysAddr, size: number): void;
  /** Maps pages one after the other; null if there is no room (vmap). */
  vmap(pages: readonly Page[], memory: PgMemory): CpuAddr | null;
  vunmap(address: CpuAddr): void;
}
