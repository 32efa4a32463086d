import { EINVAL } from '../../drivers/base/kernel/errno';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { pfnToPage } from '../../mm/page-alloc';
import {
  SG_MAX_SEGMENT,
  SgAppendTable,
  sgAllocAppendTableFromPages,
  sgAllocTableFromPagesSegment,
} from '../../mm/scatterlist';
import type { SgTable } from '../../mm/scatterlist';
import type { Case, Suite } from './suite';

/** Frames that a table is made of, and what it must come to. */
interface PagesCase {
  readonly result: number;
  readonly pfns: readonly number[];
  /** Added in a second call. */
  readonly appended?: readonly number[];
  readonly size: number;
  readonly maxSegment: number;
  readonly segments: number;
}

const of = (
  pfns: readonly number[],
  segments: number,
  maxSegment = SG_MAX_SEGMENT,
  appended?: readonly number[],
): PagesCase => ({
  result: 0,
  pfns,
  size: pfns.length * PAGE_SIZE,
  maxSegment,
  segments,
  ...(appended === undefined ? {} : { appended }),
});

/** The facts of the kernel's tools/testing/scatterlist, in its order: 22 cases. */
export const PAGES_CASES: readonly PagesCase[] = [
  { ...of([0], 0, 0), result: -EINVAL },
  of([0], 1, PAGE_SIZE + 1),
  of([0], 1),
  { ...of([0], 1), size: 1 },
  of([0, 1], 1),
  of([1, 0], 2),
  of([0, 1, 2], 1),
  of([0, 1, 2], 1),
  of([0, 1, 2], 1, SG_MAX_SEGMENT, [3, 4, 5]),
  of([0, 1, 2], 2, SG_MAX_SEGMENT, [4, 5, 6]),
  of([0, 2, 1], 3),
  of([0, 1, 3], 2),
  of([1, 2, 4], 2),
  of([1, 3, 4], 2),
  of([0, 1, 3, 4], 2),
  of([0, 1, 3, 4, 5], 2),
  of([0, 1, 3, 4, 6], 3),
  of([0, 1, 2, 3, 4], 1),
  of([0, 1, 2, 3, 4], 3, 2 * PAGE_SIZE),
  of([0, 1, 2, 3, 4, 5], 3, 2 * PAGE_SIZE),
  of([0, 2, 3, 4, 5, 6], 4, 2 * PAGE_SIZE),
  of([0, 1, 3, 4, 5, 6], 2, 12 * PAGE_SIZE, [7, 8, 9, 10, 11, 12]),
];

/** The table of a case, or the error of the first call that had one. */
export const tableOf = ({ pfns, appended, size, maxSegment }: PagesCase): SgTable | number => {
  const pages = pfns.map(pfnToPage);
  if (appended === undefined) return sgAllocTableFromPagesSegment(pages, 0, size, maxSegment);
  const append = new SgAppendTable();
  for (const part of [pages, appended.map(pfnToPage)]) {
    const result = sgAllocAppendTableFromPages(append, part, 0, size, maxSegment);
    if (result !== 0) return result;
  }
  return append.table;
};

const cases = PAGES_CASES.map((facts, index): Case => ({
  name: `from_pages_${String(index + 1).padStart(2, '0')}`,
  run: t => {
    const table = tableOf(facts);
    if (typeof table === 'number') {
      t.equal(table, facts.result, `what comes of frames ${facts.pfns.join(', ')}`);
      return;
    }
    t.equal(table.nents, facts.segments, `the segments of frames ${facts.pfns.join(', ')}`);
    t.equal(table.origNents, facts.segments, 'the pieces');
  },
}));

export const scatterlistSuite: Suite = {
  name: 'scatterlist',
  summary: "the kernel's own cases of making scatterlists from pages",
  cases,
};
