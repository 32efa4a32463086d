import { KernelOops } from '../../../drivers/base/kernel/oops';
import { invariant } from '../../../drivers/base/types/errors';
import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { CpuAddr, PhysAddr } from '../../../drivers/base/types/address';
import { cpuAddr, hex, offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE, alignDown, alignUp } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_KERNEL, PAGE_KERNEL_DEVICE } from '../../../mm/pgprot';
import type { PgProt } from '../../../mm/pgprot';
import type { VmArea, VmallocSpace } from '../../../mm/vmalloc';
import type { ArmMm } from './init';

/** What is to be mapped at the next free run of addresses. */
interface Mapping {
  /** Bytes, whole pages. */
  readonly size: number;
  readonly prot: PgProt;
  /** Physical address of the page at an offset of `size`. */
  readonly at: (offset: number) => number;
}

/** Kernel mappings outside the linear map: registers, scattered pages. */
export class KernelMappings {
  readonly #mm: ArmMm;
  /** Pages that vmalloc owns, by the address it gave. */
  readonly #owned = new Map<CpuAddr, readonly Page[]>();

  constructor(mm: ArmMm) {
    this.#mm = mm;
  }

  /**
   * Maps registers (ioremap); null if there is no room. RAM is a kernel bug: it would get a second
   * mapping with other attributes.
   */
  ioremap(address: PhysAddr, size: number): CpuAddr | null {
    const { layout, vmalloc } = this.#mm;
    if (vmalloc === null) return cpuAddr(address);
    const base = alignDown(address, PAGE_SIZE);
    const bytes = alignUp(address + size, PAGE_SIZE) - base;
    const isRam = layout.ram.some(ram => base < ram.base + ram.size && ram.base < base + bytes);
    if (isRam) throw new KernelOops(`ioremap on RAM at ${hex(address)}`);
    const mapped = this.#map(vmalloc, 'ioremap', {
      size: bytes,
      prot: PAGE_KERNEL_DEVICE,
      at: offset => base + offset,
    });
    return mapped === null ? null : offsetBy(mapped, address - base);
  }

  iounmap(address: CpuAddr): void {
    this.vunmap(alignDown(address, PAGE_SIZE));
  }

  /** Maps pages one after the other with these attributes (vmap); null if there is no room. */
  vmap(pages: readonly Page[], prot: PgProt = PAGE_KERNEL): CpuAddr | null {
    const { vmalloc } = this.#mm;
    if (vmalloc === null) throw new KernelOops('vmap without an MMU');
    return this.#map(vmalloc, 'vmap', {
      size: pages.length * PAGE_SIZE,
      prot,
      at: offset => {
        const page = pages[offset / PAGE_SIZE];
        invariant(page !== undefined, 'vmap beyond its pages');
        return pageToPhys(page);
      },
    });
  }

  /** Ends what vmap or ioremap made: entries, then TLB, then the address range. */
  vunmap(address: CpuAddr): void {
    const { tables, root, tlb, vmalloc, cache, info } = this.#mm;
    if (vmalloc === null) return;
    const area = vmalloc.release(address);
    if (info.isVivt || info.isAliasing) cache.dmaFlushRange(area.start, area.size);
    tables.unmap(root, area.start, area.size);
    tlb.flushKernelRange(area.start, area.size);
  }

  /** Memory that is contiguous for the CPU only; null if there is not enough. */
  vmalloc(size: number): CpuAddr | null {
    const pages: Page[] = [];
    for (let i = 0; i < Math.ceil(size / PAGE_SIZE); i++) {
      const page = this.#mm.pages.allocPages({ ...GFP_KERNEL, highmem: true }, 0);
      if (page === null) return this.#giveBack(pages);
      pages.push(page);
    }
    const address = this.vmap(pages);
    if (address === null) return this.#giveBack(pages);
    this.#owned.set(address, pages);
    return address;
  }

  vfree(address: CpuAddr): void {
    const pages = this.#owned.get(address);
    this.vunmap(address);
    this.#owned.delete(address);
    this.#giveBack(pages ?? []);
  }

  #giveBack(pages: readonly Page[]): null {
    for (const page of pages) this.#mm.pages.freePagesAt(page, 0);
    return null;
  }

  /** Reserves before it looks at a page: a size that no range holds must cost nothing. */
  #map(space: VmallocSpace, caller: string, { size, prot, at }: Mapping): CpuAddr | null {
    const { info, cache, cpu } = this.#mm;
    const area = space.reserve(size, caller);
    if (area === null) return null;
    // Lines of the pages at other addresses would become aliases (flush_cache_vmap).
    if (info.isVivt || info.isAliasing) cache.flushKernAll();
    const isMapped = this.#mapPages(area, prot, at);
    // arm64's set_pte() ends with one for kernel entries; 32-bit ARM's flush_cache_vmap() has none.
    if (info.type === 'v8') cpu.isb();
    if (isMapped) return area.start;
    this.vunmap(area.start);
    return null;
  }

  #mapPages(area: VmArea, prot: PgProt, at: Mapping['at']): boolean {
    const { tables, root } = this.#mm;
    for (let offset = 0; offset < area.size; offset += PAGE_SIZE) {
      const entry = { va: area.start + offset, pa: at(offset), size: PAGE_SIZE, prot };
      if (!tables.map(root, { ...entry, blocks: false })) return false;
    }
    return true;
  }
}
