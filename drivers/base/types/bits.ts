/*
 * Arithmetic on numbers wider than 32 bits. JavaScript's bit operators truncate to 32 bits;
 * everything here is exact up to 2^53 and uses division, never `<<` or `&`, on the full value.
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** The pages every architecture here uses: 4 KiB. */
export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;

const TWO_32 = 2 ** 32;

/** Largest multiple of `granule` that is not above `value`. Any positive granule. */
export const alignDown = <N extends number>(value: N, granule: number): N =>
  (value - (value % granule)) as N;

/** Smallest multiple of `granule` that is not below `value`. Any positive granule. */
export const alignUp = <N extends number>(value: N, granule: number): N => {
  const over = value % granule;
  return (over === 0 ? value : value - over + granule) as N;
};

/** True for 1, 2, 4 … 2^52. */
export const isPowerOfTwo = (value: number): boolean =>
  Number.isSafeInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value;

/** The least power of two that is not below a positive value (roundup_pow_of_two). */
export const roundupPowerOfTwo = (value: number): number => 2 ** Math.ceil(Math.log2(value));

/** Index of the highest set bit; the value is a positive integer below 2^53. */
export const ilog2 = (value: number): number =>
  value < TWO_32 ? 31 - Math.clz32(value) : 63 - Math.clz32(Math.floor(value / TWO_32));

/** A mask of `bits` ones, 0 to 53. */
export const onesMask = (bits: number): number => 2 ** bits - 1;

/** The low 32 bits, as an unsigned number. */
export const lo32 = (value: number): number => value % TWO_32;

/** Everything above the low 32 bits, as an unsigned number. */
export const hi32 = (value: number): number => Math.floor(value / TWO_32);

/** A value from two 32-bit halves, either of which may be given signed. */
export const join64 = (lo: number, hi: number): number => (hi >>> 0) * TWO_32 + (lo >>> 0);

/** Bits [low, low+count) of a value below 2^53, as a number. */
export const extract = (value: number, low: number, count: number): number =>
  Math.floor(value / 2 ** low) % 2 ** count;
