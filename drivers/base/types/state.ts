import { InputError } from './errors';

/** What a snapshot is made of: plain data that survives a file, typed arrays included. */
export type StateValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | Int32Array
  | Uint32Array
  | Float64Array
  | readonly StateValue[]
  | { readonly [key: string]: StateValue };

/** Something whose whole state can be taken out and put back. */
export interface Stateful {
  /** A copy: later changes of the object do not show in it. */
  saveState(): StateValue;
  /** Takes back what saveState of an equally configured object gave; InputError if it cannot be. */
  restoreState(state: StateValue): void;
}

const describe = (value: StateValue | undefined): string => {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return ArrayBuffer.isView(value) ? `${value.length} typed elements` : 'a record';
};

const wrong = (place: string, expected: string, value: StateValue | undefined): InputError =>
  new InputError({ place: `snapshot of ${place}`, expected, found: describe(value) });

/** The words of a typed array of exactly `length` elements. `place` is the device's name. */
export const stateWords = (state: StateValue, place: string, length: number): Uint32Array => {
  if (state instanceof Uint32Array && state.length === length) return state;
  throw wrong(place, `${length} words`, state);
};

/** Reads a snapshot's record; what is missing or of another shape is an InputError. */
export class StateReader {
  readonly #place: string;
  readonly #record: ReadonlyMap<string, StateValue>;

  /** `place` is the name of the device whose state this is. */
  constructor(state: StateValue, place: string) {
    const isRecord =
      state !== null &&
      typeof state === 'object' &&
      !Array.isArray(state) &&
      !ArrayBuffer.isView(state);
    if (!isRecord) throw wrong(place, 'a record', state);
    this.#place = place;
    this.#record = new Map(Object.entries(state));
  }

  value(key: string): StateValue {
    const value = this.#record.get(key);
    if (value === undefined) throw wrong(`${this.#place}.${key}`, 'a value', value);
    return value;
  }

  number(key: string): number {
    const value = this.value(key);
    if (typeof value !== 'number') throw wrong(`${this.#place}.${key}`, 'a number', value);
    return value;
  }

  boolean(key: string): boolean {
    const value = this.value(key);
    if (typeof value !== 'boolean') throw wrong(`${this.#place}.${key}`, 'true or false', value);
    return value;
  }

  words(key: string, length: number): Uint32Array {
    return stateWords(this.value(key), `${this.#place}.${key}`, length);
  }

  /** A typed array of numbers, of any length. */
  numbers(key: string): Float64Array {
    const value = this.value(key);
    if (value instanceof Float64Array) return value;
    throw wrong(`${this.#place}.${key}`, 'numbers', value);
  }

  /** A list of exactly `length` states: one for each part of a device. */
  list(key: string, length: number): readonly StateValue[] {
    const value: unknown = this.value(key);
    if (Array.isArray(value) && value.length === length) return value as readonly StateValue[];
    throw wrong(`${this.#place}.${key}`, `a list of ${length}`, this.value(key));
  }
}
