/**
 * The running hash of a run: every event off the hot path folds in. Two runs of one machine with
 * one seed agree to the bit; that is what *same seed, same trace* means. FNV-1a over 32-bit words.
 */
export class Trace {
  #hash = 0x811c9dc5;
  /** Events folded so far. */
  events = 0;

  fold(kind: number, a: number, b: number): void {
    let h = Math.imul(this.#hash ^ kind, 0x01000193);
    h = Math.imul(h ^ a, 0x01000193);
    this.#hash = Math.imul(h ^ b, 0x01000193);
    this.events++;
  }

  /** Folds an address that may be wider than 32 bits. */
  foldAddress(kind: number, address: number, b: number): void {
    this.fold(kind, address % 2 ** 32, Math.floor(address / 2 ** 32) ^ b);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  saveState(): { readonly hash: number; readonly events: number } {
    return { hash: this.#hash, events: this.events };
  }

  restoreState(state: { readonly hash: number; readonly events: number }): void {
    this.#hash = state.hash;
    this.events = state.events;
  }
}

/** What an event of the trace is. */
export const TraceKind = {
  Fill: 1,
  WriteBack: 2,
  Evict: 3,
  NcLoad: 4,
  NcStore: 5,
  IoLoad: 6,
  IoStore: 7,
  Maintenance: 8,
  Barrier: 9,
  Tlb: 10,
  Walk: 11,
  DmaRead: 12,
  DmaWrite: 13,
  Fault: 14,
  Interrupt: 15,
  Drain: 16,
} as const;
