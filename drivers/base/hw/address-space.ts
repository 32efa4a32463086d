import { renderFlatView, type FlatRange, type FlatView } from './flat-view';
import type { MemoryRegion } from './memory-region';

/**
 * What one master sees: the flat view of a root region, rendered anew when it is looked at
 * after the topology changed.
 */
export class AddressSpace {
  readonly name: string;
  readonly root: MemoryRegion;
  /** Grows with every change of the topology below `root`: compare it to keep what find gave. */
  version = 0;
  #rendered = -1;
  #view: FlatView = [];
  #lastHit: FlatRange | null = null;

  constructor(name: string, root: MemoryRegion) {
    this.name = name;
    this.root = root;
    root.watch(() => {
      this.version++;
    });
  }

  /** Sorted and disjoint; never older than the topology. */
  get view(): FlatView {
    if (this.#rendered !== this.version) {
      this.#view = renderFlatView(this.root);
      this.#lastHit = null;
      this.#rendered = this.version;
    }
    return this.#view;
  }

  /** The range that answers at `address`, or null: nobody does (a DecodeError on the bus). */
  find(address: number): FlatRange | null {
    const { view } = this;
    const last = this.#lastHit;
    if (last !== null && address >= last.start && address < last.start + last.size) return last;
    let low = 0;
    let high = view.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = view[middle];
      if (range !== undefined && range.start + range.size <= address) low = middle + 1;
      else high = middle;
    }
    const found = view[low];
    if (found === undefined || !(address >= found.start)) return null;
    this.#lastHit = found;
    return found;
  }
}
