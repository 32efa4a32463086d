import { isPowerOfTwo } from '../../../base/types/bits';
import { invariant } from '../../../base/types/errors';
import { ADDRESS_BITS, ARM_SMMU_GR0, MOST_BANKS, MOST_GROUPS } from '../regs';

/** How an SMMU was built: what its identification registers say. */
export interface SmmuIntegration {
  readonly version: 1 | 2;
  /** It has the MMU-500's own registers, of this revision (IDR7). */
  readonly mmu500: { readonly major: number; readonly minor: number } | null;
  /** Bytes of a page of registers: 4 KiB or 64 KiB; and pages of each half, a power of two. */
  readonly pageSize: number;
  readonly pages: number;
  /** Context banks; the first `stage2Banks` of them have no stage 1. */
  readonly banks: number;
  readonly stage2Banks: number;
  readonly stage1: boolean;
  readonly stage2: boolean;
  /** Stream mapping groups: matched against, or one for each stream. */
  readonly groups: number;
  readonly isMatching: boolean;
  readonly streamIdBits: number;
  /** Sizes of virtual, intermediate and physical addresses, each of ADDRESS_BITS. */
  readonly vaBits: number;
  readonly ipaBits: number;
  readonly paBits: number;
  /** Its walker looks into the caches. */
  readonly coherentWalk: boolean;
  /** Which page table formats it has beside LPAE: short descriptors, and AArch64's granules. */
  readonly shortDescriptors: boolean;
  readonly granules: readonly (4 | 16 | 64)[];
}

/** What a tree says of an SMMU, in numbers. */
export interface SmmuDescription {
  /** The first of COMPATIBLE that its `compatible` has. */
  readonly compatible: string;
  readonly windowSize: number;
  /** Interrupts that are not `#global-interrupts`. */
  readonly contextInterrupts: number;
  readonly coherentWalk: boolean;
}

const SMALL_PAGE = 0x1000;
const LARGE_PAGE = 0x1_0000;

/**
 * What boards are taken to have. A tree says how large the window is and how many interrupts
 * contexts have; all else is what these products usually report.
 */
const ASSUMED: Readonly<
  Record<
    'mmu-40x' | 'mmu-500' | 'qcom',
    Omit<SmmuIntegration, 'pageSize' | 'pages' | 'banks' | 'stage2Banks' | 'coherentWalk'>
  >
> = {
  'mmu-40x': {
    version: 1,
    mmu500: null,
    stage1: false,
    stage2: true,
    groups: 32,
    isMatching: true,
    streamIdBits: 15,
    vaBits: 40,
    ipaBits: 40,
    paBits: 40,
    shortDescriptors: true,
    granules: [],
  },
  'mmu-500': {
    version: 2,
    mmu500: { major: 2, minor: 4 },
    stage1: true,
    stage2: true,
    groups: MOST_GROUPS,
    isMatching: true,
    streamIdBits: 15,
    vaBits: 48,
    ipaBits: 48,
    paBits: 48,
    shortDescriptors: true,
    granules: [4, 64],
  },
  qcom: {
    version: 2,
    mmu500: null,
    stage1: true,
    stage2: false,
    groups: 64,
    isMatching: true,
    streamIdBits: 15,
    vaBits: 48,
    ipaBits: 36,
    paBits: 36,
    shortDescriptors: true,
    granules: [4, 16, 64],
  },
};

/** Context banks of an MMU-400 or MMU-401, whose interrupts do not say it. */
const MMU_40X_BANKS = 8;

/**
 * What an SMMU of this description is taken to be; null if its window has no room for its context
 * banks, or none has an interrupt. Pages of registers are 64 KiB where so many fit.
 */
export const integrationOf = (description: SmmuDescription): SmmuIntegration | null => {
  const { compatible, windowSize, contextInterrupts, coherentWalk } = description;
  const product = productOf(compatible);
  const assumed = ASSUMED[product];
  const wanted = Math.min(
    MOST_BANKS,
    assumed.version === 1 ? MMU_40X_BANKS : Math.max(contextInterrupts, 0),
  );
  const half = windowSize / 2;
  const pageSize = half / LARGE_PAGE >= wanted ? LARGE_PAGE : SMALL_PAGE;
  const pages = half / pageSize;
  if (contextInterrupts < 1 || !isPowerOfTwo(pages) || pages < Math.max(wanted, 2)) return null;
  const stage2Banks = assumed.stage1 ? 0 : wanted;
  return { ...assumed, pageSize, pages, banks: wanted, stage2Banks, coherentWalk };
};

const productOf = (compatible: string): keyof typeof ASSUMED => {
  if (compatible === 'qcom,smmu-v2') return 'qcom';
  return compatible === 'arm,mmu-500' || compatible === 'arm,smmu-v2' ? 'mmu-500' : 'mmu-40x';
};

/** Reset values of the registers that tell of an integration. */
export const identification = (
  built: SmmuIntegration,
  contextInterrupts: number,
): Record<'ACR' | 'IDR0' | 'IDR1' | 'IDR2' | 'IDR7', number> => {
  const { IDR0, IDR1, IDR2, IDR7, ACR } = ARM_SMMU_GR0.registers;
  const isSecond = built.version === 2;
  const bit = (condition: boolean): number => (condition ? 1 : 0);
  const granule = (size: 4 | 16 | 64): number => bit(built.granules.includes(size));
  return {
    ACR: ACR.fields.CACHE_LOCK.at(bit(built.mmu500 !== null && built.mmu500.major >= 2)),
    IDR0:
      IDR0.fields.NUMSMRG.at(built.isMatching ? built.groups : 0) +
      IDR0.fields.NUMSIDB.at(built.streamIdBits) +
      IDR0.fields.CTTW.at(bit(built.coherentWalk)) +
      IDR0.fields.NUMIRPT.at(isSecond ? 0 : contextInterrupts) +
      IDR0.fields.PTFS_NO_AARCH32S.at(bit(isSecond && !built.shortDescriptors)) +
      IDR0.fields.ATOSNS.at(1) +
      IDR0.fields.SMS.at(bit(built.isMatching)) +
      IDR0.fields.S2TS.at(bit(built.stage2)) +
      IDR0.fields.S1TS.at(bit(built.stage1)),
    IDR1:
      IDR1.fields.NUMCB.at(built.banks) +
      IDR1.fields.NUMS2CB.at(built.stage2Banks) +
      IDR1.fields.NUMPAGENDXB.at(Math.log2(built.pages) - 1) +
      IDR1.fields.PAGESIZE.at(bit(built.pageSize === LARGE_PAGE)),
    IDR2:
      IDR2.fields.IAS.at(addressCode(built.ipaBits)) +
      IDR2.fields.OAS.at(addressCode(built.paBits)) +
      (isSecond
        ? IDR2.fields.UBS.at(addressCode(built.vaBits)) +
          IDR2.fields.PTFS_4K.at(granule(4)) +
          IDR2.fields.PTFS_16K.at(granule(16)) +
          IDR2.fields.PTFS_64K.at(granule(64))
        : 0),
    IDR7:
      built.mmu500 === null
        ? 0
        : IDR7.fields.MAJOR.at(built.mmu500.major) + IDR7.fields.MINOR.at(built.mmu500.minor),
  };
};

const addressCode = (bits: number): number => {
  const code = ADDRESS_BITS.indexOf(bits);
  invariant(code >= 0, `an SMMU with addresses of ${bits} bits`);
  return code;
};
