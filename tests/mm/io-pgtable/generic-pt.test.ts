import test from 'ava';
import type { ExecutionContext } from 'ava';
import { EEXIST, ERANGE } from '../../../drivers/base/kernel/errno';
import { dmaAddr, physAddr } from '../../../drivers/base/types/address';
import { WalkFault, permits } from '../../../drivers/iommu/walk/types';
import type { IoPgtable, PartialUnmap } from '../../../mm/io-pgtable/types';
import { newGather } from '../../../mm/iommu/gather';
import { iommuMap, iommuUnmap } from '../../../mm/iommu/map';
import { pageRun, pageSizesIn } from '../../../mm/iommu/page-sizes';
import { IommuProt } from '../../../mm/iommu/types';
import type { IommuOps } from '../../../mm/iommu/types';
import { PgtableBench } from '../../support/pgtable-bench';
import type { PgtableFormat } from '../../conformance/io-pgtable';
import { LPAE, V7S } from './arm-formats';

/*
 * The cases of Linux's generic page tables (iommu_pt's and pt's KUnit suites, 6.19), by their names, of
 * the formats that are here. Not test_increase_level, as no format here grows; not test_dirty, as
 * no hardware here marks entries.
 */

const M = 2 ** 20;
const G = 2 ** 30;
const { Read, Write } = IommuProt;

/** A table, its walker, and the core over it. */
class Case {
  readonly bench: PgtableBench;
  readonly table: IoPgtable;
  readonly ops: IommuOps;
  readonly sizes: readonly number[];
  readonly walk: ReturnType<PgtableFormat['walk']>;

  /** `base`: where tables lie. */
  constructor(format: PgtableFormat, partialUnmap: PartialUnmap = 'whole', base = 0x8000_0000) {
    this.bench = new PgtableBench(false, base);
    const table = format.make(this.bench, partialUnmap);
    if (table === null) throw new Error('no table');
    this.table = table;
    this.sizes = pageSizesIn(table.pageSizes);
    this.walk = format.walk(this.bench, table);
    const { pageSizes, apertureStart, apertureEnd } = table;
    this.ops = {
      ...{ pageSizes, apertureStart, apertureEnd },
      map: (iova, address, pageSize, count, prot, mapped) =>
        table.map(iova, address, pageSize, count, prot, mapped),
      unmap: (iova, pageSize, count, gather) => table.unmap(iova, pageSize, count, gather),
      iovaToPhys: iova => table.iovaToPhys(iova),
      sync: gather => {
        this.bench.sync(gather);
      },
      flushAll: () => {
        this.bench.flush.flushAll();
      },
    };
  }

  /** Relative to the first address of the table. */
  map(iova: number, address: number, size: number, prot: number = Read + Write): number {
    return iommuMap(this.ops, dmaAddr(this.first + iova), physAddr(address), size, prot);
  }

  unmap(iova: number, size: number): number {
    return iommuUnmap(this.ops, dmaAddr(this.first + iova), size);
  }

  /** Where hardware goes; null: nowhere. What the software thinks must be the same. */
  goes(t: ExecutionContext, iova: number): number | null {
    const at = dmaAddr(this.first + iova);
    const { fault, leads, start } = this.walk(at, null);
    const found = fault === WalkFault.None ? leads + (at - start) : null;
    t.is(this.table.iovaToPhys(at), found === null ? null : physAddr(found));
    return found;
  }

  /** Entries that lead to memory, of all that were stored. */
  get leaves(): number {
    return this.table.writes - (this.table.tables - 1);
  }

  get first(): number {
    return this.table.apertureStart;
  }
}

/** One of each shape: both stages, three granules, one upper half, concatenated roots. */
const FORMATS = [...LPAE.filter((_, i) => [0, 1, 2, 3, 6].includes(i)), V7S];
const each = (
  name: string,
  run: (t: ExecutionContext, format: PgtableFormat) => void,
  formats: readonly PgtableFormat[] = FORMATS,
): void => {
  test(name, t => {
    for (const format of formats) run(t, format);
  });
};
const [LPAE_4K = V7S] = LPAE;

each('iommu_test: test_map_simple', (t, format) => {
  const one = new Case(format);
  for (const size of one.sizes) {
    t.is(one.map(size, size * 2, size), 0, format.name);
    for (const offset of [0, 5, size - 1]) t.is(one.goes(t, size + offset), size * 2 + offset);
    t.is(one.goes(t, size - 1), null);
    t.is(one.goes(t, size * 2), null);
    t.is(one.unmap(size, size), size);
    t.is(one.goes(t, size), null);
  }
});

each('iommu_test: test_map_table_to_oa', (t, format) => {
  const one = new Case(format);
  const { tables } = one.table;
  for (const [i, size] of one.sizes.entries()) {
    for (const smaller of one.sizes.slice(0, i)) {
      t.is(one.map(size, 0, smaller), 0);
      t.is(one.unmap(size, smaller), smaller);
      t.is(one.map(size, 3 * size, size), 0, `${format.name}: ${size} over ${smaller}`);
      t.is(one.goes(t, size + 7), 3 * size + 7);
      t.is(one.unmap(size, size), size);
    }
  }
  const largest = one.sizes.at(-1) ?? 0;
  t.is(one.map(largest, 0, largest), 0);
  t.true(one.table.tables <= tables + 2, 'tables that blocks replaced are given back');
});

each('iommu_test: test_unmap_split', (t, format) => {
  const one = new Case(format);
  for (const [i, size] of one.sizes.entries()) {
    for (const smaller of one.sizes.slice(0, i)) {
      t.is(one.map(0, size, size), 0);
      t.is(one.map(size, 0, size), 0);
      t.is(one.table.unmap(dmaAddr(one.first + smaller), smaller, 1, newGather()), size);
      t.is(one.goes(t, 0), null, `${format.name}: all of it is gone`);
      t.is(one.goes(t, size), 0);
      t.is(one.unmap(size, size), size);
    }
  }
});

each('iommu_test: test_random_map, where it overlaps', (t, format) => {
  const one = new Case(format);
  const [size = 0] = one.sizes;
  t.is(one.map(4 * size, 0, 4 * size), 0);
  for (const [at, pages] of [
    [4, 1],
    [7, 1],
    [2, 3],
    [7, 2],
    [2, 8],
  ] as const) {
    t.is(one.map(at * size, 0, pages * size), -EEXIST);
    t.is(one.goes(t, 3 * size), null, 'what was mapped before the overlap is taken back');
    t.is(one.goes(t, 8 * size), null);
    t.is(one.goes(t, 5 * size), size);
  }
});

each('iommu_test: test_pgsize_boundary', (t, format) => {
  const one = new Case(format);
  for (const [i, size] of one.sizes.entries()) {
    const smaller = one.sizes[i - 1];
    if (smaller === undefined) continue;
    const [start, length] = [3 * size - smaller, 2 * smaller];
    t.is(one.map(start, start, length), 0);
    t.deepEqual(
      [start, 3 * size, start + length - 1].map(at => one.goes(t, at)),
      [...[start, 3 * size, start + length - 1]],
    );
    t.is(one.unmap(start, length), length);
    t.is(one.goes(t, 3 * size), null);
  }
});

each(
  'iommu_test: test_mixed',
  (t, format) => {
    const one = new Case(format);
    const start = G - 14 * 2 * M;
    const length = 14 * 2 * M + 3 * G + 3 * 2 * M;
    t.is(one.map(start, start, length), 0);
    t.is(one.leaves, 20);
    t.deepEqual(
      [start, G, 4 * G, start + length].map(at => one.goes(t, at)),
      [...[start, G, 4 * G, null]],
    );
    t.is(one.unmap(start, length), length);
    t.is(one.goes(t, 2 * G), null);
  },
  [LPAE_4K],
);

each('fmt_test: test_init', (t, format) => {
  const one = new Case(format);
  t.is(one.table.tables, 1);
  t.is(one.table.writes, 0);
  t.is(one.goes(t, 0), null);
  one.table.free();
  t.is(one.bench.pagesInUse, 0);
});

each('fmt_test: test_best_pgsize', (t, format) => {
  const { sizes, table } = new Case(format);
  const [smallest = 0] = sizes;
  const largest = sizes.at(-1) ?? 0;
  for (const iova of [0, smallest, ...sizes, largest - smallest]) {
    for (const address of [0, smallest, ...sizes]) {
      for (const size of [smallest, ...sizes, largest + smallest]) {
        const fits = sizes.filter(one => one <= size && iova % one === 0 && address % one === 0);
        t.is(pageRun(table.pageSizes, iova, address, size).pageSize, Math.max(...fits));
      }
    }
  }
});

each('fmt_test: test_table_ptr', (t, format) => {
  // Tables beyond 4 GiB, where the format has bits for that.
  const one = new Case(format, 'whole', format === V7S ? 0xf000_0000 : 0x12_8000_0000);
  const [size = 0] = one.sizes;
  t.is(one.map(0, 0, size), 0);
  const { steps, count } = one.walk(one.first, null);
  t.true(count >= 2);
  for (const { at } of steps.slice(0, count))
    t.true(at >= (format === V7S ? 0xf000_0000 : 0x12_8000_0000));
  t.deepEqual(one.bench.strays, []);
});

each('fmt_test: test_max_va', (t, format) => {
  const one = new Case(format);
  const span = one.table.apertureEnd + 1 - one.first;
  for (const size of one.sizes) {
    t.is(one.map(span - size, 0, size), 0);
    t.is(one.goes(t, span - 1), size - 1);
    t.is(one.unmap(span - size, size), size);
    t.is(one.map(span, 0, size), -ERANGE);
  }
});

each('fmt_test: test_table_radix', (t, format) => {
  const one = new Case(format);
  const [size = 0] = one.sizes;
  t.is(one.map(0, 0, size), 0);
  const { tables } = one.table;
  // What the last table translates, and the first address after it.
  const { steps, count } = one.walk(one.first, null);
  const span = steps[count - 2]?.size ?? 0;
  t.is(one.map(span - size, 0, size), 0);
  t.is(one.table.tables, tables);
  t.is(one.map(span, 0, size), 0);
  t.true(one.table.tables > tables);
});

each('fmt_test: test_entry_possible_sizes', (t, format) => {
  const one = new Case(format);
  for (const size of one.sizes) {
    t.is(one.map(size, 0, size), 0);
    t.is(one.walk(one.first + size, null).size, size);
    t.is(one.unmap(size, size), size);
  }
});

each('fmt_test: test_entry_oa', (t, format) => {
  const one = new Case(format);
  for (const size of one.sizes) {
    for (let address = size; address < 2 ** one.table.oas; address *= 2) {
      t.is(one.map(0, address, size), 0);
      t.is(one.goes(t, 1), address + 1, `${format.name}: ${size} to ${address}`);
      t.is(one.unmap(0, size), size);
    }
  }
});

each('fmt_test: test_attr_from_entry', (t, format) => {
  const one = new Case(format);
  const others = [0, IommuProt.Cache, IommuProt.NoExec, IommuProt.Mmio, IommuProt.Priv];
  for (const size of one.sizes) {
    const seen = new Set<number>();
    for (const prot of format.prots.flatMap(rights => others.map(other => rights + other))) {
      t.is(one.map(0, 0, size, prot), 0);
      const { attributes } = one.walk(one.first, null);
      seen.add(attributes);
      t.is(permits(attributes, true, true), prot % (2 * Write) >= Write);
      t.is(one.unmap(0, size), size);
    }
    // Stage 2 knows no privilege: there Priv is as nothing.
    const isStage2 = format.name.includes('stage 2');
    t.is(seen.size, format.prots.length * (isStage2 ? others.length - 1 : others.length));
  }
});
