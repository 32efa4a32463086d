import { restoreFloat64, restoreInt32 } from '../../../base/hw/state-arrays';
import { f64, i32, u8 } from '../../../base/types/arrays';
import { UnmodelledError } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { LINE_BYTES } from '../regs/surface';
import type { MismatchSink, UnflushedLines } from './unflushed';
import type { Access, CacheMismatch, GpuMemory } from './unit';

/** Words of a line. */
export const LINE_WORDS = LINE_BYTES / 4;

const NO_LINE = -1;

/** What a cache on a checked GPU tells, and to whom. */
export interface CacheCheck {
  readonly onMismatch: MismatchSink;
  readonly unflushed: UnflushedLines;
}

export interface LineCacheParts {
  readonly name: CacheMismatch['cache'];
  /** The unit whose cache it is. */
  readonly unit: string;
  readonly sets: number;
  readonly ways: number;
  readonly memory: GpuMemory;
  /** Null on a machine whose caches are concrete. */
  readonly check: CacheCheck | null;
}

/**
 * A cache inside the GPU: lines of 64 bytes by the GPU's own addresses, write-back, the least recently used
 * line of a set makes room. What memory has of a line it learns when the line comes in; what it
 * has itself memory learns when the line goes, or is flushed.
 *
 * On a checked GPU a line lasts for one work only and what was written goes to memory at its end: so each
 * work sees the latest. What earlier works have read and no flush has ended is kept beside, and told of where
 * memory has changed since; what they have written goes to memory again at the flush, the latest
 * moment at which it may.
 */
export class LineCache implements Stateful {
  /** The lines, one after another: word `LINE_WORDS * slot + n` is the n-th of a slot, little-endian. */
  readonly words: Int32Array;
  /** Where the last acquired line is. */
  slot = 0;
  /** Its address: the same line is asked for again more often than not. */
  #current = NO_LINE;
  readonly #parts: LineCacheParts;
  /** Addresses by slot; NO_LINE for none. */
  readonly #tags: Float64Array;
  /** By slot: 1 or 0. */
  readonly #dirty: Int32Array;
  /** When a slot was last used. */
  readonly #used: Float64Array;
  #clock = 0;
  readonly #bytes = new Uint8Array(LINE_BYTES);
  /** Checked: what was read, by line; all that differ. */
  readonly #kept = new Map<number, Int32Array[]>();
  /** Checked: what was written, by line. */
  readonly #written = new Map<number, Int32Array>();

  constructor(parts: LineCacheParts) {
    this.#parts = parts;
    const slots = parts.sets * parts.ways;
    this.words = new Int32Array(slots * LINE_WORDS);
    this.#tags = new Float64Array(slots).fill(NO_LINE);
    this.#dirty = new Int32Array(slots);
    this.#used = new Float64Array(slots);
  }

  /**
   * Brings the line at `line`, which 64 divides, into `slot`; `isWhole`: all of it will be written, so what
   * memory has of it is not asked. After anything but `ok` nothing has changed that matters.
   */
  acquire(line: number, isWhole = false): Access {
    if (line === this.#current) return 'ok';
    const { sets, ways } = this.#parts;
    const first = ((line / LINE_BYTES) % sets) * ways;
    let oldest = first;
    for (let slot = first; slot < first + ways; slot++) {
      if (f64(this.#tags, slot) === line) {
        this.#use(slot, line);
        return 'ok';
      }
      if (f64(this.#used, slot) < f64(this.#used, oldest)) oldest = slot;
    }
    const evicted = this.#writeBack(oldest);
    if (evicted !== 'ok') return evicted;
    this.#tags[oldest] = NO_LINE;
    this.#current = NO_LINE;
    const filled = isWhole ? 'ok' : this.#fill(oldest, line);
    if (filled !== 'ok') return filled;
    this.#tags[oldest] = line;
    this.#use(oldest, line);
    return 'ok';
  }

  /** The line last acquired has been written to. */
  markDirty(): void {
    this.#dirty[this.slot] = 1;
  }

  /** A work begins: on a checked GPU nothing of an earlier one is used. */
  beginWork(): void {
    if (this.#parts.check !== null) this.#forget();
  }

  /** A work ends: on a checked GPU memory has what it wrote. Called again after `wait`. */
  endWork(): Access {
    return this.#parts.check === null ? 'ok' : this.#writeAllBack();
  }

  /**
   * Writes back whatever is dirty, by address, and forgets all. Called again after `wait`; what a fault
   * keeps from memory is lost.
   */
  flush(): Access {
    const { check, memory } = this.#parts;
    const written = this.#writeAllBack();
    if (written !== 'ok') return written;
    for (const [line, words] of check === null
      ? []
      : [...this.#written].sort(([a], [b]) => a - b)) {
      this.#toBytes(words, 0);
      const again = memory.write(line, LINE_BYTES, this.#bytes, 0);
      if (again !== 'ok') return again;
      this.#written.delete(line);
      check?.unflushed.flushed(line);
    }
    this.#forget();
    this.#kept.clear();
    return 'ok';
  }

  /** Empty, as after power-on: what memory does not have is lost. */
  reset(): void {
    this.#forget();
    this.#dirty.fill(0);
    this.#used.fill(0);
    this.#clock = 0;
    for (const line of this.#written.keys()) this.#parts.check?.unflushed.flushed(line);
    this.#written.clear();
    this.#kept.clear();
  }

  saveState(): StateValue {
    this.#refuseSnapshot();
    return {
      words: this.words.slice(),
      tags: this.#tags.slice(),
      dirty: this.#dirty.slice(),
      used: this.#used.slice(),
      clock: this.#clock,
    };
  }

  restoreState(state: StateValue): void {
    this.#refuseSnapshot();
    const place = `${this.#parts.unit} ${this.#parts.name} cache`;
    const reader = new StateReader(state, place);
    restoreInt32(this.words, reader.value('words'), place);
    this.#forget();
    restoreFloat64(this.#tags, reader.numbers('tags'), place);
    restoreInt32(this.#dirty, reader.value('dirty'), place);
    restoreFloat64(this.#used, reader.numbers('used'), place);
    this.#clock = reader.number('clock');
  }

  #forget(): void {
    this.#tags.fill(NO_LINE);
    this.#current = NO_LINE;
  }

  #refuseSnapshot(): void {
    if (this.#parts.check === null) return;
    throw new UnmodelledError('snapshot', 'of a checked machine: run it again instead');
  }

  #use(slot: number, line: number): void {
    this.slot = slot;
    this.#current = line;
    this.#used[slot] = ++this.#clock;
  }

  #fill(slot: number, line: number): Access {
    const { memory, check } = this.#parts;
    const bytes = this.#bytes;
    const access = memory.read(line, LINE_BYTES, bytes, 0);
    if (access !== 'ok') return access;
    const { words } = this;
    const base = slot * LINE_WORDS;
    for (let i = 0; i < LINE_WORDS; i++) {
      const at = 4 * i;
      words[base + i] =
        u8(bytes, at) |
        (u8(bytes, at + 1) << 8) |
        (u8(bytes, at + 2) << 16) |
        (u8(bytes, at + 3) << 24);
    }
    if (check !== null) this.#compare(check, line, base);
    return 'ok';
  }

  /** Tells if another copy of a line might be there in place of what memory has now. */
  #compare({ onMismatch }: CacheCheck, line: number, base: number): void {
    const now = this.words.slice(base, base + LINE_WORDS);
    const kept = this.#kept.get(line) ?? [];
    const { name, unit } = this.#parts;
    const differs = (other: Int32Array): boolean => other.some((word, i) => word !== i32(now, i));
    if (kept.some(differs)) {
      onMismatch({
        cache: name,
        what: 'stale',
        reader: unit,
        address: line,
        length: LINE_BYTES,
      });
    }
    if (kept.length === 0 || kept.every(differs)) this.#kept.set(line, [...kept, now]);
  }

  #writeAllBack(): Access {
    const slots = [...this.#dirty.keys()].filter(slot => i32(this.#dirty, slot) === 1);
    slots.sort((a, b) => f64(this.#tags, a) - f64(this.#tags, b));
    for (const slot of slots) {
      const access = this.#writeBack(slot);
      if (access !== 'ok') return access;
    }
    return 'ok';
  }

  #writeBack(slot: number): Access {
    if (i32(this.#dirty, slot) === 0) return 'ok';
    const { memory, check, name } = this.#parts;
    const line = f64(this.#tags, slot);
    this.#toBytes(this.words, slot * LINE_WORDS);
    const access = memory.write(line, LINE_BYTES, this.#bytes, 0);
    // What cannot be written is gone: nothing asks for it again.
    if (access !== 'wait') this.#dirty[slot] = 0;
    if (access === 'ok' && check !== null) {
      const copy = this.words.slice(slot * LINE_WORDS, (slot + 1) * LINE_WORDS);
      this.#written.set(line, copy);
      this.#kept.set(line, [copy]);
      check.unflushed.wrote(name, line);
    }
    return access;
  }

  /** Words of a line from index `base` on, to #bytes. */
  #toBytes(words: Int32Array, base: number): void {
    const bytes = this.#bytes;
    for (let i = 0; i < LINE_WORDS; i++) {
      const word = i32(words, base + i);
      bytes[4 * i] = word;
      bytes[4 * i + 1] = word >>> 8;
      bytes[4 * i + 2] = word >>> 16;
      bytes[4 * i + 3] = word >>> 24;
    }
  }
}
