/*
 * The long-descriptor translation tables of LPAE and VMSAv8-64, 4 KiB granule, stage 1.
 * An entry has 64 bits; `low` and `high` are its halves. Sources: ARM DDI 0406C B3.6, DDI 0487 D8.
 */

/** Bits 1:0: block at levels 1 and 2, table above the last level, page at level 3. */
export const TYPE = { invalid: 0, block: 1, table: 3, page: 3 } as const;

/** Attributes in the low half. */
export const LOW = {
  attrIndexShift: 2,
  /** AP[1]: user mode may. */
  user: 1 << 6,
  /** AP[2]: read-only. */
  readOnly: 1 << 7,
  shareabilityShift: 8,
  accessFlag: 1 << 10,
  nonGlobal: 1 << 11,
} as const;

/** Attributes in the high half. */
export const HIGH = {
  /** Sixteen adjacent entries of one run. */
  contiguous: 1 << 20,
  pxn: 1 << 21,
  xn: 1 << 22,
  /** PA[47:32] of the output address. */
  paMask: 0xffff,
} as const;

/** Attributes in the high half of a table entry, for everything below it: APTable. */
export const TABLE_HIGH = { noUser: 1 << 29, readOnly: 1 << 30 } as const;

/** Shareability of LOW.shareabilityShift and TCR.SHn. */
export const SH = { non: 0, outer: 2, inner: 3 } as const;

/** Entries in a table of 4 KiB, and bits of input address that each level resolves. */
export const ENTRIES = 512;
export const LEVEL_BITS = 9;
/** log2 of what an entry of each level covers: 512 GiB, 1 GiB, 2 MiB, 4 KiB. */
export const LEVEL_SHIFT = [39, 30, 21, 12] as const;
export const LAST_LEVEL = 3;
/** Entries that the contiguous hint joins. */
export const CONTIGUOUS_ENTRIES = 16;
