import test from 'ava';
import fc from 'fast-check';
import type { LinearMap } from '../../drivers/base/kernel/device';
import { EINVAL } from '../../drivers/base/kernel/errno';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { GFP_HIGHUSER, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { pageToPhys, pfnToPage } from '../../mm/page-alloc';
import {
  SgAppendTable,
  SgEntry,
  SgTable,
  sgAllocAppendTableFromPages,
  sgAllocTable,
  sgAllocTableFromPages,
  sgAllocTableFromPagesSegment,
  sgDmaPages,
  sgDmaSegments,
  sgInitOne,
  sgNentsForLen,
  sgPages,
  sgPieces,
} from '../../mm/scatterlist';
import { sgCopyFromBuffer, sgCopyToBuffer, sgZeroBuffer } from '../../mm/sg-copy';
import { PAGES_CASES, tableOf } from '../suites/scatterlist';
import { boot } from '../support/booted';

test("the kernel's 22 cases: how many segments frames become, and what no segment can hold", t => {
  t.is(PAGES_CASES.length, 22);
  for (const facts of PAGES_CASES) {
    const table = tableOf(facts);
    const found = typeof table === 'number' ? [table, 0] : [0, table.nents];
    t.deepEqual(found, [facts.result, facts.segments], facts.pfns.join(' '));
  }
});

/** Frames in runs, with gaps. */
const frames = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 3 })), {
    minLength: 1,
    maxLength: 8,
  })
  .map(runs => {
    let pfn = 0;
    return runs.flatMap(([length, gap]) => {
      const run = Array.from({ length }, (_, i) => pfnToPage(pfn + i));
      pfn += length + gap;
      return run;
    });
  });

test('a table of pages names every byte once, in order, in segments that are no longer than asked', t => {
  fc.assert(
    fc.property(
      frames,
      fc.nat(PAGE_SIZE - 1),
      fc.nat(PAGE_SIZE - 1),
      fc.integer({ min: 1, max: 12 }),
      (pages, offset, tail, most) => {
        const size = pages.length * PAGE_SIZE - offset - (pages.length > 1 ? tail : 0);
        const table = sgAllocTableFromPagesSegment(pages, offset, size, most * PAGE_SIZE + 5);
        if (typeof table === 'number') throw new Error(`${table}`);
        const pieces = [...sgPieces(table.sgl)];
        t.deepEqual(
          pieces.map(({ page }) => page),
          pages,
        );
        t.is(pieces[0]?.offset, offset);
        t.is(
          table.sgl.reduce((sum, { length }) => sum + length, 0),
          size,
        );
        t.true(table.sgl.every(({ length }) => length > 0 && length <= most * PAGE_SIZE));
        t.deepEqual([...sgPages(table.sgl)], pages);
      },
    ),
  );
});

test('pages that are appended lengthen the last entry, but no further than the largest segment', t => {
  const append = new SgAppendTable();
  const pages = (...pfns: number[]) => pfns.map(pfnToPage);
  t.is(
    sgAllocAppendTableFromPages(append, pages(3, 4), 100, 2 * PAGE_SIZE - 100, 3 * PAGE_SIZE),
    0,
  );
  t.is(sgAllocAppendTableFromPages(append, pages(5, 6), 1, PAGE_SIZE, 3 * PAGE_SIZE), -EINVAL);
  t.is(append.table.nents, 1);
  t.is(sgAllocAppendTableFromPages(append, pages(5, 6, 7, 9), 0, 4 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
  t.deepEqual(
    append.table.sgl.map(({ page, offset, length }) => [page, offset, length]),
    [
      [3, 100, 3 * PAGE_SIZE - 100],
      [6, 0, 2 * PAGE_SIZE],
      [9, 0, PAGE_SIZE],
    ],
  );
  t.deepEqual([append.table.nents, append.table.origNents], [3, 3]);
});

test('an empty table, one without entries and a segment below a page are -EINVAL', t => {
  for (const nents of [0, -1, 1.5, NaN, 2 ** 30]) t.is(sgAllocTable(nents), -EINVAL);
  const table = sgAllocTable(3);
  t.true(table instanceof SgTable && table.nents === 3 && table.origNents === 3);
  t.is(sgAllocTableFromPagesSegment([pfnToPage(0)], 0, 8, PAGE_SIZE - 1), -EINVAL);
});

test('a buffer of the linear map is one entry; any other address is a kernel bug', t => {
  const linear: LinearMap = {
    virtToPhys: address => (address < 0x1000_0000 ? physAddr(address + 0x8000_0000) : null),
    physToVirt: () => null,
  };
  const [entry] = sgInitOne(linear, cpuAddr(0x5432), 77).sgl;
  t.deepEqual([entry?.page, entry?.offset, entry?.length], [pfnToPage(0x80005), 0x432, 77]);
  t.throws(() => sgInitOne(linear, cpuAddr(0x2000_0000), 8), { instanceOf: KernelOops });
});

test('as many entries as a length needs, and no list for more than it has', t => {
  const entries = [10, 20, 30].map(length => new SgEntry(pfnToPage(1), 0, length));
  const found = [0, 1, 10, 11, 30, 31, 60].map(length => sgNentsForLen(entries, length));
  t.deepEqual(found, [0, 1, 1, 2, 2, 3, 3]);
  t.is(sgNentsForLen(entries, 61), -EINVAL);
});

test('rule 52: what the device sees is walked by nents and dmaLength, not by the memory', t => {
  const entries = [1, 2, 3].map(pfn => new SgEntry(pfnToPage(pfn), 0, PAGE_SIZE));
  const table = new SgTable(entries);
  const [first, second] = entries;
  if (first === undefined || second === undefined) throw new Error('no entries');
  [first.dmaAddress, first.dmaLength] = [dmaAddr(0x10_0000), 2 * PAGE_SIZE];
  [second.dmaAddress, second.dmaLength] = [dmaAddr(0x40_0000), PAGE_SIZE];
  table.nents = 2;
  t.deepEqual(
    [...sgDmaSegments(table)],
    [
      { address: dmaAddr(0x10_0000), length: 2 * PAGE_SIZE },
      { address: dmaAddr(0x40_0000), length: PAGE_SIZE },
    ],
  );
  const pages: readonly number[] = [...sgDmaPages(table)];
  t.deepEqual(pages, [0x10_0000, 0x10_1000, 0x40_0000]);
  t.deepEqual([...sgDmaPages(table, 1)].length, 2);
  t.deepEqual([...sgPages(table.sgl, 1)], [pfnToPage(2), pfnToPage(3)]);
  table.nents = 3;
  t.is([...sgDmaSegments(table)].length, 2, 'an entry of no length ends the list');
});

test('copies pass through the CPU, through lowmem and highmem, from any byte to any', t => {
  const { mm } = boot('highbank', 2 ** 30).kernel;
  const order = 1;
  const low = mm.pages.allocPages(GFP_KERNEL, order);
  const high = mm.pages.allocPages(GFP_HIGHUSER, order);
  if (low === null || high === null) throw new Error('no pages');
  t.is(mm.layout.physToVirt(pageToPhys(high)), null);
  const pages = [high, low, pfnToPage(high + 1), pfnToPage(low + 1)];
  const size = 3 * PAGE_SIZE - 50;
  const table = sgAllocTableFromPages(pages, 50, size);
  if (typeof table === 'number') throw new Error(`${table}`);
  const sent = Uint8Array.from({ length: size + 10 }, (_, i) => (i * 7 + (i >> 8)) % 256);
  t.is(sgCopyFromBuffer(mm, table.sgl, sent), size);
  const got = new Uint8Array(PAGE_SIZE);
  for (const skip of [0, 1, 4045, 4046, 4047, 9000]) {
    const copied = sgCopyToBuffer(mm, table.sgl, got, skip);
    t.is(copied, Math.min(PAGE_SIZE, size - skip));
    t.deepEqual(got.subarray(0, copied), sent.subarray(skip, skip + copied));
  }
  t.is(sgCopyToBuffer(mm, table.sgl, got, size), 0);
  t.is(sgZeroBuffer(mm, table.sgl, 3, 100), 3);
  sgCopyToBuffer(mm, table.sgl, got, 99);
  t.deepEqual([...got.subarray(0, 5)], [sent[99], 0, 0, 0, sent[103]]);
  const virtual = mm.layout.physToVirt(pageToPhys(low));
  t.is(
    mm.cpu.load8((virtual ?? 0) + 1),
    sent[PAGE_SIZE - 50 + 1] ?? -1,
    'it is in the memory itself',
  );
});
