/*
 * The checked accessors of the hot path: typed-array elements whose index the caller has
 * bounded. One function per array kind keeps each inlined access monomorphic.
 */

/** An element as a signed 32-bit number. */
export const i32 = (array: Int32Array, index: number): number => array[index] as number;
/** An element as a byte. */
export const u8 = (array: Uint8Array, index: number): number => array[index] as number;
/** An element as an unsigned 16-bit number. */
export const u16 = (array: Uint16Array, index: number): number => array[index] as number;
/** An element as a number. */
export const f64 = (array: Float64Array, index: number): number => array[index] as number;

/** Puts what an array has into a larger one, which takes its place. */
export const movedInto = <A extends Int32Array | Uint16Array | Uint8Array | Float64Array>(
  larger: A,
  array: ArrayLike<number>,
): A => {
  larger.set(array);
  return larger;
};

/** An element of an ordinary array whose index the caller has bounded. */
export const at = <T>(array: readonly T[], index: number): T => array[index] as T;
