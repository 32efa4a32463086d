import { bit, defineRegisters, field } from '../../base/types/registers';

/*
 * Arm System MMU, versions 1 and 2 (IHI 0062D.c). Three kinds of page: two of global registers at
 * the start of the window, and in its upper half one for each context bank. A page is 4 KiB or
 * 64 KiB, as IDR1 says; the registers are in its first 4 KiB. Names are the manual's, without SMMU_.
 */

/** Strings that Linux's arm-smmu has data for; vendors' strings fall back to one of them. */
export const COMPATIBLE = [
  'arm,mmu-400',
  'arm,mmu-401',
  'arm,mmu-500',
  'arm,smmu-v1',
  'arm,smmu-v2',
  'qcom,smmu-v2',
] as const;

/** Bytes of each page that have registers. */
export const REGISTERS_SIZE = 0x1000;
/** Most stream mapping groups, and most context banks, that the registers have room for. */
export const MOST_GROUPS = 128;
export const MOST_BANKS = 128;

/** Sizes of addresses as the identification registers write them (IDR2.IAS and its like). */
export const ADDRESS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48];

/** Values of S2CR.TYPE: what a stream's transactions meet. */
export const StreamType = { Translate: 0, Bypass: 1, Fault: 2 } as const;

/** Values of S2CR.PRIVCFG: as the transaction says, or whatever it says. */
export const PrivilegeConfig = { Default: 0, Unprivileged: 2, Privileged: 3 } as const;

/** Values of CBAR.TYPE: the stages of a context bank. */
export const BankType = {
  Stage2: 0,
  Stage1: 1,
  Stage1Fault: 2,
  Nested: 3,
} as const;

/**
 * Fields of TCR. T0SZ to EPD1 as of AArch64 and of long descriptors; N, PD0 and PD1 as of short
 * ones, where EAE is clear; T0SZ_32 (signed), SL0 and PS as of stage 2 (VTCR).
 */
export const TCR = {
  T0SZ: field(0, 6),
  EPD0: bit(7),
  IRGN0: field(8, 2),
  ORGN0: field(10, 2),
  SH0: field(12, 2),
  TG0: field(14, 2),
  T1SZ: field(16, 6),
  A1: bit(22),
  EPD1: bit(23),
  TG1: field(30, 2),
  EAE: bit(31),
  N: field(0, 3),
  PD0: bit(4),
  PD1: bit(5),
  T0SZ_32: field(0, 4),
  SL0: field(6, 2),
  PS: field(16, 3),
} as const;

/** The first page: identification, global faults, stream mapping, invalidation of everything. */
export const ARM_SMMU_GR0 = defineRegisters({
  name: 'arm-smmu.GR0',
  size: REGISTERS_SIZE,
  registers: {
    CR0: {
      at: 0x000,
      reset: 0x0020_0001,
      fields: {
        CLIENTPD: bit(0),
        GFRE: bit(1),
        GFIE: bit(2),
        EXIDENABLE: bit(3).unimplemented(),
        GCFGFRE: bit(4),
        GCFGFIE: bit(5),
        TRANSIENTCFG: field(6, 2),
        STALLD: bit(8),
        GSE: bit(9).unimplemented(),
        USFCFG: bit(10),
        VMIDPNE: bit(11),
        PTM: bit(12),
        FB: bit(13),
        BSU: field(14, 2),
        MEMATTR: field(16, 4),
        MTCFG: bit(20),
        SMCFCFG: bit(21),
        SHCFG: field(22, 2),
        RACFG: field(24, 2),
        WACFG: field(26, 2),
        NSCFG: field(28, 2),
        HYPMODE: bit(30).unimplemented(),
        VMID16EN: bit(31).unimplemented(),
      },
    },
    ACR: {
      at: 0x010,
      fields: { SMTNMB_TLBEN: bit(8), S2CRB_TLBEN: bit(10), CACHE_LOCK: bit(26) },
      note: 'as the MMU-500 has it',
    },
    IDR0: {
      at: 0x020,
      access: 'ro',
      fields: {
        NUMSMRG: field(0, 8),
        EXIDS: bit(8),
        NUMSIDB: field(9, 4),
        BTM: bit(13),
        CTTW: bit(14),
        NUMIRPT: field(16, 8),
        PTFS_NO_AARCH32S: bit(24),
        PTFS_NO_AARCH32: bit(25),
        ATOSNS: bit(26),
        SMS: bit(27),
        NTS: bit(28),
        S2TS: bit(29),
        S1TS: bit(30),
        SES: bit(31),
      },
      note: 'as integrated',
    },
    IDR1: {
      at: 0x024,
      access: 'ro',
      fields: {
        NUMCB: field(0, 8),
        NUMSSDNDXB: field(8, 4),
        SSDTP: field(12, 2),
        SMCD: bit(15),
        NUMS2CB: field(16, 8),
        NUMPAGENDXB: field(28, 3),
        PAGESIZE: bit(31),
      },
      note: 'as integrated',
    },
    IDR2: {
      at: 0x028,
      access: 'ro',
      fields: {
        IAS: field(0, 4),
        OAS: field(4, 4),
        UBS: field(8, 4),
        PTFS_4K: bit(12),
        PTFS_16K: bit(13),
        PTFS_64K: bit(14),
        VMID16S: bit(15),
      },
      note: 'as integrated',
    },
    IDR7: {
      at: 0x03c,
      access: 'ro',
      fields: { MINOR: field(0, 4), MAJOR: field(4, 4) },
      note: 'as integrated',
    },
    GFAR: { at: 0x040, access: 'ro' },
    GFAR_HI: { at: 0x044, access: 'ro' },
    GFSR: {
      at: 0x048,
      fields: {
        ICF: bit(0).w1c(),
        USF: bit(1).w1c(),
        SMCF: bit(2).w1c(),
        UCBF: bit(3).w1c(),
        UCIF: bit(4).w1c(),
        CAF: bit(5).w1c(),
        EF: bit(6).w1c(),
        PF: bit(7).w1c(),
        UUT: bit(8).w1c(),
        MULTI: bit(31).w1c(),
      },
    },
    GFSYNR0: {
      at: 0x050,
      access: 'ro',
      fields: {
        NESTED: bit(0),
        WNR: bit(1),
        PNU: bit(2),
        IND: bit(3),
        NSSTATE: bit(4),
        NSATTR: bit(5),
      },
    },
    GFSYNR1: {
      at: 0x054,
      access: 'ro',
      fields: { STREAMID: field(0, 15), SSD_INDEX: field(16, 15) },
    },
    GFSYNR2: { at: 0x058, access: 'ro' },
    TLBIVMID: { at: 0x064, access: 'wo', fields: { VMID: field(0, 8) } },
    TLBIALLNSNH: { at: 0x068, access: 'wo', note: 'whatever is written' },
    TLBIALLH: { at: 0x06c, access: 'wo', note: 'whatever is written' },
    TLBGSYNC: { at: 0x070, access: 'wo', note: 'whatever is written' },
    TLBGSTATUS: { at: 0x074, access: 'ro', fields: { GSACTIVE: bit(0) } },
    SMR: {
      at: 0x800,
      count: MOST_GROUPS,
      fields: { ID: field(0, 15), MASK: field(16, 15), VALID: bit(31) },
    },
    S2CR: {
      at: 0xc00,
      count: MOST_GROUPS,
      fields: {
        CBNDX: field(0, 8),
        SHCFG: field(8, 2),
        EXIDVALID: bit(10).unimplemented(),
        MTCFG: bit(11),
        MEMATTR: field(12, 4),
        TYPE: field(16, 2),
        NSCFG: field(18, 2),
        RACFG: field(20, 2),
        WACFG: field(22, 2),
        PRIVCFG: field(24, 2),
        INSTCFG: field(26, 2),
        TRANSIENTCFG: field(28, 2),
      },
    },
  },
  notModelled: [
    'what is secure: SCR1, the secure copies of registers, NSCR0',
    'attributes of memory: whether a master snoops is what the tree says of it (CR0, S2CR, CBAR, SCTLR: stored)',
    'broadcast of invalidations by the CPUs (BTM)',
    'entries of the TLB for what is not translated (ACR.SMTNMB_TLBEN, S2CRB_TLBEN: stored)',
    'the address translation operations (GATS1PR and its like; IDR0.ATOSNS)',
    'restoring of faults (GFSRRESTORE, FSRRESTORE) and the performance monitors',
  ],
});

/** The second page: what each context bank is. */
export const ARM_SMMU_GR1 = defineRegisters({
  name: 'arm-smmu.GR1',
  size: REGISTERS_SIZE,
  registers: {
    CBAR: {
      at: 0x000,
      count: MOST_BANKS,
      fields: {
        VMID: field(0, 8),
        BPSHCFG: field(8, 2),
        HYPC: bit(10).unimplemented(),
        FB: bit(11),
        MEMATTR: field(12, 4),
        TYPE: field(16, 2),
        BSU: field(18, 2),
        RACFG: field(20, 2),
        WACFG: field(22, 2),
        IRPTNDX: field(24, 8),
      },
      note: 'fields as of stage 1 without stage 2; IRPTNDX in version 1 only',
    },
    CBFRSYNRA: {
      at: 0x400,
      count: MOST_BANKS,
      access: 'ro',
      fields: { SID: field(0, 15), SSD_INDEX: field(16, 15) },
    },
    CBA2R: {
      at: 0x800,
      count: MOST_BANKS,
      fields: { VA64: bit(0), MONC: bit(1).unimplemented(), VMID16: field(16, 16).unimplemented() },
      note: 'version 2 only',
    },
  },
  notModelled: ['stage 2 behind stage 1 (CBAR.TYPE 3: a loud error)'],
});

/** The page of a context bank. */
export const ARM_SMMU_CB = defineRegisters({
  name: 'arm-smmu.CB',
  size: REGISTERS_SIZE,
  registers: {
    SCTLR: {
      at: 0x000,
      fields: {
        M: bit(0),
        TRE: bit(1),
        AFE: bit(2),
        AFFD: bit(3),
        E: bit(4).unimplemented(),
        CFRE: bit(5),
        CFIE: bit(6),
        CFCFG: bit(7),
        HUPCF: bit(8),
        WXN: bit(9),
        UWXN: bit(10),
        ASIDPNE: bit(12),
        TRANSIENTCFG: field(14, 2),
        MEMATTR: field(16, 4),
        MTCFG: bit(20),
        SHCFG: field(22, 2),
        RACFG: field(24, 2),
        WACFG: field(26, 2),
        NSCFG: field(28, 2),
        UCI: bit(30),
      },
    },
    ACTLR: {
      at: 0x004,
      reset: 0x3,
      fields: { CMTLB: bit(0), CPRE: bit(1) },
      note: 'as the MMU-500 has it',
    },
    RESUME: { at: 0x008, access: 'wo', fields: { TERMINATE: bit(0) } },
    TCR2: {
      at: 0x010,
      fields: {
        PASIZE: field(0, 3),
        AS: bit(4),
        TBI0: bit(5).unimplemented(),
        TBI1: bit(6).unimplemented(),
        SEP: field(15, 3),
      },
      note: 'version 2 only',
    },
    TTBR0: { at: 0x020 },
    TTBR0_HI: { at: 0x024, note: 'bits 31:16 are the ASID' },
    TTBR1: { at: 0x028 },
    TTBR1_HI: { at: 0x02c, note: 'bits 31:16 are the ASID' },
    TCR: { at: 0x030, note: 'TTBCR, TCR or VTCR: as CBAR and CBA2R say' },
    CONTEXTIDR: { at: 0x034, fields: { ASID: field(0, 8), PROCID: field(8, 24) } },
    MAIR0: { at: 0x038, note: 'PRRR of the short descriptors' },
    MAIR1: { at: 0x03c, note: 'NMRR of the short descriptors' },
    FSR: {
      at: 0x058,
      fields: {
        TF: bit(1).w1c(),
        AFF: bit(2).w1c(),
        PF: bit(3).w1c(),
        EF: bit(4).w1c(),
        TLBMCF: bit(5).w1c(),
        TLBLKF: bit(6).w1c(),
        ASF: bit(7).w1c(),
        UUT: bit(8).w1c(),
        FORMAT: field(9, 2).ro(),
        SS: bit(30).ro(),
        MULTI: bit(31).w1c(),
      },
    },
    FAR: { at: 0x060, access: 'ro' },
    FAR_HI: { at: 0x064, access: 'ro' },
    FSYNR0: {
      at: 0x068,
      access: 'ro',
      fields: {
        PLVL: field(0, 2),
        WNR: bit(4),
        PNU: bit(5),
        IND: bit(6),
        NSATTR: bit(8),
        PTWF: bit(10),
        AFR: bit(11),
        S1CBNDX: field(16, 8),
      },
    },
    FSYNR1: { at: 0x06c, access: 'ro' },
    IPAFAR: { at: 0x070, access: 'ro' },
    IPAFAR_HI: { at: 0x074, access: 'ro' },
    TLBIVA: { at: 0x600, access: 'wo' },
    TLBIVA_HI: { at: 0x604, access: 'wo' },
    TLBIVAA: { at: 0x608, access: 'wo' },
    TLBIVAA_HI: { at: 0x60c, access: 'wo' },
    TLBIASID: { at: 0x610, access: 'wo', fields: { ASID: field(0, 16) } },
    TLBIALL: { at: 0x618, access: 'wo', note: 'whatever is written' },
    TLBIVAL: { at: 0x620, access: 'wo' },
    TLBIVAL_HI: { at: 0x624, access: 'wo' },
    TLBIVAAL: { at: 0x628, access: 'wo' },
    TLBIVAAL_HI: { at: 0x62c, access: 'wo' },
    TLBIIPAS2: { at: 0x630, access: 'wo' },
    TLBIIPAS2_HI: { at: 0x634, access: 'wo' },
    TLBIIPAS2L: { at: 0x638, access: 'wo' },
    TLBIIPAS2L_HI: { at: 0x63c, access: 'wo' },
    TLBSYNC: { at: 0x7f0, access: 'wo', note: 'whatever is written' },
    TLBSTATUS: { at: 0x7f4, access: 'ro', fields: { SACTIVE: bit(0) } },
  },
  notModelled: [
    'big-endian tables',
    'faults that are ignored instead of answered with an abort (SCTLR.CFRE, CR0.GFRE and GCFGFRE clear: a loud error)',
    'prefetching of translations (ACTLR.CPRE: stored)',
    'privilege: all transactions are privileged unless S2CR.PRIVCFG makes them not',
    'fetches of instructions',
    'entries of every ASID (nG clear): each is kept for the ASID that it was found for',
  ],
});
