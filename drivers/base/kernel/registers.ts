import { hex, offsetBy, type CpuAddr } from '../types/address';
import { onesMask } from '../types/bits';
import { BenchError } from '../types/errors';
import type { RegisterInfo } from '../types/register-layout';
import type { SheetSpec } from '../types/register-spec';
import { accessorsOf, type AtIndex, type FieldName, type RegisterSheet } from '../types/registers';

/**
 * The kernel's I/O accessors. Whether they are ordered against memory (readl) or not
 * (readl_relaxed) is a property of the object that is passed, and nobody else's choice.
 */
export interface RegisterIo {
  readb(address: CpuAddr): number;
  readw(address: CpuAddr): number;
  readl(address: CpuAddr): number;
  writeb(value: number, address: CpuAddr): void;
  writew(value: number, address: CpuAddr): void;
  writel(value: number, address: CpuAddr): void;
}

/** What one read gave: the whole value, and each field by name. */
export type RegisterValues<R> = { readonly value: number } & {
  readonly [F in FieldName<R>]: number;
};

/** Fields by name, or, where the register is looked at whole, its value. */
export type RegisterInput<R> = number | { readonly [F in FieldName<R>]?: number };

/** One register as a driver sees it. Each call makes the accesses it says and no other. */
export interface IoRegister<R> {
  readonly address: CpuAddr;
  /** One read. */
  read(): RegisterValues<R>;
  /** One write; fields that are not given are zero. BenchError for a value that does not fit. */
  write(input: RegisterInput<R>): void;
  /**
   * One read, one write. Bits that a write acts upon, or that cannot be read back (w1c, w1s,
   * wo), are written as zero unless given.
   */
  update(fields: { readonly [F in FieldName<R>]?: number }): void;
}

type IoRegistersOf<R> = { readonly [K in keyof R]: AtIndex<R[K], IoRegister<R[K]>> };

type IoArray<A> = A extends { readonly registers: infer R }
  ? (index: number) => IoRegistersOf<R>
  : never;

/** All registers of a device: `regs.CTRL.write({ EN: 1 })`, `regs.CH(2).SRC.write(address)`. */
export type IoRegisters<S> = (S extends { readonly registers: infer R }
  ? IoRegistersOf<R>
  : unknown) &
  (S extends { readonly arrays: infer A } ? { readonly [K in keyof A]: IoArray<A[K]> } : unknown);

type Fields = Readonly<Record<string, number>>;

class Register {
  readonly address: CpuAddr;
  readonly #io: RegisterIo;
  readonly #info: RegisterInfo;

  constructor(io: RegisterIo, address: CpuAddr, info: RegisterInfo) {
    this.#io = io;
    this.address = address;
    this.#info = info;
  }

  read(): Record<string, number> {
    const value = this.#load();
    const values: Record<string, number> = { value };
    for (const { name, field } of this.#info.fields) values[name] = field.of(value);
    return values;
  }

  write(input: number | Fields): void {
    this.#store(typeof input === 'number' ? input : this.#merge(0, input));
  }

  update(fields: Fields): void {
    const { store, readable } = this.#info.masks;
    this.#store(this.#merge((this.#load() & store & readable) >>> 0, fields));
  }

  #merge(value: number, fields: Fields): number {
    let merged = value;
    for (const [name, given] of Object.entries(fields)) {
      const info = this.#info.fields.find(field => field.name === name);
      if (info === undefined) throw new BenchError(`${this.#info.name} has no field ${name}`);
      merged = ((merged & ~info.field.mask) | info.field.at(given)) >>> 0;
    }
    return merged;
  }

  #load(): number {
    if (this.#info.width === 32) return this.#io.readl(this.address);
    return this.#info.width === 16 ? this.#io.readw(this.address) : this.#io.readb(this.address);
  }

  #store(value: number): void {
    const { name, width } = this.#info;
    if (!Number.isInteger(value) || value < 0 || value > onesMask(width)) {
      throw new BenchError(`${name} cannot be written ${hex(value)}: it has ${width} bits`);
    }
    if (width === 32) this.#io.writel(value, this.address);
    else if (width === 16) this.#io.writew(value, this.address);
    else this.#io.writeb(value, this.address);
  }
}

/** The registers of a device mapped at `base` (what ioremap gave). Makes no access. */
export const ioRegisters = <S extends SheetSpec>(
  sheet: RegisterSheet<S>,
  io: RegisterIo,
  base: CpuAddr,
): IoRegisters<S> =>
  accessorsOf(
    sheet.layout,
    (info, index) => new Register(io, offsetBy(base, info.at + index * info.stride), info),
  ) as IoRegisters<S>;
