import { PAGE_SIZE } from '../drivers/base/types/bits';
import type { ByteRange } from '../drivers/base/types/finding';

const NONE: readonly never[] = [];

/** Whether two ranges have a byte in common. */
export const overlaps = (one: ByteRange, start: number, size: number): boolean =>
  Math.max(one.start, start) < Math.min(one.start + one.size, start + size);

/** Things that have a range of addresses each, found by the pages that they touch. */
export class PageIndex<Item extends ByteRange> {
  readonly #pages = new Map<number, Item[]>();

  add(item: Item): void {
    for (let page = first(item); page <= last(item); page++) {
      const items = this.#pages.get(page);
      if (items === undefined) this.#pages.set(page, [item]);
      else items.push(item);
    }
  }

  /** Does nothing for an item that is not there. */
  delete(item: Item): void {
    for (let page = first(item); page <= last(item); page++) {
      const items = this.#pages.get(page);
      const index = items?.indexOf(item) ?? -1;
      if (items === undefined || index < 0) continue;
      if (items.length === 1) this.#pages.delete(page);
      else items.splice(index, 1);
    }
  }

  /** Those that have a byte of [start, start + size), each once; of one byte, in the order they came. */
  overlapping(start: number, size: number): readonly Item[] {
    const page = Math.floor(start / PAGE_SIZE);
    const end = Math.floor((start + size - 1) / PAGE_SIZE);
    if (page === end) {
      const items = this.#pages.get(page);
      return items === undefined ? NONE : items.filter(item => overlaps(item, start, size));
    }
    const found = new Set<Item>();
    for (let at = page; at <= end; at++) {
      for (const item of this.#pages.get(at) ?? NONE) {
        if (overlaps(item, start, size)) found.add(item);
      }
    }
    return [...found];
  }
}

const first = ({ start }: ByteRange): number => Math.floor(start / PAGE_SIZE);
const last = ({ start, size }: ByteRange): number => Math.floor((start + size - 1) / PAGE_SIZE);
