import test from 'ava';
import { MIB } from '../../../drivers/base/types/bits';
import { exhaustionRows } from '../../../tools/experiment/iommu/exhaustion';
import { iommuHuman } from '../../../tools/experiment/iommu/human';
import { hasIommus, measurePageSizes, measureWay } from '../../../tools/experiment/iommu/measure';
import type { ExhaustionRow, IommuRow } from '../../../tools/experiment/iommu/report';
import { main } from '../../../tools/main';
import { planOf } from '../../support/booted';
import { TestHost } from '../../support/host';

const PLAN = planOf('mixed', 32 * MIB);
const STRICT = measureWay('mixed', PLAN, 'strict');

const ofMedia = (rows: readonly IommuRow[], buffer: string): IommuRow | undefined =>
  rows.find(row => row.buffer === buffer && row.master.startsWith('non-coherent'));

test('strict: each piece has its own entry, two stores and an invalidation', t => {
  t.like(ofMedia(STRICT, '64 KiB in 16 pieces'), {
    ...{ segments: 16, entries: 16, tableWrites: 32, flushes: 16, iova: 65536 },
    iommu: 'dmabench,trivial-iommu',
  });
  t.like(ofMedia(STRICT, '64 KiB'), { segments: 1, entries: 16, tableWrites: 32, flushes: 1 });
});

test('an IOMMU with one page size gains nothing from large buffers', t => {
  const [all, smallest] = measurePageSizes('mixed', PLAN);
  t.like(all, { pages: 'all sizes', entries: 512, tableWrites: 1024 });
  t.like(smallest, { pages: 'the smallest', entries: 512, tableWrites: 1024 });
});

test('in a small aperture the large buffers starve, and with lazy invalidation everybody', t => {
  const rows = exhaustionRows('mixed', PLAN, 1);
  const row = (policy: string, device: string): ExhaustionRow => {
    const found = rows.find(each => each.policy === policy && each.device === device);
    if (found === undefined) throw new Error(policy);
    return found;
  };
  t.is(row('strict', 'network').refused, 0);
  t.true(row('strict', 'camera').refused > 0, 'fragmented: there is room, but not in one piece');
  t.true(row('lazy', 'network').refused > 0, 'addresses wait');
  t.true(row('lazy', 'camera').longest > row('strict', 'camera').longest);
  t.true(row('lazy', 'camera').flushes * 100 < row('strict', 'camera').flushes);
  t.true(row('delayed unmap', 'camera').idle > 0);
  t.true(row('delayed unmap', 'network').refused > 0, 'mapped, and nobody uses it');
  t.is(row('delayed unmap, evicting', 'network').refused, 0);
});

test('the tables name the master, and columns line up', t => {
  const report = {
    ...{ board: 'mixed', model: 'dmabench mixed', rows: STRICT, notes: ['a note'] },
    ...{ pageSizes: [], exhaustion: [] },
  };
  const lines = iommuHuman(report, (_, text) => text, 100).split('\n');
  t.true(lines.includes('non-coherent, behind iommu@50000000 (dmabench,trivial-iommu)'));
  const found = lines.find(line => line.includes('64 KiB in 16 pieces'));
  t.regex(found ?? '', /strict +16 +16 +32 +16 +64 KiB$/);
});

test('a board without a modelled IOMMU is refused', async t => {
  t.false(hasIommus(planOf('versatile-pb')));
  const host = new TestHost();
  t.not(await main(['experiment', 'iommu', 'versatile-pb'], host), 0);
  t.regex(host.err.text, /a device behind an IOMMU that is modelled/);
});
