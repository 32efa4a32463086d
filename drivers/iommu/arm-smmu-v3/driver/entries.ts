import { RGN, SH } from '../../regs/lpae';
import type { LpaeS1Config, LpaeS2Config } from '../../../../mm/io-pgtable/arm-lpae-config';
import { CD, S1Dss, SHCFG_INCOMING, STE, STRW_NSEL1, SteConfig } from '../regs/tables';
import type { Words } from '../regs/words';

/*
 * What stream table entries and context descriptors are to hold (arm_smmu_make_*_ste,
 * arm_smmu_make_s1_cd), and which bits of one the hardware looks at, which depends on others
 * (arm_smmu_get_ste_used, arm_smmu_get_cd_used; Arm IHI 0070, 5.2 and 13.5).
 */

/** What all entries of one stream depend on. */
export interface EntryOptions {
  /** IDR0.STALL_MODEL lets transactions wait; and those of this stream may. */
  readonly stallsExist: boolean;
  readonly mayStall: boolean;
  /** IDR1.ATTR_TYPES_OVR. */
  readonly attributesOverride: boolean;
}

/** The fields that both sheets' entries are made of. */
interface Fillable {
  fill(words: Words): void;
}

const newSte = (config: number): Words => {
  const ste = new Uint32Array(STE.WORDS);
  STE.V.put(ste, 1);
  STE.CONFIG.put(ste, config);
  return ste;
};

export const abortSte = (): Words => newSte(SteConfig.Abort);

export const bypassSte = ({ attributesOverride }: EntryOptions): Words => {
  const ste = newSte(SteConfig.Bypass);
  if (attributesOverride) STE.SHCFG.put(ste, SHCFG_INCOMING);
  return ste;
};

/** One that leads to CDs; `s1dss` matters only where there is more than one (2^cdMax). */
export const cdTableSte = (
  cdTable: number,
  options: EntryOptions,
  { s1dss = S1Dss.Substream0, cdMax = 0 }: { s1dss?: number; cdMax?: number } = {},
): Words => {
  const ste = newSte(SteConfig.Stage1);
  STE.S1CTXPTR.put(ste, cdTable);
  STE.S1CDMAX.put(ste, cdMax);
  STE.S1DSS.put(ste, s1dss);
  STE.S1CIR.put(ste, RGN.writeBackAllocate);
  STE.S1COR.put(ste, RGN.writeBackAllocate);
  STE.S1CSH.put(ste, SH.inner);
  STE.STRW.put(ste, STRW_NSEL1);
  if (options.stallsExist && !options.mayStall) STE.S1STALLD.put(ste, 1);
  if (options.attributesOverride && s1dss === S1Dss.Bypass) STE.SHCFG.put(ste, SHCFG_INCOMING);
  return ste;
};

export const stage2Ste = (
  { vttbr, vtcr }: LpaeS2Config,
  vmid: number,
  { attributesOverride, mayStall }: EntryOptions,
): Words => {
  const ste = newSte(SteConfig.Stage2);
  if (attributesOverride) STE.SHCFG.put(ste, SHCFG_INCOMING);
  STE.S2VMID.put(ste, vmid);
  STE.S2T0SZ.put(ste, vtcr.tsz);
  STE.S2SL0.put(ste, vtcr.sl);
  STE.S2IR0.put(ste, vtcr.irgn);
  STE.S2OR0.put(ste, vtcr.orgn);
  STE.S2SH0.put(ste, vtcr.sh);
  STE.S2TG.put(ste, vtcr.tg);
  STE.S2PS.put(ste, vtcr.ps);
  STE.S2AA64.put(ste, 1);
  STE.S2PTW.put(ste, 1);
  STE.S2R.put(ste, 1);
  if (mayStall) STE.S2S.put(ste, 1);
  STE.S2TTB.put(ste, vttbr);
  return ste;
};

export const stage1Cd = (
  { ttbr, tcr, mair, mairHigh }: LpaeS1Config,
  asid: number,
  { mayStall }: EntryOptions,
): Words => {
  const cd = new Uint32Array(CD.WORDS);
  CD.T0SZ.put(cd, tcr.tsz);
  CD.TG0.put(cd, tcr.tg);
  CD.IR0.put(cd, tcr.irgn);
  CD.OR0.put(cd, tcr.orgn);
  CD.SH0.put(cd, tcr.sh);
  CD.EPD1.put(cd, 1);
  CD.IPS.put(cd, tcr.ips);
  CD.V.put(cd, 1);
  if (mayStall) CD.S.put(cd, 1);
  CD.R.put(cd, 1);
  CD.A.put(cd, 1);
  CD.ASET.put(cd, 1);
  CD.AA64.put(cd, 1);
  CD.ASID.put(cd, asid);
  CD.TTB0.put(cd, ttbr);
  CD.MAIR0.put(cd, mair);
  CD.MAIR1.put(cd, mairHigh);
  return cd;
};

const masked = (fields: readonly Fillable[]): Words => {
  const words = new Uint32Array(STE.WORDS);
  for (const field of fields) field.fill(words);
  return words;
};

const STE_ALWAYS = [STE.V, STE.CONFIG];
const STE_STAGE1 = [
  ...[STE.S1FMT, STE.S1CTXPTR, STE.S1CDMAX, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH],
  ...[STE.S1STALLD, STE.STRW, STE.EATS, STE.S2VMID],
];
const STE_STAGE2 = [
  ...[STE.EATS, STE.SHCFG, STE.S2VMID, STE.S2T0SZ, STE.S2SL0, STE.S2IR0, STE.S2OR0],
  ...[STE.S2SH0, STE.S2TG, STE.S2PS, STE.S2AA64, STE.S2ENDI, STE.S2PTW, STE.S2S, STE.S2R],
  STE.S2TTB,
];

const USES_STAGE1 = 1;
const USES_STAGE2 = 2;

/** The bits of an STE that the hardware looks at, given what it holds. */
export const usedBySte = (ste: Words): Words => {
  if (STE.V.of(ste) === 0) return masked([STE.V]);
  const config = STE.CONFIG.of(ste);
  const fields: Fillable[] = [...STE_ALWAYS];
  if ((config & SteConfig.Bypass) !== 0 && (config & USES_STAGE1) !== 0) {
    fields.push(...STE_STAGE1);
    // What passes around stage 1 has the attributes of a bypass.
    if (STE.S1DSS.of(ste) === S1Dss.Bypass) fields.push(STE.SHCFG);
  }
  if ((config & SteConfig.Bypass) !== 0 && (config & USES_STAGE2) !== 0) fields.push(...STE_STAGE2);
  if (config === SteConfig.Bypass) fields.push(STE.SHCFG);
  return masked(fields);
};

const CD_IGNORED_WITHOUT_TABLE = masked([CD.T0SZ, CD.TG0, CD.IR0, CD.OR0, CD.SH0, CD.TTB0]);

/** The same of a CD. */
export const usedByCd = (cd: Words): Words => {
  if (CD.V.of(cd) === 0) return masked([CD.V]);
  const all = new Uint32Array(CD.WORDS).fill(0xffff_ffff);
  return CD.EPD0.of(cd) === 0
    ? all
    : all.map((word, i) => word & ~(CD_IGNORED_WITHOUT_TABLE[i] ?? 0));
};
