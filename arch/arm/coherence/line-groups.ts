import { i32 } from '../../../drivers/base/types/arrays';
import { HAS_ORDERED, HAS_STORE } from './sets';
import type { StateSets } from './sets';

/** Of a store that has a place among those of a CPU which is not the owner of its line any more. */
export const NO_EPOCH = 2 ** 31 - 1;

/** The store of a byte has a place among those of its CPU: it waits, in the core or behind it. */
const HAS_EPOCH = HAS_STORE | HAS_ORDERED;

/** Most bytes of a line, and so most groups. */
export const MAX_GROUPS = 64;

/**
 * The bytes of one line as groups that share a set of states and the epoch of their last store,
 * while an event is applied to them. Allocates nothing.
 */
export class LineGroups {
  count = 0;
  /** Per group: set, epoch of the bytes' last store, the bytes. */
  readonly set = new Int32Array(2 * MAX_GROUPS);
  readonly epoch = new Int32Array(2 * MAX_GROUPS);
  readonly low = new Int32Array(2 * MAX_GROUPS);
  readonly high = new Int32Array(2 * MAX_GROUPS);
  readonly #sets: StateSets;

  constructor(sets: StateSets) {
    this.#sets = sets;
  }

  clear(): void {
    this.count = 0;
  }

  /** Adds bytes; none is a group of no bytes and left out. */
  add(set: number, epoch: number, low: number, high: number): void {
    if ((low | high) === 0) return;
    const n = this.count++;
    this.set[n] = set;
    this.epoch[n] = epoch;
    this.low[n] = low;
    this.high[n] = high;
  }

  /** Makes groups that the mask cuts into two; what is inside comes last. */
  cut(low: number, high: number): void {
    const { count } = this;
    for (let n = 0; n < count; n++) {
      const ownLow = i32(this.low, n);
      const ownHigh = i32(this.high, n);
      const insideLow = ownLow & low;
      const insideHigh = ownHigh & high;
      const outsideLow = ownLow & ~low;
      const outsideHigh = ownHigh & ~high;
      if ((insideLow | insideHigh) === 0 || (outsideLow | outsideHigh) === 0) continue;
      this.low[n] = outsideLow;
      this.high[n] = outsideHigh;
      this.add(i32(this.set, n), i32(this.epoch, n), insideLow, insideHigh);
    }
  }

  /** Whether the n-th group, after `cut`, lies in the mask. */
  isIn(n: number, low: number, high: number): boolean {
    return ((i32(this.low, n) & low) | (i32(this.high, n) & high)) !== 0;
  }

  /** What matters of the n-th group's epoch: 0 once its store waits nowhere. */
  epochOf(n: number): number {
    const hasEpoch = (this.#sets.properties(i32(this.set, n)) & HAS_EPOCH) !== 0;
    return hasEpoch ? i32(this.epoch, n) : 0;
  }

  /** The order of what waits behind the CPUs is not known any more. */
  forgetEpochs(): void {
    this.epoch.fill(NO_EPOCH, 0, this.count);
  }

  /** Joins groups that are no longer different. */
  join(): void {
    let kept = 0;
    for (let n = 0; n < this.count; n++) {
      const set = i32(this.set, n);
      const epoch = this.epochOf(n);
      let same = 0;
      while (same < kept && (i32(this.set, same) !== set || i32(this.epoch, same) !== epoch)) {
        same++;
      }
      if (same < kept) {
        this.low[same] = i32(this.low, same) | i32(this.low, n);
        this.high[same] = i32(this.high, same) | i32(this.high, n);
        continue;
      }
      this.set[kept] = set;
      this.epoch[kept] = epoch;
      this.low[kept] = i32(this.low, n);
      this.high[kept] = i32(this.high, n);
      kept++;
    }
    this.count = kept;
  }
}
