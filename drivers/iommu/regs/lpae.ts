import { bit, field } from '../../base/types/registers';

/*
 * The long-descriptor translation tables as IOMMUs walk them: LPAE and VMSAv8-64, stage 1 and 2,
 * granules of 4, 16 and 64 KiB. An entry has 64 bits; LOW and HIGH are fields of its halves.
 * Sources: ARM DDI 0487 D8.3, DDI 0406C B3.6.
 */

/** Bits 1:0: block above the last level, table above it, page at the last. */
export const ENTRY_TYPE = { invalid: 0, block: 1, table: 3, page: 3 } as const;

/** Fields of the low half. */
export const LOW = {
  VALID: bit(0),
  TYPE: field(0, 2),
  /** Stage 1: index of a byte of MAIR. */
  ATTR_INDEX: field(2, 3),
  /** Stage 2: MemAttr[3:0]. */
  MEM_ATTR: field(2, 4),
  /** Stage 1: output addresses are non-secure. */
  NS: bit(5),
  /** Stage 1: AP[1], unprivileged accesses may. */
  USER: bit(6),
  /** Stage 1: AP[2]. */
  READ_ONLY: bit(7),
  /** Stage 2: HAP or S2AP. */
  READ: bit(6),
  WRITE: bit(7),
  SH: field(8, 2),
  AF: bit(10),
  NG: bit(11),
  /** Address bits 31:12. */
  ADDRESS: field(12, 20),
} as const;

/** Fields of the high half. */
export const HIGH = {
  /** Address bits 47:32. */
  ADDRESS: field(0, 16),
  /** Written while read-only: the hardware marks it dirty. */
  DBM: bit(19),
  CONTIGUOUS: bit(20),
  PXN: bit(21),
  XN: bit(22),
  PXN_TABLE: bit(27),
  XN_TABLE: bit(28),
  /** APTable[0]: nothing below is for unprivileged accesses. */
  NO_USER_TABLE: bit(29),
  /** APTable[1]: nothing below may be written. */
  READ_ONLY_TABLE: bit(30),
  NS_TABLE: bit(31),
} as const;

/** Address bits 15:12 of an entry of the 64 KiB granule are bits 51:48. */
export const LOW_TOP_ADDRESS = field(12, 4);

/** Shareability, of SH here and in TCR. */
export const SH = { non: 0, outer: 2, inner: 3 } as const;

/** Stage 2, MEM_ATTR: Device-nGnRE; Normal, non-cacheable; Normal, write-back. */
export const MEM_ATTR = { device: 0x1, nonCacheable: 0x5, writeBack: 0xf } as const;

/** Cacheability of walks: IRGN and ORGN in TCR. */
export const RGN = {
  nonCacheable: 0,
  writeBackAllocate: 1,
  writeThrough: 2,
  writeBack: 3,
} as const;

/** Bytes of MAIR: Normal non-cacheable, Device-nGnRE, Normal write-back, outer write-back only. */
export const MAIR = {
  nonCacheable: 0x44,
  device: 0x04,
  writeBack: 0xff,
  outerWriteBack: 0xf4,
} as const;

/** log2 of the granules, with what names them in TCR.TG0 and TCR.TG1. */
export const GRANULES = [
  { shift: 12, tg0: 0, tg1: 2 },
  { shift: 14, tg0: 2, tg1: 1 },
  { shift: 16, tg0: 1, tg1: 3 },
] as const;
export type GranuleShift = (typeof GRANULES)[number]['shift'];

/** Bits of output addresses by the encoding of TCR.IPS and VTCR.PS. */
export const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 52] as const;

export const ENTRY_SIZE = 8;
/** log2 of ENTRY_SIZE. */
const ENTRY_SHIFT = 3;
/** Levels are 0 to 3. */
export const LAST_LEVEL = 3;
/** Stage 2 may begin with this many tables of a level, one after the other. */
export const MOST_CONCATENATED = 16;

/** Bits of input address that a table of one granule resolves. */
export const levelBits = (granule: number): number => granule - ENTRY_SHIFT;

/** log2 of what an entry of a level translates. */
export const levelShift = (level: number, granule: number): number =>
  granule + (LAST_LEVEL - level) * levelBits(granule);

/** Entries that the contiguous hint joins. Source: DDI 0487, table D8-105. */
export const contiguousEntries = (level: number, granule: number): number => {
  if (granule === 14) return level === LAST_LEVEL ? 128 : 32;
  return granule === 12 ? 16 : 32;
};

/** Whether an entry of a level above the last may be a block; at level 1 of 64 KiB with 52 bits. */
export const hasBlocks = (level: number, granule: number, outputBits: number): boolean => {
  if (level === 2) return true;
  return level === 1 && (granule === 12 || (granule === 16 && outputBits > 48));
};
