import { hex } from '../types/address';
import { onesMask } from '../types/bits';
import { BenchError } from '../types/errors';
import type { RegisterInfo, RegisterLayout } from '../types/register-layout';
import type { Field } from '../types/register-spec';
import { accessorsOf, type AtIndex, type FieldName } from '../types/registers';

/** A register as its model sees it: no access rules, no hooks. Fields are numbers. */
export type Cell<R> = { value: number } & { [F in FieldName<R>]: number };

/** The registers of one scope, each a cell, or a function of the index for a vector. */
type CellsOf<R> = { readonly [K in keyof R]: AtIndex<R[K], Cell<R[K]>> };

type ArrayCells<A> = A extends { readonly registers: infer R }
  ? (index: number) => CellsOf<R>
  : never;

/** All registers of a sheet: `regs.CTRL.EN`, `regs.CH(2).SRC.value`, `regs.ENABLE(3).value`. */
export type Cells<S> = (S extends { readonly registers: infer R } ? CellsOf<R> : unknown) &
  (S extends { readonly arrays: infer A }
    ? { readonly [K in keyof A]: ArrayCells<A[K]> }
    : unknown);

class RegisterCell {
  readonly #values: Uint32Array;
  readonly #slot: number;
  readonly #info: RegisterInfo;
  readonly #max: number;

  constructor(values: Uint32Array, slot: number, info: RegisterInfo) {
    this.#values = values;
    this.#slot = slot;
    this.#info = info;
    this.#max = onesMask(info.width);
  }

  get value(): number {
    return this.#values[this.#slot] ?? 0;
  }

  /** Takes what JavaScript's bit operators give: a negative number is its low 32 bits. */
  set value(value: number) {
    const { name, masks } = this.#info;
    const max = this.#max;
    const fits = Number.isInteger(value) && value >= -(2 ** 31) && value <= max;
    if (!fits || (value & max & masks.reserved) !== 0) {
      throw new BenchError(`${name} cannot hold ${hex(value)}`);
    }
    this.#values[this.#slot] = value & max;
  }

  getField(field: Field): number {
    return field.of(this.value);
  }

  setField(field: Field, value: number): void {
    this.value = ((this.value & ~field.mask) | field.at(value)) >>> 0;
  }
}

/** A class of cells with one accessor property for each field of the register. */
const cellClassOf = (info: RegisterInfo): typeof RegisterCell => {
  const CellClass = class extends RegisterCell {};
  for (const { name, field } of info.fields) {
    Object.defineProperty(CellClass.prototype, name, {
      get(this: RegisterCell) {
        return this.getField(field);
      },
      set(this: RegisterCell, value: number) {
        this.setField(field, value);
      },
    });
  }
  return CellClass;
};

/** By sheet: register files of one sheet have cells of the same classes. */
const classesOf = new WeakMap<RegisterLayout, readonly (typeof RegisterCell)[]>();

/** The accessor objects of a register file, made once, under their names. */
export const cellsOf = (layout: RegisterLayout, values: Uint32Array): Record<string, unknown> => {
  const classes = classesOf.get(layout) ?? layout.registers.map(cellClassOf);
  classesOf.set(layout, classes);
  return accessorsOf(layout, (info, index) => {
    const CellClass = classes[info.id] ?? RegisterCell;
    return new CellClass(values, info.slot + index, info);
  });
};
