import { BenchError } from './errors';
import { layoutOf, type RegisterInfo, type RegisterLayout } from './register-layout';
import type { SheetSpec } from './register-spec';

export { bit, field } from './register-spec';

/** A checked data sheet: what was declared, with its precise types, and the tables made of it. */
export type RegisterSheet<S extends SheetSpec = SheetSpec> = S & {
  readonly layout: RegisterLayout;
};

/** Names of the fields of a register; none for a register that is one value. */
export type FieldName<R> = R extends { readonly fields: infer F } ? keyof F & string : never;

/** What a sheet's declarations come to: `One` where `Spec` is there once, else by index. */
export type AtIndex<Spec, One> = Spec extends { readonly count: number }
  ? (index: number) => One
  : One;

type MemberName<A> = A extends { readonly registers: infer R } ? keyof R & string : never;

/** `CTRL`, or `CH.CTRL` for a register of an array. */
export type RegisterName<S> =
  | (S extends { readonly registers: infer R } ? keyof R & string : never)
  | (S extends { readonly arrays: infer A }
      ? { [K in keyof A & string]: `${K}.${MemberName<A[K]>}` }[keyof A & string]
      : never);

const freeze = <T>(value: T): T => {
  const freezable = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
  if (freezable && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
};

/**
 * Declares the registers of a device, once for model and driver. BenchError, when the module
 * loads, for anything that cannot be a data sheet: overlaps, misalignment, fields that do not
 * fit or overlap, reset values in reserved bits, names that clash, unknown properties.
 */
export const defineRegisters = <const S extends SheetSpec>(spec: S): RegisterSheet<S> =>
  freeze({ ...spec, layout: layoutOf(spec) });

/** A function of the index; BenchError outside the list. */
const byIndex =
  <T>(name: string, list: readonly T[]): ((index: number) => T) =>
  index => {
    const element = list[index];
    if (element === undefined) throw new BenchError(`${name} has no element ${index}`);
    return element;
  };

/**
 * One accessor for each register of a sheet, under its name: `CTRL`, `VECTOR(index)`,
 * `ARRAY(index).CTRL`. What an accessor is, each side decides with `make`.
 */
export const accessorsOf = (
  layout: RegisterLayout,
  make: (info: RegisterInfo, index: number) => object,
): Record<string, unknown> => {
  const accessors: Record<string, unknown> = {};
  const arrays = new Map<string, Record<string, object>[]>();
  for (const info of layout.registers) {
    const list = Array.from({ length: info.count ?? 1 }, (_, index) => make(info, index));
    if (info.array === null) {
      accessors[info.key] = info.count === null ? list[0] : byIndex(info.key, list);
      continue;
    }
    const elements = arrays.get(info.array) ?? list.map((): Record<string, object> => ({}));
    arrays.set(info.array, elements);
    for (const [index, accessor] of list.entries()) {
      Object.assign(elements[index] ?? {}, { [info.key]: accessor });
    }
  }
  for (const [array, elements] of arrays) accessors[array] = byIndex(array, elements);
  return accessors;
};
