/** What the words of a format can say. */
export interface PgtableShape {
  /** Bytes that one word of each level translates, the top level that has leaves first. */
  readonly spans: readonly number[];
  /** What a page is split into when a part of this size is unmapped. */
  splitsInto(size: number, part: number): number;
  /**
   * `replaces`: a larger page takes the place of a table, whatever is mapped by that. `refuses`: of
   * an empty one at most, if at all.
   */
  readonly overTable: 'replaces' | 'refuses';
}

/** A page that is mapped. */
export interface Leaf {
  readonly start: number;
  readonly size: number;
  readonly address: number;
  readonly prot: number;
}

/** The plainest table: a list. */
export class Oracle {
  leaves: Leaf[] = [];
  readonly #format: PgtableShape;

  constructor(format: PgtableShape) {
    this.#format = format;
  }

  at(address: number): Leaf | null {
    return (
      this.leaves.find(({ start, size }) => address >= start && address < start + size) ?? null
    );
  }

  inside(start: number, size: number): Leaf[] {
    return this.leaves.filter(leaf => leaf.start < start + size && start < leaf.start + leaf.size);
  }

  /** The level of a size: the largest span that it is a multiple of. */
  levelOf(size: number): number {
    return this.#format.spans.findIndex(span => size >= span);
  }

  spanOf(size: number): number {
    return this.#format.spans[this.levelOf(size)] ?? 0;
  }

  /** True if the page is mapped then; what was smaller may have gone in any case. */
  map(page: Leaf): boolean {
    const level = this.levelOf(page.size);
    const span = this.spanOf(page.size);
    const isBelow = (leaf: Leaf): boolean => this.levelOf(leaf.size) > level;
    if (this.#format.overTable === 'refuses' && this.inside(page.start, page.size).length > 0) {
      return false;
    }
    for (let word = page.start; word < page.start + page.size; word += span) {
      const met = this.inside(word, span);
      if (!met.every(isBelow)) return false;
      this.leaves = this.leaves.filter(leaf => !met.includes(leaf));
    }
    this.leaves.push(page);
    return true;
  }

  remove(start: number, size: number): void {
    const met = this.inside(start, size);
    this.leaves = this.leaves.filter(leaf => !met.includes(leaf));
  }

  /** The page becomes smaller ones, until one is the part. */
  split(leaf: Leaf, start: number, part: number): void {
    let whole = leaf;
    while (whole.size > part) {
      const size = this.#format.splitsInto(whole.size, part);
      this.leaves = this.leaves.filter(one => one !== whole);
      for (let offset = 0; offset < whole.size; offset += size) {
        this.leaves.push({
          start: whole.start + offset,
          size,
          address: whole.address + offset,
          prot: whole.prot,
        });
      }
      whole = this.at(start) ?? { ...whole, size: 0 };
    }
  }
}
