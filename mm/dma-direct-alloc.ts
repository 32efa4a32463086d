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
import { ContiguousPages } from './dma-contiguous';
import { dmaLimit, dmaToPhys, physToDma } from './dma-direct';
import type { DmaAllocation } from './dma-stages';
import { dmaPgprot, mmapPages } from './dma-user';
import type { PageAllocator } from './page-alloc';
import { pageToPhys, pfnToPage, physToPage } from './page-alloc';
import type { PgMemory } from './pgprot';

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

/**
 * Memory of their own for devices that use physical addresses (dma_direct_alloc and its like in
 * kernel/dma/direct.c). For a device that snoops: pages, at their linear address. For one that does
 * not, in turn: the global pool, unless it asks for memory without an address; the atomic pool if the
 * caller cannot sleep; what the architecture makes uncached, of contiguous areas where that takes
 * its pages from anywhere.
 */
export class DirectAllocation implements DmaAllocation {
  readonly #sources: DirectSources;
  readonly #contiguous: ContiguousPages;
  /** What the architecture gave, by what the caller was given for the CPU. */
  readonly #blocks = new Map<CpuAddr, CoherentBlock>();
  /** What the atomic pool gave to who asked for no address, by its cookie. */
  readonly #ofPool = new Map<CpuAddr, CpuAddr>();

  constructor(sources: DirectSources) {
    this.#sources = sources;
    this.#contiguous = new ContiguousPages(sources);
  }

  readonly alloc = (dev: Device, size: number, flags: Gfp, attrs: DmaAttrs): DmaMemory | null => {
    const bytes = alignUp(size, PAGE_SIZE);
    if (bytes === 0) return null;
    const gfp = hasDmaAttr(attrs, DmaAttr.NoWarn) ? { ...flags, noWarn: true } : flags;
    const isUnmapped = needsNoMapping(dev, attrs);
    if (dev.dma.coherent) {
      return isUnmapped
        ? this.#allocPagesAlone(dev, bytes, gfp)
        : this.#allocCached(dev, bytes, gfp);
    }
    const { arch, setAside } = this.#sources;
    const { globalPool, atomicPool } = setAside;
    if (globalPool !== null && !isUnmapped) return this.#memoryOf(dev, globalPool.alloc(bytes));
    // Where the alias stays, nothing is mapped for who needs no address: that does not sleep.
    const mayUsePool = !(isUnmapped && arch.coherent.keepsAlias) && dev.dma.restricted === null;
    if (gfp.atomic === true && atomicPool !== null && mayUsePool) {
      const reaches = (phys: PhysAddr, length: number): boolean => coherentOk(dev, phys, length);
      return this.#fromAtomicPool(dev, atomicPool.alloc(bytes, reaches), isUnmapped);
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
    const block = this.#blocks.get(address);
    if (block !== undefined) {
      this.#blocks.delete(address);
      arch.coherent.free(block);
      return;
    }
    if (needsNoMapping(dev, attrs)) {
      const pooled = this.#ofPool.get(address);
      if (pooled === undefined) this.#contiguous.free(dev, pfnToPage(address), bytes);
      else setAside.atomicPool?.free(pooled, bytes);
      this.#ofPool.delete(address);
      return;
    }
    if (setAside.globalPool?.release(address, bytes) === true) return;
    if (setAside.atomicPool?.free(address, bytes) === true) return;
    if (linear.virtToPhys(address) === null) arch.vunmap(address);
    this.#contiguous.free(dev, this.#pageAt(dev, handle), bytes);
  };

  readonly allocPages: NonNullable<DmaAllocation['allocPages']> = (dev, size, _direction, gfp) => {
    const page = this.#take(dev, size, gfp, false);
    if (page === null) return null;
    this.#sources.pages.clear(page, size / PAGE_SIZE);
    return { page, dmaHandle: physToDma(dev, pageToPhys(page)) };
  };

  readonly freePages: NonNullable<DmaAllocation['freePages']> = (dev, size, page) => {
    this.#contiguous.free(dev, page, size);
  };

  /** As what the kernel has it mapped, whatever the attributes of now. */
  readonly mmap: NonNullable<DmaAllocation['mmap']> = (dev, vma, address, handle, size, attrs) => {
    const ofPool = this.#sources.setAside.globalPool?.mmap(vma, address, size) ?? null;
    if (ofPool !== null) return ofPool;
    const first = this.#pageAt(dev, handle);
    const memory = this.#memoryAt(address) ?? dmaPgprot(dev, attrs);
    return mmapPages(vma, size, memory, index => pfnToPage(first + index));
  };

  readonly getSgtable: NonNullable<DmaAllocation['getSgtable']> = (dev, _address, handle, size) =>
    new SgTable([new SgEntry(this.#pageAt(dev, handle), 0, alignUp(size, PAGE_SIZE))]);

  /** The CPU has no address of it: what is answered is the page's number, which nothing maps. */
  #allocPagesAlone(dev: Device, bytes: number, gfp: Gfp): DmaMemory | null {
    const page = this.#take(dev, bytes, gfp, true);
    if (page === null) return null;
    this.#sources.pages.clear(page, bytes / PAGE_SIZE);
    return { cpuAddr: cpuAddr(page), dmaHandle: physToDma(dev, pageToPhys(page)) };
  }

  #allocCached(dev: Device, bytes: number, gfp: Gfp): DmaMemory | null {
    const { pages, linear } = this.#sources;
    const page = this.#take(dev, bytes, gfp, true);
    if (page === null) return null;
    const phys = pageToPhys(page);
    const address = linear.physToVirt(phys) ?? this.#remap(page, bytes);
    if (address === null) {
      this.#contiguous.free(dev, page, bytes);
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
    const isUnmapped = needsNoMapping(dev, attrs);
    const { restricted } = dev.dma;
    const block = coherent.alloc({
      ...{ size, gfp, isUnmapped },
      memory: dmaPgprot(dev, attrs),
      limit: reachOf(dev),
      source: {
        take: highmem => this.#take(dev, size, gfp, highmem),
        release: page => {
          this.#contiguous.free(dev, page, size);
        },
      },
      cma: restricted ?? dev.dma.cma,
    });
    if ('refused' in block) {
      if (gfp.noWarn === true) return null;
      dev.services.log.device('warn', dev, `no coherent memory: ${block.refused}`);
      return null;
    }
    if (!coherentOk(dev, block.phys, size) || restricted?.contains(block.phys) === false) {
      coherent.free(block);
      return null;
    }
    const address = isUnmapped ? cookieOf(block) : block.cpuAddr;
    this.#blocks.set(address, block);
    return { cpuAddr: address, dmaHandle: physToDma(dev, block.phys) };
  }

  #memoryOf(dev: Device, block: PoolBlock | null): DmaMemory | null {
    return block && { cpuAddr: block.cpuAddr, dmaHandle: physToDma(dev, block.phys) };
  }

  #fromAtomicPool(dev: Device, block: PoolBlock | null, isUnmapped: boolean): DmaMemory | null {
    const memory = this.#memoryOf(dev, block);
    if (memory === null || block === null || !isUnmapped) return memory;
    const cookie = cookieOf(block);
    this.#ofPool.set(cookie, block.cpuAddr);
    return { ...memory, cpuAddr: cookie };
  }

  /** As what an allocation is mapped, if that is known. */
  #memoryAt(address: CpuAddr): PgMemory | null {
    const { atomicPool } = this.#sources.setAside;
    const isOfPool = this.#ofPool.has(address) || atomicPool?.contains(address) === true;
    return this.#blocks.get(address)?.memory ?? (isOfPool ? 'dmacoherent' : null);
  }

  /** Contiguous pages that the device reaches, their contents undefined. */
  #take(dev: Device, bytes: number, gfp: Gfp, highmem: boolean): Page | null {
    const { pages } = this.#sources;
    return this.#contiguous.alloc(dev, bytes, gfp, reachOf(dev), page => {
      if (!highmem && pages.isHighmem(page)) return false;
      return coherentOk(dev, pageToPhys(page), bytes);
    });
  }

  #pageAt(dev: Device, handle: DmaAddr): Page {
    const phys = handle === DMA_MAPPING_ERROR ? null : dmaToPhys(dev, handle);
    if (phys !== null) return physToPage(phys);
    throw new KernelOops(`${dev.name}: no memory at bus address ${hex(handle)}`);
  }
}

/** Without an address; not where it is of the pool that the device is restricted to. */
const needsNoMapping = (dev: Device, attrs: DmaAttrs): boolean =>
  hasDmaAttr(attrs, DmaAttr.NoKernelMapping) && dev.dma.restricted === null;

/** What stands for memory that the CPU has no address of: the number of its first page. */
const cookieOf = ({ phys }: { readonly phys: PhysAddr }): CpuAddr => cpuAddr(physToPage(phys));

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
