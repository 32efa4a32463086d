import { invariant } from '../../base/types/errors';
import type { MmHole, MmLink } from './mm-node';

/**
 * In which order holes are tried (drm_mm_insert_mode): the smallest first, of equal ones the
 * youngest; the lowest; the highest; or the youngest, which is where somebody was just evicted.
 */
export type MmOrder = 'best' | 'low' | 'high' | 'evict';

/** The place of `item` in a list that `compare` sorts, or where it would have to stand. */
export const placeIn = <Item>(list: readonly Item[], compare: (other: Item) => number): number => {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const other = list[middle];
    if (other !== undefined && compare(other) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** The holes of an address space, sorted in each of the three ways in which they are looked for. */
export class MmHoles {
  readonly #bySize: MmHole[] = [];
  readonly #byAddress: MmHole[] = [];
  readonly #byAge: MmHole[] = [];
  #born = 0;

  get byAddress(): readonly MmHole[] {
    return this.#byAddress;
  }

  /** From now on the addresses from the end of `after` up to `end` are free. */
  add(after: MmLink, end: number): void {
    invariant(after.hole === null && after.end < end, 'a hole that is none');
    const hole = { after, start: after.end, end, born: this.#born++ };
    after.hole = hole;
    this.#bySize.splice(this.#placeBySize(hole), 0, hole);
    this.#byAddress.splice(this.#placeByAddress(hole.start), 0, hole);
    this.#byAge.push(hole);
  }

  /** Behind `after` nothing is free any more. */
  remove(after: MmLink): void {
    const { hole } = after;
    if (hole === null) return;
    after.hole = null;
    this.#bySize.splice(this.#placeBySize(hole), 1);
    this.#byAddress.splice(this.#placeByAddress(hole.start), 1);
    this.#byAge.splice(
      placeIn(this.#byAge, other => other.born - hole.born),
      1,
    );
  }

  /** The hole that holds all of a range; undefined: none does. */
  containing(start: number, end: number): MmHole | undefined {
    const hole = this.#byAddress[this.#placeByAddress(start + 1) - 1];
    return hole !== undefined && hole.end >= end ? hole : undefined;
  }

  /** The holes of at least `size` between two addresses that may hold something, one after another. */
  *inOrder(order: MmOrder, size: number, start: number, end: number): Generator<MmHole, void> {
    const first = order === 'best' ? this.#firstOfSize(size) : 0;
    const list = this.#listOf(order);
    const isDown = order === 'high' || order === 'evict';
    for (let i = first; i < list.length; i++) {
      const hole = list[isDown ? list.length - 1 - i : i];
      if (hole === undefined || hole.end - hole.start < size) continue;
      if (hole.end > start && hole.start < end) yield hole;
    }
  }

  #listOf(order: MmOrder): readonly MmHole[] {
    if (order === 'best') return this.#bySize;
    return order === 'evict' ? this.#byAge : this.#byAddress;
  }

  #firstOfSize(size: number): number {
    return placeIn(this.#bySize, ({ start, end }) => end - start - size);
  }

  #placeBySize({ start, end, born }: MmHole): number {
    const size = end - start;
    return placeIn(this.#bySize, other => {
      const bySize = other.end - other.start - size;
      return bySize === 0 ? born - other.born : bySize;
    });
  }

  #placeByAddress(start: number): number {
    return placeIn(this.#byAddress, other => other.start - start);
  }
}
