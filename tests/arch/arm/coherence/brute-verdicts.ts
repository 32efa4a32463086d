import type { Line } from './brute-line';

/* What makes an access of a line right or wrong, by its versions. */

/** Nothing is under way that time alone would bring to this byte. */
export const isQuiet = (line: Line, byte: number): boolean =>
  line.stores.length === 0 &&
  line.pending.every(operations => operations.length === 0) &&
  !line.buffer.some(write => write.byte === byte);

/** Nobody has the last version of a byte. */
export const isGone = (line: Line, byte: number, latest: number): boolean =>
  line.memory[byte] !== latest &&
  ![...line.inner, line.outer, line.device].some(copy => copy?.bytes[byte] === latest) &&
  ![...line.stores, ...line.buffer].some(write => write.byte === byte && write.version === latest);

/** Between two lines one step apart, an older version took the place of the last one somewhere. */
export const isReplaced = (before: Line, after: Line, byte: number, latest: number): boolean => {
  const places = ({ memory, inner, outer, device, buffer }: Line): (number | undefined)[] => [
    memory[byte],
    ...[...inner, outer, device].map(copy => copy?.bytes[byte]),
    buffer.filter(write => write.byte === byte).at(-1)?.version,
  ];
  const now = places(after);
  return places(before).some(
    (version, n) => version === latest && now[n] !== undefined && now[n] !== latest,
  );
};
