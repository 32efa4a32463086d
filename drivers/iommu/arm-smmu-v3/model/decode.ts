import { OUTPUT_BITS } from '../../regs/lpae';
import { mayStartAt, startLevelOf } from '../../walk/lpae';
import type { LpaeRegime } from '../../walk/lpae';
import { CD, GRANULE_SHIFTS, STE, STRW_NSEL1, SteConfig } from '../regs/tables';
import type { Words } from '../regs/words';
import { Packed } from './packed';

/*
 * What a stream table entry and a context descriptor come to. What the architecture calls illegal
 * (Arm IHI 0070, 5.2 and 5.4) is null here: C_BAD_STE, C_BAD_CD.
 */

/** What the model goes by, of a structure in memory: as numbers, so that it can be kept. */
export interface Decoded {
  /** S1ContextPtr or S2TTB; TTB0. */
  readonly leads: number;
  readonly attributes: number;
}

/** What the transactions of a stream meet. */
export interface StreamConfig {
  readonly meets: 'abort' | 'bypass' | 'translation';
  readonly stage: 1 | 2;
  readonly regime: LpaeRegime;
  /** CD.EPD0: no address is translated. */
  readonly isDisabled: boolean;
  /** What translations are told apart by: see contextOf. */
  readonly context: number;
  /** Faults are recorded; and stall their transaction. */
  readonly records: boolean;
  readonly stalls: boolean;
  readonly privileged: boolean;
}

/** No master here says what its transactions are: they are privileged unless the STE makes them not. */
const PRIVCFG_UNPRIVILEGED = 2;
const TSZ_LEAST = 16;
const MOST_OAS = 52;
/** Without IDR3.STT. */
const TSZ_MOST = 39;

/** Translations of both stages, by VMID, and of stage 1 by ASID. */
const STAGE2 = 2 ** 16;
const VMID_SCALE = 2 ** 17;

/** The number that translations of an ASID, or of stage 2, are kept by. */
export const contextOf = (stage: 1 | 2, vmid: number, asid: number): number =>
  vmid * VMID_SCALE + (stage === 2 ? STAGE2 : asid);

export const vmidOf = (context: number): number => Math.floor(context / VMID_SCALE);
export const stageOf = (context: number): 1 | 2 => (context % VMID_SCALE === STAGE2 ? 2 : 1);

const STE_ATTRIBUTES = new Packed({
  CONFIG: STE.CONFIG,
  S1STALLD: STE.S1STALLD,
  PRIVCFG: STE.PRIVCFG,
  S2VMID: STE.S2VMID,
  S2T0SZ: STE.S2T0SZ,
  S2SL0: STE.S2SL0,
  S2TG: STE.S2TG,
  S2PS: STE.S2PS,
  S2AFFD: STE.S2AFFD,
  S2S: STE.S2S,
  S2R: STE.S2R,
});

const CD_ATTRIBUTES = new Packed({
  T0SZ: CD.T0SZ,
  TG0: CD.TG0,
  EPD0: CD.EPD0,
  IPS: CD.IPS,
  AFFD: CD.AFFD,
  S: CD.S,
  R: CD.R,
  ASID: CD.ASID,
});

/** An STE with V set; null for an illegal one. */
export const decodeSte = (words: Words): Decoded | null => {
  const config = STE.CONFIG.of(words);
  if (config < SteConfig.Bypass) return { leads: 0, attributes: STE_ATTRIBUTES.pack(words) };
  if (config === SteConfig.Nested) return null;
  const attributes = STE_ATTRIBUTES.pack(words);
  if (config === SteConfig.Bypass) return { leads: 0, attributes };
  if (STE.STRW.of(words) !== STRW_NSEL1) return null;
  if (config === SteConfig.Stage1) {
    const isLegal = STE.S1CDMAX.of(words) === 0;
    return isLegal ? { leads: STE.S1CTXPTR.of(words), attributes } : null;
  }
  const isLegal =
    STE.S2ENDI.of(words) === 0 &&
    STE.S2HA.of(words) === 0 &&
    STE.S2HD.of(words) === 0 &&
    stage2Regime({ leads: STE.S2TTB.of(words), attributes }, MOST_OAS) !== null;
  return isLegal ? { leads: STE.S2TTB.of(words), attributes } : null;
};

/** A CD with V set, for a stream that may stall or not; null for an illegal one. */
export const decodeCd = (words: Words, mayStall: boolean): Decoded | null => {
  const decoded = { leads: CD.TTB0.of(words), attributes: CD_ATTRIBUTES.pack(words) };
  const isLegal =
    CD.ENDI.of(words) === 0 &&
    CD.HA.of(words) === 0 &&
    CD.HD.of(words) === 0 &&
    // IDR0.TERM_MODEL: what is terminated is aborted.
    CD.A.of(words) === 1 &&
    (CD.S.of(words) === 0 || mayStall) &&
    stage1Regime(decoded, MOST_OAS) !== null;
  return isLegal ? decoded : null;
};

/** What an STE says before any CD: which configuration, and whether its faults may stall. */
export const steConfigOf = ({ attributes }: Decoded): number =>
  STE_ATTRIBUTES.of(attributes, 'CONFIG');
export const mayStall = ({ attributes }: Decoded): boolean =>
  STE_ATTRIBUTES.of(attributes, 'S1STALLD') === 0;

const outputBits = (code: number, most: number): number =>
  Math.min(OUTPUT_BITS[code] ?? most, most);

const stage1Regime = ({ leads, attributes }: Decoded, oas: number): LpaeRegime | null => {
  const granule = GRANULE_SHIFTS[CD_ATTRIBUTES.of(attributes, 'TG0')] ?? null;
  const tsz = CD_ATTRIBUTES.of(attributes, 'T0SZ');
  if (granule === null || tsz < TSZ_LEAST || tsz > TSZ_MOST) return null;
  const startLevel = startLevelOf(64 - tsz, granule);
  if (startLevel === null) return null;
  return {
    stage: 1,
    is64: true,
    root: leads,
    inputBits: 64 - tsz,
    granule,
    startLevel,
    outputBits: outputBits(CD_ATTRIBUTES.of(attributes, 'IPS'), oas),
    isUpper: false,
    heedsAccessFlag: CD_ATTRIBUTES.of(attributes, 'AFFD') === 0,
  };
};

const stage2Regime = ({ leads, attributes }: Decoded, oas: number): LpaeRegime | null => {
  const of = (name: 'S2TG' | 'S2T0SZ' | 'S2SL0' | 'S2PS' | 'S2AFFD'): number =>
    STE_ATTRIBUTES.of(attributes, name);
  const granule = GRANULE_SHIFTS[of('S2TG')] ?? null;
  const tsz = of('S2T0SZ');
  if (granule === null || tsz < TSZ_LEAST || tsz > TSZ_MOST) return null;
  const startLevel = (granule === 12 ? 2 : 3) - of('S2SL0');
  if (!mayStartAt(startLevel, 64 - tsz, granule)) return null;
  return {
    stage: 2,
    is64: true,
    root: leads,
    inputBits: 64 - tsz,
    granule,
    startLevel,
    outputBits: outputBits(of('S2PS'), oas),
    isUpper: false,
    heedsAccessFlag: of('S2AFFD') === 0,
  };
};

const NO_REGIME: LpaeRegime = {
  stage: 1,
  is64: true,
  root: 0,
  inputBits: 48,
  granule: 12,
  startLevel: 0,
  outputBits: 48,
  isUpper: false,
  heedsAccessFlag: true,
};

/** What a legal STE and, for stage 1, its legal CD come to, with `oas` bits of output addresses. */
export const streamConfigOf = (ste: Decoded, cd: Decoded | null, oas: number): StreamConfig => {
  const of = (name: 'CONFIG' | 'PRIVCFG' | 'S2VMID' | 'S2S' | 'S2R'): number =>
    STE_ATTRIBUTES.of(ste.attributes, name);
  const config = of('CONFIG');
  const privileged = of('PRIVCFG') !== PRIVCFG_UNPRIVILEGED;
  const common = { isDisabled: false, privileged, stage: 1 as const, context: 0, records: false };
  const plain = { ...common, regime: NO_REGIME, stalls: false };
  if (config < SteConfig.Bypass) return { ...plain, meets: 'abort' };
  const vmid = of('S2VMID');
  if (config === SteConfig.Stage2) {
    return {
      ...common,
      meets: 'translation',
      stage: 2,
      regime: stage2Regime(ste, oas) ?? NO_REGIME,
      context: contextOf(2, vmid, 0),
      records: of('S2R') === 1,
      stalls: of('S2S') === 1,
    };
  }
  if (cd === null) return { ...plain, meets: 'bypass' };
  const cdOf = (name: 'EPD0' | 'S' | 'R' | 'ASID'): number => CD_ATTRIBUTES.of(cd.attributes, name);
  return {
    ...common,
    meets: 'translation',
    regime: stage1Regime(cd, oas) ?? NO_REGIME,
    isDisabled: cdOf('EPD0') === 1,
    context: contextOf(1, vmid, cdOf('ASID')),
    records: cdOf('R') === 1,
    stalls: cdOf('S') === 1,
  };
};
