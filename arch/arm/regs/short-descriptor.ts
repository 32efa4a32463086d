/*
 * The short-descriptor translation tables: ARMv5 (with subpages), ARMv6 with XP, and ARMv7.
 * Sources: ARM DDI 0100I B4, DDI 0406C B3.5.
 */

/** Bits 1:0 of a first-level entry. */
export const L1_TYPE = { fault: 0, table: 1, section: 2, fineTable: 3 } as const;
/** Bits 1:0 of a second-level entry. Bit 0 of a v6 small page is XN. */
export const L2_TYPE = { fault: 0, large: 1, small: 2, smallXn: 3 } as const;

export const SECTION = {
  size: 0x10_0000,
  baseMask: 0xfff0_0000 | 0,
  bufferable: 1 << 2,
  cacheable: 1 << 3,
  xn: 1 << 4,
  domainShift: 5,
  apShift: 10,
  texShift: 12,
  apx: 1 << 15,
  shareable: 1 << 16,
  nonGlobal: 1 << 17,
  /** Set: a supersection of 16 MiB, written sixteen times. */
  super: 1 << 18,
} as const;

export const SUPERSECTION = {
  size: 0x100_0000,
  baseMask: 0xff00_0000 | 0,
  /** PA[35:32] are bits 23:20, PA[39:36] bits 8:5. */
  pa32Shift: 20,
  pa36Shift: 5,
} as const;

export const TABLE = {
  baseMask: 0xffff_fc00 | 0,
  domainShift: 5,
  entries: 256,
  size: 1024,
} as const;

/** ARMv6 and v7 second-level pages. */
export const PAGE = {
  small: { size: 0x1000, baseMask: 0xffff_f000 | 0, texShift: 6 },
  large: { size: 0x1_0000, baseMask: 0xffff_0000 | 0, texShift: 12 },
  bufferable: 1 << 2,
  cacheable: 1 << 3,
  apShift: 4,
  apx: 1 << 9,
  shareable: 1 << 10,
  nonGlobal: 1 << 11,
} as const;

/** ARMv5 second-level pages carry four access permissions, one for each quarter. */
export const PAGE_V5 = { apShifts: [4, 6, 8, 10] } as const;

/** AP[1:0]; with APX they become read-only for privileged code too. */
export const AP = { none: 0, privileged: 1, userRead: 2, full: 3 } as const;

/** Domain access: two bits each in DACR. */
export const DOMAIN = { noAccess: 0, client: 1, manager: 3 } as const;

/** First-level table: 4096 entries of 1 MiB, 16 KiB aligned. */
export const L1_TABLE = { entries: 4096, size: 0x4000, shift: 20 } as const;
