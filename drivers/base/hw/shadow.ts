import { BenchError } from '../types/errors';

/**
 * Which bytes of the words in an array are of the latest version, that is the last write in program
 * order; kept beside arrays of data in check mode and copied with them. Of a version's number no
 * more is asked than whether it is the latest, so a byte has one bit for it (all 8 of a mask):
 * whoever writes takes it from every other copy. Numbers would wrap; this cannot.
 */
export class Shadow {
  /** Of the word that was read last, by whichever component: which bytes were the latest. */
  last = -1;

  /** By an array, which bytes are not: what nobody has touched takes neither time nor memory. */
  readonly #stale = new Map<Int32Array, Int32Array>();

  /** From now on an array has a shadow: all of it the latest. */
  add(data: Int32Array): void {
    this.#stale.set(data, new Int32Array(data.length));
  }

  /** An array was replaced by a longer one. */
  replace(data: Int32Array, grown: Int32Array): void {
    const stale = new Int32Array(grown.length);
    stale.set(this.#of(data));
    this.#stale.delete(data);
    this.#stale.set(grown, stale);
  }

  /** Which bytes of a word are the latest, left in `last` too. */
  read(data: Int32Array, index: number): number {
    this.last = ~(this.#of(data)[index] ?? 0);
    return this.last;
  }

  /** The bytes of `mask` were written; `fresh` says which of them hold the latest. */
  write(data: Int32Array, index: number, mask: number, fresh: number): void {
    const words = this.#of(data);
    words[index] = ((words[index] ?? 0) & ~mask) | (~fresh & mask);
  }

  /** Words were copied from one array to another. */
  copy(from: Int32Array, at: number, to: Int32Array, toAt: number, words: number): void {
    this.#of(to).set(this.#of(from).subarray(at, at + words), toAt);
  }

  #of(data: Int32Array): Int32Array {
    const stale = this.#stale.get(data);
    if (stale === undefined) throw new BenchError('an array of data without a shadow');
    return stale;
  }
}
