import test from 'ava';
import { EEXIST, EINVAL, ERANGE } from '../../../drivers/base/kernel/errno';
import { dmaAddr, physAddr } from '../../../drivers/base/types/address';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import {
  armLpae32S1,
  armLpae32S2,
  armLpae64S1,
  armLpae64S2,
} from '../../../mm/io-pgtable/arm-lpae-config';
import { ArmV7sTable } from '../../../mm/io-pgtable/arm-v7s';
import { IoPgtableQuirk } from '../../../mm/io-pgtable/types';
import type { IoPgtableConfig, PartialUnmap } from '../../../mm/io-pgtable/types';
import { newGather } from '../../../mm/iommu/gather';
import { PgtableBench } from '../../support/pgtable-bench';
import { ADDRESS_BITS, Cache, NoExec, PAGE_SIZES, Points, Read, Selftest, Write } from './selftest';

const K = 2 ** 10;
const M = 2 ** 20;
const G = 2 ** 30;
const ALL = Read + Write + NoExec + Cache;
const V7S_SIZES = 4 * K + 64 * K + M + 16 * M;
const { ArmNs, ArmTtbr1, ArmOuterWbwa, NoPerms, ArmMtkExt, ArmMtkTtbrExt, NoWarn } = IoPgtableQuirk;

const STAGES = [
  (config: IoPgtableConfig) => armLpae64S1(config)?.table ?? null,
  (config: IoPgtableConfig) => armLpae64S2(config)?.table ?? null,
];

/** All pairs of input and output bits, and what is run on both stages of each. */
const lpae = (
  pairs: readonly (readonly [ias: number, oas: number])[],
  quirks: number,
  partialUnmap: PartialUnmap,
  run: (selftest: Selftest) => void,
): { readonly passed: number; readonly points: Points } => {
  const points = new Points();
  let passed = 0;
  for (const pageSizes of PAGE_SIZES) {
    for (const [ias, oas] of pairs) {
      const before = points.failed.length;
      for (const make of STAGES) {
        run(new Selftest(points, { pageSizes, ias, oas, quirks, partialUnmap }, make));
      }
      if (points.failed.length === before) passed++;
    }
  }
  return { passed, points };
};

test('the selftest of io-pgtable-arm: 18 configurations pass, 804 points', t => {
  const pairs = ADDRESS_BITS.map(ias => [ias, 48] as const);
  const { passed, points } = lpae(pairs, 0, 'split', selftest => {
    selftest.empty();
    selftest.distinct(G, ALL);
    selftest.partial(G);
    selftest.full(G);
  });
  t.deepEqual(points.failed, []);
  t.deepEqual([passed, points.asserted], [18, 804]);
});

for (const partialUnmap of ['refuse', 'whole'] as const) {
  test(`the selftest of 6.18: 63 configurations pass, 2814 points; parts of a page: ${partialUnmap}`, t => {
    const pairs = ADDRESS_BITS.flatMap(ias =>
      ADDRESS_BITS.filter(oas => oas >= ias).map(oas => [ias, oas] as const),
    );
    const { passed, points } = lpae(pairs, NoWarn, partialUnmap, selftest => {
      selftest.empty();
      selftest.distinct(G, ALL);
      selftest.full(G);
      selftest.last();
      // Beside the points: what the rule makes of the part of a block.
      const [small = 0, large = 0] = selftest.sizes;
      const unmapped = selftest.unmap(G + small, small);
      if (unmapped !== (partialUnmap === 'whole' ? large : 0)) points.failed.push('part');
      const left = selftest.phys(G + 42);
      if (left !== (partialUnmap === 'whole' ? 0 : G + 42)) points.failed.push('rest');
    });
    t.deepEqual(points.failed, []);
    t.deepEqual([passed, points.asserted], [63, 2814]);
  });
}

test('the selftest of io-pgtable-arm-v7s: 40 points', t => {
  const points = new Points();
  const step = 16 * M;
  const fields = { pageSizes: V7S_SIZES, ias: 32, oas: 32, quirks: ArmNs };
  const selftest = new Selftest(points, fields, config => ArmV7sTable.make(config));
  selftest.empty();
  selftest.distinct(step, ALL);
  for (const i of [1, 2, 3]) selftest.partial(i * step);
  selftest.full(step);
  t.deepEqual(points.failed, []);
  t.is(points.asserted, 40);
});

test('v7s: what is unmapped in one go is flushed word by word', t => {
  const selftest = new Selftest(new Points(), { pageSizes: V7S_SIZES, ias: 32, oas: 32 }, config =>
    ArmV7sTable.make(config),
  );
  const { bench, table } = selftest;
  t.is(table.map(dmaAddr(64 * K), physAddr(0), 4 * K, 16, Read, { bytes: 0 }), 0);
  t.is(selftest.unmap(64 * K, 64 * K), 64 * K);
  const pages = Array.from(
    { length: 16 },
    (_, i) => `page 0x${(0x1_0000 + i * 0x1000).toString(16)} +0x1000`,
  );
  t.deepEqual(bench.flushes.splice(0), pages);
  t.is(selftest.map(16 * M, 0, 16 * M, Read), 0);
  t.is(selftest.unmap(17 * M, M), M);
  t.deepEqual(bench.flushes.splice(0), [
    'walk 0x1000000 +0x1000000 by 0x1000000',
    'page 0x1100000 +0x100000',
  ]);
});

test('pages that are flushed later are not flushed now, but walks through a table that goes are', t => {
  const { bench, table } = new Selftest(
    new Points(),
    ...([{ pageSizes: PAGE_SIZES[0] ?? 0, ias: 48, oas: 48 }, STAGES[0] ?? (() => null)] as const),
  );
  const queued = newGather(true);
  t.is(table.map(dmaAddr(0), physAddr(0), 2 * M, 1, Read, { bytes: 0 }), 0);
  t.is(table.map(dmaAddr(2 * M), physAddr(0), 4 * K, 1, Read, { bytes: 0 }), 0);
  t.is(table.unmap(dmaAddr(0), 2 * M, 1, queued), 2 * M);
  t.deepEqual(bench.flushes, []);
  t.is(table.unmap(dmaAddr(2 * M), 2 * M, 1, queued), 2 * M);
  t.deepEqual(bench.flushes, ['walk 0x200000 +0x200000 by 0x1000']);
});

const configOf = (fields: Partial<IoPgtableConfig>): IoPgtableConfig =>
  new PgtableBench(fields.coherentWalk ?? true).config({
    ...{ pageSizes: PAGE_SIZES[0] ?? 0, ias: 48, oas: 48 },
    ...fields,
  });

test('the registers of a context are as Linux has them: stage 1', t => {
  const walks = { sh: 3, irgn: 1, orgn: 1 };
  const { config } = armLpae64S1(configOf({})) ?? {};
  t.like(config, { tcr: { ...walks, ips: 5, tg: 0, tsz: 16 }, mair: 0xf404_ff44, mairHigh: 0 });
  t.is((config?.ttbr ?? 1) % (4 * K), 0);
  const upper = { pageSizes: PAGE_SIZES[1] ?? 0, ias: 39, oas: 40, quirks: ArmTtbr1 };
  t.deepEqual(armLpae64S1(configOf(upper))?.config.tcr, { ...walks, ips: 2, tg: 1, tsz: 25 });
  const not = { coherentWalk: false, pageSizes: PAGE_SIZES[2] ?? 0, ias: 52, oas: 52 };
  const noWalks = { sh: 2, irgn: 0, orgn: 0 };
  t.deepEqual(armLpae64S1(configOf(not))?.config.tcr, { ...noWalks, ips: 6, tg: 1, tsz: 12 });
  const outer = armLpae64S1(configOf({ ...not, quirks: ArmOuterWbwa }));
  t.deepEqual(outer?.config.tcr, { ...noWalks, orgn: 1, ips: 6, tg: 1, tsz: 12 });
});

test('the registers of a context are as Linux has them: stage 2, and where it starts', t => {
  const vtcr = (pageSizes: number, ias: number) =>
    armLpae64S2(configOf({ pageSizes, ias }))?.config.vtcr;
  const [k4 = 0, k16 = 0, k64 = 0] = PAGE_SIZES;
  t.deepEqual(vtcr(k4, 48), { sh: 3, irgn: 1, orgn: 1, ps: 5, tg: 0, sl: 2, tsz: 16 });
  t.like(vtcr(k4, 44), { sl: 2, tsz: 20 });
  t.like(vtcr(k4, 42), { sl: 1, tsz: 22 });
  t.like(vtcr(k4, 32), { sl: 1, tsz: 32 });
  t.like(vtcr(k16, 48), { tg: 2, sl: 2 });
  t.like(vtcr(k16, 36), { tg: 2, sl: 1 });
  t.like(vtcr(k64, 42), { tg: 1, sl: 1 });
});

test('the registers of a context are as Linux has them: v7s', t => {
  const v7s = { pageSizes: V7S_SIZES, ias: 32, oas: 32 };
  const { config } = ArmV7sTable.make(configOf(v7s)) ?? {};
  t.like(config, { tcr: 0, prrr: 0x800b_8204, nmrr: 0x4000_4000 });
  t.is((config?.ttbr ?? 0) % (16 * K), 0x6a);
  const { config: apart } = ArmV7sTable.make(configOf({ ...v7s, coherentWalk: false })) ?? {};
  t.is((apart?.ttbr ?? 1) % (16 * K), 0);
});

test('what a format does not have is refused, as by Linux', t => {
  const none = (made: unknown, what: string): void => {
    t.is(made, null, what);
  };
  none(armLpae64S1(configOf({ pageSizes: 2 * M })), 'no page');
  none(armLpae64S1(configOf({ oas: 46 })), 'output bits that TCR cannot say');
  none(armLpae64S1(configOf({ ias: 12 })), 'nothing to translate');
  none(armLpae64S1(configOf({ quirks: NoPerms })), 'a quirk of v7s');
  none(armLpae64S1(configOf({ quirks: ArmOuterWbwa })), 'outer walks and snooping');
  none(armLpae64S2(configOf({ quirks: ArmNs })), 'a quirk of stage 1');
  none(armLpae32S1(configOf({ ias: 33, oas: 40 })), 'more than 32 bits');
  none(armLpae32S1(configOf({ ias: 32, oas: 44 })), 'more than 40 bits');
  none(armLpae32S2(configOf({ ias: 42, oas: 40 })), 'more than 40 bits');
  t.is(
    armLpae32S1(configOf({ ias: 32, oas: 40, pageSizes: 4 * K + 64 * K }))?.table.pageSizes,
    4 * K,
  );
  const v7s = (fields: Partial<IoPgtableConfig>) =>
    ArmV7sTable.make(configOf({ pageSizes: V7S_SIZES, ias: 32, oas: 32, ...fields }));
  none(v7s({ ias: 33 }), 'v7s of more than 32 bits');
  none(v7s({ oas: 33 }), 'v7s to more than 32 bits');
  none(v7s({ oas: 36, quirks: ArmMtkExt + NoPerms }), 'to more than 35 bits');
  none(v7s({ quirks: ArmTtbr1 }), 'a quirk of LPAE');
  none(v7s({ quirks: ArmMtkExt }), 'bits that permissions have');
  none(v7s({ quirks: ArmMtkTtbrExt }), 'bits of TTBR alone');
  none(v7s({ pageSizes: 8 * K }), 'no page');
  const mtk = { quirks: ArmMtkExt + NoPerms, ias: 34, oas: 35 };
  t.throws(() => v7s(mtk), { instanceOf: UnmodelledError });
});

test('what callers do wrong is said, unless nobody wants to know', t => {
  const said = (quirks: number): number => {
    const bench = new PgtableBench(true);
    const { table } =
      armLpae64S1(bench.config({ pageSizes: PAGE_SIZES[0] ?? 0, ias: 39, oas: 40, quirks })) ?? {};
    const map = (iova: number, address: number, size: number) =>
      table?.map(dmaAddr(iova), physAddr(address), size, 1, Read, { bytes: 0 });
    t.is(map(0, 0, 2 * M), 0);
    t.is(map(0, 0, 2 * M), -EEXIST);
    t.is(map(4 * K, 0, 4 * K), -EEXIST);
    t.is(map(0, 0, 8 * K), -EINVAL);
    t.is(map(2 ** 39, 0, 4 * K), -ERANGE);
    t.is(map(0, 2 ** 40, 4 * K), -ERANGE);
    t.is(table?.unmap(dmaAddr(2 * M), 4 * K, 1, null), 0);
    return bench.log.lines.filter(({ text }) => text.includes('WARNING: io-pgtable')).length;
  };
  t.is(said(0), 6);
  t.is(said(NoWarn), 0);
});
