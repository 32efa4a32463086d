import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import { TraceKind } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import { int32State } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { DIRTY, NONE } from './line-cache';
import type { LineCache } from './line-cache';

/** Store and eviction buffers of a PL310 together: a few lines. */
const BUFFERED_WORDS = 48;

/** A word write on its way from the outer cache to memory. */
interface BufferedWrite {
  readonly word: number;
  readonly mask: number;
  readonly value: number;
}

/**
 * A cache outside the cores (PL310): looked up by physical address, maintained through registers,
 * never by the cores' own operations. Writes that leave it pass a buffer of its own, which no
 * `dsb` drains: only a cache sync does, or time.
 */
export class OuterCache implements Stateful {
  readonly lines: LineCache;
  enabled = false;
  /**
   * What a non-cacheable shared access does: by default the controller treats it as cacheable
   * without allocation and so hits in a present line; `shared-override` switches that off.
   */
  ncHits = true;
  /** An evicted or drained write waits in the buffer instead of going to memory at once. */
  holdsWrites = false;

  readonly #ram: Ram;
  readonly #trace: Trace;
  readonly #buffer: BufferedWrite[] = [];

  constructor(lines: LineCache, ram: Ram, trace: Trace) {
    this.lines = lines;
    this.#ram = ram;
    this.#trace = trace;
  }

  /** The slot of the line that holds a physical word, or NONE. */
  find(word: number): number {
    return this.lines.find(word >>> this.lines.shift, this.indexOf(word));
  }

  indexOf(word: number): number {
    return physicalIndex(this.#ram, word) >>> this.lines.shift;
  }

  /** The slot of the line that holds a physical word, brought in from memory if need be. */
  access(word: number): number {
    const slot = this.find(word);
    if (slot === NONE) return this.fill(word);
    this.lines.touch(slot);
    return slot;
  }

  /** Brings the line of `word` in from memory and answers its slot. */
  fill(word: number): number {
    const { lines } = this;
    const slot = lines.victim(this.indexOf(word));
    this.evict(slot);
    const home = word & ~(lines.lineWords - 1);
    this.copyFromMemory(home, lines.lineWords, lines.data, slot << lines.shift);
    lines.install(slot, word >>> lines.shift, 0);
    return slot;
  }

  /** Writes the line of a slot back if it is dirty, and keeps it. */
  clean(slot: number): void {
    const { lines } = this;
    if (!lines.isDirty(slot)) return;
    const home = lines.firstWord(slot);
    const at = slot << lines.shift;
    for (let i = 0; i < lines.lineWords; i++)
      this.writeMemory(home + i, i32(lines.data, at + i), -1);
    lines.clearFlag(slot, DIRTY);
  }

  /** Writes the line of a slot back if it is dirty, and drops it. */
  evict(slot: number): void {
    if (!this.lines.isValid(slot)) return;
    this.clean(slot);
    this.lines.drop(slot);
  }

  /** A word of memory as this side sees it: behind the writes that still wait. */
  readMemory(word: number): number {
    let value = this.#ram.readWord(word);
    if (this.#buffer.length === 0) return value;
    for (const write of this.#buffer) {
      if (write.word === word) value = (value & ~write.mask) | (write.value & write.mask);
    }
    return value;
  }

  copyFromMemory(home: number, words: number, to: Int32Array, at: number): void {
    if (this.#buffer.length > 0) {
      for (let i = 0; i < words; i++) to[at + i] = this.readMemory(home + i);
    } else {
      this.#ram.readLine(home, words, to, at);
    }
  }

  writeMemory(word: number, value: number, mask: number): void {
    if (!this.holdsWrites) {
      this.#ram.mergeWord(word, value, mask);
      return;
    }
    this.#buffer.push({ word, value, mask });
    const oldest = this.#buffer.length > BUFFERED_WORDS ? this.#buffer.shift() : undefined;
    if (oldest !== undefined) this.#toMemory(oldest);
  }

  /** The buffered words, oldest first: what a whim may choose to drain. */
  bufferedWords(): readonly number[] {
    return this.#buffer.map(write => write.word);
  }

  /** Lets the writes to one line reach memory, in their order; false if none waits. */
  drainLine(word: number): boolean {
    const key = word >>> this.lines.shift;
    const kept = this.#buffer.filter(write => write.word >>> this.lines.shift !== key);
    if (kept.length === this.#buffer.length) return false;
    for (const write of this.#buffer) {
      if (write.word >>> this.lines.shift === key) this.#toMemory(write);
    }
    this.#buffer.splice(0, this.#buffer.length, ...kept);
    return true;
  }

  /** Cache sync: the buffer is empty when it returns. */
  drainAll(): void {
    for (const write of this.#buffer) this.#toMemory(write);
    this.#buffer.length = 0;
  }

  /** Whether it is on, and what it does with non-cacheable accesses, its controller saves. */
  saveState(): StateValue {
    const buffer = this.#buffer.flatMap(({ word, mask, value }) => [word, mask, value]);
    return { lines: this.lines.saveState(), buffer: Int32Array.from(buffer) };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the outer cache');
    this.lines.restoreState(reader.value('lines'));
    const buffer = int32State(reader.value('buffer'), 'the outer buffer');
    this.#buffer.length = 0;
    for (let i = 0; i + 2 < buffer.length; i += 3) {
      this.#buffer.push({
        word: i32(buffer, i),
        mask: i32(buffer, i + 1),
        value: i32(buffer, i + 2),
      });
    }
  }

  #toMemory(write: BufferedWrite): void {
    this.#ram.mergeWord(write.word, write.value, write.mask);
    this.#trace.fold(TraceKind.Drain, write.word, write.value);
  }
}

/** The set-index bits of a word index, from its physical address. */
export const physicalIndex = (ram: Ram, word: number): number =>
  (i32(ram.frameLow, word >>> PAGE_WORDS_SHIFT) << PAGE_WORDS_SHIFT) | (word & (PAGE_WORDS - 1));
