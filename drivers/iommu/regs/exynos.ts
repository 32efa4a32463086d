import { bit, field } from '../../base/types/registers';

/*
 * Tables of Exynos SYSMMUs, as both sides see them: 4096 words, each for a section of 1 MiB or for a
 * table of 256 words, each for a small page of 4 KiB or a sixteenth of a large one of 64 KiB. As
 * ARMv7's short descriptors, with fewer properties. Facts: Linux drivers/iommu/exynos-iommu.c.
 */

export const SECTION = 0x10_0000;
export const LARGE_PAGE = 0x1_0000;
export const SMALL_PAGE = 0x1000;
export const FIRST_ENTRIES = 4096;
export const SECOND_ENTRIES = 256;

/** Values of KIND of a first-level word; 0 and 3 lead nowhere. */
export const First = { Table: 1, Section: 2 } as const;
/** Values of KIND of a second-level word; 0 leads nowhere, and 3 is 2. */
export const Second = { Large: 1, Small: 2 } as const;
export const KIND = field(0, 2);

/** One word of what the two generations have in other places. */
export interface ExynosFormat {
  /** What the address bits of a word are multiplied by. */
  readonly unit: number;
  /** Bits of the words that permit: to read, to write, by level; or what forbids to write. */
  readonly section: ExynosRights;
  readonly page: ExynosRights;
}

/** The words of a permission: to read; to read and write; to write alone, where that is known. */
export interface ExynosRights {
  readonly read: number;
  readonly write: number;
  readonly both: number;
  /** All bits of the permission. */
  readonly mask: number;
}

const rights = (access: number, readOnly: number): ExynosRights => ({
  read: bit(access).at(1) + bit(readOnly).at(1),
  write: bit(access).at(1),
  both: bit(access).at(1),
  mask: bit(access).at(1) + bit(readOnly).at(1),
});

/** Versions 1 to 3: 32 bits. What may be written may be read. */
export const EXYNOS: ExynosFormat = { unit: 1, section: rights(10, 15), page: rights(4, 9) };

const v5Rights = (low: number): ExynosRights => ({
  read: field(low, 2).at(1),
  write: field(low, 2).at(2),
  both: field(low, 2).at(3),
  mask: field(low, 2).mask,
});

/** Version 5: 36 bits. */
export const EXYNOS_V5: ExynosFormat = { unit: 16, section: v5Rights(4), page: v5Rights(2) };
