import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import { TraceKind } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import { rowsOf, rowsState } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { DIRTY, NONE } from './line-cache';
import type { CacheGeometry, LineCache } from './line-cache';
import type { LineMaintenance, OuterLevel } from './outer-level';

/** Store and eviction buffers of a PL310 together: a few lines. */
const BUFFERED_WORDS = 48;

/** CPUs that stores are told apart by. */
const MAX_CPUS = 256;
/** The order of what is no store: a line that leaves a cache, or a write of another master. */
export const NO_ORDER = -1;

/** The place of a store among those of its CPU: which CPU, and the barrier epoch. */
export const storeOrder = (cpu: number, epoch: number): number => epoch * MAX_CPUS + cpu;

/** Of stores of one CPU: a barrier is between them. */
const isBefore = (order: number, other: number): boolean =>
  order >= 0 && order < other && (other - order) % MAX_CPUS === 0;

/** A word write on its way from the outer cache to memory. */
export interface BufferedWrite {
  readonly word: number;
  readonly mask: number;
  readonly value: number;
  /** See storeOrder. */
  readonly order: number;
  /** It waits for nothing but older writes. */
  readonly follows: boolean;
  /** In check mode: which of its bytes are of the latest version. */
  fresh: number;
}

const PLACE = 'the outer buffer';
/** Numbers of a write in a snapshot. */
const ROW = 5;

/**
 * A cache outside the cores (PL310): looked up by physical address, maintained through registers,
 * never by the cores' own operations. Writes that leave it pass a buffer of its own, which no
 * `dsb` drains: only a cache sync does, or time. Writes to one word keep their order there, and so do
 * stores of a CPU that a barrier separates: *assumed*, see `the store has reached memory` in
 * arch/arm/coherence/order-events.ts.
 */
export class OuterCache implements OuterLevel, Stateful {
  readonly lines: LineCache;
  enabled = false;
  /**
   * What a non-cacheable shared access does: by default the controller treats it as cacheable
   * without allocation and so hits in a present line; `shared-override` switches that off.
   */
  ncHits = true;
  /** Lines that were brought in from memory, and dirty ones written back to it. */
  fills = 0;
  writeBacks = 0;
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
    this.fills++;
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
    this.writeBacks++;
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

  /** A write leaves; `order`: NO_ORDER, or what storeOrder says of a store. */
  writeMemory(word: number, value: number, mask: number, fresh = -1, order = NO_ORDER): void {
    const isHeld = this.holdsWrites || this.#heldLines.has(word >>> this.lines.shift);
    const buffer = this.#buffer;
    const follows = !isHeld && buffer.some(older => goesFirst(older, word, order));
    if (!isHeld && !follows) {
      this.#ram.mergeWord(word, value, mask, fresh);
      return;
    }
    buffer.push({ word, value, mask, order, follows, fresh });
    const [oldest] = buffer;
    if (buffer.length <= BUFFERED_WORDS || oldest === undefined) return;
    this.#drain(oldest);
    this.#release();
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

  /**
   * Lets the writes to one line reach memory, in their order, and what must go before them; then what
   * waited for these only. False if none waits.
   */
  drainLine(word: number): boolean {
    const key = word >>> this.lines.shift;
    this.#heldLines.delete(key);
    const chosen = this.#buffer.filter(write => write.word >>> this.lines.shift === key);
    for (const write of chosen) this.#drain(write);
    this.#release();
    return chosen.length > 0;
  }

  /** Cache sync: the buffer is empty when it returns. */
  drainAll(): void {
    for (const write of this.#buffer) this.#toMemory(write);
    this.#buffer.length = 0;
    this.#heldLines.clear();
  }

  /** Whether it is on, and what it does with non-cacheable accesses, its controller saves. */
  saveState(): StateValue {
    const rows = this.#buffer.map(({ word, mask, value, order, follows }) => [
      ...[word, mask, value, order],
      follows ? 1 : 0,
    ]);
    const held = rowsState([[...this.#heldLines]]);
    const { fills, writeBacks } = this;
    return { lines: this.lines.saveState(), buffer: rowsState(rows), held, fills, writeBacks };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the outer cache');
    this.lines.restoreState(reader.value('lines'));
    this.fills = reader.number('fills');
    this.writeBacks = reader.number('writeBacks');
    this.#heldLines.clear();
    for (const [line = 0] of rowsOf(reader.numbers('held'), 1, PLACE)) this.#heldLines.add(line);
    this.#buffer.length = 0;
    for (const row of rowsOf(reader.numbers('buffer'), ROW, PLACE)) {
      const [word = 0, mask = 0, value = 0, order = NO_ORDER, follows = 0] = row;
      this.#buffer.push({ word, mask, value, order, follows: follows === 1, fresh: -1 });
    }
  }

  #maintain(operation: LineMaintenance, slot: number): void {
    if (operation !== 'invalidate') this.clean(slot);
    if (operation !== 'clean') this.lines.drop(slot);
  }

  /** A write goes, after those that must go before it: they are all older, so this ends. */
  #drain(write: BufferedWrite): void {
    const buffer = this.#buffer;
    for (;;) {
      const at = buffer.indexOf(write);
      if (at < 0) return;
      const first = buffer.find((older, n) => n < at && goesFirst(older, write.word, write.order));
      if (first === undefined) {
        buffer.splice(at, 1);
        this.#toMemory(write);
        return;
      }
      this.#drain(first);
    }
  }

  /** What only followed goes once nothing is before it. */
  #release(): void {
    const buffer = this.#buffer;
    const isFree = ({ follows, word, order }: BufferedWrite, at: number): boolean =>
      follows && !buffer.some((older, n) => n < at && goesFirst(older, word, order));
    for (let write = buffer.find(isFree); write !== undefined; write = buffer.find(isFree)) {
      this.#drain(write);
    }
  }

  #toMemory(write: BufferedWrite): void {
    this.#ram.mergeWord(write.word, write.value, write.mask, write.fresh);
    this.#trace.fold(TraceKind.Drain, write.word, write.value);
  }
}

/** An older write goes to memory before one to a word that has a place. */
const goesFirst = (older: BufferedWrite, word: number, order: number): boolean =>
  older.word === word || isBefore(older.order, order);

/** The set-index bits of a word index, from its physical address. */
export const physicalIndex = (ram: Ram, word: number): number =>
  (i32(ram.frameLow, word >>> PAGE_WORDS_SHIFT) << PAGE_WORDS_SHIFT) | (word & (PAGE_WORDS - 1));
