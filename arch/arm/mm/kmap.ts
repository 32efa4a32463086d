import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import { offsetBy } from '../../../drivers/base/types/address';
import type { CpuAddr, PhysAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_KERNEL } from '../../../mm/pgprot';
import type { VmallocSpace } from '../../../mm/vmalloc';
import type { CacheFns } from './cache-fns';
import type { CpuInfo } from './cpu-info';
import type { KernelLayout } from './layout';
import type { PageTables } from './pgtable';
import type { TlbFns } from './tlb';

/** What kmap needs of the kernel around it. */
export interface KmapContext {
  readonly info: CpuInfo;
  readonly layout: KernelLayout;
  readonly vmalloc: VmallocSpace | null;
  readonly tables: PageTables;
  readonly root: PhysAddr;
  readonly tlb: TlbFns;
  readonly cache: CacheFns;
}

/** Addresses so far apart have the same colour on every aliasing cache (SHMLBA). */
const SHMLBA = 4 * PAGE_SIZE;

/** Temporary mappings of pages, highmem ones among them (kmap_local_page). */
export class Kmap {
  readonly #context: KmapContext;

  constructor(context: KmapContext) {
    this.#context = context;
  }

  /** Runs `body` with the page mapped, lowmem at its linear address. */
  with<Value>(page: Page, body: (address: CpuAddr) => Value): Value {
    const physical = pageToPhys(page);
    const linear = this.#context.layout.physToVirt(physical);
    if (linear !== null) return body(linear);
    const address = this.#map(physical);
    try {
      return body(address);
    } finally {
      this.#unmap(address);
    }
  }

  /**
   * Cleans and invalidates the lines that a page has under the colour of a user address, whichever
   * address space is in force (flush_pfn_alias). For caches with virtual index and physical tag.
   */
  flushPfnAlias(page: Page, user: number): void {
    const area = this.#reserve(SHMLBA, SHMLBA);
    const address = offsetBy(area, user % SHMLBA);
    this.#enter(address, pageToPhys(page));
    this.#leave(address);
    this.#context.vmalloc?.release(area);
  }

  #map(physical: PhysAddr): CpuAddr {
    const address = this.#reserve(PAGE_SIZE, PAGE_SIZE);
    this.#enter(address, physical);
    return address;
  }

  #unmap(address: CpuAddr): void {
    this.#leave(address);
    this.#context.vmalloc?.release(address);
  }

  #reserve(size: number, align: number): CpuAddr {
    const area = this.#context.vmalloc?.reserve(size, 'kmap', align);
    if (area === undefined || area === null) throw new KernelOops('kmap: no address space left');
    return area.start;
  }

  #enter(address: CpuAddr, physical: PhysAddr): void {
    const { tables, root } = this.#context;
    const request = {
      va: address,
      pa: physical,
      size: PAGE_SIZE,
      prot: PAGE_KERNEL,
      blocks: false,
    };
    if (!tables.map(root, request)) throw new KernelOops('kmap: no memory for a table');
  }

  /** A virtually tagged or aliasing cache must not keep lines of an address that goes away. */
  #leave(address: CpuAddr): void {
    const { tables, root, tlb, cache, info } = this.#context;
    if (info.isVivt || info.isAliasing) cache.dmaFlushRange(address, PAGE_SIZE);
    tables.unmap(root, address, PAGE_SIZE);
    tlb.flushKernelRange(address, PAGE_SIZE);
  }
}
