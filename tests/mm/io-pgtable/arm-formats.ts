import { LpaeWalker, mayStartAt, startLevelOf } from '../../../drivers/iommu/walk/lpae';
import type { LpaeRegime } from '../../../drivers/iommu/walk/lpae';
import { V7sWalker } from '../../../drivers/iommu/walk/v7s';
import {
  armLpae32S1,
  armLpae32S2,
  armLpae64S1,
  armLpae64S2,
} from '../../../mm/io-pgtable/arm-lpae-config';
import type { LpaeS1Config, LpaeS2Config } from '../../../mm/io-pgtable/arm-lpae-config';
import { ArmV7sTable } from '../../../mm/io-pgtable/arm-v7s';
import { IoPgtableQuirk } from '../../../mm/io-pgtable/types';
import type { IoPgtable } from '../../../mm/io-pgtable/types';
import { GRANULES, OUTPUT_BITS } from '../../../drivers/iommu/regs/lpae';
import { IommuProt } from '../../../mm/iommu/types';
import type { PgtableFormat } from '../../conformance/io-pgtable';

const K = 2 ** 10;
const M = 2 ** 20;
const G = 2 ** 30;
const { Read, Write } = IommuProt;

/*
 * The formats of ARM as the conformance suite takes them, each with the walker of the hardware that the
 * registers of its context make.
 */

/** By table, what its format told the driver. */
const s1 = new WeakMap<IoPgtable, LpaeS1Config>();
const s2 = new WeakMap<IoPgtable, LpaeS2Config>();

/** What hardware makes of the registers of a context. */
const regime1 = ({ ttbr, tcr }: LpaeS1Config, isUpper: boolean): LpaeRegime => {
  const granule = GRANULES.find(({ tg0, tg1 }) => (isUpper ? tg1 : tg0) === tcr.tg)?.shift ?? 12;
  const inputBits = 64 - tcr.tsz;
  const startLevel = startLevelOf(inputBits, granule);
  if (startLevel === null) throw new Error('no such size');
  const outputBits = OUTPUT_BITS[tcr.ips] ?? 0;
  const common = { stage: 1, is64: true, heedsAccessFlag: true } as const;
  return { ...common, root: ttbr, inputBits, granule, startLevel, outputBits, isUpper };
};

const regime2 = ({ vttbr, vtcr }: LpaeS2Config): LpaeRegime => {
  const granule = GRANULES.find(({ tg0 }) => tg0 === vtcr.tg)?.shift ?? 12;
  const inputBits = 64 - vtcr.tsz;
  const startLevel = (granule === 12 ? 2 : 3) - vtcr.sl;
  if (!mayStartAt(startLevel, inputBits, granule)) throw new Error('no such start');
  const outputBits = OUTPUT_BITS[vtcr.ps] ?? 0;
  const common = { stage: 2, is64: true, heedsAccessFlag: true, isUpper: false } as const;
  return { ...common, root: vttbr, inputBits, granule, startLevel, outputBits };
};

interface LpaeShape {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly ias: number;
  readonly oas: number;
  readonly quirks?: number;
}

const sum = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0);

const lpae = (
  shape: LpaeShape,
  walked: Pick<PgtableFormat, 'make' | 'walk' | 'prots'>,
): PgtableFormat => ({
  name: shape.name,
  spans: shape.sizes.toReversed(),
  splitsInto: size => shape.sizes.findLast(smaller => smaller < size) ?? 0,
  partialUnmap: ['split', 'whole', 'refuse'],
  overTable: 'replaces',
  flushesWhenFreed: true,
  ...walked,
});

const stage1 = (shape: LpaeShape, alloc = armLpae64S1): PgtableFormat =>
  lpae(shape, {
    make: (bench, partialUnmap) => {
      const { ias, oas, quirks = 0 } = shape;
      const made = alloc(
        bench.config({ pageSizes: sum(shape.sizes), ias, oas, quirks, partialUnmap }),
      );
      if (made === null) return null;
      s1.set(made.table, made.config);
      return made.table;
    },
    walk: (bench, table) => {
      const config = s1.get(table);
      if (config === undefined) throw new Error('no configuration');
      const walker = new LpaeWalker(bench.reader);
      const regime = regime1(config, shape.quirks === IoPgtableQuirk.ArmTtbr1);
      return (address, from) => {
        walker.translate(regime, address, from);
        return walker.walk;
      };
    },
    prots: [Read, Read + Write],
  });

const stage2 = (shape: LpaeShape, alloc = armLpae64S2): PgtableFormat =>
  lpae(shape, {
    make: (bench, partialUnmap) => {
      const { ias, oas } = shape;
      const made = alloc(bench.config({ pageSizes: sum(shape.sizes), ias, oas, partialUnmap }));
      if (made === null) return null;
      s2.set(made.table, made.config);
      return made.table;
    },
    walk: (bench, table) => {
      const config = s2.get(table);
      if (config === undefined) throw new Error('no configuration');
      const walker = new LpaeWalker(bench.reader);
      return (address, from) => {
        walker.translate(regime2(config), address, from);
        return walker.walk;
      };
    },
    prots: [Read, Write, Read + Write],
  });

const PAGES_4K = [4 * K, 2 * M, G];
const PAGES_16K = [16 * K, 32 * M];
const PAGES_64K = [64 * K, 512 * M];

/** Stages, granules, sizes and halves of LPAE. */
export const LPAE: readonly PgtableFormat[] = [
  stage1({ name: 'LPAE stage 1, 4K, 48 bits', sizes: PAGES_4K, ias: 48, oas: 48 }),
  stage1({
    name: 'LPAE stage 1, 4K, 39 bits, TTBR1',
    ...{ sizes: PAGES_4K, ias: 39, oas: 40, quirks: IoPgtableQuirk.ArmTtbr1 },
  }),
  stage1({ name: 'LPAE stage 1, 16K, 36 bits', sizes: PAGES_16K, ias: 36, oas: 44 }),
  stage1({ name: 'LPAE stage 1, 64K, 52 bits', sizes: [...PAGES_64K, 2 ** 42], ias: 52, oas: 52 }),
  stage1({ name: 'LPAE stage 1 of AArch32', sizes: PAGES_4K, ias: 32, oas: 40 }, armLpae32S1),
  stage2({ name: 'LPAE stage 2, 4K, 44 bits', sizes: PAGES_4K, ias: 44, oas: 44 }),
  stage2({ name: 'LPAE stage 2, 4K, 42 bits, concatenated', sizes: PAGES_4K, ias: 42, oas: 42 }),
  stage2({ name: 'LPAE stage 2 of AArch32', sizes: PAGES_4K, ias: 40, oas: 40 }, armLpae32S2),
];

export const V7S: PgtableFormat = {
  name: 'ARMv7 short descriptors',
  make: (bench, partialUnmap) =>
    ArmV7sTable.make(
      bench.config({
        pageSizes: sum([4 * K, 64 * K, M, 16 * M]),
        ...{ ias: 32, oas: 32, quirks: IoPgtableQuirk.ArmNs, partialUnmap },
      }),
    ),
  walk: (bench, table) => {
    if (!(table instanceof ArmV7sTable)) throw new Error('another format');
    const root = table.config.ttbr;
    const walker = new V7sWalker(bench.reader);
    const regime = { root, split: 0, hasAccessFlag: true, outputBits: 32 };
    return (address, from) => {
      walker.translate(regime, address, from);
      return walker.walk;
    };
  },
  spans: [M, 4 * K],
  splitsInto: (size, part) => (size === 16 * M ? M : part),
  partialUnmap: ['split', 'whole', 'refuse'],
  overTable: 'replaces',
  flushesWhenFreed: true,
  prots: [Read, Read + Write],
};
