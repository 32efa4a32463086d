import { u8 } from '../types/arrays';
import { StateReader } from '../types/state';
import type { Stateful, StateValue } from '../types/state';

const PRIME = 0x9e37_79b1;

/**
 * The running hash of a run: every event off the hot path folds in. Two runs of one machine with
 * one seed agree to the bit; that is what *same seed, same trace* means. Each word is mixed in by a
 * multiplication and a shift, so that every bit of it comes to bear on every bit of the hash.
 */
export class Trace implements Stateful {
  #hash = 0x811c_9dc5 | 0;
  /** Events folded so far. */
  events = 0;

  fold(kind: number, a: number, b: number): void {
    let h = Math.imul(this.#hash ^ kind, PRIME);
    h = Math.imul(h ^ (h >>> 15) ^ a, PRIME);
    h = Math.imul(h ^ (h >>> 15) ^ b, PRIME);
    this.#hash = h ^ (h >>> 15);
    this.events++;
  }

  /** Folds one word that needs no kind: what happens too often for more (a line is filled). */
  foldWord(word: number): void {
    const h = Math.imul(this.#hash ^ word, PRIME);
    this.#hash = h ^ (h >>> 15);
  }

  /** Folds an address that may be wider than 32 bits. */
  foldAddress(kind: number, address: number, b: number): void {
    this.fold(kind, address % 2 ** 32, Math.floor(address / 2 ** 32) ^ b);
  }

  /** Folds `length` bytes from index `at` on, as one event. */
  foldBytes(kind: number, bytes: Uint8Array, at: number, length: number): void {
    let h = kind;
    let i = at;
    for (; i + 4 <= at + length; i += 4) {
      const low = u8(bytes, i) | (u8(bytes, i + 1) << 8);
      const high = u8(bytes, i + 2) | (u8(bytes, i + 3) << 8);
      h = Math.imul(h ^ (h >>> 15) ^ low ^ (high << 16), PRIME);
    }
    for (; i < at + length; i++) h = Math.imul(h ^ (h >>> 15) ^ u8(bytes, i), PRIME);
    this.fold(kind, length, h);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  saveState(): StateValue {
    return { hash: this.#hash, events: this.events };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'trace');
    this.#hash = reader.number('hash');
    this.events = reader.number('events');
  }
}

/** What an event of the trace is; what a CPU does carries the CPU's number from bit 8 up. */
export const TraceKind = {
  Whim: 1,
  NcLoad: 2,
  NcStore: 3,
  IoLoad: 4,
  IoStore: 5,
  Maintenance: 6,
  Barrier: 7,
  Tlb: 8,
  Walk: 9,
  DmaRead: 10,
  DmaWrite: 11,
  Fault: 12,
  Interrupt: 13,
  Drain: 14,
  Register: 15,
} as const;

/** Which barrier an event of kind Barrier is. */
export const BarrierCode = { Dmb: 1, Dsb: 2, Isb: 3 } as const;

/** The kind of an event of one CPU. */
export const ofCpu = (kind: number, cpu: number): number => kind | (cpu << 8);
