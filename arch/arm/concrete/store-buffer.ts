/** A store that has left the pipeline and not yet reached a cache or memory. */
export interface BufferedStore {
  /** Physical word index. */
  readonly word: number;
  readonly tagWord: number;
  readonly indexWord: number;
  readonly attributes: number;
  readonly cached: boolean;
  /** Bits of the word that are written. */
  readonly mask: number;
  readonly value: number;
  /** The barrier epoch of its CPU when it was issued. */
  readonly epoch: number;
  /** Stores of one 64-bit store have the same group and drain together. */
  readonly group: number;
}

/** Takes a drained store to where it is bound. */
export type StoreSink = (store: BufferedStore) => void;

/**
 * The store buffer of one CPU. Entries may drain in any order that keeps two rules: stores to one
 * word stay in order, and a store drains only after every store of an earlier epoch. `dmb` opens
 * an epoch; whoever observes a store of epoch e therefore sees all earlier epochs drained.
 */
export class StoreBuffer {
  readonly capacity: number;
  epoch = 0;

  readonly #entries: BufferedStore[] = [];
  readonly #sink: StoreSink;
  #groups = 0;

  constructor(capacity: number, sink: StoreSink) {
    this.capacity = capacity;
    this.#sink = sink;
  }

  get count(): number {
    return this.#entries.length;
  }

  /** A number that no other group of stores has. */
  nextGroup(): number {
    return ++this.#groups;
  }

  push(store: BufferedStore): void {
    this.#entries.push(store);
    while (this.#entries.length > this.capacity) this.drain(0);
  }

  /** What a load of a word sees: `value` with the waiting stores of this CPU laid over it. */
  forward(word: number, value: number): number {
    let result = value;
    for (const entry of this.#entries) {
      if (entry.word === word) result = (result & ~entry.mask) | (entry.value & entry.mask);
    }
    return result;
  }

  holds(word: number): boolean {
    return this.#entries.some(entry => entry.word === word);
  }

  /** Drains entry `n` and whatever must go before it. */
  drain(n: number): void {
    const chosen = this.#entries[n];
    if (chosen === undefined) return;
    const first = this.#entries.findIndex(entry => mustPrecede(entry, chosen));
    const index = first < 0 ? n : Math.min(first, n);
    const entry = this.#entries[index];
    if (entry === undefined) return;
    this.#drainGroup(entry);
    if (entry !== chosen) this.drain(this.#entries.indexOf(chosen));
  }

  /** Everything of epochs before `epoch`: what a device store of that epoch waits for. */
  drainBefore(epoch: number): void {
    for (;;) {
      const index = this.#entries.findIndex(entry => entry.epoch < epoch);
      if (index < 0) return;
      this.drain(index);
    }
  }

  /** Everything that touches the line or word range [first, last] of physical words. */
  drainRange(first: number, last: number): void {
    for (;;) {
      const index = this.#entries.findIndex(entry => entry.word >= first && entry.word <= last);
      if (index < 0) return;
      this.drain(index);
    }
  }

  drainAll(): void {
    while (this.#entries.length > 0) this.drain(0);
  }

  #drainGroup(entry: BufferedStore): void {
    const group = this.#entries.filter(other => other.group === entry.group);
    for (const member of group) {
      this.#entries.splice(this.#entries.indexOf(member), 1);
      this.#sink(member);
    }
  }
}

const mustPrecede = (entry: BufferedStore, chosen: BufferedStore): boolean =>
  entry !== chosen &&
  entry.group !== chosen.group &&
  (entry.epoch < chosen.epoch || (entry.word === chosen.word && entry.group < chosen.group));
