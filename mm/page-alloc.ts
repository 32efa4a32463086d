import { KernelOops } from '../drivers/base/kernel/oops';
import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { PhysAddr } from '../drivers/base/types/address';
import { hex, physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import type { SoftwareObserver } from '../drivers/base/types/observer';
import type { Gfp } from '../drivers/base/kernel/gfp';
import { MovablePages } from './movable';
import { MAX_ORDER, Zone, pagesOf } from './zone';
import type { PfnRange } from './zone';

/** The page frame of a number (pfn_to_page); any number, whether or not there is RAM. */
export const pfnToPage = (pfn: number): Page => pfn as Page;
/** Where a page starts (page_to_phys). */
export const pageToPhys = (page: Page): PhysAddr => physAddr(page * PAGE_SIZE);
/** The page that has an address (phys_to_page). */
export const physToPage = (address: PhysAddr): Page => pfnToPage(Math.floor(address / PAGE_SIZE));

/** Free memory by zone, and where ZONE_DMA, ZONE_DMA32 and lowmem end. */
export interface ZoneLayout {
  readonly ranges: readonly PfnRange[];
  /** One past the last frame of ZONE_DMA, which ends with lowmem at the latest; null: no such zone. */
  readonly dmaEnd: number | null;
  /** The same of ZONE_DMA32, which begins where ZONE_DMA ends; null: __GFP_DMA32 means nothing. */
  readonly dma32End: number | null;
  /** One past the last frame of lowmem: all of memory where there is no highmem. */
  readonly lowEnd: number;
}

/** 2^order pages that were allocated together. */
export interface PageBlock {
  readonly page: Page;
  readonly order: number;
}

/** What the allocator asks of the architecture. */
export interface PageClearer {
  /** Zeroes a page through some kernel mapping (clear_highpage). */
  clearPage(page: Page): void;
}

/**
 * The page allocator: buddies in the zones DMA, DMA32, NORMAL and HIGHMEM, tried from the highest
 * zone that the caller permits downwards (mm/page_alloc.c).
 */
export class PageAllocator {
  readonly zones: readonly Zone[];
  /** What only movable pages may have (MIGRATE_CMA): whole blocks within one zone each. */
  readonly cma: Zone[] = [];
  readonly movable = new MovablePages();
  /** Told of what is handed out and given back; null: nobody watches. */
  observer: SoftwareObserver | null = null;
  /**
   * The n-th allocation from here on, of anybody, fails as for want of memory, and it is null again
   * (/proc/self/fail-nth); null: none does.
   */
  failNth: number | null = null;
  /** Called before each allocation that may have to reclaim memory (fs_reclaim_acquire). */
  mightReclaim: (() => void) | null = null;
  readonly #layout: ZoneLayout;
  readonly #clearer: PageClearer;
  /** Order of every block handed out, by its first frame. */
  readonly #allocated = new Map<number, number>();

  constructor(layout: ZoneLayout, clearer: PageClearer) {
    this.#layout = layout;
    this.#clearer = clearer;
    // zone_sizes_init(): what a machine asks for beyond lowmem, it does not get.
    const dmaEnd = Math.min(layout.dmaEnd ?? 0, layout.lowEnd);
    const dma32End = Math.min(Math.max(dmaEnd, layout.dma32End ?? 0), layout.lowEnd);
    this.zones = [
      new Zone('DMA', within(layout.ranges, 0, dmaEnd)),
      new Zone('DMA32', within(layout.ranges, dmaEnd, dma32End)),
      new Zone('Normal', within(layout.ranges, dma32End, layout.lowEnd)),
      new Zone('HighMem', within(layout.ranges, layout.lowEnd, Infinity)),
    ];
  }

  get managedPages(): number {
    return [...this.zones, ...this.cma].reduce((sum, zone) => sum + zone.managedPages, 0);
  }

  get freePages(): number {
    return [...this.zones, ...this.cma].reduce((sum, zone) => sum + zone.freePages, 0);
  }

  get hasHighmem(): boolean {
    return this.zones.some(zone => zone.name === 'HighMem' && zone.managedPages > 0);
  }

  /** Beyond the linear map (PageHighMem). */
  isHighmem(page: Page): boolean {
    return page >= this.#layout.lowEnd;
  }

  /** The runs of frames that an allocation with these flags may come from. */
  rangesFor(gfp: Gfp): PfnRange[] {
    return this.zones
      .filter(zone => this.#permits(gfp, zone))
      .flatMap(({ start, end }) => within(this.#layout.ranges, start, end));
  }

  /** In a block that nobody has. */
  isFree(page: Page): boolean {
    return [...this.zones, ...this.cma].some(zone => zone.isFree(page));
  }

  /** The block that has a page, by its first page; null: none. */
  blockOf(page: Page): PageBlock | null {
    for (let order = 0; order <= MAX_ORDER; order++) {
      const first = pfnToPage(page - (page % pagesOf(order)));
      const known = this.#allocated.get(first);
      if (known !== undefined && known >= order && page < first + pagesOf(known)) {
        return { page: first, order: known };
      }
    }
    return null;
  }

  /** 2^order contiguous pages, or null (alloc_pages). */
  allocPages(gfp: Gfp, order: number): Page | null {
    const page = this.#take(gfp, order);
    if (page === null) return null;
    this.observer?.allocated(pageToPhys(page), PAGE_SIZE * pagesOf(order), callSite());
    if (gfp.zero === true) this.clear(page, pagesOf(order));
    return page;
  }

  /**
   * As allocPages, for what the kernel itself is made of: translation tables, and pages that an
   * allocator on top hands out in pieces and tells of itself. No observer is told.
   */
  allocKernelPages(gfp: Gfp, order: number): Page | null {
    const page = this.#take(gfp, order);
    if (page !== null && gfp.zero === true) this.clear(page, pagesOf(order));
    return page;
  }

  /** Zeroes pages that follow one another, whoever has them. */
  clear(page: Page, count: number): void {
    for (let i = 0; i < count; i++) this.#clearer.clearPage(pfnToPage(page + i));
  }

  /** Frees what allocPages gave; the wrong order or a second time is a kernel bug. */
  freePagesAt(page: Page, order: number): void {
    this.withdraw(page, order);
    const zone = [...this.cma, ...this.zones].find(candidate => candidate.contains(page));
    zone?.release(page, order);
  }

  /** As freePagesAt, but nobody can have the pages: whoever withdraws them keeps them. */
  withdraw(page: Page, order: number): void {
    const known = this.#allocated.get(page);
    if (known !== order) {
      throw new KernelOops(
        `bad page state: free of order ${order} at ${hex(pageToPhys(page))}, ` +
          (known === undefined ? 'which is not allocated' : `allocated with order ${known}`),
      );
    }
    this.#allocated.delete(page);
    this.movable.forget(page);
    this.observer?.freed(pageToPhys(page), PAGE_SIZE * pagesOf(order), callSite());
  }

  #take(gfp: Gfp, order: number): Page | null {
    if (gfp.atomic !== true) this.mightReclaim?.();
    if (order > MAX_ORDER || this.#isInjected()) return null;
    for (const zone of [...this.zones].reverse()) {
      const cma = gfp.movable === true ? this.#cmaWithin(gfp, zone) : [];
      const pfn = this.#takeFrom(gfp, zone, cma, order);
      if (pfn === null) continue;
      this.#allocated.set(pfn, order);
      return pfnToPage(pfn);
    }
    return null;
  }

  #isInjected(): boolean {
    if (this.failNth === null) return false;
    this.failNth--;
    if (this.failNth > 0) return false;
    this.failNth = null;
    return true;
  }

  /** From CMA first where it has more than half of what is free in the zone (__rmqueue). */
  #takeFrom(gfp: Gfp, zone: Zone, cma: readonly Zone[], order: number): number | null {
    const inCma = cma.reduce((sum, { freePages }) => sum + freePages, 0);
    const own = this.#permits(gfp, zone) ? [zone] : [];
    const sources = inCma > zone.freePages ? [...cma, ...own] : [...own, ...cma];
    for (const source of sources) {
      const pfn = source.allocate(order);
      if (pfn !== null) return pfn;
    }
    return null;
  }

  #permits(gfp: Gfp, zone: Zone): boolean {
    return zone.managedPages > 0 && this.#permitsName(gfp, zone.name);
  }

  #permitsName(gfp: Gfp, name: string): boolean {
    if (name === 'HighMem') return gfp.highmem === true;
    const { dmaEnd, dma32End } = this.#layout;
    if (gfp.dma === true && dmaEnd !== null) return name === 'DMA';
    return gfp.dma32 !== true || dma32End === null || name !== 'Normal';
  }

  #cmaWithin(gfp: Gfp, { name }: Zone): readonly Zone[] {
    if (!this.#permitsName(gfp, name)) return [];
    return this.cma.filter(({ start }) => this.#zoneNameOf(start) === name);
  }

  #zoneNameOf(pfn: number): string {
    if (pfn >= this.#layout.lowEnd) return 'HighMem';
    if (pfn < (this.#layout.dmaEnd ?? 0)) return 'DMA';
    return pfn < (this.#layout.dma32End ?? 0) ? 'DMA32' : 'Normal';
  }
}

const within = (ranges: readonly PfnRange[], low: number, high: number): PfnRange[] =>
  ranges
    .map(({ start, end }) => ({ start: Math.max(start, low), end: Math.min(end, high) }))
    .filter(({ start, end }) => end > start);
