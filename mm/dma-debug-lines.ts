import type { DebugEntry } from './dma-debug-entries';

/** ACTIVE_CACHELINE_MAX_OVERLAP: the count lives in the three tags of a radix tree's item. */
export const MAX_OVERLAP = 7;

/** A line in which a mapping begins: the first of those, and how many more there are. */
interface ActiveLine {
  readonly first: DebugEntry;
  overlap: number;
}

/** What became of a line: `overlaps` a live mapping, or even more than can be counted. */
export type Insertion =
  | { readonly kind: 'new' | 'no memory' }
  | { readonly kind: 'overlaps'; readonly first: DebugEntry; readonly isBeyondCount: boolean };

const NEW: Insertion = { kind: 'new' };

/**
 * In which cache lines the live mappings that a device writes begin (dma_active_cacheline). Only
 * the first line of each: two buffers that share a later one are nobody's business here. A count
 * that has reached its end forgets what comes, so that the line is free again too early.
 */
export class ActiveLines {
  readonly #lineBytes: number;
  readonly #lines = new Map<number, ActiveLine>();

  /** `lineBytes`: L1_CACHE_BYTES of the kernel's build. */
  constructor(lineBytes: number) {
    this.#lineBytes = lineBytes;
  }

  /** to_cacheline_number. */
  lineOf(entry: DebugEntry): number {
    return Math.floor(entry.address / this.#lineBytes);
  }

  /** active_cacheline_insert. `hasMemory`: whether there is some for another line. */
  insert(entry: DebugEntry, hasMemory: () => boolean): Insertion {
    if (entry.made.direction === 'to-device') return NEW;
    const number = this.lineOf(entry);
    const line = this.#lines.get(number);
    if (line === undefined) {
      if (!hasMemory()) return { kind: 'no memory' };
      this.#lines.set(number, { first: entry, overlap: 0 });
      return NEW;
    }
    const isBeyondCount = line.overlap === MAX_OVERLAP;
    if (!isBeyondCount) line.overlap++;
    return { kind: 'overlaps', first: line.first, isBeyondCount };
  }

  /** active_cacheline_remove. */
  remove(entry: DebugEntry): void {
    if (entry.made.direction === 'to-device') return;
    const number = this.lineOf(entry);
    const line = this.#lines.get(number);
    if (line === undefined) return;
    if (line.overlap === 0) this.#lines.delete(number);
    else line.overlap--;
  }
}
