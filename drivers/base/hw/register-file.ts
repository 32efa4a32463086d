import { hex } from '../types/address';
import { onesMask } from '../types/bits';
import { BenchError, UnmodelledError } from '../types/errors';
import type { RegisterInfo, RegisterInstance, RegisterLayout } from '../types/register-layout';
import type { SheetSpec } from '../types/register-spec';
import type { RegisterName, RegisterSheet } from '../types/registers';
import { stateWords, type Stateful, type StateValue } from '../types/state';
import type { GuestErrorSink } from './device';
import { readFault, TxResult, type AccessWidth, type MmioHandler } from './mmio';
import { cellsOf, type Cells } from './register-cells';

/** Called after the write took effect. `written` has zeros in bytes that were not written. */
export type WriteHook = (written: number, previous: number, index: number) => void;

/** Called before the read takes effect; what it returns is read instead of what is stored. */
export type ReadHook = (index: number) => number;

export interface RegisterFileOptions<S> {
  readonly onWrite?: { readonly [K in RegisterName<S>]?: WriteHook };
  readonly onRead?: { readonly [K in RegisterName<S>]?: ReadHook };
  /** Reset values that depend on how the device was integrated: identification registers. */
  readonly resets?: { readonly [K in RegisterName<S>]?: number };
  readonly onGuestError: GuestErrorSink;
}

/** The bits of `width` bytes from byte `lane` on. */
const laneMask = (lane: number, width: AccessWidth): number =>
  ((width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff) << (8 * lane)) >>> 0;

/**
 * Decodes accesses by a sheet and keeps the values: the one engine behind every device.
 *
 * A read: the read hook or the stored value; write-only bits read as zero; then read-clear bits
 * are cleared. A write: unmodelled bits throw, before anything changes; ones in reserved bits
 * are a guest error and dropped; the rest is stored, set or cleared as the sheet says; then the
 * write hook is called. An offset no register claims, an access wider than the register or not
 * aligned, and a narrower one that the sheet does not allow, answer AccessError.
 */
export class RegisterEngine implements MmioHandler, Stateful {
  readonly #sheetName: string;
  readonly #layout: RegisterLayout;
  readonly #values: Uint32Array;
  readonly #resets: Uint32Array;
  readonly #onWrite: readonly (WriteHook | undefined)[];
  readonly #onRead: readonly (ReadHook | undefined)[];
  readonly #onGuestError: GuestErrorSink;

  constructor(
    sheet: RegisterSheet,
    values: Uint32Array,
    options: RegisterFileOptions<RegisterSheet>,
  ) {
    const { layout } = sheet;
    this.#sheetName = sheet.name;
    this.#layout = layout;
    this.#values = values;
    this.#onGuestError = options.onGuestError;
    this.#onWrite = this.#byRegister<WriteHook>(options.onWrite, info => info.access !== 'ro');
    this.#onRead = this.#byRegister<ReadHook>(options.onRead, info => info.masks.readable !== 0);
    this.#resets = this.#resetValues(options.resets);
    this.reset();
  }

  read(offset: number, width: AccessWidth): number {
    const instance = this.#find(offset, width, 'read');
    if (instance === null) return readFault(TxResult.AccessError);
    const { info, index, slot } = instance;
    if (info.unimplemented) {
      throw new UnmodelledError(this.#nameOf(info), `read of ${width} bytes at ${hex(offset)}`);
    }
    const lane = offset - instance.at;
    const hook = this.#onRead[info.id];
    const value = hook === undefined ? (this.#values[slot] ?? 0) : hook(index);
    const { readable, readClears } = info.masks;
    if (readClears !== 0) {
      this.#values[slot] = (this.#values[slot] ?? 0) & ~(readClears & laneMask(lane, width));
    }
    return ((value & readable & laneMask(lane, width)) >>> (8 * lane)) >>> 0;
  }

  write(offset: number, width: AccessWidth, value: number): TxResult {
    const instance = this.#find(offset, width, 'write');
    if (instance === null) return TxResult.AccessError;
    const { info, index, slot } = instance;
    const { masks } = info;
    const lane = offset - instance.at;
    const lanes = laneMask(lane, width);
    const written = ((value << (8 * lane)) & lanes) >>> 0;
    const previous = this.#values[slot] ?? 0;
    if (((written ^ (this.#resets[slot] ?? 0)) & masks.unimplemented & lanes) !== 0) {
      throw this.#unmodelledWrite(info, written, this.#resets[slot] ?? 0);
    }
    if ((written & masks.reserved) !== 0) {
      const bits = hex((written & masks.reserved) >>> 0);
      this.#onGuestError(`${this.#nameOf(info)}: write of ${hex(written)} sets reserved ${bits}`);
    }
    const stored = (previous & ~(masks.store & lanes)) | (written & masks.store);
    this.#values[slot] = (stored & ~(written & masks.w1c)) | (written & masks.w1s);
    this.#onWrite[info.id]?.(written, previous, index);
    return TxResult.Ok;
  }

  /** True where a register answers: for devices whose window is made of several sheets. */
  claims(offset: number): boolean {
    const { lookup, shift } = this.#layout;
    return (lookup[offset >>> shift] ?? 0) !== 0;
  }

  /** Gives every register its reset value; calls no hook. */
  reset(): void {
    this.#values.set(this.#resets);
  }

  saveState(): StateValue {
    return this.#values.slice();
  }

  restoreState(state: StateValue): void {
    this.#values.set(stateWords(state, this.#sheetName, this.#values.length));
  }

  #find(offset: number, width: AccessWidth, verb: string): RegisterInstance | null {
    const { lookup, shift, instances } = this.#layout;
    const instance = instances[(lookup[offset >>> shift] ?? 0) - 1];
    if (instance === undefined) {
      this.#onGuestError(`${this.#sheetName}: ${verb} at ${hex(offset)}, where no register is`);
      return null;
    }
    const { info } = instance;
    const bytes = info.width / 8;
    const lane = offset - instance.at;
    const whole = lane === 0 && width === bytes;
    if (whole || (info.partial && width < bytes && lane % width === 0)) return instance;
    this.#onGuestError(`${this.#nameOf(info)}: ${verb} of ${width} bytes at ${hex(offset)}`);
    return null;
  }

  #unmodelledWrite(info: RegisterInfo, written: number, reset: number): UnmodelledError {
    const field = info.fields.find(
      ({ field }) => !field.implemented && field.of(written) !== field.of(reset),
    );
    const feature =
      field === undefined ? this.#nameOf(info) : `${this.#nameOf(info)}.${field.name}`;
    const value = field === undefined ? written : field.field.of(written);
    return new UnmodelledError(feature, `write of ${hex(value)}`);
  }

  /** Options by name to a list by register id; `allowed` says where such an option makes sense. */
  #byRegister<T>(
    byName: Readonly<Record<string, T | undefined>> | undefined,
    allowed: (info: RegisterInfo) => boolean,
  ): (T | undefined)[] {
    const list = new Array<T | undefined>(this.#layout.registers.length).fill(undefined);
    for (const [name, option] of Object.entries(byName ?? {})) {
      const info = this.#layout.registers.find(register => register.name === name);
      if (info === undefined || !allowed(info)) {
        throw new BenchError(`${this.#sheetName}.${name} cannot have this hook or reset value`);
      }
      list[info.id] = option;
    }
    return list;
  }

  #resetValues(integration: Readonly<Record<string, number | undefined>> | undefined): Uint32Array {
    const given = this.#byRegister<number>(integration, () => true);
    const resets = new Uint32Array(this.#layout.slots);
    for (const { info, slot } of this.#layout.instances) resets[slot] = info.reset;
    for (const { info, slot } of this.#layout.instances) {
      const reset = given[info.id];
      if (reset === undefined) continue;
      const forbidden = (~onesMask(info.width) | info.masks.reserved) >>> 0;
      if (reset !== reset >>> 0 || (reset & forbidden) !== 0) {
        throw new BenchError(`${this.#nameOf(info)} cannot reset to ${hex(reset)}`);
      }
      resets[slot] = reset;
    }
    return resets;
  }

  #nameOf(info: RegisterInfo): string {
    return `${this.#sheetName}.${info.name}`;
  }
}

/** The engine, and every register of the sheet under its name for the model's own use. */
export type RegisterFile<S> = RegisterEngine & Cells<S>;

/** A register file in its reset state. Hooks are called by accesses from the bus only. */
export const registerFile = <S extends SheetSpec>(
  sheet: RegisterSheet<S>,
  options: RegisterFileOptions<S>,
): RegisterFile<S> => {
  const values = new Uint32Array(sheet.layout.slots);
  const engine = new RegisterEngine(sheet, values, options);
  return Object.assign(engine, cellsOf(sheet.layout, values)) as RegisterFile<S>;
};
