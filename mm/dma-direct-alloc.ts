import { DMA_MAPPING_ERROR, DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device, LinearMap } from '../drivers/base/kernel/device';
import type { DmaMemory } from '../drivers/base/kernel/dma-map-ops';
import type { AtomicPool, CmaPool, DevicePool, PoolBlock } from '../drivers/base/kernel/dma-pools';
import type { Gfp } from '../drivers/base/kernel/gfp';
import { KernelOops } from '../drivers/base/kernel/oops';
import { SgEntry, SgTable } from '../drivers/base/kernel/scatterlist';
import type { CpuAddr, DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { cpuAddr, hex, physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';
import type { ArchDma, CoherentBlock } from './arch-dma';
import { cmaAlignOrder } from './cma';
import { dmaLimit, dmaToPhys, physToDma } from './dma-direct';
import type { DmaAllocation } from './dma-stages';
import { dmaPgprot, mmapPages } from './dma-user';
import type { PageAllocator } from './page-alloc';
import { pageToPhys, pfnToPage, physToPage } from './page-alloc';
import { getOrder } from './zone';

/** Memory that was set aside at boot, as far as a machine has it. */
export interface SetAside {
  /** For everybody's contiguous memory (dma_contiguous_default_area). */
  cma: CmaPool | null;
  /** For every device that does not snoop (CONFIG_DMA_GLOBAL_POOL). */
  globalPool: DevicePool | null;
  atomicPool: AtomicPool | null;
}

/** What a device's own memory is taken from. */
export interface DirectSources {
  readonly pages: PageAllocator;
  readonly linear: LinearMap;
  readonly arch: ArchDma;
  /** Largest address of ZONE_DMA, null without one. */
  readonly dmaZoneLimit: number | null;
  readonly setAside: SetAside;
}

/** Zones to be tried after the one that a mask falls into, if its memory is out of reach. */
const LOWER_ZONES: readonly Gfp[] = [{}, { dma32: true }, { dma: true }];

/**
 * Memory of their own for devices that use physical addresses (dma_direct_alloc and its like in
 * kernel/dma/direct.c). In turn: with DmaAttr.NoKernelMapping pages without an address; for a
 * device that does not snoop the global pool, the atomic pool if the caller cannot sleep, what the
 * architecture makes uncached; for one that does, pages at their linear address.
 */
export class DirectAllocation implements DmaAllocation {
  readonly #sources: DirectSources;
  /** What the architecture gave, by where. */
  readonly #blocks = new Map<CpuAddr, CoherentBlock>();

  constructor(sources: DirectSources) {
    this.#sources = sources;
  }

  readonly alloc = (dev: Device, size: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null => {
    const bytes = alignUp(size, PAGE_SIZE);
    if (bytes === 0) return null;
    if (hasDmaAttr(attrs, DmaAttr.NoKernelMapping)) return this.#allocNoMapping(dev, bytes, gfp);
    if (dev.dma.coherent) return this.#allocCached(dev, bytes, gfp);
    const { globalPool, atomicPool } = this.#sources.setAside;
    if (globalPool !== null) return this.#memoryOf(dev, globalPool.alloc(bytes));
    if (gfp.atomic === true && atomicPool !== null) {
      const reaches = (phys: PhysAddr, length: number): boolean => coherentOk(dev, phys, length);
      return this.#memoryOf(dev, atomicPool.alloc(bytes, reaches));
    }
    return this.#allocUncached(dev, bytes, gfp, attrs);
  };

  /**
   * As alloc for a device that snoops, for any device: memory that is coherent only if the device
   * really is (what a driver gets that calls kmalloc instead).
   */
  readonly allocCached = (dev: Device, size: number, gfp: Gfp): DmaMemory | null =>
    this.#allocCached(dev, alignUp(size, PAGE_SIZE), gfp);

  readonly free = (
    dev: Device,
    size: number,
    address: CpuAddr,
    handle: DmaAddr,
    attrs: DmaAttrs,
  ): void => {
    const { arch, linear, setAside } = this.#sources;
    const bytes = alignUp(size, PAGE_SIZE);
    if (hasDmaAttr(attrs, DmaAttr.NoKernelMapping)) {
      this.#freePages(dev, pfnToPage(address), bytes);
      return;
    }
    const block = this.#blocks.get(address);
    if (block !== undefined) {
      this.#blocks.delete(address);
      arch.coherent.free(block);
      return;
    }
    if (setAside.globalPool?.release(address, bytes) === true) return;
    if (setAside.atomicPool?.free(address, bytes) === true) return;
    if (linear.virtToPhys(address) === null) arch.vunmap(address);
    this.#freePages(dev, this.#pageAt(dev, handle), bytes);
  };

  readonly allocPages: NonNullable<DmaAllocation['allocPages']> = (dev, size, _direction, gfp) => {
    const page = this.#take(dev, size, gfp, false);
    if (page === null) return null;
    this.#sources.pages.clear(page, size / PAGE_SIZE);
    return { page, dmaHandle: physToDma(dev, pageToPhys(page)) };
  };

  readonly freePages: NonNullable<DmaAllocation['freePages']> = (dev, size, page) => {
    this.#freePages(dev, page, size);
  };

  readonly mmap: NonNullable<DmaAllocation['mmap']> = (dev, vma, address, handle, size, attrs) => {
    const ofPool = this.#sources.setAside.globalPool?.mmap(vma, address, size) ?? null;
    if (ofPool !== null) return ofPool;
    const first = this.#pageAt(dev, handle);
    return mmapPages(vma, size, dmaPgprot(dev, attrs), index => pfnToPage(first + index));
  };

  readonly getSgtable: NonNullable<DmaAllocation['getSgtable']> = (dev, _address, handle, size) =>
    new SgTable([new SgEntry(this.#pageAt(dev, handle), 0, alignUp(size, PAGE_SIZE))]);

  /** The CPU has no address of it: what is answered is the page's number, which nothing maps. */
  #allocNoMapping(dev: Device, bytes: number, gfp: Gfp): DmaMemory | null {
    const { pages, arch } = this.#sources;
    const page = this.#take(dev, bytes, gfp, true);
    if (page === null) return null;
    pages.clear(page, bytes / PAGE_SIZE);
    if (!pages.isHighmem(page)) arch.prepareCoherent(pageToPhys(page), bytes);
    return { cpuAddr: cpuAddr(page), dmaHandle: physToDma(dev, pageToPhys(page)) };
  }

  #allocCached(dev: Device, bytes: number, gfp: Gfp): DmaMemory | null {
    const { pages, linear } = this.#sources;
    const page = this.#take(dev, bytes, gfp, true);
    if (page === null) return null;
    const phys = pageToPhys(page);
    const address = linear.physToVirt(phys) ?? this.#remap(page, bytes);
    if (address === null) {
      this.#freePages(dev, page, bytes);
      return null;
    }
    pages.clear(page, bytes / PAGE_SIZE);
    return { cpuAddr: address, dmaHandle: physToDma(dev, phys) };
  }

  /** A CMA area may lie in highmem, whose pages have no address. */
  #remap(page: Page, bytes: number): CpuAddr | null {
    const pages = Array.from({ length: bytes / PAGE_SIZE }, (_, i) => pfnToPage(page + i));
    return this.#sources.arch.vmap(pages, 'cached');
  }

  #allocUncached(dev: Device, size: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null {
    const { coherent } = this.#sources.arch;
    const limit = reachOf(dev);
    const memory = dmaPgprot(dev, attrs);
    for (const zone of this.#zonesFor(limit)) {
      const request = { size, memory, gfp: { ...gfp, ...zone }, limit };
      const block = coherent.alloc(request);
      if ('refused' in block) {
        if (hasDmaAttr(attrs, DmaAttr.NoWarn) || gfp.noWarn === true) return null;
        dev.services.log.device('warn', dev, `no coherent memory: ${block.refused}`);
        return null;
      }
      if (coherentOk(dev, block.phys, size)) {
        this.#blocks.set(block.cpuAddr, block);
        return { cpuAddr: block.cpuAddr, dmaHandle: physToDma(dev, block.phys) };
      }
      coherent.free(block);
    }
    return null;
  }

  #memoryOf(dev: Device, block: PoolBlock | null): DmaMemory | null {
    return block && { cpuAddr: block.cpuAddr, dmaHandle: physToDma(dev, block.phys) };
  }

  /** Contiguous pages that the device reaches, their contents undefined (__dma_direct_alloc_pages). */
  #take(dev: Device, bytes: number, gfp: Gfp, highmem: boolean): Page | null {
    const { pages } = this.#sources;
    const isUsable = (page: Page): boolean =>
      coherentOk(dev, pageToPhys(page), bytes) && (highmem || !pages.isHighmem(page));
    const contiguous = this.#takeContiguous(dev, bytes, gfp);
    if (contiguous !== null) {
      if (isUsable(contiguous)) return contiguous;
      this.#freePages(dev, contiguous, bytes);
    }
    for (const zone of this.#zonesFor(reachOf(dev))) {
      const page = pages.allocKernelPages({ ...gfp, ...zone, zero: false }, getOrder(bytes));
      if (page === null) return null;
      if (isUsable(page)) return page;
      pages.freePagesAt(page, getOrder(bytes));
    }
    return null;
  }

  /** Of the device's CMA area or, if it is more than a page, everybody's (dma_alloc_contiguous). */
  #takeContiguous(dev: Device, bytes: number, gfp: Gfp): Page | null {
    if (gfp.atomic === true) return null;
    const area = dev.dma.cma ?? (bytes > PAGE_SIZE ? this.#sources.setAside.cma : null);
    return area?.alloc(bytes / PAGE_SIZE, cmaAlignOrder(bytes), gfp.noWarn === true) ?? null;
  }

  /** dma_free_contiguous. */
  #freePages(dev: Device, page: Page, bytes: number): void {
    const { pages, setAside } = this.#sources;
    const count = bytes / PAGE_SIZE;
    if (dev.dma.cma?.release(page, count) === true) return;
    if (setAside.cma?.release(page, count) === true) return;
    pages.freePagesAt(page, getOrder(bytes));
  }

  #pageAt(dev: Device, handle: DmaAddr): Page {
    const phys = handle === DMA_MAPPING_ERROR ? null : dmaToPhys(dev, handle);
    if (phys !== null) return physToPage(phys);
    throw new KernelOops(`${dev.name}: no memory at bus address ${hex(handle)}`);
  }

  /** The zone that a limit falls into, then the lower ones (dma_direct_optimal_gfp_mask). */
  #zonesFor(limit: PhysAddr): readonly Gfp[] {
    const { dmaZoneLimit } = this.#sources;
    if (dmaZoneLimit !== null && limit <= dmaZoneLimit) return LOWER_ZONES.slice(2);
    return limit <= 2 ** 32 - 1 ? LOWER_ZONES.slice(1) : LOWER_ZONES;
  }
}

/** True if the device reaches all of this memory as coherent memory (dma_coherent_ok). */
const coherentOk = (dev: Device, phys: PhysAddr, size: number): boolean => {
  const bus = physToDma(dev, phys);
  return bus !== DMA_MAPPING_ERROR && bus + size - 1 <= dmaLimit(dev, dev.dma.coherentMask);
};

/** The largest physical address that the device reaches with its coherent mask. */
const reachOf = (dev: Device): PhysAddr => {
  const { rangeMap, coherentMask } = dev.dma;
  const limit = dmaLimit(dev, coherentMask);
  if (rangeMap === null) return physAddr(limit);
  const ends = rangeMap
    .filter(({ dma }) => dma <= limit)
    .map(({ dma, cpu, size }) => cpu + Math.min(size, limit - dma + 1) - 1);
  return physAddr(Math.max(0, ...ends));
};
