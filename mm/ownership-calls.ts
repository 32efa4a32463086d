import type { ByteRange } from '../drivers/base/types/finding';
import type { DmaArguments, SgCall, SgPiece } from '../drivers/base/types/observer';
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

/** How the memory of a call is treated. */
export type CallTerms = Pick<DmaArguments, 'device' | 'coherent' | 'direction' | 'skipsSync'>;

/** A call of the DMA API that is under way. */
interface CallFrame {
  readonly terms: CallTerms;
  /** The bytes that it is for, ascending, none twice. */
  own: readonly ByteRange[];
  /** Slots that it has taken, by the memory that they stand for. */
  readonly slots: Map<number, number>;
}

/**
 * The calls of the DMA API that are under way: what happens to their bytes is their doing. One may
 * make another, of another device or its own: the driver of an IOMMU has memory of its own, and
 * slots may come from a pool.
 */
export class CallScope {
  readonly #frames: CallFrame[] = [];

  /** What all of them are for; null outside of any call. */
  get own(): readonly ByteRange[] | null {
    const [only, ...others] = this.#frames;
    if (only === undefined) return null;
    return others.length === 0 ? only.own : disjoint(this.#frames.flatMap(({ own }) => own));
  }

  /** How the innermost treats its memory; null outside of any call. */
  get terms(): CallTerms | null {
    return this.#frames.at(-1)?.terms ?? null;
  }

  /** A call begins; the bytes that it is for, each once. */
  begin(terms: CallTerms, ranges: readonly ByteRange[]): readonly ByteRange[] {
    const own = disjoint(ranges);
    this.#frames.push({ terms, own, slots: new Map() });
    return own;
  }

  /** The innermost has come by more memory. */
  extend(range: ByteRange): void {
    const frame = this.#frames.at(-1);
    if (frame !== undefined) frame.own = disjoint([...frame.own, range]);
  }

  /** It has taken a slot in place of memory. */
  takeSlot(address: number, slot: number, size: number): void {
    this.#frames.at(-1)?.slots.set(address, slot);
    this.extend({ start: slot, size });
  }

  /** The slot that it has taken for memory; null: none. */
  slotOf(address: number): number | null {
    return this.#frames.at(-1)?.slots.get(address) ?? null;
  }

  /** The innermost ends. */
  end(): void {
    this.#frames.pop();
  }

  /** None is under way: the kernel crashed in those that were. */
  clear(): void {
    this.#frames.length = 0;
  }

  /** Whether a call is for a byte of these. */
  has({ start, size }: ByteRange): boolean {
    return this.#frames.some(({ own }) => own.some(range => overlaps(range, start, size)));
  }

  /** What a call maintains, of a line that it maintains; null outside of any call. */
  maintainedAt({ start, size }: ByteRange): ByteRange | null {
    const own = this.own ?? [];
    return own.find(range => overlaps(range, start, size)) ?? own[0] ?? null;
  }
}
