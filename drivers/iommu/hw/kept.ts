import { UnmodelledError } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { Stateful, StateValue } from '../../base/types/state';

/**
 * Something that an IOMMU fetched from memory and may use again without looking: a translation, a
 * step of a walk (which table is next), or configuration (what a stream or a context has). It holds
 * for `size` input addresses from `start` on, a power of two that divides `start`. For what has no
 * addresses, `start` is a number of its own and `size` 1.
 */
export interface KeptEntry {
  /** Whose it is: what the tags of the hardware (stream, bank, VMID, ASID) come to, as one number. */
  readonly context: number;
  readonly start: number;
  readonly size: number;
  /** Where `start` leads: a page, the next table, or whatever tells two configurations apart. */
  readonly leads: number;
  /** Permissions and all else that the model goes by, as one number. */
  readonly attributes: number;
}

/** True for those that an invalidation ends. */
export type KeptCondition = (entry: KeptEntry) => boolean;

/** What an IOMMU keeps, of one kind. Only what is valid is kept. */
export interface Kept extends Stateful {
  /** What is used for an address without a look at memory, or null. Allocates nothing. */
  find(context: number, address: number): KeptEntry | null;
  /**
   * Memory has just been looked at: other entries that might have been used for this address
   * instead, of which each would have led elsewhere. `now` is what memory says, null for nothing.
   */
  others(context: number, address: number, now: KeptEntry | null): readonly KeptEntry[];
  keep(entry: KeptEntry): void;
  /** Those that lead to one of these bytes. */
  leadingInto(start: number, size: number): readonly KeptEntry[];
  /**
   * Forgets those that satisfy the condition; null: all. On a checked machine these are told: what is
   * still valid in memory may be fetched again at once.
   */
  invalidate(condition: KeptCondition | null): readonly KeptEntry[];
}

const NONE: readonly KeptEntry[] = [];

const holdsFor = (entry: KeptEntry, context: number, address: number): boolean =>
  entry.context === context && address >= entry.start && address - entry.start < entry.size;

/** True if it makes no difference for an address which of the two is used. */
const isAlike = (a: KeptEntry, b: KeptEntry, address: number): boolean =>
  a.attributes === b.attributes && a.leads + (address - a.start) === b.leads + (address - b.start);

/** True for an entry whose first address leads to one of these bytes. */
const leadsInto = ({ leads }: KeptEntry, start: number, size: number): boolean =>
  leads >= start && leads < start + size;

/** Array.copyWithin does the same, a tenth as fast. */
const moveToFront = (entries: KeptEntry[], index: number, entry: KeptEntry): void => {
  for (let i = index; i > 0; i--) entries[i] = entries[i - 1] ?? entry;
  entries[0] = entry;
};

/** So many entries; the one that was used the longest time ago makes room for another. */
export class LruKept implements Kept {
  readonly #capacity: number;
  /** Most recently used first. */
  readonly #entries: KeptEntry[] = [];

  /** Of capacity 0 it keeps nothing: memory is always looked at. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  find(context: number, address: number): KeptEntry | null {
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      if (entry !== undefined && holdsFor(entry, context, address)) {
        moveToFront(entries, i, entry);
        return entry;
      }
    }
    return null;
  }

  others(): readonly KeptEntry[] {
    return NONE;
  }

  keep(entry: KeptEntry): void {
    if (this.#capacity === 0) return;
    if (this.#entries.length >= this.#capacity) this.#entries.pop();
    this.#entries.unshift(entry);
  }

  leadingInto(start: number, size: number): readonly KeptEntry[] {
    return this.#entries.filter(entry => leadsInto(entry, start, size));
  }

  invalidate(condition: KeptCondition | null): readonly KeptEntry[] {
    const entries = this.#entries;
    let left = 0;
    for (const entry of entries) {
      if (condition !== null && !condition(entry)) entries[left++] = entry;
    }
    entries.length = left;
    return NONE;
  }

  saveState(): StateValue {
    const of = (value: (entry: KeptEntry) => number): Float64Array =>
      Float64Array.from(this.#entries, value);
    return {
      contexts: of(({ context }) => context),
      starts: of(({ start }) => start),
      sizes: of(({ size }) => size),
      leads: of(({ leads }) => leads),
      attributes: of(({ attributes }) => attributes),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'IOMMU caches');
    const columns = ['starts', 'sizes', 'leads', 'attributes'].map(key => reader.numbers(key));
    this.#entries.length = 0;
    reader.numbers('contexts').forEach((context, i) => {
      const [start = 0, size = 0, leads = 0, attributes = 0] = columns.map(column => column[i]);
      this.#entries.push({ context, start, size, leads, attributes });
    });
  }
}

/** Of one context, by size, then by start. */
type BySize = Map<number, Map<number, KeptEntry[]>>;

/**
 * Every cache at once, for a checked machine and for one that follows a schedule: what was ever kept
 * and not invalidated since may still be there, and none need be. So memory is always looked at, and
 * what else might have been used is told.
 */
export class EveryKept implements Kept {
  readonly #contexts = new Map<number, BySize>();

  find(): null {
    return null;
  }

  others(context: number, address: number, now: KeptEntry | null): readonly KeptEntry[] {
    const found: KeptEntry[] = [];
    for (const [size, starts] of this.#contexts.get(context) ?? []) {
      for (const entry of starts.get(address - (address % size)) ?? []) {
        if (now === null || !isAlike(entry, now, address)) found.push(entry);
      }
    }
    return found;
  }

  keep(entry: KeptEntry): void {
    const { context, size, start } = entry;
    const sizes = madeIn(this.#contexts, context, (): BySize => new Map());
    const starts = madeIn(sizes, size, (): Map<number, KeptEntry[]> => new Map());
    const kept = madeIn(starts, start, (): KeptEntry[] => []);
    if (!kept.some(other => isAlike(other, entry, start))) kept.push(entry);
  }

  leadingInto(start: number, size: number): readonly KeptEntry[] {
    return [...this.#contexts.values()]
      .flatMap(sizes => [...sizes.values()])
      .flatMap(starts => [...starts.values()])
      .flatMap(entries => entries.filter(entry => leadsInto(entry, start, size)));
  }

  invalidate(condition: KeptCondition | null): readonly KeptEntry[] {
    const ended: KeptEntry[] = [];
    for (const sizes of this.#contexts.values()) {
      for (const starts of sizes.values()) {
        for (const [start, entries] of starts) {
          const left = entries.filter(entry => condition !== null && !condition(entry));
          if (left.length === entries.length) continue;
          ended.push(...entries.filter(entry => !left.includes(entry)));
          if (left.length === 0) starts.delete(start);
          else starts.set(start, left);
        }
      }
    }
    return ended;
  }

  saveState(): StateValue {
    throw new UnmodelledError('snapshot', 'of a checked machine: run it again instead');
  }

  restoreState(): void {
    throw new UnmodelledError('snapshot', 'on a checked machine: run it again instead');
  }
}

const madeIn = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
};

/** True for entries that hold for any address of `size` from `start` on. */
export const overlaps = (entry: KeptEntry, start: number, size: number): boolean =>
  entry.start < start + size && start < entry.start + entry.size;
