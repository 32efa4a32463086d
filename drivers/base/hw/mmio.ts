import { invariant } from '../types/errors';

/** What the bus answers to a transaction; bits, because a split access ORs its parts. */
export const TxResult = { Ok: 0, Error: 1, DecodeError: 2, AccessError: 4 } as const;
export type TxResult = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** The result of an access that was made in two parts. */
export const orResults = (a: TxResult, b: TxResult): TxResult => (a | b) as TxResult;

/** Bytes of one access. Wider ones are split by the master that makes them. */
export type AccessWidth = 1 | 2 | 4;

/** A device's registers as the bus sees them. Values are unsigned, little-endian. */
export interface MmioHandler {
  /** The value, or, if negative, minus the TxResult. */
  read(offset: number, width: AccessWidth): number;
  write(offset: number, width: AccessWidth, value: number): TxResult;
}

/** What a failed read returns. */
export const readFault = (result: TxResult): number => -result;

/** The TxResult of what a read returned. */
export const readResult = (value: number): TxResult => (value < 0 ? -value : 0) as TxResult;

/** A range of access widths; `unaligned` also allows addresses that the width does not divide. */
export interface AccessRange {
  readonly min: AccessWidth;
  readonly max: AccessWidth;
  readonly unaligned: boolean;
}

/** `valid` is what the hardware accepts, `impl` what the model wants to be called with. */
export interface AccessRules {
  readonly valid: AccessRange;
  readonly impl: Omit<AccessRange, 'unaligned'>;
}

/** `count` bytes of an unsigned value from byte `first` on. */
const bytesOf = (value: number, first: number, count: number): number =>
  Math.floor(value / 2 ** (8 * first)) % 2 ** (8 * count);

/**
 * Stands before a handler and enforces the rules, as QEMU's MemoryRegionOps: an access that is
 * not valid answers AccessError; a valid one is made of naturally aligned accesses of implemented
 * widths, their results ORed. A read narrower than `impl.min` takes its part of one access of
 * that width; such a write answers AccessError, for merging would need a read nobody made.
 */
export class MmioAdapter implements MmioHandler {
  readonly #inner: MmioHandler;
  readonly #rules: AccessRules;

  constructor(inner: MmioHandler, rules: AccessRules) {
    const { valid, impl } = rules;
    invariant(valid.min <= valid.max && impl.min <= impl.max, 'access rules: min above max');
    this.#inner = inner;
    this.#rules = rules;
  }

  read(offset: number, width: AccessWidth): number {
    if (!this.#isValid(offset, width)) return readFault(TxResult.AccessError);
    const { min } = this.#rules.impl;
    let value = 0;
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < width;) {
      const part = this.#part(offset + done, width - done);
      const wide = part < min ? min : part;
      const skip = (offset + done) % wide;
      const take = Math.min(wide - skip, width - done);
      const read = this.#inner.read(offset + done - skip, wide);
      if (read < 0) result = orResults(result, readResult(read));
      else value += bytesOf(read, skip, take) * 2 ** (8 * done);
      done += take;
    }
    return result === TxResult.Ok ? value : readFault(result);
  }

  write(offset: number, width: AccessWidth, value: number): TxResult {
    if (!this.#isValid(offset, width)) return TxResult.AccessError;
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < width;) {
      const part = this.#part(offset + done, width - done);
      const answer =
        part < this.#rules.impl.min
          ? TxResult.AccessError
          : this.#inner.write(offset + done, part, bytesOf(value >>> 0, done, part));
      result = orResults(result, answer);
      done += part;
    }
    return result;
  }

  #isValid(offset: number, width: AccessWidth): boolean {
    const { min, max, unaligned } = this.#rules.valid;
    return width >= min && width <= max && (unaligned || offset % width === 0);
  }

  /** The widest implemented, naturally aligned access at `offset` within `left` bytes. */
  #part(offset: number, left: number): AccessWidth {
    const { max } = this.#rules.impl;
    if (max === 4 && left >= 4 && offset % 4 === 0) return 4;
    return max >= 2 && left >= 2 && offset % 2 === 0 ? 2 : 1;
  }
}
