import { EBUSY, ENOMEM } from '../drivers/base/kernel/errno';
import type { CmaPool } from '../drivers/base/kernel/dma-pools';
import type { Page } from '../drivers/base/kernel/dma-mapping';
import { GFP_HIGHUSER, GFP_KERNEL } from '../drivers/base/kernel/gfp';
import type { KernelLog } from '../drivers/base/kernel/kernel-log';
import { KernelOops } from '../drivers/base/kernel/oops';
import { hex } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import { Bitmap } from './bitmap';
import { pageToPhys, pfnToPage } from './page-alloc';
import type { PageAllocator, PageBlock } from './page-alloc';
import type { PhysMemory } from './phys-memory';
import { Zone, getOrder, pagesOf } from './zone';

/*
 * Contiguous memory that movable pages use until somebody needs it (mm/cma.c, alloc_contig_range of
 * mm/page_alloc.c). One bit of the bitmap is one page.
 */

/** How often a page is asked to move (__alloc_contig_migrate_range). */
const MOST_TRIES = 5;

/** CONFIG_CMA_ALIGNMENT, as an order: larger memory is aligned to no more. */
const CMA_ALIGNMENT = 8;

/** The order to which so many bytes of an area are aligned (dma_alloc_contiguous). */
export const cmaAlignOrder = (bytes: number): number => Math.min(getOrder(bytes), CMA_ALIGNMENT);

/** What an area is made of. */
export interface CmaFields {
  readonly name: string;
  /** First frame, and how many: whole pageblocks, which nobody else has. */
  readonly base: number;
  readonly count: number;
  readonly pages: PageAllocator;
  readonly memory: PhysMemory;
  readonly log: KernelLog;
}

/** A contiguous area. What of it is not allocated here, movable pages of the allocator may have. */
export class CmaArea implements CmaPool {
  readonly name: string;
  readonly base: number;
  readonly count: number;
  readonly #pages: PageAllocator;
  readonly #memory: PhysMemory;
  readonly #log: KernelLog;
  readonly #zone: Zone;
  readonly #bitmap: Bitmap;

  constructor({ name, base, count, pages, memory, log }: CmaFields) {
    this.name = name;
    this.base = base;
    this.count = count;
    this.#pages = pages;
    this.#memory = memory;
    this.#log = log;
    this.#bitmap = new Bitmap(count);
    this.#zone = new Zone(`CMA ${name}`, [{ start: base, end: base + count }]);
    pages.cma.push(this.#zone);
  }

  /** Pages that are allocated here. */
  get used(): number {
    return this.#bitmap.weight;
  }

  /**
   * `count` pages in a row, the first a multiple of 2^alignOrder of them; null if there are none
   * (cma_alloc). Movable pages are moved out; where one cannot be, the next place is tried.
   */
  alloc(count: number, alignOrder: number, noWarn: boolean): Page | null {
    const align = pagesOf(alignOrder);
    let start = 0;
    let result = -ENOMEM;
    for (;;) {
      const at = this.#bitmap.findZeroArea(count, align, start, this.base);
      if (at === null) break;
      this.#bitmap.take(at, count);
      result = this.#takeRange(this.base + at, count);
      if (result === 0) {
        const page = pfnToPage(this.base + at);
        this.#pages.observer?.allocated(pageToPhys(page), count * PAGE_SIZE, callSite());
        return page;
      }
      this.#bitmap.release(at, count);
      if (result !== -EBUSY) break;
      start = at + align;
    }
    if (!noWarn) {
      const text = `cma: __cma_alloc: ${this.name}: alloc failed, req-size: ${count} pages, ret: ${result}`;
      this.#log.print('err', text);
    }
    return null;
  }

  /** Gives pages back; false if they are not of this area (cma_release). */
  release(page: Page, count: number): boolean {
    const at = page - this.base;
    if (at < 0 || at >= this.count) return false;
    if (!this.#bitmap.isTaken(at, count)) {
      const what = `${count} pages at ${hex(pageToPhys(page))} of CMA area ${this.name}`;
      throw new KernelOops(`release of ${what}, which are not all allocated`);
    }
    this.#pages.observer?.freed(pageToPhys(page), count * PAGE_SIZE, callSite());
    this.#bitmap.release(at, count);
    for (let pfn: number = page; pfn < page + count; pfn++) this.#zone.release(pfn, 0);
    return true;
  }

  /** Empties frames of whoever has them; 0, or a negative errno (alloc_contig_range). */
  #takeRange(first: number, count: number): number {
    const end = first + count;
    const claimed: number[] = [];
    const claim = (pfn: number): void => {
      if (pfn >= first && pfn < end) claimed.push(pfn);
      else this.#zone.release(pfn, 0);
    };
    // What is free is taken first, so that nothing is moved to where it has to leave again.
    for (let pfn = first; pfn < end; pfn++) if (this.#zone.takeFrame(pfn)) claimed.push(pfn);
    const free = new Set(claimed);
    let result = 0;
    for (let pfn = first; pfn < end && result === 0;) {
      const block = free.has(pfn) ? null : this.#pages.blockOf(pfnToPage(pfn));
      if (block !== null) result = this.#moveOut(block, claim);
      else if (!free.has(pfn)) result = -EBUSY;
      pfn = block === null ? pfn + 1 : block.page + pagesOf(block.order);
    }
    if (result !== 0) for (const pfn of claimed) this.#zone.release(pfn, 0);
    return result;
  }

  /** Moves a block elsewhere and hands over its frames; 0, or a negative errno. */
  #moveOut({ page, order }: PageBlock, claim: (pfn: number) => void): number {
    const owner = this.#pages.movable.moverOf(page);
    if (owner === null) return -EBUSY;
    // alloc_migration_target: whoever has lowmem may need its linear address.
    const gfp = this.#pages.isHighmem(page) ? GFP_HIGHUSER : GFP_KERNEL;
    const target = this.#pages.allocPages({ ...gfp, movable: true, noWarn: true }, order);
    if (target === null) return -ENOMEM;
    const copy = (): void => {
      this.#memory.copy(pageToPhys(target), pageToPhys(page), PAGE_SIZE * pagesOf(order));
    };
    let result = -EBUSY;
    for (let tries = 0; tries < MOST_TRIES && result !== 0; tries++) {
      result = owner.migrate(page, target, copy);
    }
    if (result !== 0) {
      this.#pages.freePagesAt(target, order);
      return -EBUSY;
    }
    this.#pages.withdraw(page, order);
    this.#pages.movable.setOwner(target, owner);
    for (let i = 0; i < pagesOf(order); i++) claim(page + i);
    return 0;
  }
}
