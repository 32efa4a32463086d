import { InputError } from '../types/errors';
import type { StateReader, Stateful, StateValue } from '../types/state';

const wrong = (place: string, expected: string): InputError =>
  new InputError({ place: `snapshot of ${place}`, expected, found: 'something else' });

/** Signed words of a snapshot, of any length. InputError if they are something else. */
export const int32State = (state: StateValue, place: string): Int32Array => {
  if (state instanceof Int32Array) return state;
  throw wrong(place, 'signed words');
};

/** Copies signed words of a snapshot into an array of exactly as many. */
export const restoreInt32 = (target: Int32Array, state: StateValue, place: string): void => {
  const words = int32State(state, place);
  if (words.length !== target.length) throw wrong(place, `${target.length} signed words`);
  target.set(words);
};

/** Copies numbers of a snapshot into an array of exactly as many. */
export const restoreFloat64 = (
  target: Float64Array,
  numbers: Float64Array,
  place: string,
): void => {
  if (numbers.length !== target.length) throw wrong(place, `${target.length} numbers`);
  target.set(numbers);
};

/** A text of a snapshot that must be this one: the name of what it was taken of. */
export const expectName = (state: StateValue, place: string, name: string): void => {
  if (state === name) return;
  const found = typeof state === 'string' ? `that of ${state}` : 'something else';
  throw new InputError({ place: `snapshot of ${place}`, expected: `that of ${name}`, found });
};

/** Rows of `width` numbers each, as one array: how a snapshot keeps a queue of small records. */
export const rowsState = (rows: readonly (readonly number[])[]): Float64Array =>
  Float64Array.from(rows.flat());

/** What rowsState() was given. */
export const rowsOf = (numbers: Float64Array, width: number, place: string): number[][] => {
  if (numbers.length % width !== 0) throw wrong(place, `rows of ${width} numbers`);
  return Array.from({ length: numbers.length / width }, (_, row) => [
    ...numbers.subarray(row * width, (row + 1) * width),
  ]);
};

/** The member of a table of constants that a snapshot names by its value. */
export const memberState = <Value extends number>(
  constants: Readonly<Record<string, Value>>,
  value: number,
  place: string,
): Value => {
  const found = Object.values(constants).find(constant => constant === value);
  if (found === undefined) throw wrong(place, `one of ${Object.keys(constants).join(', ')}`);
  return found;
};

/** Restores parts from a list of exactly as many states. */
export const restoreAll = (parts: readonly Stateful[], reader: StateReader, key: string): void => {
  const states = reader.list(key, parts.length);
  parts.forEach((part, i) => {
    part.restoreState(states[i] ?? null);
  });
};
