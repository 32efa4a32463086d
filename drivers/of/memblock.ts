import { U64_MAX, u64 } from './property';

/*
 * The kernel's memory before it has an allocator: what is RAM, what of it is not to be mapped,
 * and what is taken. Linux: mm/memblock.c. Only what the reading of a device tree needs is here;
 * mirrored and driver-managed memory and NUMA nodes are not modelled.
 */

/** A run of physical addresses, in bytes. */
export interface MemRange {
  readonly base: bigint;
  readonly size: bigint;
}

interface Region {
  readonly base: bigint;
  /** Exclusive; a range that reaches 2^64 is cut by a byte, as memblock_cap_size() does. */
  readonly end: bigint;
  readonly noMap: boolean;
}

const PAGE = 4096n;

/**
 * Lists of ranges, each kept sorted and disjoint; any range may be added again. Linux: struct
 * memblock.
 */
export class Memblock {
  #memory: readonly Region[] = [];
  #reserved: readonly Region[] = [];

  /** RAM, `no-map` parts included, in ascending order. */
  get memory(): readonly MemRange[] {
    return toRanges(merge(this.#memory.map(region => ({ ...region, noMap: false }))));
  }

  /** RAM the kernel maps. */
  get mapped(): readonly MemRange[] {
    return toRanges(this.#memory.filter(region => !region.noMap));
  }

  get reserved(): readonly MemRange[] {
    return toRanges(this.#reserved);
  }

  /** RAM that is added twice stays as it was. Linux: memblock_add(). */
  add(base: bigint, size: bigint): void {
    this.#memory = fillGaps(this.#memory, regionOf(base, size));
  }

  /** Linux: memblock_reserve(). */
  reserve(base: bigint, size: bigint): void {
    this.#reserved = fillGaps(this.#reserved, regionOf(base, size));
  }

  /** Gives a reservation back. Linux: memblock_phys_free(). */
  free(base: bigint, size: bigint): void {
    const { end } = regionOf(base, size);
    this.#reserved = isolate(this.#reserved, base, end).filter(r => !within(r, base, end));
  }

  /** What of the range is not RAM stays untouched. Linux: memblock_mark_nomap(), _clear_nomap(). */
  setNoMap(base: bigint, size: bigint, noMap: boolean): void {
    const { end } = regionOf(base, size);
    const parts = isolate(this.#memory, base, end);
    this.#memory = merge(parts.map(r => (within(r, base, end) ? { ...r, noMap } : r)));
  }

  /** True if any of the range is RAM. Linux: memblock_overlaps_region(). */
  overlapsMemory(base: bigint, size: bigint): boolean {
    return overlaps(this.#memory, base, regionOf(base, size).end);
  }

  /** True if any of the range is reserved. Linux: memblock_is_region_reserved(). */
  isRegionReserved(base: bigint, size: bigint): boolean {
    return overlaps(this.#reserved, base, regionOf(base, size).end);
  }

  /** Forgets mapped RAM outside the range; size 0 asks for nothing.
   *  Linux: memblock_cap_memory_range(). */
  capMemoryRange(base: bigint, size: bigint): void {
    if (size === 0n) return;
    const { end } = regionOf(base, size);
    const parts = isolate(this.#memory, base, end);
    this.#memory = merge(parts.filter(r => r.noMap || within(r, base, end)));
  }

  /**
   * Reserves `size` free bytes of mapped RAM in [start, end), as high as possible and never in
   * the first page; undefined if there are none. An alignment that is no power of two acts as a
   * mask, as it does in the kernel. Linux: memblock_phys_alloc_range().
   */
  allocRange(size: bigint, align: bigint, start: bigint, end: bigint): bigint | undefined {
    const low = start > PAGE ? start : PAGE;
    const high = end > low ? end : low;
    for (const free of this.#free().reverse()) {
      const [from, to] = [clamp(free.base, low, high), clamp(free.end, low, high)];
      if (to < size) continue;
      const candidate = (to - size) & u64(~(align - 1n));
      if (candidate < from || candidate === 0n) continue;
      this.reserve(candidate, size);
      return candidate;
    }
    return undefined;
  }

  #free(): Region[] {
    const free: Region[] = [];
    for (const { base, end, noMap } of this.#memory) {
      if (noMap) continue;
      let at = base;
      for (const taken of this.#reserved) {
        if (taken.end <= at || taken.base >= end) continue;
        if (taken.base > at) free.push({ base: at, end: taken.base, noMap });
        at = taken.end;
      }
      if (at < end) free.push({ base: at, end, noMap });
    }
    return free;
  }
}

const clamp = (value: bigint, low: bigint, high: bigint): bigint => {
  if (value < low) return low;
  return value > high ? high : value;
};

const regionOf = (base: bigint, size: bigint): Region => ({
  base,
  end: size > U64_MAX - base ? U64_MAX : base + size,
  noMap: false,
});

const toRanges = (regions: readonly Region[]): MemRange[] =>
  regions.map(({ base, end }) => ({ base, size: end - base }));

const within = (region: Region, base: bigint, end: bigint): boolean =>
  region.base >= base && region.end <= end;

const overlaps = (regions: readonly Region[], base: bigint, end: bigint): boolean =>
  regions.some(region => base < region.end && region.base < end);

/** The same regions, cut where the range begins and ends. Linux: memblock_isolate_range(). */
const isolate = (regions: readonly Region[], base: bigint, end: bigint): readonly Region[] =>
  [base, end].reduce<readonly Region[]>((parts, cut) => parts.flatMap(r => cutAt(r, cut)), regions);

const cutAt = (region: Region, cut: bigint): Region[] =>
  region.base < cut && cut < region.end
    ? [
        { ...region, end: cut },
        { ...region, base: cut },
      ]
    : [region];

/** Adds what of the region is not covered yet. Linux: memblock_add_range(). */
const fillGaps = (regions: readonly Region[], added: Region): readonly Region[] => {
  const gaps: Region[] = [];
  let at = added.base;
  for (const { base, end } of regions) {
    if (end <= at || base >= added.end) continue;
    if (base > at) gaps.push({ ...added, base: at, end: base });
    at = end;
  }
  if (at < added.end) gaps.push({ ...added, base: at });
  return merge([...regions, ...gaps].sort((a, b) => (a.base < b.base ? -1 : 1)));
};

/** Joins neighbours of the same kind. Linux: memblock_merge_regions(). */
const merge = (regions: readonly Region[]): readonly Region[] => {
  const merged: Region[] = [];
  for (const region of regions) {
    const last = merged.at(-1);
    if (last !== undefined && last.end === region.base && last.noMap === region.noMap) {
      merged[merged.length - 1] = { ...last, end: region.end };
    } else {
      merged.push(region);
    }
  }
  return merged;
};
