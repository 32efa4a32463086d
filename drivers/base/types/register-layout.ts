import { hex } from './address';
import { onesMask } from './bits';
import { invariant } from './errors';
import type {
  Access,
  Field,
  RegisterArraySpec,
  RegisterSpec,
  RegisterWidth,
  SheetSpec,
} from './register-spec';

/** The bits of a register by what happens to them; each mask is unsigned. */
export interface RegisterMasks {
  /** Take what is written. */
  readonly store: number;
  readonly w1c: number;
  readonly w1s: number;
  /** Show on a read; the others read as zero. */
  readonly readable: number;
  readonly readClears: number;
  readonly reserved: number;
  readonly unimplemented: number;
}

/** A field with the access that holds after the register's default. */
export interface FieldInfo {
  readonly name: string;
  readonly field: Field;
  readonly access: Access;
}

/** One declared register: plain, a vector, or a member of an array. */
export interface RegisterInfo {
  /** `CTRL`, or `CH.CTRL` in an array. */
  readonly name: string;
  readonly key: string;
  readonly array: string | null;
  /** Place in RegisterLayout.registers. */
  readonly id: number;
  /** Offset of the first instance. */
  readonly at: number;
  readonly stride: number;
  /** Null for a register that is there once. */
  readonly count: number | null;
  readonly width: RegisterWidth;
  readonly reset: number;
  readonly access: Access;
  readonly fields: readonly FieldInfo[];
  readonly masks: RegisterMasks;
  readonly partial: boolean;
  readonly unimplemented: boolean;
  /** The register, of the same scope, whose bits these are. */
  readonly shares: string | null;
  readonly note: string;
  /** Where the first instance's value is kept; the others follow. */
  readonly slot: number;
}

/** A register at its address. */
export interface RegisterInstance {
  readonly info: RegisterInfo;
  readonly index: number;
  readonly at: number;
  readonly slot: number;
}

/** What a sheet comes to: the tables that both sides work from. */
export interface RegisterLayout {
  readonly registers: readonly RegisterInfo[];
  readonly instances: readonly RegisterInstance[];
  /** How many values a register file keeps. */
  readonly slots: number;
  /** offset >> shift to instance number plus one; 0 where no register is. */
  readonly lookup: Uint32Array;
  readonly shift: number;
}

/** Largest window, and most registers in one. */
const MAX_SIZE = 2 ** 26;
const MAX_INSTANCES = 2 ** 16;

const NAME = /^[A-Z][A-Za-z0-9_]*$/;

const KNOWN_KEYS: ReadonlySet<string> = new Set<keyof RegisterSpec>([
  'at',
  'width',
  'reset',
  'access',
  'fields',
  'count',
  'stride',
  'partial',
  'unimplemented',
  'shares',
  'note',
]);

const isOffset = (value: number): boolean => Number.isInteger(value) && value >= 0;

const fieldsOf = (spec: RegisterSpec, where: string): FieldInfo[] =>
  Object.entries(spec.fields ?? {}).map(([name, field]) => {
    invariant(NAME.test(name), `${where}: field name '${name}'`);
    return { name, field, access: field.access ?? spec.access ?? 'rw' };
  });

const combine = (fields: readonly FieldInfo[], chosen: (field: FieldInfo) => boolean): number =>
  fields.reduce((mask, info) => (chosen(info) ? mask | info.field.mask : mask), 0) >>> 0;

const masksOf = (spec: RegisterSpec, fields: FieldInfo[], where: string): RegisterMasks => {
  const all = onesMask(spec.width ?? 32);
  for (const { name, field } of fields) {
    invariant(field.mask <= all, `${where}: field ${name} is outside the register`);
    const others = combine(fields, other => other.field !== field);
    invariant((field.mask & others) === 0, `${where}: field ${name} overlaps another`);
  }
  const byAccess = (...wanted: Access[]): number =>
    spec.fields === undefined
      ? wanted.includes(spec.access ?? 'rw')
        ? all
        : 0
      : combine(fields, info => wanted.includes(info.access));
  const named = spec.fields === undefined ? all : combine(fields, () => true);
  return {
    store: byAccess('rw', 'wo'),
    w1c: byAccess('w1c'),
    w1s: byAccess('w1s'),
    readable: (named & ~byAccess('wo')) >>> 0,
    readClears: byAccess('rc'),
    reserved: (all & ~named) >>> 0,
    unimplemented:
      spec.unimplemented === true ? all : combine(fields, info => !info.field.implemented),
  };
};

/** Where a group of registers stands: the sheet itself, or one of its arrays. */
interface Scope {
  readonly array: string | null;
  readonly at: number;
  readonly stride: number;
  readonly count: number | null;
}

const WHOLE_SHEET: Scope = { array: null, at: 0, stride: 0, count: null };

class LayoutBuilder {
  readonly #sheet: SheetSpec;
  readonly registers: RegisterInfo[] = [];
  readonly instances: RegisterInstance[] = [];
  slots = 0;

  constructor(sheet: SheetSpec) {
    this.#sheet = sheet;
  }

  addAll(registers: Readonly<Record<string, RegisterSpec>>, scope: Scope): void {
    for (const [key, spec] of Object.entries(registers)) {
      this.#add(key, spec, scope);
    }
  }

  #add(key: string, spec: RegisterSpec, scope: Scope): void {
    const name = scope.array === null ? key : `${scope.array}.${key}`;
    const where = `${this.#sheet.name}.${name}`;
    invariant(NAME.test(key), `${where}: register names begin with a capital letter`);
    for (const used of Object.keys(spec)) {
      invariant(KNOWN_KEYS.has(used), `${where}: '${used}' is not a property of a register`);
    }
    const vector = spec.count !== undefined;
    invariant(!vector || scope.array === null, `${where}: a vector inside an array`);
    const width = spec.width ?? 32;
    const stride = vector ? (spec.stride ?? width / 8) : scope.stride;
    const count = vector ? spec.count : scope.count;
    const at = scope.at + spec.at;
    const aligned = isOffset(at) && at % (width / 8) === 0 && stride % (width / 8) === 0;
    invariant(aligned, `${where}: ${hex(at)} is not aligned to its ${width} bits`);
    invariant(count === null || (Number.isInteger(count) && count >= 1), `${where}: count`);
    const fields = fieldsOf(spec, where);
    const masks = masksOf(spec, fields, where);
    const { slot, reset } = this.#storage(key, spec, scope, masks, where);
    const info: RegisterInfo = {
      name,
      key,
      array: scope.array,
      id: this.registers.length,
      at,
      stride,
      count,
      width,
      reset,
      access: spec.access ?? 'rw',
      fields,
      masks,
      partial: spec.partial === true,
      unimplemented: spec.unimplemented === true,
      shares: spec.shares ?? null,
      note: spec.note ?? '',
      slot,
    };
    this.registers.push(info);
    this.#instantiate(info);
  }

  /** A slot of its own, or that of the register it shares with. */
  #storage(
    key: string,
    spec: RegisterSpec,
    scope: Scope,
    masks: RegisterMasks,
    where: string,
  ): { slot: number; reset: number } {
    if (spec.shares !== undefined) {
      const other = this.registers.find(
        info => info.array === scope.array && info.key === spec.shares,
      );
      invariant(other !== undefined && key !== spec.shares, `${where}: shares an unknown register`);
      const count = spec.count ?? scope.count;
      const same = other.width === (spec.width ?? 32) && other.count === count;
      invariant(same && spec.reset === undefined, `${where}: is not like ${other.name}`);
      return other;
    }
    const reset = spec.reset ?? 0;
    const all = onesMask(spec.width ?? 32);
    const fits = Number.isInteger(reset) && reset >= 0 && reset <= all;
    invariant(fits && (reset & masks.reserved) === 0, `${where}: reset value ${hex(reset)}`);
    const slot = this.slots;
    this.slots += spec.count ?? scope.count ?? 1;
    return { slot, reset };
  }

  #instantiate(info: RegisterInfo): void {
    const where = `${this.#sheet.name}.${info.name}`;
    const count = info.count ?? 1;
    invariant(this.instances.length + count <= MAX_INSTANCES, `${where}: too many registers`);
    const end = info.at + (count - 1) * info.stride + info.width / 8;
    invariant(end <= this.#sheet.size, `${where}: ends at ${hex(end)}, outside the sheet`);
    for (let index = 0; index < count; index++) {
      const at = info.at + index * info.stride;
      this.instances.push({ info, index, at, slot: info.slot + index });
    }
  }
}

/** The lookup by offset; two registers at one address are an error. */
const lookupOf = (
  sheet: SheetSpec,
  instances: readonly RegisterInstance[],
): Pick<RegisterLayout, 'lookup' | 'shift'> => {
  const shift = Math.min(2, ...instances.map(({ info }) => Math.log2(info.width / 8)));
  const end = Math.max(0, ...instances.map(({ at, info }) => at + info.width / 8));
  const lookup = new Uint32Array(end >>> shift);
  instances.forEach(({ at, info }, number) => {
    for (let i = at >>> shift; i < (at + info.width / 8) >>> shift; i++) {
      const other = instances[(lookup[i] ?? 0) - 1];
      const names = `${sheet.name}.${info.name} and ${other?.info.name ?? ''}`;
      invariant(other === undefined, `${names} overlap at ${hex(i << shift)}`);
      lookup[i] = number + 1;
    }
  });
  return { lookup, shift };
};

const scopeOf = (sheet: SheetSpec, array: string, spec: RegisterArraySpec): Scope => {
  const where = `${sheet.name}.${array}`;
  invariant(NAME.test(array), `${where}: array names begin with a capital letter`);
  invariant(!(array in sheet.registers), `${where}: a register has this name too`);
  invariant(isOffset(spec.at) && isOffset(spec.stride), `${where}: place or stride`);
  return { array, at: spec.at, stride: spec.stride, count: spec.count };
};

/** Checks a sheet and makes its tables. BenchError names the register that is wrong. */
export const layoutOf = (sheet: SheetSpec): RegisterLayout => {
  const sized = isOffset(sheet.size) && sheet.size > 0 && sheet.size <= MAX_SIZE;
  invariant(sized, `${sheet.name}: a window of ${sheet.size} bytes`);
  const builder = new LayoutBuilder(sheet);
  builder.addAll(sheet.registers, WHOLE_SHEET);
  for (const [array, spec] of Object.entries(sheet.arrays ?? {})) {
    builder.addAll(spec.registers, scopeOf(sheet, array, spec));
  }
  const { registers, instances, slots } = builder;
  return { registers, instances, slots, ...lookupOf(sheet, instances) };
};
