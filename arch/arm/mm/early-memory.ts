import { KernelOops } from '../../../drivers/base/kernel/oops';
import { physAddr } from '../../../drivers/base/types/address';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE, alignDown, alignUp } from '../../../drivers/base/types/bits';
import type { PfnRange } from '../../../mm/zone';
import type { RamRange } from './layout';

/**
 * Memory before there is a page allocator (memblock): RAM, what of it is reserved, and
 * allocations from the top of lowmem down. Ends as the free ranges that the allocator starts with.
 */
export class EarlyMemory {
  readonly #ram: readonly RamRange[];
  /** Ascending and disjoint; [start, end). */
  #reserved: { start: number; end: number }[] = [];
  readonly #limit: number;

  constructor(ram: readonly RamRange[], limit: PhysAddr) {
    this.#ram = ram;
    this.#limit = limit;
  }

  /** Whole pages around the range are out of use from now on. */
  reserve(base: number, size: number): void {
    if (size === 0) return;
    const added = { start: alignDown(base, PAGE_SIZE), end: alignUp(base + size, PAGE_SIZE) };
    const merged: { start: number; end: number }[] = [];
    for (const range of [...this.#reserved, added].sort((a, b) => a.start - b.start)) {
      const last = merged.at(-1);
      if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
      else merged.push({ ...range });
    }
    this.#reserved = merged;
  }

  /** `size` bytes aligned to their size, from the highest free lowmem; never freed again. */
  allocate(size: number): PhysAddr {
    const found = this.allocateBelow(size, size, this.#limit);
    if (found === null) throw new KernelOops(`no early memory for ${size} bytes`);
    return found;
  }

  /** As allocate, aligned otherwise, from `start` on and ending by `end`; null if there is none. */
  allocateBelow(size: number, align: number, end: number, start = 0): PhysAddr | null {
    for (const range of [...this.#free()].reverse()) {
      const at = alignDown(Math.min(range.end, this.#limit, end) - size, align);
      if (at < Math.max(range.start, start)) continue;
      this.reserve(at, size);
      return physAddr(at);
    }
    return null;
  }

  freeRanges(): PfnRange[] {
    return this.#free().map(({ start, end }) => ({
      start: start / PAGE_SIZE,
      end: end / PAGE_SIZE,
    }));
  }

  /** Whole pages of RAM that are not reserved, ascending. */
  #free(): { start: number; end: number }[] {
    const free: { start: number; end: number }[] = [];
    for (const { base, size } of this.#ram) {
      let at = alignUp(base, PAGE_SIZE);
      const end = alignDown(base + size, PAGE_SIZE);
      for (const range of this.#reserved) {
        if (range.end <= at || range.start >= end) continue;
        if (range.start > at) free.push({ start: at, end: range.start });
        at = Math.max(at, range.end);
      }
      if (at < end) free.push({ start: at, end });
    }
    return free;
  }
}
