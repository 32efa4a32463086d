import type { CoreProfile } from '../../arch/arm/profile';
import type { CurrentCpu } from '../../drivers/base/kernel/current-cpu';
import type { Device } from '../../drivers/base/kernel/device';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { TestMasterDevice } from '../../drivers/misc/test-master/driver';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { DtNode } from '../../drivers/of/tree';
import type { Kernel } from '../../machines/kernel';
import type { BoundMaster, Machine } from '../../machines/machine';
import {
  DmaAttr,
  DmaDirection,
  dmaBitMask,
  dmaMapPage,
  dmaMappingError,
  dmaSetMaskAndCoherent,
  dmaUnmapPage,
} from '../../mm/dma-mapping-common';
import { dmaCapable, physToDma } from '../../mm/dma-direct';
import { GFP_DMA, GFP_DMA32, GFP_HIGHUSER, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { pageToPhys, pfnToPage, physToPage } from '../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../mm/pgprot';
import type { PgMemory } from '../../mm/pgprot';
import { getOrder } from '../../mm/zone';
import { AbortCase } from './suite';

/** The first CPU of a machine: its caches, buffers and what they may do. */
export const coreOf = ({ plan }: Machine): CoreProfile => {
  const [cpu] = plan.cpus;
  if (cpu === undefined) throw new AbortCase('a machine without CPUs');
  return cpu.core;
};

/** How often a driver looks for the end of a transfer, and how long it waits in between. */
const LOOKS = 1000;
const LOOK_NANOSECONDS = 100;

/** Memory for descriptors and status words: a page, where the CPU and where the device has it. */
export interface SharedPage {
  readonly page: Page;
  readonly cpuAddress: CpuAddr;
  readonly dmaAddress: DmaAddr;
}

export type MasterKind = 'coherent' | 'non-coherent' | 'lazy' | 'translated';

/** The driver of one of these IOMMUs takes a table from the hardware before it goes, whoever is attached. */
export const freesCarefully = (iommus: readonly DtNode[]): boolean =>
  iommus.some(({ compatible }) =>
    compatible.some(name => /smmu-v[12]$|smmu-500$|,mmu-/.test(name)),
  );

/** A device is alone behind an IOMMU whose driver leaves it to the core when a table may go. */
export const isTranslated = ({ kernel, iommus }: Machine, dev: Device): boolean => {
  const group = kernel.iommus.groupOf(dev);
  const streams = group?.streams ?? [];
  const nodes = [...iommus].flatMap(([node, one]) =>
    streams.some(({ iommu }) => iommu === one) ? [node] : [],
  );
  return group?.devices.length === 1 && group.defaultDomain.dma !== null && !freesCarefully(nodes);
};

/**
 * What a driver has: a device of its own, the kernel around it, the CPU it runs on, and memory.
 * Drivers that are wrong, and their corrections, are written with it.
 */
export class DriverBench {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly cpu: CurrentCpu;
  readonly device: TestMasterDevice;
  readonly dev: Device;
  /** Where the device reaches whatever page is given. */
  readonly gfp: Gfp;
  readonly #pages = new Map<CpuAddr, { readonly page: Page; readonly order: number }>();

  private constructor(machine: Machine, { device }: BoundMaster, gfp: Gfp) {
    this.machine = machine;
    this.kernel = machine.kernel;
    this.cpu = machine.kernel.cpu;
    this.device = device;
    this.dev = device.dev;
    this.gfp = gfp;
  }

  /**
   * With the first master that does or does not snoop, as its node says, or the first `lazy` or
   * `translated` one; null without one. One behind an IOMMU would be stopped where others do harm, so
   * that only those are.
   */
  static on(machine: Machine, kind: MasterKind): DriverBench | null {
    for (const master of machine.masters) {
      const { dev } = master.device;
      const domain = machine.kernel.iommus.dmaDomain(dev);
      const isDirect = domain === null && dev.dma.coherent === (kind === 'coherent');
      if (kind === 'lazy' && (domain?.queue ?? null) === null) continue;
      if (kind === 'translated' && !isTranslated(machine, dev)) continue;
      if (kind !== 'lazy' && kind !== 'translated' && !isDirect) continue;
      dmaSetMaskAndCoherent(dev, dmaBitMask(64));
      const gfp = reachableBy(machine, dev);
      if (gfp !== null) return new DriverBench(machine, master, gfp);
    }
    return null;
  }

  get core(): CoreProfile {
    return coreOf(this.machine);
  }

  /**
   * Bytes that a buffer must have for itself: a cache line, or a wider one farther out; without a cache
   * the least that a mapping is rounded to.
   */
  get line(): number {
    const { lineSize, writebackGranule } = this.kernel.mm.info;
    return lineSize === 0 ? 32 : Math.max(lineSize, writebackGranule ?? 0);
  }

  /** kmalloc, from wherever the device can reach. */
  kmalloc(size: number): CpuAddr {
    const { slab, mm } = this.kernel;
    if (this.gfp.dma32 !== true) return need(slab.kmalloc(size, this.gfp), `${size} bytes`);
    const page = this.allocPages(getOrder(size));
    return need(mm.layout.physToVirt(pageToPhys(page)), 'lowmem');
  }

  kfree(address: CpuAddr): void {
    const { slab, mm } = this.kernel;
    const block = this.#pages.get(address);
    if (block === undefined) {
      slab.kfree(address);
      return;
    }
    this.#pages.delete(address);
    mm.pages.freePagesAt(block.page, block.order);
  }

  /** Pages of lowmem, from wherever the device can reach; `freePages` or `kfree` gives them back. */
  allocPages(order = 0): Page {
    const { pages } = this.kernel.mm;
    const page = need(pages.allocPages(this.gfp, order), `2^${order} pages`);
    this.#pages.set(this.addressOf(page), { page, order });
    return page;
  }

  freePages(page: Page): void {
    this.kfree(this.addressOf(page));
  }

  /** Where the linear map has a page. */
  addressOf(page: Page): CpuAddr {
    return need(this.kernel.mm.layout.physToVirt(pageToPhys(page)), 'a lowmem page');
  }

  pageOf(address: CpuAddr): Page {
    return physToPage(need(this.kernel.mm.layout.virtToPhys(address), 'a lowmem address'));
  }

  /** Memory outside the linear map, as stacks and large tables are. */
  vmalloc(size: number): CpuAddr {
    return need(this.kernel.mappings.vmalloc(size), `${size} bytes of vmalloc memory`);
  }

  vfree(address: CpuAddr): void {
    this.kernel.mappings.vfree(address);
  }

  /** A second mapping of a page, of this memory type. */
  vmap(page: Page, memory: PgMemory = 'cached'): CpuAddr {
    return this.vmapPages([page], memory);
  }

  /** Pages one after the other. */
  vmapPages(pages: readonly Page[], memory: PgMemory = 'cached'): CpuAddr {
    const prot = withMemory(PAGE_KERNEL, memory);
    return need(this.kernel.mappings.vmap(pages, prot), 'vmalloc space');
  }

  vunmap(address: CpuAddr): void {
    this.kernel.mappings.vunmap(address);
  }

  /**
   * Sleeps until the device is done, as a driver does that is woken by its interrupt: no access of
   * the driver's orders anything meanwhile.
   */
  sleepUntilDone(): void {
    sleepUntilDone(this.cpu, this.device);
  }

  /** What a mapping gave, once dma_mapping_error() has been asked. */
  mapped(address: DmaAddr): DmaAddr {
    return need(dmaMappingError(this.dev, address) === 0 ? address : null, 'a mapping');
  }

  /** The CPU writes the pattern of `seed`, byte by byte, into lines that it brings in. */
  fill(buffer: CpuAddr, size: number, seed: number): void {
    for (let i = 0; i < size; i++) {
      this.cpu.store8(buffer + i, patternByte(seed, i));
      this.cpu.load8(buffer + i);
      this.cpu.store8(buffer + i, patternByte(seed, i));
    }
  }

  /** The CPU stores the pattern of `seed` a word at a time; `size` is a multiple of 4. */
  storeWords(address: CpuAddr, size: number, seed: number): void {
    storeWords(this.cpu, address, size, seed);
  }

  /** How many bytes the CPU reads that are not the pattern of `seed`. */
  wrongBytes(buffer: CpuAddr, size: number, seed: number): number {
    let wrong = 0;
    for (let i = 0; i < size; i++) {
      if (this.cpu.load8(buffer + i) !== patternByte(seed, i)) wrong++;
    }
    return wrong;
  }

  /**
   * A zeroed page that CPU and device share without maintenance, as dma_alloc_coherent() gives:
   * ordinary memory for a device that snoops, else a page that is remapped uncached, and of which
   * no cacheable mapping is left that this core could fill lines by.
   */
  allocShared(): SharedPage {
    const { mm } = this.kernel;
    if (this.dev.dma.coherent) {
      const page = this.allocPages();
      return this.#share(page, this.addressOf(page));
    }
    const page = this.allocUncachedPage();
    mm.kmap.with(page, address => {
      mm.cache.dmaFlushRange(address, PAGE_SIZE);
    });
    const address = this.vmap(page, 'dmacoherent');
    mm.cache.dmaFlushRange(address, PAGE_SIZE);
    mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
    return this.#share(page, address);
  }

  /**
   * A page for an uncached mapping: of highmem, where nothing else maps it, or of lowmem where a
   * clean line of it does no harm. The page allocator takes it back.
   */
  allocUncachedPage(): Page {
    const gfp = aliasIsHarmless(this.machine) ? this.gfp : GFP_HIGHUSER;
    return need(this.kernel.mm.pages.allocPages(gfp, 0), 'a page');
  }

  freeShared({ page, cpuAddress, dmaAddress }: SharedPage): void {
    const { Bidirectional } = DmaDirection;
    dmaUnmapPage(this.dev, dmaAddress, PAGE_SIZE, Bidirectional, DmaAttr.SkipCpuSync);
    if (this.dev.dma.coherent) {
      this.freePages(page);
      return;
    }
    this.vunmap(cpuAddress);
    this.kernel.mm.pages.freePagesAt(page, 0);
  }

  /** Where the CPU has a byte of shared memory. */
  cpuAt({ cpuAddress }: SharedPage, offset: number): CpuAddr {
    return offsetBy(cpuAddress, offset);
  }

  /** Where the device has it. */
  dmaAt({ dmaAddress }: SharedPage, offset: number): DmaAddr {
    return offsetBy(dmaAddress, offset);
  }

  #share(page: Page, cpuAddress: CpuAddr): SharedPage {
    for (let at = 0; at < PAGE_SIZE; at += 4) this.cpu.store32(cpuAddress + at, 0);
    this.kernel.mm.barriers.wmb();
    const { Bidirectional } = DmaDirection;
    const attrs = DmaAttr.SkipCpuSync;
    const dma = this.mapped(dmaMapPage(this.dev, page, 0, PAGE_SIZE, Bidirectional, attrs));
    return { page, cpuAddress, dmaAddress: dma };
  }
}

/** The CPU stores the pattern of `seed` a word at a time; `size` is a multiple of 4. */
export const storeWords = (cpu: CurrentCpu, address: CpuAddr, size: number, seed: number): void => {
  for (let at = 0; at < size; at += 4) cpu.store32(address + at, patternWord(seed, at));
};

/** Sleeps until a device is done; no access orders anything meanwhile. */
export const sleepUntilDone = (cpu: CurrentCpu, device: TestMasterDevice): void => {
  for (let look = 0; look < LOOKS && !device.isDone('relaxed'); look++) {
    cpu.relax(LOOK_NANOSECONDS);
  }
};

/** A clean line under the linear map is not looked at by uncached accesses, or never filled. */
export const aliasIsHarmless = (machine: Machine): boolean => {
  const { ncLookup, speculativeFill } = coreOf(machine);
  return ncLookup === 'ignores' || !speculativeFill;
};

/** Why there is no memory like dma_alloc_coherent()'s here, or null. */
export const withoutSharedPages = (machine: Machine): string | null => {
  const { mm } = machine.kernel;
  if (mm.vmalloc === null) return 'no MMU: nothing can be remapped uncached';
  if (aliasIsHarmless(machine) || mm.pages.hasHighmem) return null;
  return 'no highmem: every page has a cacheable mapping that this core may fill lines by';
};

/** The little-endian word of the pattern at an offset, signed. */
const patternWord = (seed: number, offset: number): number =>
  patternByte(seed, offset) |
  (patternByte(seed, offset + 1) << 8) |
  (patternByte(seed, offset + 2) << 16) |
  (patternByte(seed, offset + 3) << 24);

/** Which allocations a device can reach, whatever page they give: null if none. */
export const reachableBy = ({ kernel: { mm } }: Machine, dev: Device): Gfp | null => {
  for (const gfp of [GFP_KERNEL, GFP_DMA32, GFP_DMA]) {
    const ranges = mm.pages.rangesFor(gfp);
    const isReachable = ranges.every(({ start, end }) =>
      [start, end - 1].every(pfn =>
        dmaCapable(dev, physToDma(dev, pageToPhys(pfnToPage(pfn))), PAGE_SIZE),
      ),
    );
    if (ranges.length > 0 && isReachable) return gfp;
  }
  return null;
};

const need = <Value>(value: Value | null, what: string): Value => {
  if (value === null) throw new AbortCase(what);
  return value;
};

/** The address of byte `n` of a buffer. */
export const byteAt = (buffer: CpuAddr, n: number): CpuAddr => offsetBy(buffer, n);
