import { address, bits } from './words';

/*
 * The stream table and what it leads to (Arm IHI 0070, chapter 5).
 */

/** An entry of the first level of a stream table: 8 bytes. SPAN 0: no entry is valid below it. */
export const L1_STREAM = { SIZE: 8, SPAN: bits(0, 0, 5), L2PTR: address(0, 6) } as const;

/** Values of STE.CONFIG. */
export const SteConfig = {
  Abort: 0,
  Bypass: 4,
  Stage1: 5,
  Stage2: 6,
  Nested: 7,
} as const;

/** Values of STE.S1DSS: what transactions without a substream meet where there are substreams. */
export const S1Dss = { Terminate: 0, Bypass: 1, Substream0: 2 } as const;

/** Values of STE.S1FMT. */
export const S1Fmt = { Linear: 0, TwoLevel4K: 1, TwoLevel64K: 2 } as const;

/** STE.SHCFG: shareability as the transaction has it. */
export const SHCFG_INCOMING = 1;

/** Values of STE.STRW that are valid where there is no EL2. */
export const STRW_NSEL1 = 0;

/** A stream table entry: 64 bytes. */
export const STE = {
  SIZE: 64,
  WORDS: 16,
  V: bits(0, 0),
  CONFIG: bits(0, 1, 3),
  S1FMT: bits(0, 4, 2),
  S1CTXPTR: address(0, 6),
  S1CDMAX: bits(0, 59, 5),
  S1DSS: bits(1, 0, 2),
  S1CIR: bits(1, 2, 2),
  S1COR: bits(1, 4, 2),
  S1CSH: bits(1, 6, 2),
  PPAR: bits(1, 18),
  MEV: bits(1, 19),
  S1STALLD: bits(1, 27),
  EATS: bits(1, 28, 2),
  STRW: bits(1, 30, 2),
  MEMATTR: bits(1, 32, 4),
  MTCFG: bits(1, 36),
  ALLOCCFG: bits(1, 37, 4),
  SHCFG: bits(1, 44, 2),
  NSCFG: bits(1, 46, 2),
  PRIVCFG: bits(1, 48, 2),
  INSTCFG: bits(1, 50, 2),
  S2VMID: bits(2, 0, 16),
  S2T0SZ: bits(2, 32, 6),
  S2SL0: bits(2, 38, 2),
  S2IR0: bits(2, 40, 2),
  S2OR0: bits(2, 42, 2),
  S2SH0: bits(2, 44, 2),
  S2TG: bits(2, 46, 2),
  S2PS: bits(2, 48, 3),
  S2AA64: bits(2, 51),
  S2ENDI: bits(2, 52),
  S2AFFD: bits(2, 53),
  S2PTW: bits(2, 54),
  S2HD: bits(2, 55),
  S2HA: bits(2, 56),
  S2S: bits(2, 57),
  S2R: bits(2, 58),
  S2TTB: address(3, 4),
} as const;

/** A context descriptor: 64 bytes. */
export const CD = {
  SIZE: 64,
  WORDS: 16,
  T0SZ: bits(0, 0, 6),
  TG0: bits(0, 6, 2),
  IR0: bits(0, 8, 2),
  OR0: bits(0, 10, 2),
  SH0: bits(0, 12, 2),
  EPD0: bits(0, 14),
  ENDI: bits(0, 15),
  EPD1: bits(0, 30),
  V: bits(0, 31),
  IPS: bits(0, 32, 3),
  AFFD: bits(0, 35),
  TBI0: bits(0, 38),
  AA64: bits(0, 41),
  HD: bits(0, 42),
  HA: bits(0, 43),
  S: bits(0, 44),
  R: bits(0, 45),
  A: bits(0, 46),
  ASET: bits(0, 47),
  ASID: bits(0, 48, 16),
  TTB0: address(1, 4),
  MAIR0: bits(3, 0, 32),
  MAIR1: bits(3, 32, 32),
} as const;

/** log2 of the granule by CD.TG0 and STE.S2TG; 3 is reserved. */
export const GRANULE_SHIFTS = [12, 16, 14, null] as const;
