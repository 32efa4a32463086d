import { Field } from '../../../base/types/register-spec';
import { join64 } from '../../../base/types/bits';

/*
 * Structures of SMMUv3 in memory: little-endian, of 64-bit words. Here each is twice as many words of
 * 32 bits, the low half first.
 */

/** Words of a structure. */
export type Words = Uint32Array;

/** A field that does not cross a word of 32 bits. `bit` counts from bit 0 of the structure. */
export class WordField {
  readonly word: number;
  readonly field: Field;

  constructor(bit: number, count: number) {
    this.word = Math.floor(bit / 32);
    this.field = new Field(bit % 32, count);
  }

  of(words: Words, from = 0): number {
    return this.field.of(words[from + this.word] ?? 0);
  }

  /** Sets the field and leaves the rest; BenchError for what does not fit. */
  put(words: Words, value: number): void {
    const old = words[this.word] ?? 0;
    words[this.word] = (old & ~this.field.mask) | this.field.at(value);
  }

  /** Sets each bit of the field, as in a mask. */
  fill(words: Words): void {
    this.put(words, this.field.max);
  }
}

/** One bit, or `count` bits, from bit `low` of 64-bit word `dword` on. */
export const bits = (dword: number, low: number, count = 1): WordField =>
  new WordField(64 * dword + low, count);

/** An address in a 64-bit word: bits [51:low]. */
export class AddressField {
  readonly #dword: number;
  readonly #low: Field;
  readonly #high = new Field(0, 20);

  constructor(dword: number, low: number) {
    this.#dword = dword;
    this.#low = new Field(low, 32 - low);
  }

  of(words: Words, from = 0): number {
    const at = from + 2 * this.#dword;
    const low = (words[at] ?? 0) & this.#low.mask;
    return join64(low, (words[at + 1] ?? 0) & this.#high.mask);
  }

  /** `address` is a multiple of 2^low below 2^52. */
  put(words: Words, address: number): void {
    const at = 2 * this.#dword;
    const low = address % 2 ** 32;
    words[at] = ((words[at] ?? 0) & ~this.#low.mask) | low;
    words[at + 1] = ((words[at + 1] ?? 0) & ~this.#high.mask) | ((address - low) / 2 ** 32);
  }

  fill(words: Words): void {
    const at = 2 * this.#dword;
    words[at] = (words[at] ?? 0) | this.#low.mask;
    words[at + 1] = (words[at + 1] ?? 0) | this.#high.mask;
  }
}

export const address = (dword: number, low: number): AddressField => new AddressField(dword, low);
