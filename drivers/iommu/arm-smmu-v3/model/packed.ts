import { invariant } from '../../../base/types/errors';
import type { WordField, Words } from '../regs/words';

/** Bits that a number holds exactly. */
const MOST_BITS = 53;

/** Where a field is in a packed number. */
interface Place {
  readonly field: WordField;
  readonly scale: number;
  readonly span: number;
}

/** Some fields of a structure as one number: what a kept entry says of an STE or a CD. */
export class Packed<Name extends string> {
  readonly #places: Readonly<Record<Name, Place>>;
  readonly #list: readonly Place[];

  constructor(fields: Readonly<Record<Name, WordField>>) {
    let bits = 0;
    const places = { ...fields } as Record<Name, unknown>;
    const list: Place[] = [];
    for (const name of Object.keys(fields) as Name[]) {
      const field = fields[name];
      const place = { field, scale: 2 ** bits, span: 2 ** field.field.count };
      places[name] = place;
      list.push(place);
      bits += field.field.count;
    }
    invariant(bits <= MOST_BITS, `${bits} bits in one number`);
    this.#places = places as Record<Name, Place>;
    this.#list = list;
  }

  pack(words: Words): number {
    let packed = 0;
    for (const { field, scale } of this.#list) packed += field.of(words) * scale;
    return packed;
  }

  of(packed: number, name: Name): number {
    const { scale, span } = this.#places[name];
    return Math.floor(packed / scale) % span;
  }
}
