import { f64, i32 } from '../../../drivers/base/types/arrays';
import { InputError } from '../../../drivers/base/types/errors';
import { rowsOf, rowsState } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import type { Shadow } from '../../../drivers/base/hw/shadow';

/** Takes the drained store of a slot to where it is bound; the fields are good until it returns. */
export type StoreSink = (slot: number) => void;

const PLACE = 'a store buffer';

/**
 * The store buffer of one CPU: stores that have left the pipeline and not yet reached a cache or
 * memory. Entries may drain in any order that keeps two rules: stores to one word stay in order,
 * and a store drains only after every store of an earlier epoch. `dmb` opens an epoch; whoever
 * observes a store of epoch e therefore sees all earlier epochs drained.
 *
 * The fields of a store lie in parallel arrays under its slot, so that no store builds anything:
 * write() fills the slot that is free next, push() lets it wait. Entry `n` is the n-th oldest, and
 * no entry has a younger group than the next.
 */
export class StoreBuffer implements Stateful {
  readonly capacity: number;
  epoch = 0;
  /** Stores that wait. */
  count = 0;

  /** Physical word index. */
  readonly word: Int32Array;
  readonly tagWord: Int32Array;
  readonly indexWord: Int32Array;
  readonly attributes: Int32Array;
  /** 1 if the first level may keep it, else 0. */
  readonly cached: Int32Array;
  /** Bits of the word that are written. */
  readonly mask: Int32Array;
  readonly value: Int32Array;
  /** In check mode: which bytes of `value` are of the latest version. */
  shadow: Shadow | null = null;
  /** The barrier epoch of the CPU when the store was issued. */
  readonly #epochs: Float64Array;
  /** Stores of one 64-bit store have the same group and drain together. */
  readonly #groups: Float64Array;
  /** 1 if it waits only for older ones, and goes as soon as they have gone. */
  readonly #follows: Int32Array;
  /** All slots: first those that wait, the oldest first, then the free ones. */
  readonly #order: Int32Array;
  readonly #sink: StoreSink;
  #lastGroup = 0;

  constructor(capacity: number, sink: StoreSink) {
    this.capacity = capacity;
    this.#sink = sink;
    // One more than may wait: the store that pushes another out, or does not wait at all.
    const slots = capacity + 1;
    this.word = new Int32Array(slots);
    this.tagWord = new Int32Array(slots);
    this.indexWord = new Int32Array(slots);
    this.attributes = new Int32Array(slots);
    this.cached = new Int32Array(slots);
    this.mask = new Int32Array(slots);
    this.value = new Int32Array(slots);
    this.#epochs = new Float64Array(slots);
    this.#groups = new Float64Array(slots);
    this.#follows = new Int32Array(slots);
    this.#order = Int32Array.from({ length: slots }, (_, slot) => slot);
  }

  /** A number that no other group of stores has. */
  nextGroup(): number {
    return ++this.#lastGroup;
  }

  /** Fills the next free slot and answers it. It waits only once it is pushed. */
  write(
    word: number,
    tagWord: number,
    indexWord: number,
    attributes: number,
    cached: boolean,
    value: number,
    mask: number,
  ): number {
    const slot = i32(this.#order, this.count);
    this.word[slot] = word;
    this.tagWord[slot] = tagWord;
    this.indexWord[slot] = indexWord;
    this.attributes[slot] = attributes;
    this.cached[slot] = cached ? 1 : 0;
    this.value[slot] = value;
    this.mask[slot] = mask;
    this.#epochs[slot] = this.epoch;
    if (this.shadow !== null) this.shadow.write(this.value, slot, -1, -1);
    return slot;
  }

  /**
   * Lets the store that was written last wait; nothing may have drained since. One that follows
   * goes with the last of those that it waits for.
   */
  push(group: number, follows = false): void {
    const slot = i32(this.#order, this.count);
    this.#follows[slot] = follows ? 1 : 0;
    this.#groups[slot] = group;
    this.count++;
    while (this.count > this.capacity) this.drain(0);
  }

  /** What a load of a word sees: `value` with the waiting stores of this CPU laid over it. */
  forward(word: number, value: number): number {
    let result = value;
    for (let n = 0; n < this.count; n++) {
      const slot = i32(this.#order, n);
      if (i32(this.word, slot) !== word) continue;
      const mask = i32(this.mask, slot);
      result = (result & ~mask) | (i32(this.value, slot) & mask);
      if (this.shadow !== null) this.#forwardShadow(this.shadow, slot, mask);
    }
    return result;
  }

  /** The slot of the n-th oldest store. */
  slotOf(n: number): number {
    return i32(this.#order, n);
  }

  /** The barrier epoch of the store that a slot was last written for. */
  epochOf(slot: number): number {
    return f64(this.#epochs, slot);
  }

  holds(word: number): boolean {
    return this.#within(word, word) >= 0;
  }

  /** A store of an epoch before that of the next store waits. */
  get holdsEarlier(): boolean {
    return this.count > 0 && f64(this.#epochs, i32(this.#order, 0)) < this.epoch;
  }

  /** Drains entry `n` and whatever must go before it; then those that waited for them only. */
  drain(n: number): void {
    if (n >= this.count) return;
    this.#drainOne(n);
    for (let next = this.#released(); next >= 0; next = this.#released()) this.#drainOne(next);
  }

  /** The oldest that waited for older ones which have gone, or -1. */
  #released(): number {
    for (let n = 0; n < this.count; n++) {
      const slot = i32(this.#order, n);
      if (i32(this.#follows, slot) === 1 && this.#predecessor(slot) < 0 && !this.#isBehind(n)) {
        return n;
      }
    }
    return -1;
  }

  /** An older store to the same word waits before entry `n`. */
  #isBehind(n: number): boolean {
    const slot = i32(this.#order, n);
    return this.#within(i32(this.word, slot), i32(this.word, slot)) < n;
  }

  #drainOne(n: number): void {
    const chosen = i32(this.#order, n);
    // One that precedes has predecessors of its own: the other half of a pair may wait for another
    // word's. They are all older, so this ends.
    for (;;) {
      const first = this.#predecessor(chosen);
      if (first < 0) break;
      this.#drainOne(first);
    }
    this.#drainGroup(f64(this.#groups, chosen));
  }

  /** Everything of epochs before `epoch`: what a device store of that epoch waits for. */
  drainBefore(epoch: number): void {
    while (this.count > 0 && f64(this.#epochs, i32(this.#order, 0)) < epoch) this.drain(0);
  }

  /** Everything that touches the line or word range [first, last] of physical words. */
  drainRange(first: number, last: number): void {
    for (;;) {
      const n = this.#within(first, last);
      if (n < 0) return;
      this.drain(n);
    }
  }

  drainAll(): void {
    while (this.count > 0) this.drain(0);
  }

  saveState(): StateValue {
    const waiting = [...this.#order.subarray(0, this.count)];
    const entries = rowsState(waiting.map(slot => this.#rowOf(slot)));
    return { epoch: this.epoch, groups: this.#lastGroup, entries };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, PLACE);
    const rows = rowsOf(reader.numbers('entries'), ROW, PLACE);
    if (rows.length > this.capacity) {
      const expected = `at most ${this.capacity} stores`;
      throw new InputError({ place: `snapshot of ${PLACE}`, expected, found: `${rows.length}` });
    }
    this.count = 0;
    for (const row of rows) {
      const [word = 0, tagWord = 0, indexWord = 0, attributes = 0, cached = 0, ...rest] = row;
      const [mask = 0, value = 0, epoch = 0, group = 0, follows = 0] = rest;
      this.epoch = epoch;
      this.write(word, tagWord, indexWord, attributes, cached === 1, value, mask);
      this.push(group, follows === 1);
    }
    this.epoch = reader.number('epoch');
    this.#lastGroup = reader.number('groups');
  }

  #forwardShadow(shadow: Shadow, slot: number, mask: number): void {
    const below = shadow.last;
    shadow.last = (below & ~mask) | (shadow.read(this.value, slot) & mask);
  }

  /** The oldest entry with a word of [first, last], or -1. */
  #within(first: number, last: number): number {
    for (let n = 0; n < this.count; n++) {
      const word = i32(this.word, i32(this.#order, n));
      if (word >= first && word <= last) return n;
    }
    return -1;
  }

  /** The oldest entry that must drain before the group of a slot, or -1. */
  #predecessor(chosen: number): number {
    const group = f64(this.#groups, chosen);
    for (let n = 0; n < this.count; n++) {
      const slot = i32(this.#order, n);
      if (f64(this.#groups, slot) >= group) break;
      if (f64(this.#epochs, slot) < f64(this.#epochs, chosen)) return n;
      if (this.#writesAfter(n, group, i32(this.word, slot))) return n;
    }
    return -1;
  }

  /** True if a store of the group, younger than entry `n`, is to that word. */
  #writesAfter(n: number, group: number, word: number): boolean {
    for (let later = n + 1; later < this.count; later++) {
      const slot = i32(this.#order, later);
      if (f64(this.#groups, slot) === group && i32(this.word, slot) === word) return true;
    }
    return false;
  }

  /** Both halves of a 64-bit store drain together. */
  #drainGroup(group: number): void {
    let n = 0;
    while (n < this.count) {
      const slot = i32(this.#order, n);
      const other = f64(this.#groups, slot);
      if (other > group) break;
      if (other === group) {
        this.#remove(n);
        this.#sink(slot);
      } else {
        n++;
      }
    }
  }

  /** Takes entry `n` out: its slot is the next free one. */
  #remove(n: number): void {
    const slot = i32(this.#order, n);
    this.count--;
    for (let i = n; i < this.count; i++) this.#order[i] = i32(this.#order, i + 1);
    this.#order[this.count] = slot;
  }

  #rowOf(slot: number): number[] {
    const fields = [this.word, this.tagWord, this.indexWord, this.attributes, this.cached];
    return [
      ...[...fields, this.mask, this.value].map(field => i32(field, slot)),
      f64(this.#epochs, slot),
      f64(this.#groups, slot),
      i32(this.#follows, slot),
    ];
  }
}

/** Numbers of a store in a snapshot, in the order of #rowOf. */
const ROW = 10;
