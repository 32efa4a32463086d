import { rowsOf, rowsState } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';

/** One translation, of a page or a block, as a table walk found it. */
export interface TlbEntry {
  /** First virtual address. */
  readonly va: number;
  /** Bytes covered: 4 KiB to 512 GiB, a power of two. */
  readonly span: number;
  readonly pa: number;
  /** See attributes.ts: before domain managers lift the rights. */
  readonly attributes: number;
  /** Short descriptors only; 0 elsewhere. */
  readonly domain: number;
  /** GLOBAL, or the address space it belongs to. */
  readonly asid: number;
}

export const GLOBAL = -1;
const ASIDS = 257;

/**
 * The main TLB: fully associative, any mixture of sizes. It may keep an entry for ever; only
 * maintenance, capacity and whim remove one. Several entries can match one address after a table
 * was changed without an invalidation: the smallest span wins, as it might on hardware.
 */
export class Tlb implements Stateful {
  readonly #capacity: number;
  /** By span, then by page-of-that-span and ASID; Maps keep the order of insertion. */
  readonly #bySpan = new Map<number, Map<number, TlbEntry>>();
  #spans: number[] = [];
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#count;
  }

  find(va: number, asid: number): TlbEntry | null {
    for (const span of this.#spans) {
      const entries = this.#bySpan.get(span);
      if (entries === undefined) continue;
      const page = Math.floor(va / span);
      const found = entries.get(keyOf(page, asid)) ?? entries.get(keyOf(page, GLOBAL));
      if (found !== undefined) return found;
    }
    return null;
  }

  /** A virtual address under which some entry reaches a physical one; undefined if none does. */
  addressOf(pa: number): number | undefined {
    const [first] = this.addressesOf(pa);
    return first;
  }

  /** All virtual addresses under which entries reach a physical one. */
  *addressesOf(pa: number): Generator<number> {
    for (const entry of this.entries()) {
      if (pa >= entry.pa && pa - entry.pa < entry.span) yield entry.va + (pa - entry.pa);
    }
  }

  insert(entry: TlbEntry): void {
    const entries = this.#entriesOf(entry.span);
    const key = keyOf(Math.floor(entry.va / entry.span), entry.asid);
    if (!entries.has(key)) {
      this.#count++;
      if (this.#count > this.#capacity) this.#evictOldest(entries);
    }
    entries.set(key, entry);
  }

  invalidateAll(): void {
    this.#bySpan.clear();
    this.#spans = [];
    this.#count = 0;
  }

  /** Entries of any span that cover `va`: those of the ASID and the global ones. */
  invalidateAddress(va: number, asid: number): void {
    this.#removeIf((entry, page) => page === Math.floor(va / entry.span) && matches(entry, asid));
  }

  invalidateAddressAllAsids(va: number): void {
    this.#removeIf((entry, page) => page === Math.floor(va / entry.span));
  }

  /** Entries of one address space; global ones stay. */
  invalidateAsid(asid: number): void {
    this.#removeIf(entry => entry.asid === asid);
  }

  /** Whim: drops the n-th entry (counted over all spans); false if there are not as many. */
  dropNth(n: number): boolean {
    let left = n;
    for (const entries of this.#bySpan.values()) {
      if (left >= entries.size) {
        left -= entries.size;
        continue;
      }
      for (const key of entries.keys()) {
        if (left-- > 0) continue;
        entries.delete(key);
        this.#count--;
        return true;
      }
    }
    return false;
  }

  *entries(): Generator<TlbEntry> {
    for (const entries of this.#bySpan.values()) yield* entries.values();
  }

  /** The entries by span and age, which restoring keeps: whims and evictions choose by them. */
  saveState(): StateValue {
    const rows = [...this.entries()].map(entry => [
      entry.va,
      entry.span,
      entry.pa,
      entry.attributes,
      entry.domain,
      entry.asid,
    ]);
    return { spans: Float64Array.from(this.#bySpan.keys()), entries: rowsState(rows) };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'a TLB');
    const rows = rowsOf(reader.numbers('entries'), 6, 'a TLB');
    this.invalidateAll();
    for (const span of reader.numbers('spans')) this.#entriesOf(span);
    for (const [va = 0, span = 0, pa = 0, attributes = 0, domain = 0, asid = 0] of rows) {
      this.insert({ va, span, pa, attributes, domain, asid });
    }
  }

  #entriesOf(span: number): Map<number, TlbEntry> {
    let entries = this.#bySpan.get(span);
    if (entries === undefined) {
      entries = new Map();
      this.#bySpan.set(span, entries);
      this.#spans = [...this.#bySpan.keys()].sort((a, b) => a - b);
    }
    return entries;
  }

  #removeIf(condition: (entry: TlbEntry, page: number) => boolean): void {
    for (const entries of this.#bySpan.values()) {
      for (const [key, entry] of entries) {
        if (!condition(entry, Math.floor(entry.va / entry.span))) continue;
        entries.delete(key);
        this.#count--;
      }
    }
  }

  #evictOldest(preferred: Map<number, TlbEntry>): void {
    const from =
      preferred.size > 0 ? preferred : [...this.#bySpan.values()].find(entries => entries.size > 0);
    const oldest = from?.keys().next();
    if (from === undefined || oldest?.done !== false) return;
    from.delete(oldest.value);
    this.#count--;
  }
}

const keyOf = (page: number, asid: number): number => page * ASIDS + asid + 1;

const matches = (entry: TlbEntry, asid: number): boolean =>
  entry.asid === GLOBAL || entry.asid === asid;
