import type { Page } from '../../../drivers/base/kernel/dma-map-ops';
import { KernelOops } from '../../../drivers/base/kernel/oops';
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

  #map(physical: PhysAddr): CpuAddr {
    const { vmalloc, tables, root } = this.#context;
    const area = vmalloc?.reserve(PAGE_SIZE, 'kmap');
    if (area === undefined || area === null) throw new KernelOops('kmap: no address space left');
    const request = {
      va: area.start,
      pa: physical,
      size: PAGE_SIZE,
      prot: PAGE_KERNEL,
      blocks: false,
    };
    if (!tables.map(root, request)) throw new KernelOops('kmap: no memory for a table');
    return area.start;
  }

  /** A virtually tagged or aliasing cache must not keep lines of an address that goes away. */
  #unmap(address: CpuAddr): void {
    const { vmalloc, tables, root, tlb, cache, info } = this.#context;
    if (info.isVivt || info.isAliasing) cache.dmaFlushRange(address, PAGE_SIZE);
    tables.unmap(root, address, PAGE_SIZE);
    tlb.flushKernelRange(address, PAGE_SIZE);
    vmalloc?.release(address);
  }
}
