import { bit, field } from '../../base/types/registers';

/*
 * Tables of the OMAP IOMMU: 4096 words, each for a section of 1 MiB, a sixteenth of a supersection of
 * 16 MiB, or a table of 256 words, each for a small page of 4 KiB or a sixteenth of a large one of
 * 64 KiB. There are no permissions. Facts: Linux drivers/iommu/omap-iopgtable.h.
 */

export const SUPERSECTION = 0x100_0000;
export const SECTION = 0x10_0000;
export const LARGE_PAGE = 0x1_0000;
export const SMALL_PAGE = 0x1000;
export const FIRST_ENTRIES = 4096;
export const SECOND_ENTRIES = 256;
/** Words that a supersection, like a large page, takes. */
export const REPEATS = 16;

/** Values of KIND of a first-level word; all else leads nowhere. */
export const First = { Table: 1, Section: 2 } as const;
/** Values of KIND of a second-level word. */
export const Second = { Large: 1, Small: 2 } as const;
export const KIND = field(0, 2);
/** Of a section: it is a supersection. */
export const SUPER = bit(18);
