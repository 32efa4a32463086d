import { i32 } from '../../../drivers/base/types/arrays';

const EMPTY = -1;
/** Odd, and far from any power of two: neighbouring sets go to distant places. */
const FACTOR = 0x9e37_79b1;

const twice = (array: Int32Array): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
};

const twiceBytes = (array: Uint8Array): Uint8Array<ArrayBuffer> => {
  const larger = new Uint8Array(2 * array.length);
  larger.set(array);
  return larger;
};

/** Small numbers for pairs of sets, in order of first use: what a line keeps of its two classes. */
export class PairTable {
  /** Pair to its sets. */
  first = new Int32Array(64);
  second = new Int32Array(64);
  count = 0;
  /**
   * Pair plus one times accesses, plus the access, to what is known of it: bits of calm-pairs.ts. Of
   * no pair, nothing.
   */
  calm: Uint8Array;
  /** Open addressing, never more than half full. */
  #buckets = new Int32Array(256).fill(EMPTY);

  constructor(accesses: number) {
    this.calm = new Uint8Array(65 * accesses);
  }

  /** The number of a pair of sets. */
  pairOf(first: number, second: number): number {
    const bucket = this.#bucketOf(first, second);
    const known = i32(this.#buckets, bucket);
    if (known !== EMPTY) return known;
    const pair = this.count++;
    if (pair >= this.first.length) {
      this.first = twice(this.first);
      this.second = twice(this.second);
      this.calm = twiceBytes(this.calm);
    }
    this.first[pair] = first;
    this.second[pair] = second;
    this.#buckets[bucket] = pair;
    if (2 * this.count > this.#buckets.length) this.#rehash();
    return pair;
  }

  /** Where the pair is, or would be. */
  #bucketOf(first: number, second: number): number {
    const mask = this.#buckets.length - 1;
    let bucket = (Math.imul(first, FACTOR) + second) & mask;
    for (;;) {
      const pair = i32(this.#buckets, bucket);
      if (pair === EMPTY) return bucket;
      if (i32(this.first, pair) === first && i32(this.second, pair) === second) return bucket;
      bucket = (bucket + 1) & mask;
    }
  }

  #rehash(): void {
    this.#buckets = new Int32Array(2 * this.#buckets.length).fill(EMPTY);
    for (let pair = 0; pair < this.count; pair++) {
      this.#buckets[this.#bucketOf(i32(this.first, pair), i32(this.second, pair))] = pair;
    }
  }
}
