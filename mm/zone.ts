import { BenchError, invariant } from '../drivers/base/types/errors';

/** Largest block: 2^10 pages, 4 MiB (MAX_ORDER of 6.1 minus one). */
export const MAX_ORDER = 10;

/** Pages in a block of an order. */
export const pagesOf = (order: number): number => 2 ** order;

/** Smallest order whose block holds `size` bytes (get_order). */
export const getOrder = (size: number): number =>
  size <= 4096 ? 0 : Math.ceil(Math.log2(Math.ceil(size / 4096)));

/** A run of page frames: first, and one past the last. */
export interface PfnRange {
  readonly start: number;
  readonly end: number;
}

/**
 * One zone of the buddy allocator. Memory that was never handed out stays in ranges and is cut
 * into blocks on demand, so that a zone of 64 GiB costs nothing to set up.
 */
export class Zone {
  readonly name: string;
  /** First frame and one past the last: what the zone spans, holes included. */
  readonly start: number;
  readonly end: number;
  readonly managedPages: number;
  freePages: number;

  readonly #pristine: { start: number; end: number }[];
  readonly #free: Set<number>[] = Array.from({ length: MAX_ORDER + 1 }, () => new Set());

  constructor(name: string, ranges: readonly PfnRange[]) {
    this.name = name;
    this.#pristine = ranges.filter(range => range.end > range.start).map(range => ({ ...range }));
    this.start = Math.min(...this.#pristine.map(range => range.start));
    this.end = Math.max(...this.#pristine.map(range => range.end));
    this.managedPages = this.#pristine.reduce((sum, { start, end }) => sum + end - start, 0);
    this.freePages = this.managedPages;
  }

  /** The first frame of a block of 2^order pages, or null if there is none. */
  allocate(order: number): number | null {
    for (let have = order; have <= MAX_ORDER; have++) {
      const block = this.#take(have);
      if (block !== null) return this.#split(block, have, order);
    }
    const cut = this.#cut(order);
    return cut === null ? null : this.#split(cut.pfn, cut.order, order);
  }

  /** Gives a block back; it merges with its buddy as long as that is free too. */
  release(pfn: number, order: number): void {
    this.freePages += pagesOf(order);
    let block = pfn;
    let size = order;
    while (size < MAX_ORDER) {
      const buddy = buddyOf(block, size);
      if (!this.#freeList(size).delete(buddy)) break;
      block = Math.min(block, buddy);
      size++;
    }
    this.#freeList(size).add(block);
  }

  /** Takes this frame and no other; false if somebody has it. */
  takeFrame(pfn: number): boolean {
    if (this.#pristine.some(({ start, end }) => pfn >= start && pfn < end)) this.#cutAll();
    for (let order = 0; order <= MAX_ORDER; order++) {
      const block = pfn - (pfn % pagesOf(order));
      if (!this.#freeList(order).delete(block)) continue;
      for (let size = order - 1; size >= 0; size--) {
        const half = pfn - (pfn % pagesOf(size));
        this.#freeList(size).add(buddyOf(half, size));
      }
      this.freePages--;
      return true;
    }
    return false;
  }

  /** True for a frame that nobody has. */
  isFree(pfn: number): boolean {
    const isPristine = this.#pristine.some(({ start, end }) => pfn >= start && pfn < end);
    return (
      isPristine || this.#free.some((blocks, order) => blocks.has(pfn - (pfn % pagesOf(order))))
    );
  }

  /** Whether the frame lies between the zone's first and last; there may be holes. */
  contains(pfn: number): boolean {
    return pfn >= this.start && pfn < this.end;
  }

  #take(order: number): number | null {
    const first = this.#freeList(order).values().next();
    if (first.done === true) return null;
    this.#freeList(order).delete(first.value);
    return first.value;
  }

  /** Cuts the largest aligned block, at least of `order`, off what was never handed out. */
  #cut(order: number): { pfn: number; order: number } | null {
    for (const range of this.#pristine) {
      while (range.start < range.end) {
        const size = largestBlock(range.start, range.end);
        const pfn = range.start;
        range.start += pagesOf(size);
        if (size >= order) return { pfn, order: size };
        this.#freeList(size).add(pfn);
      }
    }
    return null;
  }

  #cutAll(): void {
    for (let cut = this.#cut(0); cut !== null; cut = this.#cut(0)) {
      this.#freeList(cut.order).add(cut.pfn);
    }
  }

  #split(pfn: number, have: number, order: number): number {
    for (let size = have - 1; size >= order; size--) this.#freeList(size).add(pfn + pagesOf(size));
    this.freePages -= pagesOf(order);
    return pfn;
  }

  #freeList(order: number): Set<number> {
    const list = this.#free[order];
    if (list === undefined) throw new BenchError(`order ${order} of zone ${this.name}`);
    return list;
  }
}

const buddyOf = (pfn: number, order: number): number => {
  const size = pagesOf(order);
  invariant(pfn % size === 0, `page frame ${pfn} is not aligned to order ${order}`);
  return Math.floor(pfn / size) % 2 === 0 ? pfn + size : pfn - size;
};

/** The largest aligned block that starts at `start` and ends by `end`. */
const largestBlock = (start: number, end: number): number => {
  let order = MAX_ORDER;
  while (order > 0 && (start % pagesOf(order) !== 0 || start + pagesOf(order) > end)) order--;
  return order;
};
