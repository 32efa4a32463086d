import { BenchError, invariant } from './errors';

/**
 * What reads and writes of software do to bits. `rw`: stored. `ro`: writes are ignored. `wo`:
 * stored, reads as zero. `w1c`, `w1s`: ones clear or set, zeros leave alone. `rc`: writes are
 * ignored, reading clears.
 */
export type Access = 'rw' | 'ro' | 'wo' | 'w1c' | 'w1s' | 'rc';

export type RegisterWidth = 8 | 16 | 32;

/** A run of bits of a register. Immutable: each modifier gives a new field. */
export class Field {
  readonly low: number;
  readonly count: number;
  /** Null: as the register says. */
  readonly access: Access | null;
  readonly implemented: boolean;
  /** Largest value the field can hold. */
  readonly max: number;
  /** Its bits in the register, unsigned. */
  readonly mask: number;

  constructor(low: number, count: number, access: Access | null = null, implemented = true) {
    const fits = Number.isInteger(low) && Number.isInteger(count) && low >= 0 && count >= 1;
    invariant(fits && low + count <= 32, `field of ${count} bits at ${low}`);
    this.low = low;
    this.count = count;
    this.access = access;
    this.implemented = implemented;
    this.max = 2 ** count - 1;
    this.mask = this.max * 2 ** low;
    Object.freeze(this);
  }

  ro(): Field {
    return this.#with('ro');
  }

  wo(): Field {
    return this.#with('wo');
  }

  w1c(): Field {
    return this.#with('w1c');
  }

  w1s(): Field {
    return this.#with('w1s');
  }

  rc(): Field {
    return this.#with('rc');
  }

  /** Writing anything but the reset value is an UnmodelledError. */
  unimplemented(): Field {
    return new Field(this.low, this.count, this.access, false);
  }

  /** The field's value in a register's value (cf. FIELD_GET). */
  of(value: number): number {
    return ((value >>> this.low) & this.max) >>> 0;
  }

  /** A register value with only this field set (cf. FIELD_PREP); BenchError if it is too wide. */
  at(value: number): number {
    if (!Number.isInteger(value) || value < 0 || value > this.max) {
      throw new BenchError(`${value} does not fit a field of ${this.count} bits`);
    }
    return (value << this.low) >>> 0;
  }

  #with(access: Access): Field {
    return new Field(this.low, this.count, access, this.implemented);
  }
}

/** One bit, by number. */
export const bit = (low: number): Field => new Field(low, 1);

/** `count` bits from bit `low` on. */
export const field = (low: number, count: number): Field => new Field(low, count);

/** One register of a data sheet. */
export interface RegisterSpec {
  /** Byte offset in the sheet, or in the array's element. */
  readonly at: number;
  /** Bits; 32 unless given. */
  readonly width?: RegisterWidth;
  /** Value after reset; 0 unless given. */
  readonly reset?: number;
  /** Of every bit that has no access of its own; `rw` unless given. */
  readonly access?: Access;
  /** Bits not named here are reserved. Without fields, the register is one value. */
  readonly fields?: Readonly<Record<string, Field>>;
  /** Makes this a vector of equal registers, `stride` bytes apart (its own width unless given). */
  readonly count?: number;
  readonly stride?: number;
  /** Accesses narrower than the register are accepted. */
  readonly partial?: boolean;
  /** Reading it, or writing anything but the reset value, is an UnmodelledError. */
  readonly unimplemented?: boolean;
  /** Another register of the same scope that this one is a second address of (set and clear). */
  readonly shares?: string;
  readonly note?: string;
}

/** `count` equal blocks of registers, `stride` bytes apart. */
export interface RegisterArraySpec {
  readonly at: number;
  readonly stride: number;
  readonly count: number;
  readonly registers: Readonly<Record<string, RegisterSpec>>;
}

/** A data sheet. */
export interface SheetSpec {
  readonly name: string;
  /** Bytes of the register window. */
  readonly size: number;
  readonly registers: Readonly<Record<string, RegisterSpec>>;
  readonly arrays?: Readonly<Record<string, RegisterArraySpec>>;
  /** What the hardware has and the model has not, beyond bits marked unimplemented. */
  readonly notModelled?: readonly string[];
}
