/*
 * What a translation says of the memory behind it, packed in one integer: the memory type, the
 * cacheability of each level, shareability and who may do what.
 */

export const MemoryType = { stronglyOrdered: 0, device: 1, normal: 2 } as const;
export type MemoryType = (typeof MemoryType)[keyof typeof MemoryType];

/** Cacheability of a level, in rising order of what it permits. */
export const Cacheability = {
  none: 0,
  writeThrough: 1,
  writeBack: 2,
  writeBackAllocate: 3,
} as const;
export type Cacheability = (typeof Cacheability)[keyof typeof Cacheability];

const INNER_SHIFT = 2;
const OUTER_SHIFT = 4;
const SHAREABLE = 1 << 6;

/** Access rights. */
export const READ = 1 << 7;
export const WRITE = 1 << 8;
export const USER_READ = 1 << 9;
export const USER_WRITE = 1 << 10;

/** Any of them: what maintenance by address asks for. */
export const ANY_RIGHT = READ | WRITE | USER_READ | USER_WRITE;

export const STRONGLY_ORDERED = MemoryType.stronglyOrdered;
export const DEVICE = MemoryType.device;

/** Normal memory; rights are added with `|`. */
export const normalMemory = (
  inner: Cacheability,
  outer: Cacheability,
  shareable: boolean,
): number =>
  MemoryType.normal | (inner << INNER_SHIFT) | (outer << OUTER_SHIFT) | (shareable ? SHAREABLE : 0);

/** The MemoryType in an attribute word. */
export const typeOf = (attributes: number): number => attributes & 3;
/** Normal memory, as against device and strongly-ordered. */
export const isNormal = (attributes: number): boolean => (attributes & 3) === MemoryType.normal;
/** The cacheability that the caches of the cores go by. */
export const innerOf = (attributes: number): Cacheability =>
  ((attributes >>> INNER_SHIFT) & 3) as Cacheability;
/** The cacheability that the caches beyond them go by. */
export const outerOf = (attributes: number): Cacheability =>
  ((attributes >>> OUTER_SHIFT) & 3) as Cacheability;
/** Inner or outer shareable: one bit stands for both. */
export const isShareable = (attributes: number): boolean => (attributes & SHAREABLE) !== 0;

/** The same memory with another inner cacheability. */
export const withInner = (attributes: number, inner: Cacheability): number =>
  (attributes & ~(3 << INNER_SHIFT)) | (inner << INNER_SHIFT);

/** The same memory with another outer cacheability. */
export const withOuter = (attributes: number, outer: Cacheability): number =>
  (attributes & ~(3 << OUTER_SHIFT)) | (outer << OUTER_SHIFT);
