import type { ByteRange } from '../drivers/base/types/finding';
import type { SgCall, SgPiece } from '../drivers/base/types/observer';
import { overlaps } from './page-index';

/** A run of memory, and the bus addresses that it has. */
export interface Piece {
  readonly address: number;
  readonly size: number;
  readonly busAddress: number;
}

/**
 * The memory of a mapped scatter list in pieces, each with its bus address: segments that the
 * device sees are handed out to the entries in their order. Empty for a list that is not mapped.
 */
export const piecesOf = (entries: readonly SgPiece[]): readonly Piece[] => {
  const pieces: Piece[] = [];
  let next = 0;
  for (const { busAddress, busLength } of entries) {
    for (let done = 0; done < busLength; next++) {
      const memory = entries[next];
      if (memory === undefined) return pieces;
      const size = Math.min(memory.length, busLength - done);
      if (size > 0) pieces.push({ address: memory.address, size, busAddress: busAddress + done });
      done += memory.length;
    }
  }
  return pieces;
};

/** The memory of a list, mapped or not. */
export const memoryOf = ({ entries }: SgCall): readonly ByteRange[] =>
  entries.map(({ address, length }) => ({ start: address, size: length }));

/** The same bytes in ranges that have none in common, ascending. */
export const disjoint = (ranges: readonly ByteRange[]): readonly ByteRange[] => {
  const merged: { start: number; size: number }[] = [];
  for (const { start, size } of [...ranges].sort((one, other) => one.start - other.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.start + last.size) {
      last.size = Math.max(last.size, start + size - last.start);
    } else {
      merged.push({ start, size });
    }
  }
  return merged;
};

/** The bytes that the call of the DMA API under way is for: what happens to them is its doing. */
export class CallScope {
  #own: readonly ByteRange[] | null = null;

  /** Null outside of any call. */
  get own(): readonly ByteRange[] | null {
    return this.#own;
  }

  begin(ranges: readonly ByteRange[]): void {
    this.#own = disjoint(ranges);
  }

  /** The call has come by more memory: a slot. */
  extend(range: ByteRange): void {
    if (this.#own !== null) this.#own = disjoint([...this.#own, range]);
  }

  end(): void {
    this.#own = null;
  }

  /** Whether the call is for a byte of these. */
  has({ start, size }: ByteRange): boolean {
    return this.#own?.some(range => overlaps(range, start, size)) ?? false;
  }

  /** What it maintains, of a line that it maintains; null outside of any call. */
  maintainedAt({ start, size }: ByteRange): ByteRange | null {
    const own = this.#own ?? [];
    return own.find(range => overlaps(range, start, size)) ?? own[0] ?? null;
  }
}
