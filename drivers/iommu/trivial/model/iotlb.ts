import { UnmodelledError } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { ENTRY } from '../regs';

/** An entry of the table by stream and page: one number. */
export type EntryKey = number;

export const entryKey = (stream: number, page: number): EntryKey => stream * 2 ** 20 + page;

/** No entry: one that is not valid. */
export const NO_ENTRY = 0;

/** What the IOMMU keeps of its tables. Only valid entries are kept. */
export interface Iotlb extends Stateful {
  /** The entry that a transaction uses without a look at the table, or NO_ENTRY. */
  find(key: EntryKey): number;
  /** The table has just been read: other entries that a transaction might have used instead. */
  others(key: EntryKey, entry: number): readonly number[];
  keep(key: EntryKey, entry: number): void;
  /** One entry, or all. */
  invalidate(key: EntryKey | null): void;
}

const NONE: readonly number[] = [];

/** So many entries; the one that was used the longest time ago makes room for another. */
export class LruIotlb implements Iotlb {
  readonly #capacity: number;
  /** Least recently used first. */
  readonly #entries = new Map<EntryKey, number>();

  /** Of capacity 0 it keeps nothing: each transaction looks at the table. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  find(key: EntryKey): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return NO_ENTRY;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  others(): readonly number[] {
    return NONE;
  }

  keep(key: EntryKey, entry: number): void {
    if (this.#capacity === 0) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= this.#capacity) this.#entries.delete(oldest);
    this.#entries.set(key, entry);
  }

  invalidate(key: EntryKey | null): void {
    if (key === null) this.#entries.clear();
    else this.#entries.delete(key);
  }

  saveState(): StateValue {
    return {
      keys: Float64Array.from(this.#entries.keys()),
      entries: Float64Array.from(this.#entries.values()),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'IOTLB');
    const entries = reader.numbers('entries');
    this.#entries.clear();
    reader.numbers('keys').forEach((key, i) => this.#entries.set(key, entries[i] ?? NO_ENTRY));
  }
}

/**
 * Every TLB at once, for a checked machine: each entry that was ever kept may still be there, and
 * none need be. So the table is always looked at, and what else a transaction might have used is
 * told.
 */
export class EveryIotlb implements Iotlb {
  readonly #kept = new Map<EntryKey, number[]>();

  find(): number {
    return NO_ENTRY;
  }

  others(key: EntryKey, entry: number): readonly number[] {
    return this.#kept.get(key)?.filter(kept => kept !== entry) ?? NONE;
  }

  keep(key: EntryKey, entry: number): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) this.#kept.set(key, [entry]);
    else if (!kept.includes(entry)) kept.push(entry);
  }

  invalidate(key: EntryKey | null): void {
    if (key === null) this.#kept.clear();
    else this.#kept.delete(key);
  }

  saveState(): StateValue {
    throw new UnmodelledError('snapshot', 'of a checked machine: run it again instead');
  }

  restoreState(): void {
    throw new UnmodelledError('snapshot', 'on a checked machine: run it again instead');
  }
}

/** True for an entry that leads somewhere. */
export const isValid = (entry: number): boolean => ENTRY.VALID.of(entry) === 1;
