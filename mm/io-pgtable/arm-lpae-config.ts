import { GRANULES, OUTPUT_BITS, RGN, SH } from '../../drivers/iommu/regs/lpae';
import { ArmLpaeTable } from './arm-lpae';
import { MAIR_LOW } from './arm-lpae-entries';
import { concatenated, lpaeGeometry } from './arm-lpae-geometry';
import type { LpaeGeometry } from './arm-lpae-geometry';
import { IoPgtableQuirk, hasBit } from './types';
import type { IoPgtableConfig } from './types';

/** How walks reach tables, in the encodings of TCR and VTCR. */
export interface WalkAttributes {
  readonly sh: number;
  readonly irgn: number;
  readonly orgn: number;
}

/** TCR of stage 1: for TTBR0, or with ArmTtbr1 for TTBR1. */
export interface LpaeTcr extends WalkAttributes {
  /** Bits of output addresses. */
  readonly ips: number;
  /** Granule, in the encoding of the TTBR. */
  readonly tg: number;
  /** Bits of 64 that are not of the input address. */
  readonly tsz: number;
}

/** VTCR of stage 2. */
export interface LpaeVtcr extends WalkAttributes {
  readonly ps: number;
  readonly tg: number;
  /** Level that walks start at: SL0. */
  readonly sl: number;
  readonly tsz: number;
}

/** What the registers of a context are to have (arm_lpae_s1_cfg). */
export interface LpaeS1Config {
  readonly ttbr: number;
  readonly tcr: LpaeTcr;
  /** Bytes 3:0 and 7:4. */
  readonly mair: number;
  readonly mairHigh: number;
}

/** The same for stage 2 (arm_lpae_s2_cfg). */
export interface LpaeS2Config {
  readonly vttbr: number;
  readonly vtcr: LpaeVtcr;
}

/** A table, and what its format tells the driver. */
export interface LpaeTable<Config> {
  readonly table: ArmLpaeTable;
  readonly config: Config;
}

const S1_QUIRKS = [
  IoPgtableQuirk.ArmNs,
  IoPgtableQuirk.ArmTtbr1,
  IoPgtableQuirk.ArmOuterWbwa,
  IoPgtableQuirk.NoWarn,
];

/** Of AArch32: input and output addresses have fewer bits. */
const MOST_BITS_32 = { inputS1: 32, inputS2: 40, output: 40 } as const;

/**
 * A table of stage 1 (arm_64_lpae_alloc_pgtable_s1): null for what the format does not have, as a
 * quirk of another, and without memory that the walker can have.
 */
export const armLpae64S1 = (config: IoPgtableConfig): LpaeTable<LpaeS1Config> | null => {
  const geometry = lpaeGeometry(config);
  const quirks = config.quirks ?? 0;
  const ips = geometry === null ? -1 : outputSize(geometry);
  if (geometry === null || ips < 0 || !isOf(quirks, S1_QUIRKS)) return null;
  const isOuter = hasBit(quirks, IoPgtableQuirk.ArmOuterWbwa);
  if (config.coherentWalk && isOuter) return null;
  const table = ArmLpaeTable.make(config, geometry, 1);
  if (table === null) return null;
  const walks = walksOf(config.coherentWalk);
  const tcr = {
    ...walks,
    orgn: isOuter ? RGN.writeBackAllocate : walks.orgn,
    ips,
    tg: granuleOf(geometry, hasBit(quirks, IoPgtableQuirk.ArmTtbr1)),
    tsz: 64 - geometry.ias,
  };
  return { table, config: { ttbr: table.address, tcr, mair: MAIR_LOW, mairHigh: 0 } };
};

/** The same of stage 2, which has no quirks (arm_64_lpae_alloc_pgtable_s2). */
export const armLpae64S2 = (config: IoPgtableConfig): LpaeTable<LpaeS2Config> | null => {
  const simple = lpaeGeometry(config);
  const ps = simple === null ? -1 : outputSize(simple);
  if (simple === null || ps < 0 || !isOf(config.quirks ?? 0, [IoPgtableQuirk.NoWarn])) return null;
  const geometry = concatenated(simple);
  const table = ArmLpaeTable.make(config, geometry, 2);
  if (table === null) return null;
  const vtcr = {
    ...walksOf(config.coherentWalk),
    ps,
    tg: granuleOf(geometry, false),
    sl: startOf(geometry),
    tsz: 64 - geometry.ias,
  };
  return { table, config: { vttbr: table.address, vtcr } };
};

/** LPAE as AArch32 has it, stage 1 (arm_32_lpae_alloc_pgtable_s1). */
export const armLpae32S1 = (config: IoPgtableConfig): LpaeTable<LpaeS1Config> | null =>
  config.ias > MOST_BITS_32.inputS1 || config.oas > MOST_BITS_32.output
    ? null
    : armLpae64S1({ ...config, pageSizes: sizes32(config.pageSizes) });

/** The same of stage 2 (arm_32_lpae_alloc_pgtable_s2). */
export const armLpae32S2 = (config: IoPgtableConfig): LpaeTable<LpaeS2Config> | null =>
  config.ias > MOST_BITS_32.inputS2 || config.oas > MOST_BITS_32.output
    ? null
    : armLpae64S2({ ...config, pageSizes: sizes32(config.pageSizes) });

/** Only the granule of 4 KiB. */
const sizes32 = (pageSizes: number): number =>
  [2 ** 12, 2 ** 21, 2 ** 30].reduce((sum, size) => sum + (hasBit(pageSizes, size) ? size : 0), 0);

const isOf = (quirks: number, known: readonly number[]): boolean =>
  known.reduce((left, quirk) => (hasBit(left, quirk) ? left - quirk : left), quirks) === 0;

/** In the encoding of TCR.IPS; -1 for a size that it does not have. */
const outputSize = ({ oas }: LpaeGeometry): number => OUTPUT_BITS.findIndex(bits => bits === oas);

const walksOf = (isCoherent: boolean): WalkAttributes =>
  isCoherent
    ? { sh: SH.inner, irgn: RGN.writeBackAllocate, orgn: RGN.writeBackAllocate }
    : { sh: SH.outer, irgn: RGN.nonCacheable, orgn: RGN.nonCacheable };

const granuleOf = ({ granule }: LpaeGeometry, isTtbr1: boolean): number => {
  const { tg0 = 0, tg1 = 0 } = GRANULES.find(({ shift }) => shift === granule) ?? {};
  return isTtbr1 ? tg1 : tg0;
};

/**
 * SL0 counts down, modulo 4, from the level where walks start; with 4 KiB, from the one after
 * (ARM_LPAE_VTCR_SL0_MASK).
 */
const startOf = ({ startLevel, granule }: LpaeGeometry): number =>
  (7 - (granule === 12 ? startLevel + 1 : startLevel)) % 4;
