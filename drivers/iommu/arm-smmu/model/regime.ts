import type { RegisterFile } from '../../../base/hw/register-file';
import { join64 } from '../../../base/types/bits';
import { UnmodelledError } from '../../../base/types/errors';
import { LpaeWalker, mayStartAt, startLevelOf } from '../../walk/lpae';
import type { LpaeRegime } from '../../walk/lpae';
import type { TableReader, TableWalker } from '../../walk/types';
import { V7sWalker } from '../../walk/v7s';
import type { V7sRegime } from '../../walk/v7s';
import { ADDRESS_BITS, BankType, TCR } from '../regs';
import type { ARM_SMMU_CB } from '../regs';
import type { SmmuIntegration } from './integration';
import { tagOf } from './invalidations';

/** Addresses of the upper half are held modulo 2^52; those from here on are TTBR1's. */
const UPPER_HALF = 2 ** 51;
const ROOT_BITS = 2 ** 48;
const LPAE_32_OUTPUT_BITS = 40;

/** What a context bank's registers come to: how its transactions are translated. */
export interface Regime {
  /** KeptEntry.context of what it keeps. */
  readonly tag: number;
  readonly isShort: boolean;
  /** By TTBR0 and TTBR1; null: these addresses are not translated, which is a fault. */
  readonly lower: LpaeRegime | V7sRegime | null;
  readonly upper: LpaeRegime | V7sRegime | null;
  /** First address of `upper`. */
  readonly split: number;
}

/** The walkers of an SMMU, over one way to the tables. */
export class Walkers {
  readonly #lpae: LpaeWalker;
  readonly #short: V7sWalker;

  constructor(tables: TableReader) {
    this.#lpae = new LpaeWalker(tables);
    this.#short = new V7sWalker(tables);
  }

  /** The walker of a regime's tables, which takes what its `lower` and `upper` are. */
  of({ isShort }: Regime): TableWalker<LpaeRegime | V7sRegime> {
    return isShort ? this.#short : this.#lpae;
  }
}

/** What of the global registers concerns a bank. */
export interface BankSetup {
  readonly built: SmmuIntegration;
  /** CBAR.TYPE and VMID, and CBA2R.VA64. */
  readonly type: number;
  readonly vmid: number;
  readonly is64: boolean;
}

type Registers = RegisterFile<typeof ARM_SMMU_CB>;

/** How a bank translates, as its registers are now. */
export const regimeOf = (setup: BankSetup, regs: Registers): Regime => {
  if (setup.type === BankType.Stage2) return stage2(setup, regs);
  if (setup.is64) return stage1Of64(setup, regs);
  return TCR.EAE.of(regs.TCR.value) === 1 ? stage1Of32(setup, regs) : shortOf(setup, regs);
};

/** log2 of the granule by TG0 and by TG1; undefined: reserved. */
const TG0 = [12, 16, 14] as const;
const TG1 = [undefined, 14, 12, 16] as const;

const rootOf = (low: number, high: number): number => join64(low, high) % ROOT_BITS;

const outputBits = (code: number, most: number): number => Math.min(ADDRESS_BITS[code] ?? 48, most);

const stage1Of64 = ({ built, vmid }: BankSetup, regs: Registers): Regime => {
  const tcr = regs.TCR.value;
  const asid = asidOf(regs) % (regs.TCR2.AS === 1 ? 2 ** 16 : 2 ** 8);
  const bits = outputBits(regs.TCR2.PASIZE, built.ipaBits);
  const half = (isUpper: boolean): LpaeRegime | null => {
    const [size, granule] = isUpper
      ? [TCR.T1SZ, TG1[TCR.TG1.of(tcr)]]
      : [TCR.T0SZ, TG0[TCR.TG0.of(tcr)]];
    const inputBits = 64 - size.of(tcr);
    if (granule === undefined || inputBits > built.vaBits) return null;
    const startLevel = startLevelOf(inputBits, granule);
    if (startLevel === null || (isUpper ? TCR.EPD1 : TCR.EPD0).of(tcr) === 1) return null;
    const root = isUpper
      ? rootOf(regs.TTBR1.value, regs.TTBR1_HI.value)
      : rootOf(regs.TTBR0.value, regs.TTBR0_HI.value);
    return {
      stage: 1,
      is64: true,
      root,
      inputBits,
      granule,
      startLevel,
      outputBits: bits,
      isUpper,
      heedsAccessFlag: regs.SCTLR.AFFD === 0,
    };
  };
  return {
    tag: tagOf(1, vmid, asid),
    isShort: false,
    lower: half(false),
    upper: half(true),
    split: UPPER_HALF,
  };
};

const stage1Of32 = ({ built, vmid }: BankSetup, regs: Registers): Regime => {
  const tcr = regs.TCR.value;
  const inputBits = 32 - TCR.N.of(tcr);
  if (TCR.EPD1.of(tcr) === 0 && (inputBits < 32 || TCR.T1SZ.of(tcr) % 8 !== 0)) {
    throw new UnmodelledError('arm-smmu.CB.TTBR1', 'long descriptors of 32-bit addresses');
  }
  const lower: LpaeRegime = {
    stage: 1,
    is64: false,
    root: rootOf(regs.TTBR0.value, regs.TTBR0_HI.value) % 2 ** 40,
    inputBits,
    granule: 12,
    startLevel: startLevelOf(inputBits, 12) ?? 1,
    outputBits: Math.min(LPAE_32_OUTPUT_BITS, built.ipaBits),
    isUpper: false,
    heedsAccessFlag: regs.SCTLR.AFFD === 0,
  };
  return {
    tag: tagOf(1, vmid, asidOf(regs) % 2 ** 8),
    isShort: false,
    lower: TCR.EPD0.of(tcr) === 1 ? null : lower,
    upper: null,
    split: 2 ** 52,
  };
};

const shortOf = ({ built, vmid }: BankSetup, regs: Registers): Regime => {
  const tcr = regs.TCR.value;
  const n = TCR.N.of(tcr);
  const base = {
    hasAccessFlag: regs.SCTLR.AFE === 1,
    outputBits: Math.min(LPAE_32_OUTPUT_BITS, built.ipaBits),
  };
  return {
    tag: tagOf(1, vmid, regs.CONTEXTIDR.ASID),
    isShort: true,
    lower: TCR.PD0.of(tcr) === 1 ? null : { ...base, root: regs.TTBR0.value, split: n },
    upper: TCR.PD1.of(tcr) === 1 ? null : { ...base, root: regs.TTBR1.value, split: 0 },
    split: n === 0 ? 2 ** 52 : 2 ** (32 - n),
  };
};

/** The levels that SL0 says, by granule. */
const START_LEVELS = { 12: [2, 1, 0], 14: [3, 2, 1], 16: [3, 2, 1] } as const;

const stage2 = ({ built, vmid, is64 }: BankSetup, regs: Registers): Regime => {
  const vtcr = regs.TCR.value;
  const granule = is64 ? TG0[TCR.TG0.of(vtcr)] : 12;
  const inputBits = is64 ? 64 - TCR.T0SZ.of(vtcr) : 32 - signed4(TCR.T0SZ_32.of(vtcr));
  const startLevel = granule === undefined ? undefined : START_LEVELS[granule][TCR.SL0.of(vtcr)];
  const isLegal =
    granule !== undefined &&
    startLevel !== undefined &&
    inputBits <= built.ipaBits &&
    mayStartAt(startLevel, inputBits, granule);
  const lower: LpaeRegime | null = isLegal
    ? {
        stage: 2,
        is64,
        root: rootOf(regs.TTBR0.value, regs.TTBR0_HI.value),
        inputBits,
        granule,
        startLevel,
        outputBits: is64
          ? outputBits(TCR.PS.of(vtcr), built.paBits)
          : Math.min(LPAE_32_OUTPUT_BITS, built.paBits),
        isUpper: false,
        heedsAccessFlag: true,
      }
    : null;
  return { tag: tagOf(2, vmid, 0), isShort: false, lower, upper: null, split: 2 ** 52 };
};

/** As a number from -8 to 7. */
const signed4 = (value: number): number => (value >= 8 ? value - 16 : value);

/** Of TTBR0 or, where TCR.A1 says so, of TTBR1: the upper 16 bits. */
const asidOf = (regs: Registers): number =>
  (TCR.A1.of(regs.TCR.value) === 1 ? regs.TTBR1_HI.value : regs.TTBR0_HI.value) >>> 16;
