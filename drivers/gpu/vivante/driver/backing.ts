import type { Device } from '../../../base/kernel/device';
import { DmaAttr, hasDmaAttr } from '../../../base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../../../base/kernel/dma-mapping';
import { EBUSY, EINVAL } from '../../../base/kernel/errno';
import { GFP_DMA, GFP_DMA32, GFP_HIGHUSER, GFP_KERNEL } from '../../../base/kernel/gfp';
import type { Gfp } from '../../../base/kernel/gfp';
import type { SgTable } from '../../../base/kernel/scatterlist';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { dmaCapable, physToDma } from '../../../../mm/dma-direct';
import {
  DmaDirection,
  dmaAddressingLimited,
  dmaAllocAttrs,
  dmaAllocNoncoherent,
  dmaFreeAttrs,
  dmaFreeNoncoherent,
  dmaMapSgtable,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSgtable,
} from '../../../../mm/dma-mapping-common';
import { pageToPhys } from '../../../../mm/page-alloc';
import { sgAllocTableFromPagesSegment } from '../../../../mm/scatterlist';

/*
 * The memory of an object: where it comes from, how the CPU sees it and where the GPU has it. A CPU
 * mapping is made on request only.
 */

/**
 * Where memory comes from: one run by the DMA API; scattered pages of lowmem, or of highmem where there
 * is any; what the tree reserves for the device (memory-region).
 */
export type Placement = 'contiguous' | 'pages' | 'highmem' | 'carve-out';

/** How the CPU sees it (ETNA_BO_CACHED, ETNA_BO_WC, ETNA_BO_UNCACHED). */
export type Caching = 'cached' | 'wc' | 'uncached';

/** A run of memory as the device has it. */
export interface DmaRun {
  readonly address: DmaAddr;
  /** Bytes, whole pages. */
  readonly size: number;
}

/** The memory of one object, for as long as it has any. */
export interface Backing {
  /** In the object's order. */
  readonly runs: readonly DmaRun[];
  /** Bytes of kernel address space, beside the linear map, that CPU mappings take. */
  readonly kernelSpace: number;
  /** Where the CPU has all of it in one piece; null: nowhere, and there is no room. */
  mapForCpu(): CpuAddr | null;
  /** Ends what mapForCpu made. */
  unmapForCpu(): void;
  /** Does nothing unless it is cached. */
  syncForCpu(direction: DmaDirection): void;
  syncForDevice(direction: DmaDirection): void;
  /**
   * From now on the CPU has it otherwise: 0; -EBUSY while the CPU maps it, -EINVAL where that cannot change,
   * or why it cannot be mapped, and then nothing has it. Where the device has it may change.
   */
  setCaching(caching: Caching): number;
  /** Gives the memory back. Nobody maps it any more. */
  release(): void;
}

export interface BackingRequest {
  /** Bytes, whole pages. */
  readonly size: number;
  readonly placement: Placement;
  readonly caching: Caching;
  /** False: the CPU never looks at it, and nothing is set up for it to do so. */
  readonly cpuAccess: boolean;
}

/** Zeroed memory; null without enough, or without a carve-out. */
export const makeBacking = (dev: Device, request: BackingRequest): Backing | null => {
  // dma_pgprot(): whoever snoops the caches is not to be gone past them.
  const caching = dev.dma.coherent ? 'cached' : request.caching;
  const { placement } = request;
  if (placement === 'carve-out' && dev.dma.pool === null) return null;
  if (placement === 'pages' || placement === 'highmem') {
    // What is accessed past the caches had better not be in the linear map, too.
    const isLow = placement === 'pages' && caching === 'cached';
    const gfp = isLow ? GFP_KERNEL : GFP_HIGHUSER;
    return ScatteredBacking.make(dev, request.size, caching, gfp);
  }
  return caching === 'cached' && placement === 'contiguous'
    ? NoncoherentBacking.make(dev, request.size)
    : CoherentBacking.make(dev, { ...request, caching });
};

/** One run that is cached and goes by ownership (dma_alloc_noncoherent). */
class NoncoherentBacking implements Backing {
  readonly runs: readonly DmaRun[];
  readonly kernelSpace = 0;
  readonly #dev: Device;
  readonly #cpuAddr: CpuAddr;
  readonly #run: DmaRun;

  private constructor(dev: Device, cpuAddr: CpuAddr, run: DmaRun) {
    this.#dev = dev;
    this.#cpuAddr = cpuAddr;
    this.#run = run;
    this.runs = [run];
  }

  static make(dev: Device, size: number): NoncoherentBacking | null {
    const memory = dmaAllocNoncoherent(dev, size, DmaDirection.Bidirectional, GFP_KERNEL);
    if (memory === null) return null;
    const backing = new NoncoherentBacking(dev, memory.cpuAddr, {
      address: memory.dmaHandle,
      size,
    });
    // It is the CPU's first; an object is the GPU's until cpuPrep.
    backing.syncForDevice(DmaDirection.Bidirectional);
    return backing;
  }

  mapForCpu(): CpuAddr {
    return this.#cpuAddr;
  }

  unmapForCpu(): void {
    // The linear map stays.
  }

  syncForCpu(direction: DmaDirection): void {
    dmaSyncSingleForCpu(this.#dev, this.#run.address, this.#run.size, direction);
  }

  syncForDevice(direction: DmaDirection): void {
    dmaSyncSingleForDevice(this.#dev, this.#run.address, this.#run.size, direction);
  }

  setCaching(): number {
    return -EINVAL;
  }

  release(): void {
    const { address, size } = this.#run;
    dmaFreeNoncoherent(this.#dev, size, this.#cpuAddr, address, DmaDirection.Bidirectional);
  }
}

/** One run that needs no syncs: coherent or write-combined memory, or the device's own pool. */
class CoherentBacking implements Backing {
  readonly runs: readonly DmaRun[];
  readonly kernelSpace: number;
  readonly #dev: Device;
  readonly #cpuAddr: CpuAddr;
  readonly #run: DmaRun;
  readonly #attrs: DmaAttrs;

  private constructor(dev: Device, cpuAddr: CpuAddr, run: DmaRun, attrs: DmaAttrs) {
    this.#dev = dev;
    this.#cpuAddr = cpuAddr;
    this.#run = run;
    this.#attrs = attrs;
    this.runs = [run];
    const isMapped = !hasDmaAttr(attrs, DmaAttr.NoKernelMapping);
    const isLinear = dev.services.memory.virtToPhys(cpuAddr) !== null;
    this.kernelSpace = isMapped && !isLinear ? run.size : 0;
  }

  static make(dev: Device, request: BackingRequest): CoherentBacking | null {
    const { size, caching, cpuAccess } = request;
    const attrs =
      (caching === 'wc' ? DmaAttr.WriteCombine : DmaAttr.None) +
      (cpuAccess ? DmaAttr.None : DmaAttr.NoKernelMapping);
    const memory = dmaAllocAttrs(dev, size, GFP_KERNEL, attrs);
    if (memory === null) return null;
    return new CoherentBacking(dev, memory.cpuAddr, { address: memory.dmaHandle, size }, attrs);
  }

  mapForCpu(): CpuAddr | null {
    return hasDmaAttr(this.#attrs, DmaAttr.NoKernelMapping) ? null : this.#cpuAddr;
  }

  unmapForCpu(): void {
    // The mapping came with the memory and goes with it.
  }

  syncForCpu(): void {
    // Nothing of it is cached, or the device snoops.
  }

  syncForDevice(): void {
    // Nothing of it is cached, or the device snoops.
  }

  setCaching(): number {
    return -EINVAL;
  }

  release(): void {
    dmaFreeAttrs(this.#dev, this.#run.size, this.#cpuAddr, this.#run.address, this.#attrs);
  }
}

/** Pages that are scattered, mapped for the device as one list and for the CPU on request. */
class ScatteredBacking implements Backing {
  readonly #dev: Device;
  readonly #pages: readonly Page[];
  readonly #table: SgTable;
  #caching: Caching;
  #mapped: CpuAddr | null = null;

  private constructor(dev: Device, pages: readonly Page[], table: SgTable, caching: Caching) {
    this.#dev = dev;
    this.#pages = pages;
    this.#table = table;
    this.#caching = caching;
  }

  static make(dev: Device, size: number, caching: Caching, gfp: Gfp): ScatteredBacking | null {
    const pages = allocPages(dev, size / PAGE_SIZE, gfp);
    if (pages === null) return null;
    const table = sgAllocTableFromPagesSegment(pages, 0, size, dev.dma.maxSegSize);
    if (typeof table !== 'number' && mapTable(dev, table, caching) === 0) {
      return new ScatteredBacking(dev, pages, table, caching);
    }
    freePages(dev, pages);
    return null;
  }

  get runs(): readonly DmaRun[] {
    return this.#table.sgl
      .slice(0, this.#table.nents)
      .map(({ dmaAddress, dmaLength }) => ({ address: dmaAddress, size: dmaLength }));
  }

  get kernelSpace(): number {
    return this.#mapped === null ? 0 : this.#pages.length * PAGE_SIZE;
  }

  mapForCpu(): CpuAddr | null {
    // pgprot_noncached() would be another memory type than the linear map's.
    const memory = this.#caching === 'cached' ? 'cached' : UNCACHED[this.#caching];
    this.#mapped ??= this.#dev.services.pages.vmap(this.#pages, memory);
    return this.#mapped;
  }

  unmapForCpu(): void {
    if (this.#mapped === null) return;
    this.#dev.services.pages.vunmap(this.#mapped);
    this.#mapped = null;
  }

  syncForCpu(direction: DmaDirection): void {
    if (this.#caching !== 'cached') return;
    dmaSyncSgtableForCpu(this.#dev, this.#table, direction);
    if (this.#mapped === null) return;
    this.#dev.services.invalidateKernelVmapRange(this.#mapped, this.#pages.length * PAGE_SIZE);
  }

  syncForDevice(direction: DmaDirection): void {
    if (this.#caching !== 'cached') return;
    if (this.#mapped !== null) {
      this.#dev.services.flushKernelVmapRange(this.#mapped, this.#pages.length * PAGE_SIZE);
    }
    dmaSyncSgtableForDevice(this.#dev, this.#table, direction);
  }

  setCaching(wanted: Caching): number {
    const caching = this.#dev.dma.coherent ? 'cached' : wanted;
    if (this.#mapped !== null) return -EBUSY;
    if (caching === this.#caching) return 0;
    this.#unmapForDevice();
    this.#caching = caching;
    return mapTable(this.#dev, this.#table, caching);
  }

  #unmapForDevice(): void {
    const { Bidirectional } = DmaDirection;
    const attrs = this.#caching === 'cached' ? DmaAttr.None : DmaAttr.SkipCpuSync;
    dmaUnmapSgtable(this.#dev, this.#table, Bidirectional, attrs);
  }

  release(): void {
    this.unmapForCpu();
    this.#unmapForDevice();
    freePages(this.#dev, this.#pages);
  }
}

const UNCACHED = { wc: 'writecombine', uncached: 'dmacoherent' } as const;

/**
 * Maps pages for the device for as long as they are: 0 or a negative errno. Pages that will not be
 * accessed through the caches are rid of what zeroing left there, once, and are then nobody's in
 * particular: "ensure new pages are clean so clients don't see cached data" (etnaviv_gem.c).
 */
const mapTable = (dev: Device, table: SgTable, caching: Caching): number => {
  const { Bidirectional } = DmaDirection;
  const cleaned = dmaMapSgtable(dev, table, Bidirectional);
  if (cleaned !== 0 || caching === 'cached') return cleaned;
  dmaUnmapSgtable(dev, table, Bidirectional);
  return dmaMapSgtable(dev, table, Bidirectional, DmaAttr.SkipCpuSync);
};

/** Zeroed pages that the device reaches without a bounce, all or none. */
const allocPages = (dev: Device, count: number, gfp: Gfp): readonly Page[] | null => {
  const isLimited = dmaAddressingLimited(dev);
  const pages: Page[] = [];
  for (let i = 0; i < count; i++) {
    const page = isLimited
      ? allocReached(dev, gfp)
      : dev.services.pages.allocPages({ ...gfp, zero: true }, 0);
    if (page === null) {
      freePages(dev, pages);
      return null;
    }
    pages.push(page);
  }
  return pages;
};

/** A page from the widest zone whose pages the device reaches (shm_gfp_mask). */
const allocReached = (dev: Device, wanted: Gfp): Page | null => {
  for (const gfp of [wanted, GFP_KERNEL, GFP_DMA32, GFP_DMA]) {
    const page = dev.services.pages.allocPages({ ...gfp, zero: true }, 0);
    if (page === null) continue;
    if (dmaCapable(dev, physToDma(dev, pageToPhys(page)), PAGE_SIZE)) return page;
    dev.services.pages.freePages(page, 0);
  }
  return null;
};

const freePages = (dev: Device, pages: readonly Page[]): void => {
  for (const page of pages) dev.services.pages.freePages(page, 0);
};
