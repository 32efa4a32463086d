import { KernelOops } from '../drivers/base/kernel/oops';
import type { Page } from '../drivers/base/kernel/dma-map-ops';
import type { PhysAddr } from '../drivers/base/types/address';
import { hex, physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import type { Gfp } from './gfp';
import { MAX_ORDER, Zone, getOrder, pagesOf } from './zone';
import type { PfnRange } from './zone';

export const pageToPhys = (page: Page): PhysAddr => physAddr(page * PAGE_SIZE);
export const physToPage = (address: PhysAddr): Page => Math.floor(address / PAGE_SIZE) as Page;

/** Free memory by zone, and the highest address of ZONE_DMA and of lowmem. */
export interface ZoneLayout {
  readonly ranges: readonly PfnRange[];
  /** One past the last frame of ZONE_DMA; null: no such zone. */
  readonly dmaEnd: number | null;
  /** One past the last frame of lowmem: all of memory where there is no highmem. */
  readonly lowEnd: number;
}

/** What the allocator asks of the architecture. */
export interface PageClearer {
  /** Zeroes a page through some kernel mapping (clear_highpage). */
  clearPage(page: Page): void;
}

const FOUR_GIB_PFN = 2 ** 20;

/**
 * The page allocator: buddies in the zones DMA, NORMAL and HIGHMEM, tried from the highest zone
 * that the caller permits downwards (mm/page_alloc.c).
 */
export class PageAllocator {
  readonly zones: readonly Zone[];
  readonly #layout: ZoneLayout;
  readonly #clearer: PageClearer;
  /** Order of every block handed out, by its first frame. */
  readonly #allocated = new Map<number, number>();

  constructor(layout: ZoneLayout, clearer: PageClearer) {
    this.#layout = layout;
    this.#clearer = clearer;
    const dmaEnd = layout.dmaEnd ?? 0;
    this.zones = [
      new Zone('DMA', within(layout.ranges, 0, dmaEnd)),
      new Zone('Normal', within(layout.ranges, dmaEnd, layout.lowEnd)),
      new Zone('HighMem', within(layout.ranges, Math.max(dmaEnd, layout.lowEnd), Infinity)),
    ];
  }

  get managedPages(): number {
    return this.zones.reduce((sum, zone) => sum + zone.managedPages, 0);
  }

  get freePages(): number {
    return this.zones.reduce((sum, zone) => sum + zone.freePages, 0);
  }

  get hasHighmem(): boolean {
    return this.zones.some(zone => zone.name === 'HighMem' && zone.managedPages > 0);
  }

  isHighmem(page: Page): boolean {
    return page >= this.#layout.lowEnd;
  }

  /** The runs of frames that an allocation with these flags may come from. */
  rangesFor(gfp: Gfp): PfnRange[] {
    const limit = gfp.dma32 === true ? FOUR_GIB_PFN : Infinity;
    return this.zones
      .filter(zone => this.#permits(gfp, zone))
      .flatMap(({ start, end }) => within(this.#layout.ranges, start, Math.min(end, limit)));
  }

  isFree(page: Page): boolean {
    return this.zones.some(zone => zone.isFree(page));
  }

  /** 2^order contiguous pages, or null (alloc_pages). */
  allocPages(gfp: Gfp, order: number): Page | null {
    if (order > MAX_ORDER) return null;
    for (const zone of [...this.zones].reverse()) {
      const pfn = this.#permits(gfp, zone) ? this.#allocateFrom(zone, gfp, order) : null;
      if (pfn === null) continue;
      this.#allocated.set(pfn, order);
      const page = pfn as Page;
      if (gfp.zero === true) this.#clear(page, order);
      return page;
    }
    return null;
  }

  /** Frees what allocPages gave; the wrong order or a second time is a kernel bug. */
  freePagesAt(page: Page, order: number): void {
    const known = this.#allocated.get(page);
    if (known !== order) {
      throw new KernelOops(
        `bad page state: free of order ${order} at ${hex(pageToPhys(page))}, ` +
          (known === undefined ? 'which is not allocated' : `allocated with order ${known}`),
      );
    }
    this.#allocated.delete(page);
    const zone = this.zones.find(candidate => candidate.contains(page));
    zone?.release(page, order);
  }

  /** Pages for `size` bytes, the tail given back at once (alloc_pages_exact). */
  allocPagesExact(size: number, gfp: Gfp): Page | null {
    const order = getOrder(size);
    const page = this.allocPages(gfp, order);
    if (page === null) return null;
    const used = Math.ceil(size / PAGE_SIZE);
    this.#allocated.delete(page);
    for (let i = 0; i < pagesOf(order); i++) {
      const single = (page + i) as Page;
      this.#allocated.set(single, 0);
      if (i >= used) this.freePagesAt(single, 0);
    }
    return page;
  }

  freePagesExact(page: Page, size: number): void {
    for (let i = 0; i < Math.ceil(size / PAGE_SIZE); i++) this.freePagesAt((page + i) as Page, 0);
  }

  #permits(gfp: Gfp, zone: Zone): boolean {
    if (zone.managedPages === 0) return false;
    if (zone.name === 'HighMem') return gfp.highmem === true;
    return gfp.dma !== true || zone.name === 'DMA' || this.#layout.dmaEnd === null;
  }

  /** __GFP_DMA32 without a zone of its own: blocks above 4 GiB go back. */
  #allocateFrom(zone: Zone, gfp: Gfp, order: number): number | null {
    const rejected: number[] = [];
    let pfn = zone.allocate(order);
    while (pfn !== null && gfp.dma32 === true && pfn + pagesOf(order) > FOUR_GIB_PFN) {
      rejected.push(pfn);
      pfn = zone.start < FOUR_GIB_PFN ? zone.allocate(order) : null;
    }
    for (const block of rejected) zone.release(block, order);
    return pfn;
  }

  #clear(page: Page, order: number): void {
    for (let i = 0; i < pagesOf(order); i++) this.#clearer.clearPage((page + i) as Page);
  }
}

const within = (ranges: readonly PfnRange[], low: number, high: number): PfnRange[] =>
  ranges
    .map(({ start, end }) => ({ start: Math.max(start, low), end: Math.min(end, high) }))
    .filter(({ start, end }) => end > start);
