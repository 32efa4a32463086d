import { KernelOops } from '../drivers/base/kernel/oops';
import type { Digestible } from '../drivers/base/kernel/task';
import type { Timers } from '../drivers/base/kernel/timers';
import { alignDown, roundupPowerOfTwo } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';
import { IovaCaches } from './iova-cache';
import type { IovaCpus } from './iova-cache';
import { RangeSet } from './range-set';

/*
 * I/O virtual addresses in units of frames (drivers/iommu/iova.c).
 *
 * Not modelled: max32_alloc_size, which only saves time.
 */

/** What a domain is made of (init_iova_domain). Frames are of `granule` bytes. */
export interface IovaSpace {
  /** Bytes of a frame, a power of two: the smallest page of the IOMMU. */
  readonly granule: number;
  /** First frame that may be handed out, at least 1: address 0 stays free for the unwary. */
  readonly startPfn: number;
  /** One past the last frame. */
  readonly endPfn: number;
}

/** How long full magazines lie about before one is given back, in ns (IOVA_DEPOT_DELAY, 100 ms). */
export const DEPOT_DELAY = 100_000_000;

/** Largest frame below 4 GiB. */
const limit32 = (granule: number): number => 2 ** 32 / granule - 1;

/**
 * The address space of one IOMMU domain: who has which frames. Addresses are given from the top
 * down, below the limit of whoever asks; what is freed is kept for a while in caches of the CPUs,
 * which hand it out again before anything else. A frame is of one allocation at most, a reserved
 * one of none.
 */
export class IovaDomain implements Digestible {
  readonly granule: number;
  readonly startPfn: number;
  readonly endPfn: number;
  readonly #free: RangeSet;
  /** Frames of every allocation, by its first; those in a cache are among them. */
  readonly #allocated = new Map<number, number>();
  readonly #caches: IovaCaches;
  readonly #timers: Timers | null;
  #isTrimming = false;

  /** Without timers full magazines lie about until somebody needs the room. */
  constructor({ granule, startPfn, endPfn }: IovaSpace, cpus: IovaCpus, timers?: Timers) {
    this.granule = granule;
    this.startPfn = Math.max(1, startPfn);
    this.endPfn = endPfn;
    invariant(this.startPfn < endPfn, 'an IOVA domain without a frame');
    this.#free = new RangeSet([{ start: this.startPfn, end: endPfn }]);
    this.#timers = timers ?? null;
    this.#caches = new IovaCaches(cpus, {
      release: pfn => {
        this.#release(pfn);
      },
      stored: () => {
        this.#trimLater();
      },
    });
  }

  /** Frames that nobody has and no cache holds. */
  get freeFrames(): number {
    return this.#free.total;
  }

  /** Allocations that somebody has. */
  get live(): number {
    return this.#allocated.size - this.#caches.held;
  }

  /** Frames of the allocation that begins here and that somebody has; null: there is none. */
  sizeAt(pfn: number): number | null {
    return this.#caches.holds(pfn) ? null : (this.#allocated.get(pfn) ?? null);
  }

  /**
   * The highest `size` free frames that end at `limitPfn` at the latest; null if there are none
   * (alloc_iova). `isSizeAligned`: aligned to the power of two that holds `size`.
   */
  alloc(size: number, limitPfn: number, isSizeAligned: boolean): number | null {
    invariant(Number.isInteger(size) && size > 0, `an IOVA of ${size} frames`);
    const align = isSizeAligned ? roundupPowerOfTwo(size) : 1;
    const pfn = this.#free.highest((start, end) => {
      const highest = alignDown(Math.max(0, Math.min(end, limitPfn + 1) - size), align);
      return highest >= start && highest + size <= Math.min(end, limitPfn + 1) ? highest : null;
    });
    if (pfn === null) return null;
    this.#free.remove(pfn, pfn + size);
    this.#allocated.set(pfn, size);
    return pfn;
  }

  /** Gives back what `alloc` gave; anything else is a kernel bug (free_iova). */
  free(pfn: number): void {
    this.#mustHave(pfn);
    this.#release(pfn);
  }

  /**
   * Size-aligned frames, from a cache if one has them below the limit (alloc_iova_fast). Sizes that
   * caches keep are rounded up to a power of two. `mayFlush`: empty all caches rather than fail.
   */
  allocFast(size: number, limitPfn: number, mayFlush: boolean): number | null {
    const frames = this.#caches.frames(size);
    const cached = this.#caches.take(frames, limitPfn);
    if (cached !== null) return cached;
    const pfn = this.alloc(frames, limitPfn, true);
    if (pfn !== null || !mayFlush) return pfn;
    this.flushCaches();
    return this.alloc(frames, limitPfn, true);
  }

  /** True if somebody has what `allocFast` gave for `size` here. */
  has(pfn: number, size: number): boolean {
    return size > 0 && this.sizeAt(pfn) === this.#caches.frames(size);
  }

  /** Gives back what `allocFast` gave for `size`; anything else is a kernel bug (free_iova_fast). */
  freeFast(pfn: number, size: number): void {
    const frames = this.#caches.frames(size);
    this.#mustHave(pfn);
    if (!this.has(pfn, size)) {
      throw new KernelOops(`free of ${size} IOVA frames at ${pfn}, allocated with another size`);
    }
    if (!this.#caches.put(pfn, frames)) this.#release(pfn);
  }

  /**
   * As allocFast, below 4 GiB first: a device may not be able to carry more than it says
   * (iommu_dma_alloc_iova). `state.only32` is of the device, and cleared when that room has run out.
   */
  allocBelow4GiBFirst(size: number, limitPfn: number, state: { only32: boolean }): number | null {
    const low = limit32(this.granule);
    if (limitPfn > low && state.only32) {
      const pfn = this.allocFast(size, low, false);
      if (pfn !== null) return pfn;
      state.only32 = false;
    }
    return this.allocFast(size, limitPfn, true);
  }

  /** From now on nobody gets these frames, first and last; those in use stay so (reserve_iova). */
  reserve(lowPfn: number, highPfn: number): void {
    this.#free.remove(lowPfn, highPfn + 1);
  }

  /** Empties the caches of all CPUs (free_cpu_cached_iovas, free_global_cached_iovas). */
  flushCaches(): void {
    this.#caches.flush();
  }

  /** Free runs, allocations by address, and what caches hold: no trace of when it came to be so. */
  digest(): string {
    const free = this.#free.runs.map(({ start, end }) => `${start}-${end}`);
    const ranges = [...this.#allocated].sort(([a], [b]) => a - b);
    const allocated = ranges.map(([pfn, size]) => `${pfn}+${size}`);
    const caches = `${this.#caches.digest()}${this.#isTrimming ? '!' : ''}`;
    return [free.join(), allocated.join(), caches].join(' ');
  }

  /** One full magazine of each size of which there are more than CPUs, until there are not. */
  #trimLater(): void {
    if (this.#timers === null || this.#isTrimming) return;
    this.#isTrimming = true;
    this.#timers.after(DEPOT_DELAY, () => {
      this.#isTrimming = false;
      if (this.#caches.trim()) this.#trimLater();
    });
  }

  #mustHave(pfn: number): number {
    const size = this.sizeAt(pfn);
    if (size === null) throw new KernelOops(`free of IOVA frame ${pfn}, which is not allocated`);
    return size;
  }

  #release(pfn: number): void {
    const size = this.#allocated.get(pfn);
    invariant(size !== undefined, `IOVA frame ${pfn} is of no allocation`);
    this.#allocated.delete(pfn);
    this.#free.add(pfn, pfn + size);
  }
}
