import { EEXIST } from '../../drivers/base/kernel/errno';
import {
  First,
  KIND,
  LARGE_PAGE,
  SECTION,
  SMALL_PAGE,
  SUPER,
  SUPERSECTION,
  Second,
} from '../../drivers/iommu/regs/omap';
import type { Decoded, TwoLevelFormat } from './two-level';

const NOTHING: Decoded = { kind: 'nothing', address: 0, size: 0 };
const SECOND_TABLE = 0x400;

const startOf = (word: number, size: number): number => word - (word % size);

const decodeFirst = (word: number): Decoded => {
  const kind = KIND.of(word);
  if (kind === First.Table) {
    return { kind: 'table', address: startOf(word, SECOND_TABLE), size: SECTION };
  }
  if (kind !== First.Section) return NOTHING;
  const size = SUPER.of(word) === 1 ? SUPERSECTION : SECTION;
  return { kind: 'page', address: startOf(word, size), size };
};

const decodeSecond = (word: number): Decoded => {
  const kind = KIND.of(word);
  if (kind !== Second.Large && kind !== Second.Small) return NOTHING;
  const size = kind === Second.Large ? LARGE_PAGE : SMALL_PAGE;
  return { kind: 'page', address: startOf(word, size), size };
};

const kindOf = (size: number): number => {
  if (size === SUPERSECTION) return SUPER.at(1) + First.Section;
  if (size === SECTION) return First.Section;
  return size === LARGE_PAGE ? Second.Large : Second.Small;
};

/** Tables of the OMAP IOMMU: without permissions (drivers/iommu/omap-iommu.c). */
export const OMAP_TABLES: TwoLevelFormat = {
  name: 'omap-iommu',
  firstSpan: SECTION,
  secondSpan: SMALL_PAGE,
  pageSizes: SUPERSECTION + SECTION + LARGE_PAGE + SMALL_PAGE,
  sizes: [SMALL_PAGE, LARGE_PAGE, SECTION, SUPERSECTION],
  limit: 2 ** 32,
  existing: EEXIST,
  partialUnmap: 'whole',
  freesEmpty: true,
  table: address => address + First.Table,
  page: (address, size) => address + kindOf(size),
  decode: (level, word) => (level === 1 ? decodeFirst(word) : decodeSecond(word)),
};
