import { InputError } from '../../drivers/base/types/errors';

/*
 * What a file says is checked, member by member, before anything is made of it: each reader takes
 * what was found and answers it with its type, or throws an InputError that names the member.
 */

/** Where a value stands: the file, and the path of members within. */
export interface At {
  readonly file: string;
  readonly path: string;
}

export type Reader<Value> = (found: unknown, at: At) => Value;

const wrong = ({ file, path }: At, expected: string, found: unknown): InputError =>
  new InputError({ place: file, property: path, expected, found: shown(found) });

const shown = (found: unknown): string => {
  if (typeof found === 'string') return `'${found.slice(0, 40)}'`;
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  if (found === null || found === undefined) return 'nothing';
  return Array.isArray(found) ? 'a list' : 'a value of another kind';
};

/** Texts that a file may hold: a name, a sentence, a path. */
const LONGEST_TEXT = 4096;

/** A text of ordinary length. */
export const text: Reader<string> = (found, at) => {
  if (typeof found === 'string' && found.length <= LONGEST_TEXT) return found;
  throw wrong(at, `a text of at most ${LONGEST_TEXT} characters`, found);
};

/** An integer from 0 to 2^53. */
export const count: Reader<number> = (found, at) => {
  if (typeof found === 'number' && Number.isSafeInteger(found) && found >= 0) return found;
  throw wrong(at, 'an integer from 0', found);
};

export const flag: Reader<boolean> = (found, at) => {
  if (typeof found === 'boolean') return found;
  throw wrong(at, 'true or false', found);
};

export const nullable =
  <Value>(read: Reader<Value>): Reader<Value | null> =>
  (found, at) =>
    found === null ? null : read(found, at);

/** One of these words. */
export const word =
  <Word extends string>(words: readonly Word[]): Reader<Word> =>
  (found, at) => {
    const known = words.find(candidate => candidate === found);
    if (known !== undefined) return known;
    throw wrong(at, `one of ${words.join(', ')}`, found);
  };

/** A list of at most so many. */
export const list =
  <Value>(read: Reader<Value>, most: number): Reader<readonly Value[]> =>
  (found, at) => {
    if (!Array.isArray(found) || found.length > most) {
      throw wrong(at, `a list of at most ${most}`, found);
    }
    const values: readonly unknown[] = found;
    return Array.from(values, (value, i) => read(value, { ...at, path: `${at.path}[${i}]` }));
  };

export type Shape<Value> = { readonly [Key in keyof Value]-?: Reader<Value[Key]> };

/** A record of exactly these members. */
export const record =
  <Value extends object>(shape: Shape<Value>): Reader<Value> =>
  (found, at) => {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) {
      throw wrong(at, 'a record', found);
    }
    const members = new Map<string, unknown>(Object.entries(found));
    const made: Partial<Value> = {};
    for (const key in shape) {
      const path = at.path === '' ? key : `${at.path}.${key}`;
      made[key] = shape[key](members.get(key), { ...at, path });
      members.delete(key);
    }
    const [more] = members.keys();
    if (more === undefined) return made as Value;
    throw wrong(at, `only ${Object.keys(shape).join(', ')}`, more);
  };

/** Two values, in this order. */
export const pair =
  <Value>(read: Reader<Value>): Reader<readonly [Value, Value]> =>
  (found, at) => {
    if (!Array.isArray(found) || found.length !== 2) throw wrong(at, 'a list of two', found);
    const values: readonly unknown[] = found;
    const each = (i: number): Value => read(values[i], { ...at, path: `${at.path}[${i}]` });
    return [each(0), each(1)];
  };
