/*
 * Bytes of a line as a mask in two halves: bytes 0 to 31, and 32 to 63. `offset` is in bytes from
 * the start of the line.
 */

/** The bytes [offset, offset + size) that are below 32. */
export const lowMask = (offset: number, size: number): number => {
  if (offset >= 32) return 0;
  const end = Math.min(32, offset + size);
  return (end - offset === 32 ? -1 : (1 << (end - offset)) - 1) << offset;
};

/** The bytes [offset, offset + size) from 32 on. */
export const highMask = (offset: number, size: number): number => {
  const from = Math.max(32, offset);
  const end = Math.min(64, offset + size);
  if (end <= from) return 0;
  return (end - from === 32 ? -1 : (1 << (end - from)) - 1) << (from - 32);
};

/** The first byte that a mask of bits in a word covers. */
export const firstByte = (mask: number): number => {
  if ((mask & 0xff) !== 0) return 0;
  if ((mask & 0xff00) !== 0) return 1;
  return (mask & 0xff_0000) !== 0 ? 2 : 3;
};

/** How many bytes of a word a mask of whole, adjacent bytes covers. */
export const byteCount = (mask: number): number => {
  let count = 0;
  for (let shift = 0; shift < 32; shift += 8) if (((mask >>> shift) & 0xff) !== 0) count++;
  return count;
};
