/** Which of so many things are taken (lib/bitmap.c): a byte each here, a bit each in Linux. */
export class Bitmap {
  readonly #taken: Uint8Array;

  /** `size` things, all of them free. */
  constructor(size: number) {
    this.#taken = new Uint8Array(size);
  }

  get size(): number {
    return this.#taken.length;
  }

  /** How many are taken (bitmap_weight). */
  get weight(): number {
    return this.#taken.reduce((sum, one) => sum + one, 0);
  }

  /**
   * The first of `count` in a row that are free, from `start` on, whose number plus `offset` is a
   * multiple of `align`; null if there are none (bitmap_find_next_zero_area_off).
   */
  findZeroArea(count: number, align: number, start = 0, offset = 0): number | null {
    const aligned = (index: number): number => Math.ceil((offset + index) / align) * align - offset;
    let first = aligned(start);
    while (first + count <= this.size) {
      const taken = this.#taken.subarray(first, first + count).lastIndexOf(1);
      if (taken < 0) return first;
      first = aligned(first + taken + 1);
    }
    return null;
  }

  /** True if all of them are taken; nothing beyond either end is. */
  isTaken(first: number, count: number): boolean {
    if (first < 0 || first + count > this.size) return false;
    return !this.#taken.subarray(first, first + count).includes(0);
  }

  take(first: number, count: number): void {
    this.#taken.fill(1, first, first + count);
  }

  release(first: number, count: number): void {
    this.#taken.fill(0, first, first + count);
  }
}
