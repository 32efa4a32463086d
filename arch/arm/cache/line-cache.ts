import { i32, u8 } from '../../../drivers/base/types/arrays';
import { isPowerOfTwo } from '../../../drivers/base/types/bits';
import { UnmodelledError, invariant } from '../../../drivers/base/types/errors';
import type { Random } from '../../../drivers/base/types/random';

export type Replacement = 'lru' | 'random' | 'round-robin';

export interface CacheGeometry {
  /** Bytes. */
  readonly size: number;
  readonly ways: number;
  /** Bytes in a line. */
  readonly line: number;
}

/** A line's flags: its bytes differ from the next level; another cache may hold it too. */
export const DIRTY = 1;
export const SHARED = 2;

/** No slot, no line. */
export const NONE = -1;

/**
 * A set-associative array of lines with their data.
 *
 * A line is named by its *key*, the index of its first word divided by the words in a line: a
 * word index of physical memory (Ram) for a physically tagged cache, of virtual memory for a
 * virtually tagged one. The set is chosen by an *index* that the caller derives from whichever
 * address indexes the cache, so one class is VIVT, VIPT and PIPT. `home` keeps the physical word
 * index for the write-back.
 */
export class LineCache {
  readonly name: string;
  readonly geometry: CacheGeometry;
  readonly lineWords: number;
  /** log2 of lineWords. */
  readonly shift: number;
  readonly sets: number;
  readonly setMask: number;
  readonly ways: number;

  readonly tags: Int32Array;
  readonly home: Int32Array;
  readonly flags: Uint8Array;
  readonly stamps: Int32Array;
  readonly data: Int32Array;
  /** Time of the youngest stamp. */
  clock = 0;

  readonly #lru: boolean;
  readonly #mustNotReplace: boolean;
  readonly #replacement: Replacement;
  readonly #random: Random;
  readonly #nextWay: Uint8Array;

  /**
   * `extraWays` above 1 multiplies the ways: a cache that never runs out of room, for runs in
   * which every line that leaves must leave by name.
   */
  constructor(
    name: string,
    geometry: CacheGeometry,
    replacement: Replacement,
    random: Random,
    extraWays = 1,
  ) {
    const { size, ways, line } = geometry;
    const sets = size / (ways * line);
    invariant(isPowerOfTwo(line) && line >= 16, `${name}: line of ${line} bytes`);
    invariant(isPowerOfTwo(sets), `${name}: ${size} bytes in ${ways} ways make ${sets} sets`);
    this.name = name;
    this.geometry = geometry;
    this.lineWords = line / 4;
    this.shift = Math.log2(this.lineWords);
    this.sets = sets;
    this.setMask = sets - 1;
    this.ways = ways * extraWays;
    this.#mustNotReplace = extraWays > 1;
    const lines = sets * this.ways;
    this.tags = new Int32Array(lines).fill(NONE);
    this.home = new Int32Array(lines);
    this.flags = new Uint8Array(lines);
    this.stamps = new Int32Array(lines);
    this.data = new Int32Array(lines * this.lineWords);
    this.#lru = replacement === 'lru';
    this.#replacement = replacement;
    this.#random = random;
    this.#nextWay = new Uint8Array(sets);
  }

  /** The slot that holds line `key`, or NONE. */
  find(key: number, index: number): number {
    const { tags } = this;
    const first = (index & this.setMask) * this.ways;
    const end = first + this.ways;
    for (let slot = first; slot < end; slot++) if (i32(tags, slot) === key) return slot;
    return NONE;
  }

  /** Marks the slot the most recently used of its set. */
  touch(slot: number): void {
    if (this.clock === 0x7fffffff) this.#restamp();
    this.stamps[slot] = ++this.clock;
  }

  /** The slot of the set that the next line goes to: a free one, else by the policy. */
  victim(index: number): number {
    const set = index & this.setMask;
    const first = set * this.ways;
    const end = first + this.ways;
    const { stamps } = this;
    let oldest = first;
    let age = i32(stamps, first);
    for (let slot = first + 1; slot < end; slot++) {
      const stamp = i32(stamps, slot);
      if (stamp < age) {
        age = stamp;
        oldest = slot;
      }
    }
    if (age === 0) return oldest;
    if (this.#mustNotReplace) {
      throw new UnmodelledError('scripted run', `${this.name} is out of room: a line would leave`);
    }
    if (this.#lru) return oldest;
    if (this.#replacement === 'random') return first + this.#random.below(this.ways);
    const way = u8(this.#nextWay, set);
    this.#nextWay[set] = (way + 1) % this.ways;
    return first + way;
  }

  /** Puts line `key` into a slot whose former line has been dealt with; the data follows. */
  install(slot: number, key: number, home: number, flags: number): void {
    this.tags[slot] = key;
    this.home[slot] = home;
    this.flags[slot] = flags;
    this.touch(slot);
  }

  drop(slot: number): void {
    this.tags[slot] = NONE;
    this.flags[slot] = 0;
    this.stamps[slot] = 0;
  }

  isValid(slot: number): boolean {
    return i32(this.tags, slot) !== NONE;
  }

  isDirty(slot: number): boolean {
    return (u8(this.flags, slot) & DIRTY) !== 0;
  }

  setFlag(slot: number, flag: number): void {
    this.flags[slot] = u8(this.flags, slot) | flag;
  }

  clearFlag(slot: number, flag: number): void {
    this.flags[slot] = u8(this.flags, slot) & ~flag;
  }

  /** Where in `data` a word of the slot's line is. */
  dataIndex(slot: number, word: number): number {
    return (slot << this.shift) + (word & (this.lineWords - 1));
  }

  /** All slots that hold a line. */
  *occupied(): Generator<number> {
    for (let slot = 0; slot < this.tags.length; slot++) if (this.isValid(slot)) yield slot;
  }

  /** Keeps the order of ages when the clock is about to overflow. */
  #restamp(): void {
    const order = Array.from(this.stamps.keys()).sort(
      (a, b) => i32(this.stamps, a) - i32(this.stamps, b),
    );
    for (let age = 0; age < order.length; age++) this.stamps[order[age] ?? 0] = age;
    this.clock = order.length;
  }
}
