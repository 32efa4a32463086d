import test from 'ava';
import { EADDRINUSE, EEXIST } from '../../../drivers/base/kernel/errno';
import { dmaAddr, physAddr } from '../../../drivers/base/types/address';
import { EXYNOS_V5_WORDS, EXYNOS_WORDS } from '../../../drivers/iommu/walk/exynos';
import { OMAP_WORDS } from '../../../drivers/iommu/walk/omap';
import { ROCKCHIP_V2_WORDS, ROCKCHIP_WORDS } from '../../../drivers/iommu/walk/rockchip';
import { TwoLevelWalker } from '../../../drivers/iommu/walk/two-level';
import type { WordDecoder } from '../../../drivers/iommu/walk/two-level';
import { WalkFault } from '../../../drivers/iommu/walk/types';
import { EXYNOS_TABLES, EXYNOS_V5_TABLES } from '../../../mm/io-pgtable/exynos';
import { OMAP_TABLES } from '../../../mm/io-pgtable/omap';
import { ROCKCHIP_TABLES, ROCKCHIP_V2_TABLES } from '../../../mm/io-pgtable/rockchip';
import { TwoLevelTable } from '../../../mm/io-pgtable/two-level';
import type { TwoLevelFormat } from '../../../mm/io-pgtable/two-level';
import { newGather } from '../../../mm/iommu/gather';
import { IommuProt } from '../../../mm/iommu/types';
import { ioPgtableConformance } from '../../conformance/io-pgtable';
import { PgtableBench } from '../../support/pgtable-bench';

const K = 2 ** 10;
const M = 2 ** 20;
const { Read, Write } = IommuProt;

const partsOf = (bench: PgtableBench, pageSizes: number) => {
  const { dev, memory, flush } = bench.config({ pageSizes, ias: 32, oas: 32 });
  return { dev, memory, flush };
};

const conforms = (
  name: string,
  format: TwoLevelFormat,
  decoder: WordDecoder,
  prots: readonly number[],
): void => {
  ioPgtableConformance(
    test,
    {
      name,
      make: bench => TwoLevelTable.make(format, partsOf(bench, format.pageSizes)),
      walk: (bench, table) => {
        if (!(table instanceof TwoLevelTable)) throw new Error('another format');
        const walker = new TwoLevelWalker(bench.reader, decoder);
        return (address, from) => {
          walker.translate(table.address, address, from);
          return walker.walk;
        };
      },
      spans: [format.firstSpan, format.secondSpan],
      splitsInto: (_size, part) => part,
      partialUnmap: [format.partialUnmap],
      overTable: 'refuses',
      flushesWhenFreed: false,
      existing: -format.existing,
      prots,
    },
    60,
  );
};

conforms('Exynos', EXYNOS_TABLES, EXYNOS_WORDS, [Read, Read + Write]);
conforms('Exynos of version 5', EXYNOS_V5_TABLES, EXYNOS_V5_WORDS, [Read, Write, Read + Write]);
conforms('OMAP', OMAP_TABLES, OMAP_WORDS, [Read + Write]);
// Larger pages are made of small ones: the walker knows no others.
const small = { pageSizes: 4 * K };
const rights = [Read, Write, Read + Write];
conforms('Rockchip', { ...ROCKCHIP_TABLES, ...small }, ROCKCHIP_WORDS, rights);
conforms('Rockchip of version 2', { ...ROCKCHIP_V2_TABLES, ...small }, ROCKCHIP_V2_WORDS, rights);

test('Rockchip: what is mapped as one large page may be unmapped in part', t => {
  const bench = new PgtableBench(false);
  const table = TwoLevelTable.make(ROCKCHIP_TABLES, partsOf(bench, 4 * M));
  if (table === null) throw new Error('no table');
  const mapped = { bytes: 0 };
  t.is(table.map(dmaAddr(4 * M), physAddr(8 * M), 64 * K, 2, Read, mapped), 0);
  t.is(mapped.bytes, 128 * K);
  t.is(table.unmap(dmaAddr(4 * M + 4 * K), 4 * K, 1, newGather()), 4 * K);
  t.is(table.iovaToPhys(dmaAddr(4 * M + 4 * K)), null);
  t.is(table.iovaToPhys(dmaAddr(4 * M + 127 * K)), physAddr(8 * M + 127 * K));
  t.is(table.map(dmaAddr(4 * M), physAddr(0), 64 * K, 1, Read, mapped), -EADDRINUSE);
});

test('words are laid out as the manuals have them', t => {
  const wordOf = (format: TwoLevelFormat, address: number, size: number, prot: number): number =>
    format.page(address, size, prot);
  t.is(wordOf(EXYNOS_TABLES, 0x4560_0000, M, Read), 0x4560_8402);
  t.is(wordOf(EXYNOS_TABLES, 0x4560_0000, 64 * K, Read + Write), 0x4560_0011);
  t.is(wordOf(EXYNOS_TABLES, 0x4560_1000, 4 * K, Read), 0x4560_1212);
  t.is(wordOf(EXYNOS_V5_TABLES, 0x8_4560_0000, M, Read + Write), 0x8456_0032);
  t.is(wordOf(EXYNOS_V5_TABLES, 0x8_4560_1000, 4 * K, Write), 0x8456_010a);
  t.is(wordOf(OMAP_TABLES, 0x8100_0000, 16 * M, Read), 0x8104_0002);
  t.is(wordOf(OMAP_TABLES, 0x8100_1000, 4 * K, Read), 0x8100_1002);
  t.is(wordOf(ROCKCHIP_TABLES, 0x1234_5000, 4 * K, Read + Write), 0x1234_5007);
  t.is(wordOf(ROCKCHIP_V2_TABLES, 0xab_1234_5000, 4 * K, Read), 0x1234_5ba3);
  t.is(ROCKCHIP_V2_TABLES.table(0x1_0000_1000), 0x0000_1101);
  t.is(EXYNOS_V5_TABLES.table(0x1_0000_1000), 0x1000_0101);
});

test('OMAP: part of a page unmaps all of it, and a table without entries goes', t => {
  const bench = new PgtableBench(false);
  const table = TwoLevelTable.make(OMAP_TABLES, partsOf(bench, 4 * K));
  if (table === null) throw new Error('no table');
  t.is(table.map(dmaAddr(M), physAddr(M), 64 * K, 1, Read, { bytes: 0 }), 0);
  t.is(table.tables, 2);
  t.is(table.map(dmaAddr(M), physAddr(M), 4 * K, 1, Read, { bytes: 0 }), -EEXIST);
  t.is(table.unmap(dmaAddr(M), 4 * K, 1, newGather()), 64 * K);
  t.is(table.tables, 1);
  t.deepEqual(table.wordsAt(M), [0, null]);
});

test('a second reader sees each word too, and one that does not reach the tables is refused', t => {
  const first = new PgtableBench(false);
  const table = TwoLevelTable.make(EXYNOS_TABLES, partsOf(first, 4 * K));
  if (table === null) throw new Error('no table');
  t.true(table.addReader(first.dev));
  const far = new PgtableBench(false);
  far.dmaOffset = 0x1000;
  t.false(table.addReader(far.dev));
  table.free();
  t.is(first.pagesInUse, 0);
});

test('addresses beyond 32 bits, and tables where nobody answers, fault', t => {
  const bench = new PgtableBench(true);
  const walker = new TwoLevelWalker(bench.reader, OMAP_WORDS);
  t.is(walker.translate(0x8000_0000, 2 ** 32, null), WalkFault.Translation);
  const nobody = { readTable: () => null, readTable64: () => null, tableHigh: 0 };
  const lost = new TwoLevelWalker(nobody, OMAP_WORDS);
  t.is(lost.translate(0x8000_0000, 0, null), WalkFault.External);
  t.is(
    lost.translate(0, 0, { start: 0, size: M, leads: 0x8000_0000, attributes: 0 }),
    WalkFault.External,
  );
});
