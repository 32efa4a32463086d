/*
 * Fields of the system registers that dmabench models: the data sheet between the CPU (hardware)
 * and arch/arm/mm (software). Sources: ARM DDI 0100I (v5, v6), DDI 0406C (v7), DDI 0487 (v8).
 */

/** SCTLR, c1,c0,0. */
export const SCTLR = {
  /** MMU on. */
  M: 1 << 0,
  /** Alignment faults on. */
  A: 1 << 1,
  /** Data caches on. */
  C: 1 << 2,
  /** ARMv6: unaligned accesses go by bytes; clear, a load rotates what it reads. */
  U: 1 << 22,
  /** ARMv6: descriptors without subpages, the v6 format. */
  XP: 1 << 23,
  /** TEX remap through PRRR and NMRR. */
  TRE: 1 << 28,
} as const;

/** Bits of SCTLR that change what an access does and are not modelled: setting one is an error. */
export const SCTLR_NOT_MODELLED = {
  /** Big-endian, ARMv5. */
  B: 1 << 7,
  /** System and ROM protection, before ARMv7. */
  S: 1 << 8,
  R: 1 << 9,
  /** Access flag managed by hardware. */
  HA: 1 << 17,
  /** Data accesses, and table walks, are big-endian. */
  E0E: 1 << 24,
  EE: 1 << 25,
  /** AP[0] is the access flag. */
  AFE: 1 << 29,
} as const;

/** ACTLR, c1,c0,1, of the multiprocessors of ARMv7 (Cortex-A5, A7, A9, A15 …). */
export const ACTLR = {
  /** Cache and TLB maintenance is broadcast. */
  FW: 1 << 0,
  /** This core takes part in coherency: shareable memory is cached. */
  SMP: 1 << 6,
} as const;

/** CTR: format 4 (v7 and later) in bits 31:29. */
export const CTR = {
  formatShift: 29,
  formatV7: 4,
  /** log2 words of the smallest instruction line. */
  iMinLineShift: 0,
  /** log2 words of the smallest data line. */
  dMinLineShift: 16,
  /** Cache writeback granule, log2 words. */
  cwgShift: 24,
  /** v6 and v5 formats: bit 24 separate caches; D size field 23:12, I size field 11:0. */
  separate: 1 << 24,
  dSizeShift: 12,
  /** v6: bit 23 says that pages must be coloured. */
  dColoured: 1 << 23,
} as const;

/** CLIDR: cache type at each level, three bits each: 0 none, 2 data, 3 separate, 4 unified. */
export const CLIDR = {
  typeBits: 3,
  data: 2,
  separate: 3,
  unified: 4,
  locShift: 24,
  louuShift: 27,
  louisShift: 21,
} as const;

/** CCSIDR, 32-bit format: line, ways and sets of the cache that CSSELR names. */
export const CCSIDR = {
  lineShift: 0,
  waysShift: 3,
  waysBits: 10,
  setsShift: 13,
  setsBits: 15,
} as const;

/** ID_MMFR0.VMSA, bits 3:0: 0 none, 3 v7, 4 v7 with PXN, 5 with LPAE. PMSA is bits 7:4. */
export const ID_MMFR0 = { vmsaMask: 0xf, lpae: 5, pmsaShift: 4 } as const;

/** ID_MMFR3: bits 15:12, maintenance broadcast: 0 local, 1 caches, 2 caches and TLBs. */
export const ID_MMFR3 = {
  broadcastShift: 12,
  /** Bits 23:20: table updates need no clean for the walker to see them. */
  coherentWalkShift: 20,
} as const;

/** ID_AA64MMFR0.PARange, bits 3:0, and TCR.IPS in the same encoding: bits of a physical address. */
export const ID_AA64MMFR0 = { paRangeMask: 0xf } as const;
export const PA_BITS = [32, 36, 40, 42, 44, 48] as const;

/**
 * MPIDR: bit 31 multiprocessing extensions, bit 30 uniprocessor; Aff2 to Aff0 in bits 23:0, and in
 * AArch64 Aff3 in bits 39:32, 7:0 of the high half.
 */
export const MPIDR = {
  mp: 0x8000_0000 | 0,
  up: 1 << 30,
  lowAffinityBits: 24,
  aff3Mask: 0xff,
} as const;

/** TTBR of the short format: attributes of the walk itself, in the layout of the MP extensions. */
export const TTBR_SHORT = {
  /** Inner region: bit 6 is IRGN[0], bit 0 is IRGN[1]. */
  irgn0: 1 << 6,
  irgn1: 1 << 0,
  /** Outer region, bits 4:3. */
  rgnShift: 3,
  shareable: 1 << 1,
} as const;

/** Region encodings of TTBR and TCR: how the walk's reads are cached. */
export const RGN = {
  nonCacheable: 0,
  writeBackAllocate: 1,
  writeThrough: 2,
  writeBack: 3,
} as const;

/** TTBCR of the short format: N, the split between TTBR0 and TTBR1; EAE selects LPAE. */
export const TTBCR = {
  nMask: 7,
  /** Walks through TTBR0, TTBR1 fault. */
  pd0: 1 << 4,
  pd1: 1 << 5,
  eae: 0x8000_0000 | 0,
} as const;

/** TCR of LPAE (TTBCR.EAE = 1) and of AArch64, low half. */
export const TCR = {
  t0szShift: 0,
  irgn0Shift: 8,
  orgn0Shift: 10,
  sh0Shift: 12,
  t1szShift: 16,
  irgn1Shift: 24,
  orgn1Shift: 26,
  sh1Shift: 28,
  /** LPAE: three bits of T0SZ and T1SZ; AArch64: six. */
  tszBitsLpae: 3,
  tszBits: 6,
  /** AArch64: walks through TTBR0 fault (EPD0), TTBR1 (EPD1); LPAE has them in the same places. */
  epd0: 1 << 7,
  epd1: 1 << 23,
  /** AArch64: granules of the two tables, both of 4 KiB here, each in its own encoding. */
  tg0Shift: 14,
  tg1Shift: 30,
  tg0Granule4K: 0,
  tg1Granule4K: 2,
  /** The ASID is TTBR1's. */
  a1: 1 << 22,
} as const;

/** TCR of AArch64, high half: IPS, how wide an output address may be. */
export const TCR_HIGH = { ipsMask: 7 } as const;

/** TTBR0 of LPAE and AArch64: the ASID is in bits 63:48, 15:0 of the high half. */
export const TTBR_LONG = { asidShift: 16, baseHighMask: 0xffff } as const;

/** One byte of MAIR. */
export const MAIR = {
  deviceNGnRnE: 0x00,
  deviceNGnRE: 0x04,
  normalNonCacheable: 0x44,
  normalWriteThrough: 0xbb,
  normalWriteBack: 0xff,
} as const;
