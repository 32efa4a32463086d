import { i32, movedInto } from '../../../drivers/base/types/arrays';
import { invariant } from '../../../drivers/base/types/errors';

const EMPTY = -1;
/** Odd, and far from any power of two: neighbouring sets go to distant places. */
const FACTOR = 0x9e37_79b1;
/** Accesses that a word of 16 bits has room for. */
const MOST_ACCESSES = 16;

const twice = (array: Int32Array): Int32Array<ArrayBuffer> =>
  movedInto(new Int32Array(2 * array.length), array);

const twiceHalves = (array: Uint16Array): Uint16Array<ArrayBuffer> =>
  movedInto(new Uint16Array(2 * array.length), array);

/** Small numbers for pairs of sets, in order of first use: what a line keeps of its two classes. */
export class PairTable {
  /** Pair to its sets. */
  first = new Int32Array(64);
  second = new Int32Array(64);
  count = 0;
  /** Pair to the accesses whose loads by anyone are calm, and whose stores are; a bit each. */
  loads = new Uint16Array(64);
  stores = new Uint16Array(64);
  /** Pair times accesses, plus the access, to what is known of it: bits of calm-pairs.ts. */
  calm: Uint8Array;
  /** The same to what a store does to the pair: a step of pair-steps.ts; 0 if it is not known yet. */
  step: Int32Array;
  /** Open addressing, never more than half full. */
  #buckets = new Int32Array(256).fill(EMPTY);

  constructor(accesses: number) {
    invariant(accesses <= MOST_ACCESSES, `${accesses} kinds of accesses`);
    this.calm = new Uint8Array(64 * accesses);
    this.step = new Int32Array(64 * accesses);
  }

  /** The number of a pair of sets. */
  pairOf(first: number, second: number): number {
    const bucket = this.#bucketOf(first, second);
    const known = i32(this.#buckets, bucket);
    if (known !== EMPTY) return known;
    const pair = this.count++;
    if (pair >= this.first.length) this.#grow();
    this.first[pair] = first;
    this.second[pair] = second;
    this.#buckets[bucket] = pair;
    if (2 * this.count > this.#buckets.length) this.#rehash();
    return pair;
  }

  #grow(): void {
    this.first = twice(this.first);
    this.second = twice(this.second);
    this.loads = twiceHalves(this.loads);
    this.stores = twiceHalves(this.stores);
    this.calm = movedInto(new Uint8Array(2 * this.calm.length), this.calm);
    this.step = twice(this.step);
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
