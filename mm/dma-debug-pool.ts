/** PREALLOC_DMA_DEBUG_ENTRIES. */
export const PREALLOCATED = 65536;
/** DMA_DEBUG_DYNAMIC_ENTRIES: a page of struct dma_debug_entry, of 128 bytes on all that we run. */
export const ENTRIES_PER_PAGE = 32;

/**
 * How many entries there are, and how many are free: the counters of /sys/kernel/debug/dma-api.
 * Only counted: what the kernel allocates for this is none of the machine's memory here.
 */
export class EntryPool {
  readonly #preallocated: number;
  readonly #hasPage: () => boolean;
  #total = 0;
  #free = 0;
  #least = 0;

  /** dma_debug_init. `hasPage`: whether there is a page for more entries. */
  constructor(preallocated: number, hasPage: () => boolean) {
    this.#preallocated = preallocated;
    this.#hasPage = hasPage;
    const pages = Math.ceil(preallocated / ENTRIES_PER_PAGE);
    for (let page = 0; page < pages; page++) this.#create();
    this.#least = this.#free;
  }

  /** nr_total_entries. */
  get total(): number {
    return this.#total;
  }

  /** num_free_entries. */
  get free(): number {
    return this.#free;
  }

  /** min_free_entries. */
  get least(): number {
    return this.#least;
  }

  /**
   * dma_entry_alloc: false if there is no memory for another entry. `grown` is called each time
   * that the pool has come to so many times what it began with.
   */
  take(grown: (times: number) => void): boolean {
    const isEmpty = this.#free === 0;
    if (isEmpty && !this.#create()) return false;
    this.#free--;
    this.#least = Math.min(this.#least, this.#free);
    if (isEmpty && this.#total % this.#preallocated < ENTRIES_PER_PAGE) {
      grown(Math.floor(this.#total / this.#preallocated));
    }
    return true;
  }

  /** dma_entry_free. */
  give(): void {
    this.#free++;
  }

  #create(): boolean {
    if (!this.#hasPage()) return false;
    this.#free += ENTRIES_PER_PAGE;
    this.#total += ENTRIES_PER_PAGE;
    return true;
  }
}
