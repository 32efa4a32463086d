import { DmaAttr, DmaDirection, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaMemory } from '../drivers/base/kernel/dma-map-ops';
import type { AtomicPool } from '../drivers/base/kernel/dma-pools';
import { EINVAL } from '../drivers/base/kernel/errno';
import type { Gfp } from '../drivers/base/kernel/gfp';
import { SgEntry, SgTable } from '../drivers/base/kernel/scatterlist';
import type { CpuAddr, DmaAddr } from '../drivers/base/types/address';
import { cpuAddr, hex, physAddr } from '../drivers/base/types/address';
import { at } from '../drivers/base/types/arrays';
import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';
import type { ArchDma, CoherentBlock } from './arch-dma';
import { ContiguousPages } from './dma-contiguous';
import type { DirectSources } from './dma-direct-alloc';
import { dmaInfoToProt } from './dma-iommu';
import type { IommuDma } from './dma-iommu';
import type { DmaAllocation } from './dma-stages';
import { dmaPgprot, mmapPages } from './dma-user';
import type { PhysRange } from './iommu/map';
import { freePieces, rangesOf, takePieces } from './iommu/pieces';
import { pageToPhys, pfnToPage, physToPage } from './page-alloc';
import { getOrder } from './zone';

/** What memory for devices behind IOMMUs is taken from. */
export type IommuSources = DirectSources;

/** Where the memory of an allocation came from, and how it goes back. */
interface Backing {
  readonly ranges: readonly PhysRange[];
  release(): void;
}

/** Memory that a device has. */
interface Allocation extends Backing {
  readonly address: DmaAddr;
  readonly size: number;
}

/**
 * Memory of their own for devices behind an IOMMU (iommu_dma_alloc and its like in
 * drivers/iommu/dma-iommu.c): pages from anywhere, the largest that the IOMMU can map first, which
 * are contiguous for the device and, mapped one after the other, for the CPU. In one piece, of
 * contiguous areas first, with DmaAttr.ForceContiguous, for a caller that cannot sleep, and for a
 * device that does not snoop where the architecture makes memory uncached in another way than by
 * mapping it anew; of the atomic pool for who cannot sleep and has such a device.
 */
export class IommuAllocation implements DmaAllocation {
  readonly #dma: IommuDma;
  readonly #sources: IommuSources;
  readonly #contiguous: ContiguousPages;
  /** By what the caller was given for the CPU. */
  readonly #allocations = new Map<CpuAddr, Allocation>();
  readonly #tables = new Map<SgTable, Allocation>();

  constructor(dma: IommuDma, sources: IommuSources) {
    this.#dma = dma;
    this.#sources = sources;
    this.#contiguous = new ContiguousPages(sources);
  }

  readonly alloc = (dev: Device, size: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null => {
    const bytes = alignUp(size, PAGE_SIZE);
    if (bytes === 0) return null;
    if (hasDmaAttr(attrs, DmaAttr.NoKernelMapping))
      return this.#allocNoMapping(dev, bytes, gfp, attrs);
    const { arch, setAside } = this.#sources;
    const isRemapped = dev.dma.coherent || arch.coherent.keepsAlias;
    const mayScatter = gfp.atomic !== true && !hasDmaAttr(attrs, DmaAttr.ForceContiguous);
    if (isRemapped && mayScatter) return this.#allocRemap(dev, bytes, gfp, attrs);
    if (dev.dma.coherent) return this.#allocLinear(dev, bytes, gfp, attrs);
    return gfp.atomic === true && setAside.atomicPool !== null
      ? this.#allocAtomic(dev, bytes, attrs, setAside.atomicPool)
      : this.#allocBlock(dev, bytes, gfp, attrs);
  };

  /** What is unmapped is what the caller says, of which a wrong handle or size is warned. */
  readonly free = (dev: Device, size: number, address: CpuAddr, handle: DmaAddr): void => {
    const allocation = this.#allocations.get(address);
    if (allocation === undefined) {
      const text = `WARNING: free of ${hex(address)}, which was not allocated`;
      dev.services.log.device('warn', dev, text);
      return;
    }
    this.#allocations.delete(address);
    const bytes = alignUp(size, PAGE_SIZE);
    this.#dma.unmap(this.#dma.mustHave(dev), dev, handle, bytes);
    allocation.release();
  };

  readonly allocPages: NonNullable<DmaAllocation['allocPages']> = (dev, size, direction, gfp) => {
    const { pages } = this.#sources;
    const order = getOrder(size);
    const page = pages.allocKernelPages({ ...gfp, highmem: false, zero: false }, order);
    if (page === null) return null;
    const ranges = [{ address: pageToPhys(page), size: alignUp(size, PAGE_SIZE) }];
    const dmaHandle = this.#map(dev, ranges, direction, 0);
    if (dmaHandle === null) {
      pages.freePagesAt(page, order);
      return null;
    }
    pages.clear(page, alignUp(size, PAGE_SIZE) / PAGE_SIZE);
    return { page, dmaHandle };
  };

  readonly freePages: NonNullable<DmaAllocation['freePages']> = (dev, size, page, handle) => {
    this.#dma.unmap(this.#dma.mustHave(dev), dev, handle, size);
    this.#sources.pages.freePagesAt(page, getOrder(size));
  };

  readonly allocNoncontiguous: NonNullable<DmaAllocation['allocNoncontiguous']> = (
    dev,
    size,
    _direction,
    gfp,
    attrs,
  ) => {
    const bytes = alignUp(size, PAGE_SIZE);
    const allocation = this.#allocScattered(dev, bytes, gfp, attrs);
    if (allocation === null) return null;
    const table = tableOf(allocation.ranges);
    const first = at(table.sgl, 0);
    first.dmaAddress = allocation.address;
    first.dmaLength = bytes;
    table.nents = 1;
    this.#tables.set(table, allocation);
    return table;
  };

  readonly freeNoncontiguous: NonNullable<DmaAllocation['freeNoncontiguous']> = (
    dev,
    _size,
    table,
  ) => {
    const allocation = this.#tables.get(table);
    if (allocation === undefined) return;
    this.#tables.delete(table);
    this.#release(dev, allocation);
  };

  readonly vmapNoncontiguous: NonNullable<DmaAllocation['vmapNoncontiguous']> = (
    _dev,
    _size,
    table,
  ) => this.#sources.arch.vmap(pagesOf(this.#tables.get(table)?.ranges ?? []), 'cached');

  readonly vunmapNoncontiguous: NonNullable<DmaAllocation['vunmapNoncontiguous']> = (
    _dev,
    address,
  ) => {
    this.#sources.arch.vunmap(address);
  };

  readonly mmapNoncontiguous: NonNullable<DmaAllocation['mmapNoncontiguous']> = (
    _dev,
    vma,
    size,
    table,
  ) => {
    const pages = pagesOf(this.#tables.get(table)?.ranges ?? []);
    return mmapPages(vma, size, 'cached', index => at(pages, index));
  };

  readonly mmap: NonNullable<DmaAllocation['mmap']> = (dev, vma, address, _handle, size, attrs) => {
    const pages = pagesOf(this.#allocations.get(address)?.ranges ?? []);
    const most = Math.min(size, pages.length * PAGE_SIZE);
    return mmapPages(vma, most, dmaPgprot(dev, attrs), index => at(pages, index));
  };

  readonly getSgtable: NonNullable<DmaAllocation['getSgtable']> = (_dev, address) => {
    const allocation = this.#allocations.get(address);
    return allocation === undefined ? -EINVAL : tableOf(allocation.ranges);
  };

  /** Pages that no address of the kernel leads to but the linear map's: what is given is a cookie. */
  #allocNoMapping(dev: Device, bytes: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null {
    const allocation = this.#allocScattered(dev, bytes, gfp, attrs);
    if (allocation === null) return null;
    const first = at(allocation.ranges, 0);
    return this.#keep(cpuAddr(physToPage(first.address)), allocation);
  }

  /** Pages from anywhere, mapped one after the other for the CPU (iommu_dma_alloc_remap). */
  #allocRemap(dev: Device, bytes: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null {
    const { arch } = this.#sources;
    const allocation = this.#allocScattered(dev, bytes, gfp, attrs);
    if (allocation === null) return null;
    const address = arch.vmap(pagesOf(allocation.ranges), dmaPgprot(dev, attrs));
    if (address === null) {
      this.#release(dev, allocation);
      return null;
    }
    const release = (): void => {
      arch.vunmap(address);
      allocation.release();
    };
    return this.#keep(address, { ...allocation, release });
  }

  /**
   * One piece, at its linear address if it has one: for a device that snoops
   * (iommu_dma_alloc_pages).
   */
  #allocLinear(dev: Device, bytes: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null {
    const { pages, linear, arch } = this.#sources;
    const page = this.#takeContiguous(dev, bytes, gfp, true);
    if (page === null) return null;
    const ranges = [{ address: pageToPhys(page), size: bytes }];
    const inLinear = linear.physToVirt(pageToPhys(page));
    const address = inLinear ?? arch.vmap(pagesOf(ranges), 'cached');
    const release = (): void => {
      if (inLinear === null && address !== null) arch.vunmap(address);
      this.#contiguous.free(dev, page, bytes);
    };
    if (address === null) {
      release();
      return null;
    }
    pages.clear(page, bytes / PAGE_SIZE);
    const allocation = this.#mapped(dev, bytes, attrs, { ranges, release });
    return allocation && this.#keep(address, allocation);
  }

  /** Of what was made uncached at boot: for a device that does not snoop and who cannot sleep. */
  #allocAtomic(dev: Device, bytes: number, attrs: DmaAttrs, pool: AtomicPool): DmaMemory | null {
    const block = pool.alloc(bytes, () => true);
    if (block === null) return null;
    const ranges = [{ address: block.phys, size: bytes }];
    const release = (): void => {
      pool.free(block.cpuAddr, bytes);
    };
    const allocation = this.#mapped(dev, bytes, attrs, { ranges, release });
    return allocation && this.#keep(block.cpuAddr, allocation);
  }

  /** Contiguous pages from anywhere, their contents undefined. `highmem`: they need no address. */
  #takeContiguous(dev: Device, bytes: number, gfp: Gfp, highmem: boolean): Page | null {
    const { pages } = this.#sources;
    const isUsable = (page: Page): boolean => highmem || !pages.isHighmem(page);
    return this.#contiguous.alloc(dev, bytes, gfp, Number.MAX_SAFE_INTEGER, isUsable);
  }

  /** One piece, as the architecture makes it uncached. */
  #allocBlock(dev: Device, bytes: number, gfp: Gfp, attrs: DmaAttrs): DmaMemory | null {
    const { coherent } = this.#sources.arch;
    const memory = dmaPgprot(dev, attrs);
    const limit = physAddr(Number.MAX_SAFE_INTEGER);
    const source = {
      take: (highmem: boolean) => this.#takeContiguous(dev, bytes, gfp, highmem),
      release: (page: Page) => {
        this.#contiguous.free(dev, page, bytes);
      },
    };
    const request = { size: bytes, memory, gfp, limit, source, cma: dev.dma.cma };
    const block = coherent.alloc(request);
    if ('refused' in block) {
      if (!hasDmaAttr(attrs, DmaAttr.NoWarn) && gfp.noWarn !== true) {
        dev.services.log.device('warn', dev, `no coherent memory: ${block.refused}`);
      }
      return null;
    }
    const allocation = this.#mapped(dev, bytes, attrs, backingOf(block, coherent));
    return allocation && this.#keep(block.cpuAddr, allocation);
  }

  /** Zeroed pages from anywhere, nothing of them in a cache that the device does not look into. */
  #allocScattered(dev: Device, bytes: number, gfp: Gfp, attrs: DmaAttrs): Allocation | null {
    const { pages, arch } = this.#sources;
    const { ops } = this.#dma.mustHave(dev);
    const isSingle = hasDmaAttr(attrs, DmaAttr.AllocSinglePages);
    const sizes = isSingle ? PAGE_SIZE : ops.pageSizes;
    const pieces = takePieces(pages, bytes / PAGE_SIZE, sizes, gfp);
    if (pieces === null) return null;
    for (const { page, order } of pieces) {
      pages.clear(page, 2 ** order);
      if (!dev.dma.coherent) arch.prepareCoherent(pageToPhys(page), PAGE_SIZE * 2 ** order);
    }
    const release = (): void => {
      freePieces(pages, pieces);
    };
    return this.#mapped(dev, bytes, attrs, { ranges: rangesOf(pieces), release });
  }

  #keep(address: CpuAddr, allocation: Allocation): DmaMemory {
    this.#allocations.set(address, allocation);
    return { cpuAddr: address, dmaHandle: allocation.address };
  }

  /** Gives memory addresses of the device, or gives it back. */
  #mapped(dev: Device, size: number, attrs: DmaAttrs, backing: Backing): Allocation | null {
    const address = this.#map(dev, backing.ranges, DmaDirection.Bidirectional, attrs);
    if (address !== null) return { ...backing, address, size };
    backing.release();
    return null;
  }

  #map(
    dev: Device,
    ranges: readonly PhysRange[],
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): DmaAddr | null {
    const prot = dmaInfoToProt(direction, dev.dma.coherent, attrs);
    return this.#dma.map(this.#dma.mustHave(dev), dev, ranges, prot, dev.dma.coherentMask);
  }

  /** The device's addresses end before the memory can be somebody else's. */
  #release(dev: Device, allocation: Allocation): void {
    this.#dma.unmap(this.#dma.mustHave(dev), dev, allocation.address, allocation.size);
    allocation.release();
  }
}

const backingOf = (block: CoherentBlock, coherent: ArchDma['coherent']): Backing => ({
  ranges: [{ address: block.phys, size: block.size }],
  release: () => {
    coherent.free(block);
  },
});

const pagesOf = (ranges: readonly PhysRange[]): readonly Page[] =>
  ranges.flatMap(({ address, size }) =>
    Array.from({ length: size / PAGE_SIZE }, (_, i) => pfnToPage(physToPage(address) + i)),
  );

const tableOf = (ranges: readonly PhysRange[]): SgTable =>
  new SgTable(ranges.map(({ address, size }) => new SgEntry(physToPage(address), 0, size)));
