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

export const typeOf = (attributes: number): number => attributes & 3;
export const isNormal = (attributes: number): boolean => (attributes & 3) === MemoryType.normal;
export const innerOf = (attributes: number): Cacheability =>
  ((attributes >>> INNER_SHIFT) & 3) as Cacheability;
export const outerOf = (attributes: number): Cacheability =>
  ((attributes >>> OUTER_SHIFT) & 3) as Cacheability;
export const isShareable = (attributes: number): boolean => (attributes & SHAREABLE) !== 0;

/** The same memory with another inner cacheability. */
export const withInner = (attributes: number, inner: Cacheability): number =>
  (attributes & ~(3 << INNER_SHIFT)) | (inner << INNER_SHIFT);

const CACHEABILITY_NAMES = ['NC', 'WT', 'WB', 'WBWA'] as const;

/** For people: `Normal WBWA/WBWA shareable rw`. */
export const showAttributes = (attributes: number): string => {
  const rights = attributes & ANY_RIGHT;
  const access = `${(rights & READ) !== 0 ? 'r' : '-'}${(rights & WRITE) !== 0 ? 'w' : '-'}`;
  const user = (rights & (USER_READ | USER_WRITE)) !== 0 ? ' user' : '';
  if (!isNormal(attributes)) {
    return `${typeOf(attributes) === DEVICE ? 'Device' : 'Strongly-ordered'} ${access}${user}`;
  }
  const inner = CACHEABILITY_NAMES[innerOf(attributes)];
  const outer = CACHEABILITY_NAMES[outerOf(attributes)];
  const shared = isShareable(attributes) ? ' shareable' : '';
  return `Normal ${inner}/${outer}${shared} ${access}${user}`;
};
