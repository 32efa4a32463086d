import { at } from '../../drivers/base/types/arrays';
import { GIB, KIB, MIB } from '../../drivers/base/types/bits';
import {
  ENTRY_SIZE,
  LAST_LEVEL,
  MOST_CONCATENATED,
  levelBits,
  levelShift,
} from '../../drivers/iommu/regs/lpae';
import type { GranuleShift } from '../../drivers/iommu/regs/lpae';
import { PAGE_SHIFT } from '../../drivers/base/types/bits';
import { pageSizesIn } from '../iommu/page-sizes';

const MOST_ADDRESS_BITS = 48;
/** Of the 64 KiB granule, where the IOMMU has them. */
const MOST_ADDRESS_BITS_64K = 52;

/** Page sizes of each granule, the smallest, which is the granule, first. */
const SIZES: readonly { readonly granule: GranuleShift; readonly sizes: readonly number[] }[] = [
  { granule: 12, sizes: [4 * KIB, 2 * MIB, GIB] },
  { granule: 14, sizes: [16 * KIB, 32 * MIB] },
  { granule: 16, sizes: [64 * KIB, 512 * MIB] },
];
/** A block of level 1, which an IOMMU with 52 bits has. */
const LARGEST_64K = 2 ** 42;

/** Sizes and levels of a table. */
export interface LpaeGeometry {
  readonly granule: GranuleShift;
  readonly pageSizes: number;
  readonly ias: number;
  readonly oas: number;
  readonly startLevel: number;
  /** log2 of the entries of the root; of several tables, if the walk starts with several. */
  readonly rootBits: number;
  /** By level, bytes that an entry maps, and the entries of a table. */
  readonly spans: readonly number[];
  readonly entries: readonly number[];
}

/** What follows from where the walk starts. */
const withLevels = (fields: Omit<LpaeGeometry, 'spans' | 'entries'>): LpaeGeometry => {
  const { granule, startLevel, rootBits } = fields;
  const levels = Array.from({ length: LAST_LEVEL + 1 }, (_, level) => level);
  return {
    ...fields,
    spans: levels.map(level => 2 ** levelShift(level, granule)),
    entries: levels.map(level => 2 ** (level === startLevel ? rootBits : levelBits(granule))),
  };
};

/**
 * The granule that an IOMMU and a kernel with pages of 4 KiB have in common: that of the kernel, else
 * the largest below, else the smallest above (arm_lpae_restrict_pgsizes).
 */
const granuleIn = (pageSizes: number): number => {
  const sizes = pageSizesIn(pageSizes);
  const page = 2 ** PAGE_SHIFT;
  return sizes.findLast(size => size <= page) ?? sizes[0] ?? 0;
};

/**
 * What becomes of the sizes that a driver asks for; null for what the format does not have
 * (arm_lpae_alloc_pgtable).
 */
export const lpaeGeometry = (asked: {
  readonly pageSizes: number;
  readonly ias: number;
  readonly oas: number;
}): LpaeGeometry | null => {
  if (asked.pageSizes <= 0) return null;
  const smallest = granuleIn(asked.pageSizes);
  const format = SIZES.find(({ granule }) => 2 ** granule === smallest);
  if (format === undefined) return null;
  const { granule } = format;
  const most = granule === 16 ? MOST_ADDRESS_BITS_64K : MOST_ADDRESS_BITS;
  const ias = Math.min(asked.ias, most);
  const oas = Math.min(asked.oas, most);
  const sizes = oas > MOST_ADDRESS_BITS ? [...format.sizes, LARGEST_64K] : format.sizes;
  const had = pageSizesIn(asked.pageSizes);
  const pageSizes = sizes.filter(size => had.includes(size)).reduce((sum, size) => sum + size, 0);
  const inputBits = ias - granule;
  const levels = Math.ceil(inputBits / levelBits(granule));
  if (levels < 1 || levels > LAST_LEVEL + 1) return null;
  const startLevel = LAST_LEVEL + 1 - levels;
  const rootBits = inputBits - levelBits(granule) * (levels - 1);
  return withLevels({ granule, pageSizes, ias, oas, startLevel, rootBits });
};

/**
 * The same for stage 2: where the root has at most MOST_CONCATENATED entries of level 0, the walk
 * starts one level later with that many tables (arm_64_lpae_alloc_pgtable_s2).
 */
export const concatenated = (geometry: LpaeGeometry): LpaeGeometry => {
  const { granule, startLevel, rootBits } = geometry;
  if (startLevel !== 0 || 2 ** rootBits > MOST_CONCATENATED) return geometry;
  return withLevels({ ...geometry, startLevel: 1, rootBits: rootBits + levelBits(granule) });
};

/** Bytes of the root. */
export const rootSize = ({ rootBits }: LpaeGeometry): number => ENTRY_SIZE * 2 ** rootBits;

/** Bytes of any other table. */
export const tableSize = ({ granule }: LpaeGeometry): number => 2 ** granule;

/** Bytes that an entry of a level maps. */
export const spanOf = ({ spans }: LpaeGeometry, level: number): number => at(spans, level);

/** Entries of a table of a level. */
export const entriesOf = ({ entries }: LpaeGeometry, level: number): number => at(entries, level);
