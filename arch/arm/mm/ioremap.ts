import { KernelOops } from '../../../drivers/base/kernel/oops';
import { GFP_KERNEL } from '../../../mm/gfp';
import type { Page } from '../../../drivers/base/kernel/dma-map-ops';
import type { CpuAddr, PhysAddr } from '../../../drivers/base/types/address';
import { cpuAddr, hex, offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE, alignDown, alignUp } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_KERNEL, PAGE_KERNEL_DEVICE } from '../../../mm/pgprot';
import type { PgProt } from '../../../mm/pgprot';
import type { VmallocSpace } from '../../../mm/vmalloc';
import type { ArmMm } from './init';

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
    const pages = Array.from({ length: bytes / PAGE_SIZE }, (_, i) => base + i * PAGE_SIZE);
    const mapped = this.#mapAll(vmalloc, pages, PAGE_KERNEL_DEVICE, 'ioremap');
    return mapped === null ? null : offsetBy(mapped, address - base);
  }

  iounmap(address: CpuAddr): void {
    this.vunmap(alignDown(address, PAGE_SIZE));
  }

  /** Maps pages one after the other with these attributes (vmap); null if there is no room. */
  vmap(pages: readonly Page[], prot: PgProt = PAGE_KERNEL): CpuAddr | null {
    const { vmalloc } = this.#mm;
    if (vmalloc === null) throw new KernelOops('vmap without an MMU');
    return this.#mapAll(vmalloc, pages.map(pageToPhys), prot, 'vmap');
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

  #mapAll(
    space: VmallocSpace,
    physical: readonly number[],
    prot: PgProt,
    caller: string,
  ): CpuAddr | null {
    const { tables, root, info, cache } = this.#mm;
    const area = space.reserve(physical.length * PAGE_SIZE, caller);
    if (area === null) return null;
    // Lines of the pages at other addresses would become aliases (flush_cache_vmap).
    if (info.isVivt || info.isAliasing) cache.flushKernAll();
    const isMapped = physical.every((pa, i) =>
      tables.map(root, {
        va: area.start + i * PAGE_SIZE,
        pa,
        size: PAGE_SIZE,
        prot,
        blocks: false,
      }),
    );
    if (isMapped) return area.start;
    this.vunmap(area.start);
    return null;
  }
}
