import { bit, field } from '../../base/types/registers';

/*
 * The short-descriptor translation tables of ARMv7 as IOMMUs walk them: a table of 4096 words for
 * 1 MiB each, tables of 256 words for 4 KiB each. Entries of 16 MiB and of 64 KiB are there sixteen
 * times. Source: ARM DDI 0406C B3.5.
 */

/** Bits 1:0 of a first-level word; 0 and 3 are invalid. */
export const FIRST_TYPE = { table: 1, section: 2 } as const;
/** Bits 1:0 of a second-level word: bit 0 of a small page is XN. */
export const SECOND_TYPE = { large: 1, small: 2, smallXn: 3 } as const;
/** Bits 1:0 of either. */
export const TYPE = field(0, 2);

/** A first-level word that leads to a table. */
export const TABLE = { NS: bit(3), DOMAIN: field(5, 4), ADDRESS: field(10, 22) } as const;

/** A section of 1 MiB, or one of the sixteen words of a supersection. */
export const SECTION = {
  B: bit(2),
  C: bit(3),
  XN: bit(4),
  DOMAIN: field(5, 4),
  /** AP[0]: with SCTLR.AFE the access flag. */
  AF: bit(10),
  /** AP[1]: unprivileged accesses may. */
  USER: bit(11),
  TEX: field(12, 3),
  /** AP[2]. */
  READ_ONLY: bit(15),
  S: bit(16),
  NG: bit(17),
  SUPER: bit(18),
  NS: bit(19),
  ADDRESS: field(20, 12),
} as const;

/** What a supersection has elsewhere: address bits 31:24, 35:32 and 39:36. */
export const SUPERSECTION = {
  ADDRESS: field(24, 8),
  ADDRESS_32: field(20, 4),
  ADDRESS_36: field(5, 4),
} as const;

/** A page of 4 KiB. */
export const SMALL = {
  XN: bit(0),
  B: bit(2),
  C: bit(3),
  AF: bit(4),
  USER: bit(5),
  TEX: field(6, 3),
  READ_ONLY: bit(9),
  S: bit(10),
  NG: bit(11),
  ADDRESS: field(12, 20),
} as const;

/** What one of the sixteen words of a page of 64 KiB has elsewhere. */
export const LARGE = { TEX: field(12, 3), XN: bit(15), ADDRESS: field(16, 16) } as const;

/** Words that a larger page is written in. */
export const REPEATED = 16;
export const FIRST_ENTRIES = 4096;
export const SECOND_ENTRIES = 256;
export const ENTRY_SIZE = 4;
/** log2 of what a word of each level translates. */
export const FIRST_SHIFT = 20;
export const SECOND_SHIFT = 12;

/** TTBR as the short descriptors have it. */
export const TTBR = {
  IRGN_1: bit(0),
  S: bit(1),
  RGN: field(3, 2),
  NOS: bit(5),
  IRGN_0: bit(6),
} as const;

/** Cacheability: RGN of TTBR and the fields of NMRR. */
export const RGN = {
  nonCacheable: 0,
  writeBackAllocate: 1,
  writeThrough: 2,
  writeBack: 3,
} as const;

/** Memory type in PRRR. */
export const PRRR_TYPE = { stronglyOrdered: 0, device: 1, normal: 2 } as const;
/** What S means for Device and for Normal memory: DS0, DS1, NS0, NS1. */
export const PRRR = { DS0: bit(16), DS1: bit(17), NS0: bit(18), NS1: bit(19) } as const;
/** The type, and outer shareability left out, of the index TEX[0], C, B. */
export const prrrType = (index: number, type: number): number => type * 2 ** (2 * index);
export const prrrNos = (index: number): number => 2 ** (24 + index);
/** Inner and outer cacheability of the same index. */
export const nmrrInner = (index: number, rgn: number): number => rgn * 2 ** (2 * index);
export const nmrrOuter = (index: number, rgn: number): number => rgn * 2 ** (2 * index + 16);
