import { DebugEntries } from './dma-debug-entries';
import type { DebugEntry, Reference } from './dma-debug-entries';
import { ActiveLines } from './dma-debug-lines';
import type { Insertion } from './dma-debug-lines';
import { EntryPool } from './dma-debug-pool';

/** How much there is to be for a store to begin with, and where it speaks. */
export interface StoreConfig {
  /** dma_debug=off. */
  readonly isOff: boolean;
  /** dma_debug_entries=. */
  readonly preallocated: number;
  readonly lineBytes: number;
  readonly hasMemory: (what: 'entries' | 'lines') => boolean;
  readonly notice: (text: string) => void;
}

/** Every live mapping, until there is no memory for one more: then dma-debug is over. */
export class DebugStore {
  readonly #config: StoreConfig;
  readonly #pool: EntryPool;
  readonly #entries = new DebugEntries();
  readonly #lines: ActiveLines;
  #isDisabled: boolean;

  constructor(config: StoreConfig) {
    this.#config = config;
    this.#lines = new ActiveLines(config.lineBytes);
    this.#isDisabled = config.isOff;
    this.#pool = this.#fillPool();
  }

  /** global_disable. */
  get isDisabled(): boolean {
    return this.#isDisabled;
  }

  get pool(): Pick<EntryPool, 'free' | 'least' | 'total'> {
    return this.#pool;
  }

  /** In the order of the buckets. */
  get all(): readonly DebugEntry[] {
    return this.#entries.all;
  }

  lineOf(entry: DebugEntry): number {
    return this.#lines.lineOf(entry);
  }

  at(device: string, busAddress: number): readonly DebugEntry[] {
    return this.#entries.at(device, busAddress);
  }

  exact(ref: Reference): DebugEntry | null {
    return this.#entries.exact(ref);
  }

  containing(ref: Reference): DebugEntry | null {
    return this.#entries.containing(ref);
  }

  /** dma_entry_alloc: false if there is no memory for an entry. */
  take(): boolean {
    const hasOne = this.#pool.take(times => {
      this.#config.notice(`dma_debug_entry pool grown to ${this.#pool.total} (${times}00%)`);
    });
    if (!hasOne) this.#disable('debugging out of memory - disabling');
    return hasOne;
  }

  /** The part of add_dma_entry that keeps; what it says of the line. */
  add(entry: DebugEntry): Insertion {
    this.#entries.add(entry);
    const inserted = this.#lines.insert(entry, () => this.#config.hasMemory('lines'));
    if (inserted.kind === 'no memory') {
      this.#disable('cacheline tracking ENOMEM, dma-debug disabled');
    }
    return inserted;
  }

  /** hash_bucket_del and dma_entry_free. */
  delete(entry: DebugEntry): void {
    this.#entries.delete(entry);
    this.#lines.remove(entry);
    this.#pool.give();
  }

  #disable(why: string): void {
    this.#isDisabled = true;
    this.#config.notice(why);
  }

  /** dma_debug_init. */
  #fillPool(): EntryPool {
    const { preallocated, hasMemory, notice } = this.#config;
    if (this.#isDisabled) {
      notice('debugging disabled on kernel command line');
      return new EntryPool(0, () => false);
    }
    const pool = new EntryPool(preallocated, () => hasMemory('entries'));
    if (pool.free >= preallocated) {
      notice(`preallocated ${pool.total} debug entries`);
    } else if (pool.free > 0) {
      notice(`${preallocated} debug entries requested but only ${pool.total} allocated`);
    } else {
      this.#disable('debugging out of memory error - disabled');
      return pool;
    }
    notice('debugging enabled by kernel config');
    return pool;
  }
}
