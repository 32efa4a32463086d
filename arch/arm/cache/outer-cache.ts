import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import { TraceKind } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import { int32State } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { DIRTY, NONE } from './line-cache';
import type { CacheGeometry, LineCache } from './line-cache';
import type { LineMaintenance, OuterLevel } from './outer-level';

/** Store and eviction buffers of a PL310 together: a few lines. */
const BUFFERED_WORDS = 48;

/** A word write on its way from the outer cache to memory. */
export interface BufferedWrite {
  readonly word: number;
  readonly mask: number;
  readonly value: number;
  /** In check mode: which of its bytes are of the latest version. */
  fresh: number;
}

/**
 * A cache outside the cores (PL310): looked up by physical address, maintained through registers,
 * never by the cores' own operations. Writes that leave it pass a buffer of its own, which no
 * `dsb` drains: only a cache sync does, or time.
 */
export class OuterCache implements OuterLevel, Stateful {
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
  /** Lines of which the next writes wait, until they drain. */
  readonly #heldLines = new Set<number>();

  constructor(lines: LineCache, ram: Ram, trace: Trace) {
    this.lines = lines;
    this.#ram = ram;
    this.#trace = trace;
  }

  get geometry(): CacheGeometry {
    return this.lines.geometry;
  }

  /** What a clean writes waits in the buffer like any write: a cache sync completes it. */
  maintainLine(operation: LineMaintenance, word: number): void {
    const slot = this.find(word);
    if (slot !== NONE) this.#maintain(operation, slot);
  }

  maintainWays(operation: LineMaintenance, ways: number): void {
    const { lines } = this;
    for (const slot of lines.occupied()) {
      const way = (slot % lines.ways) % lines.geometry.ways;
      if (((ways >>> way) & 1) === 1) this.#maintain(operation, slot);
    }
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
    for (let i = 0; i < lines.lineWords; i++) {
      const fresh = lines.shadow === null ? -1 : lines.shadow.read(lines.data, at + i);
      this.writeMemory(home + i, i32(lines.data, at + i), -1, fresh);
    }
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
      if (write.word !== word) continue;
      value = (value & ~write.mask) | (write.value & write.mask);
      const { shadow } = this.lines;
      if (shadow !== null) shadow.last = (shadow.last & ~write.mask) | (write.fresh & write.mask);
    }
    return value;
  }

  copyFromMemory(home: number, words: number, to: Int32Array, at: number): void {
    if (this.#buffer.length > 0) {
      const { shadow } = this.lines;
      for (let i = 0; i < words; i++) {
        to[at + i] = this.readMemory(home + i);
        if (shadow !== null) shadow.write(to, at + i, -1, shadow.last);
      }
    } else {
      this.#ram.readLine(home, words, to, at);
    }
  }

  writeMemory(word: number, value: number, mask: number, fresh = -1): void {
    if (!this.holdsWrites && !this.#heldLines.has(word >>> this.lines.shift)) {
      this.#ram.mergeWord(word, value, mask, fresh);
      return;
    }
    this.#buffer.push({ word, value, mask, fresh });
    const oldest = this.#buffer.length > BUFFERED_WORDS ? this.#buffer.shift() : undefined;
    if (oldest !== undefined) this.#toMemory(oldest);
  }

  /** The writes that wait, oldest first. */
  get waiting(): readonly BufferedWrite[] {
    return this.#buffer;
  }

  /** The buffered words, oldest first: what a whim may choose to drain. */
  bufferedWords(): readonly number[] {
    return this.#buffer.map(write => write.word);
  }

  /** What leaves for the line of a word waits from now on, until it drains. */
  holdLine(word: number): void {
    this.#heldLines.add(word >>> this.lines.shift);
  }

  /** Lets the writes to one line reach memory, in their order; false if none waits. */
  drainLine(word: number): boolean {
    const key = word >>> this.lines.shift;
    this.#heldLines.delete(key);
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
    this.#heldLines.clear();
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
        fresh: -1,
      });
    }
  }

  #maintain(operation: LineMaintenance, slot: number): void {
    if (operation !== 'invalidate') this.clean(slot);
    if (operation !== 'clean') this.lines.drop(slot);
  }

  #toMemory(write: BufferedWrite): void {
    this.#ram.mergeWord(write.word, write.value, write.mask, write.fresh);
    this.#trace.fold(TraceKind.Drain, write.word, write.value);
  }
}

/** The set-index bits of a word index, from its physical address. */
export const physicalIndex = (ram: Ram, word: number): number =>
  (i32(ram.frameLow, word >>> PAGE_WORDS_SHIFT) << PAGE_WORDS_SHIFT) | (word & (PAGE_WORDS - 1));
