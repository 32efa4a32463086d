import { EADDRINUSE } from '../../drivers/base/kernel/errno';
import {
  EXYNOS,
  EXYNOS_V5,
  First,
  KIND,
  LARGE_PAGE,
  SECTION,
  SMALL_PAGE,
  Second,
} from '../../drivers/iommu/regs/exynos';
import type { ExynosFormat, ExynosRights } from '../../drivers/iommu/regs/exynos';
import { IommuProt } from '../iommu/types';
import type { Decoded, TwoLevelFormat } from './two-level';

const NOTHING: Decoded = { kind: 'nothing', address: 0, size: 0 };

/** The first generation cannot let write without letting read. */
const protBits = ({ read, write, both }: ExynosRights, prot: number): number => {
  const isRead = prot % 2 === IommuProt.Read;
  const isWritten = Math.floor(prot / IommuProt.Write) % 2 === 1;
  if (isRead) return isWritten ? both : read;
  return write;
};

/** The part of an address that a word says of something of this size. */
const addressOf = (word: number, unit: number, size: number): number => {
  const bytes = word * unit;
  return bytes - (bytes % size);
};

const SECOND_TABLE = 0x400;

const exynosFormat = ({ unit, section, page }: ExynosFormat): TwoLevelFormat => ({
  name: 'exynos-iommu',
  firstSpan: SECTION,
  secondSpan: SMALL_PAGE,
  pageSizes: SECTION + LARGE_PAGE + SMALL_PAGE,
  sizes: [SMALL_PAGE, LARGE_PAGE, SECTION],
  limit: 2 ** 32 * unit,
  existing: EADDRINUSE,
  partialUnmap: 'refuse',
  freesEmpty: false,
  table: address => address / unit + First.Table,
  page: (address, size, prot) => {
    if (size === SECTION) return address / unit + protBits(section, prot) + First.Section;
    const kind = size === LARGE_PAGE ? Second.Large : Second.Small;
    return address / unit + protBits(page, prot) + kind;
  },
  decode: (level, word) => {
    const kind = KIND.of(word);
    if (level === 1) {
      if (kind === First.Table) {
        return { kind: 'table', address: addressOf(word, unit, SECOND_TABLE), size: SECTION };
      }
      if (kind !== First.Section) return NOTHING;
      return { kind: 'page', address: addressOf(word, unit, SECTION), size: SECTION };
    }
    if (kind === 0) return NOTHING;
    const size = kind === Second.Large ? LARGE_PAGE : SMALL_PAGE;
    return { kind: 'page', address: addressOf(word, unit, size), size };
  },
});

/** Tables of SYSMMUs of version 1 to 3 (drivers/iommu/exynos-iommu.c). */
export const EXYNOS_TABLES = exynosFormat(EXYNOS);

/** Tables of SYSMMUs of version 5. */
export const EXYNOS_V5_TABLES = exynosFormat(EXYNOS_V5);
