import { i32 } from '../../../drivers/base/types/arrays';
import { isPowerOfTwo } from '../../../drivers/base/types/bits';
import { UnmodelledError, invariant } from '../../../drivers/base/types/errors';
import type { Random } from '../../../drivers/base/types/random';
import type { Shadow } from '../../../drivers/base/hw/shadow';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { expectName, restoreInt32 } from '../../../drivers/base/hw/state-arrays';

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

/** No slot. */
export const NONE = -1;

/** An entry is a key above its flags. */
export const FLAG_BITS = 2;
export const KEY_MASK = -1 << FLAG_BITS;
const NO_LINE = -1 << FLAG_BITS;
/** Of a set, where a cache is to have room for all. */
const MOST_WAYS = 256;
/** Ages are renumbered before they could overflow. */
const MAX_CLOCK = 2 ** 30;

/**
 * A set-associative array of lines with their data.
 *
 * A line is named by its *key*, the index of its first word divided by the words in a line: a
 * word index of physical memory (Ram) for a physically tagged cache, of virtual memory for a
 * virtually tagged one. The set is chosen by an *index* that the caller derives from whichever
 * address indexes the cache, so one class is VIVT, VIPT and PIPT.
 *
 * Entry and age of a slot lie side by side: `state[2 * slot]` is the key and the flags,
 * `state[2 * slot + 1]` the time of the last use, 0 in a free slot.
 */
export class LineCache implements Stateful {
  readonly name: string;
  readonly geometry: CacheGeometry;
  readonly lineWords: number;
  /** log2 of lineWords. */
  readonly shift: number;
  readonly setMask: number;
  readonly ways: number;
  /** Slots: sets times ways. */
  readonly slots: number;

  readonly state: Int32Array;
  readonly data: Int32Array;
  /** Time of the youngest use. */
  clock = 0;
  /** In check mode: which bytes of `data` are of the latest version. */
  shadow: Shadow | null = null;

  readonly #lru: boolean;
  readonly #mustNotReplace: boolean;
  readonly #replacement: Replacement;
  readonly #random: Random;
  readonly #nextWay: Int32Array;
  /** By set, ways that were used so far, in their order; null where all ways are looked at. */
  readonly #reached: Int32Array | null;

  /**
   * `extraWays` above 1 multiplies the ways, to MOST_WAYS: a cache that never runs out of room, for
   * runs in which every line that leaves must leave by name.
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
    this.setMask = sets - 1;
    this.ways = Math.max(ways, Math.min(ways * extraWays, MOST_WAYS));
    this.slots = sets * this.ways;
    this.state = new Int32Array(2 * this.slots);
    this.#reached = extraWays > 1 ? new Int32Array(sets) : null;
    for (let slot = 0; slot < this.slots; slot++) this.state[2 * slot] = NO_LINE;
    this.data = new Int32Array(this.slots * this.lineWords);
    this.#lru = replacement === 'lru';
    this.#mustNotReplace = extraWays > 1;
    this.#replacement = replacement;
    this.#random = random;
    this.#nextWay = new Int32Array(sets);
  }

  /** The slot that holds line `key`, or NONE. */
  find(key: number, index: number): number {
    const { state } = this;
    const entry = key << FLAG_BITS;
    const first = (index & this.setMask) * this.ways;
    const end =
      first + (this.#reached === null ? this.ways : i32(this.#reached, index & this.setMask));
    for (let slot = first; slot < end; slot++) {
      if ((i32(state, 2 * slot) & KEY_MASK) === entry) return slot;
    }
    return NONE;
  }

  /** Marks the slot the most recently used of its set. */
  touch(slot: number): void {
    this.state[2 * slot + 1] = ++this.clock;
  }

  /** The slot of the set that the next line goes to: a free one, else by the policy. */
  victim(index: number): number {
    const { state } = this;
    const set = index & this.setMask;
    const first = set * this.ways;
    const reached = this.#reached === null ? this.ways : i32(this.#reached, set);
    // The first that was never used is free.
    const end = first + Math.min(this.ways, reached + 1);
    let oldest = first;
    let age = i32(state, 2 * first + 1);
    for (let slot = first + 1; slot < end; slot++) {
      const used = i32(state, 2 * slot + 1);
      if (used < age) {
        age = used;
        oldest = slot;
      }
    }
    return age === 0 || this.#lru ? this.#checked(oldest, age) : this.#chosen(set, first);
  }

  /** Puts line `key` into a slot whose former line has been dealt with; the data follows. */
  install(slot: number, key: number, flags: number): void {
    this.state[2 * slot] = (key << FLAG_BITS) | flags;
    this.state[2 * slot + 1] = ++this.clock;
    if (this.clock >= MAX_CLOCK) this.#renumber();
    if (this.#reached !== null) this.#reach(this.#reached, slot);
  }

  drop(slot: number): void {
    this.state[2 * slot] = NO_LINE;
    this.state[2 * slot + 1] = 0;
  }

  isValid(slot: number): boolean {
    return i32(this.state, 2 * slot + 1) !== 0;
  }

  isDirty(slot: number): boolean {
    return (i32(this.state, 2 * slot) & DIRTY) !== 0;
  }

  isShared(slot: number): boolean {
    return (i32(this.state, 2 * slot) & SHARED) !== 0;
  }

  setFlag(slot: number, flag: number): void {
    this.state[2 * slot] = i32(this.state, 2 * slot) | flag;
  }

  clearFlag(slot: number, flag: number): void {
    this.state[2 * slot] = i32(this.state, 2 * slot) & ~flag;
  }

  /** Word index of the first word of a slot's line, in the space of its tags. */
  firstWord(slot: number): number {
    return (i32(this.state, 2 * slot) >> FLAG_BITS) << this.shift;
  }

  /** Where in `data` a word of the slot's line is. */
  dataIndex(slot: number, word: number): number {
    return (slot << this.shift) + (word & (this.lineWords - 1));
  }

  /** The value of a word of the slot's line. */
  word(slot: number, word: number): number {
    const index = this.dataIndex(slot, word);
    if (this.shadow !== null) this.shadow.read(this.data, index);
    return i32(this.data, index);
  }

  /**
   * Writes the bits of `mask` into a word of the slot's line; its flags are the caller's. `fresh`
   * is for the shadow.
   */
  merge(slot: number, word: number, value: number, mask: number, fresh = -1): void {
    const index = this.dataIndex(slot, word);
    this.data[index] = (i32(this.data, index) & ~mask) | (value & mask);
    if (this.shadow !== null) this.shadow.write(this.data, index, mask, fresh);
  }

  /** All slots that hold a line. */
  *occupied(): Generator<number> {
    for (let slot = 0; slot < this.slots; slot++) if (this.isValid(slot)) yield slot;
  }

  saveState(): StateValue {
    const { name, clock } = this;
    return {
      name,
      clock,
      random: this.#random.state,
      nextWay: this.#nextWay.slice(),
      state: this.state.slice(),
      data: this.data.slice(),
    };
  }

  restoreState(state: StateValue): void {
    const { name } = this;
    const reader = new StateReader(state, name);
    expectName(reader.value('name'), 'a cache', name);
    restoreInt32(this.state, reader.value('state'), `${name}.state`);
    restoreInt32(this.data, reader.value('data'), `${name}.data`);
    restoreInt32(this.#nextWay, reader.value('nextWay'), `${name}.nextWay`);
    this.#reachOccupied();
    this.clock = reader.number('clock');
    this.#random.state = reader.number('random');
  }

  #reachOccupied(): void {
    const reached = this.#reached?.fill(0);
    if (reached === undefined) return;
    for (const slot of this.occupied()) this.#reach(reached, slot);
  }

  #reach(reached: Int32Array, slot: number): void {
    const set = Math.floor(slot / this.ways);
    reached[set] = Math.max(i32(reached, set), slot - set * this.ways + 1);
  }

  #checked(slot: number, age: number): number {
    if (age === 0 || !this.#mustNotReplace) return slot;
    throw new UnmodelledError('scripted run', `${this.name} is out of room: a line would leave`);
  }

  /** A full set, and not LRU. */
  #chosen(set: number, first: number): number {
    if (this.#mustNotReplace) return this.#checked(first, 1);
    if (this.#replacement === 'random') return first + this.#random.below(this.ways);
    const way = this.#nextWay[set] ?? 0;
    this.#nextWay[set] = (way + 1) % this.ways;
    return first + way;
  }

  /** Keeps the order of the ages, starting again from 1. */
  #renumber(): void {
    const used = [...this.occupied()].sort(
      (a, b) => i32(this.state, 2 * a + 1) - i32(this.state, 2 * b + 1),
    );
    used.forEach((slot, age) => {
      this.state[2 * slot + 1] = age + 1;
    });
    this.clock = used.length;
  }
}
