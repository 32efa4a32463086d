import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { LinearMap } from '../drivers/base/kernel/device';
import { EINVAL } from '../drivers/base/kernel/errno';
import { KernelOops } from '../drivers/base/kernel/oops';
import { SgEntry, SgTable } from '../drivers/base/kernel/scatterlist';
import type { CpuAddr, DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { hexCpu, offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE, alignDown, alignUp } from '../drivers/base/types/bits';
import { pageToPhys, pfnToPage, physToPage } from './page-alloc';

/*
 * Building and walking scatterlists (lib/scatterlist.c of 6.12). Lists are arrays: there is no
 * chaining, so no maximum of entries to a chunk, and an append never runs out of room.
 */

export { SgEntry, SgTable };

/** UINT_MAX: segments as long as the memory is contiguous (SCATTERLIST_MAX_SEGMENT and more). */
export const SG_MAX_SEGMENT = 2 ** 32 - 1;

/** Of entries that have no memory yet; more than this is nobody's list. */
const MOST_ENTRIES = 2 ** 24;

/** A table of empty entries, which are to be set (sg_alloc_table); -EINVAL for none. */
export const sgAllocTable = (nents: number): SgTable | number => {
  if (!Number.isInteger(nents) || nents <= 0 || nents > MOST_ENTRIES) return -EINVAL;
  return new SgTable(Array.from({ length: nents }, () => new SgEntry(pfnToPage(0), 0, 0)));
};

/** Where a piece of memory begins (sg_phys). */
export const sgPhys = ({ page, offset }: SgEntry): PhysAddr => offsetBy(pageToPhys(page), offset);

/** sg_set_page. */
export const sgSetPage = (entry: SgEntry, page: Page, length: number, offset: number): void => {
  entry.page = page;
  entry.offset = offset;
  entry.length = length;
};

/** Sets a buffer of the linear map (sg_set_buf); any other is a kernel bug (virt_addr_valid). */
export const sgSetBuf = (
  linear: LinearMap,
  entry: SgEntry,
  address: CpuAddr,
  length: number,
): void => {
  const physical = linear.virtToPhys(address);
  if (physical === null) {
    throw new KernelOops(`kernel BUG: sg_set_buf of ${hexCpu(address)}, outside the linear map`);
  }
  sgSetPage(entry, physToPage(physical), length, physical % PAGE_SIZE);
};

/** A list of one buffer (sg_init_one). */
export const sgInitOne = (linear: LinearMap, address: CpuAddr, length: number): SgTable => {
  const entry = new SgEntry(pfnToPage(0), 0, 0);
  sgSetBuf(linear, entry, address, length);
  return new SgTable([entry]);
};

/** A table that grows (struct sg_append_table). */
export class SgAppendTable {
  readonly table = new SgTable([]);
}

/**
 * Adds pages to a table: runs of frames become one entry, up to `maxSegment` bytes, rounded down to
 * pages. The buffer begins `offset` bytes into the first page and has `size` bytes. 0, or -EINVAL,
 * and the table is as it was: a segment below a page; an offset in what is not the first part.
 */
export const sgAllocAppendTableFromPages = (
  { table }: SgAppendTable,
  pages: readonly Page[],
  offset: number,
  size: number,
  maxSegment: number,
): number => {
  const most = alignDown(maxSegment, PAGE_SIZE);
  const last = table.sgl.at(-1);
  if (most < PAGE_SIZE || (last !== undefined && offset !== 0)) return -EINVAL;
  let [skip, left] = [offset, size];
  for (const run of runsOf(last === undefined ? pages : extend(last, pages, most), most)) {
    const bytes = run.count * PAGE_SIZE - skip;
    table.sgl.push(new SgEntry(run.first, skip, Math.min(left, bytes)));
    left -= bytes;
    skip = 0;
  }
  table.nents = table.sgl.length;
  table.origNents = table.sgl.length;
  return 0;
};

/** Lengthens an entry by the pages that go on where it ends; the pages that are left. */
const extend = (last: SgEntry, pages: readonly Page[], most: number): readonly Page[] => {
  let next = Math.floor((sgPhys(last) + last.length) / PAGE_SIZE);
  let taken = 0;
  while (pages[taken] === next && last.length + PAGE_SIZE <= most) {
    last.length += PAGE_SIZE;
    next++;
    taken++;
  }
  return pages.slice(taken);
};

/** Frames that follow one another. */
interface PageRun {
  readonly first: Page;
  count: number;
}

const runsOf = (pages: readonly Page[], most: number): PageRun[] => {
  const runs: PageRun[] = [];
  let run: PageRun | undefined;
  for (const page of pages) {
    if (run !== undefined && page === run.first + run.count && run.count * PAGE_SIZE < most) {
      run.count++;
    } else {
      run = { first: page, count: 1 };
      runs.push(run);
    }
  }
  return runs;
};

/** A table of a buffer in these pages: see sgAllocAppendTableFromPages. */
export const sgAllocTableFromPagesSegment = (
  pages: readonly Page[],
  offset: number,
  size: number,
  maxSegment: number,
): SgTable | number => {
  const append = new SgAppendTable();
  const result = sgAllocAppendTableFromPages(append, pages, offset, size, maxSegment);
  return result === 0 ? append.table : result;
};

/** The same with segments as long as the memory is contiguous (sg_alloc_table_from_pages). */
export const sgAllocTableFromPages = (
  pages: readonly Page[],
  offset: number,
  size: number,
): SgTable | number => sgAllocTableFromPagesSegment(pages, offset, size, SG_MAX_SEGMENT);

/** How many entries from the first hold `length` bytes (sg_nents_for_len); -EINVAL: none do. */
export const sgNentsForLen = (entries: readonly SgEntry[], length: number): number => {
  if (length === 0) return 0;
  let total = 0;
  for (const [index, entry] of entries.entries()) {
    total += entry.length;
    if (total >= length) return index + 1;
  }
  return -EINVAL;
};

/** A part of a page that a list names. */
export interface SgPiece {
  readonly page: Page;
  readonly offset: number;
  readonly length: number;
}

/** Each page that a list touches, once for each entry that touches it (for_each_sg_page). */
export function* sgPages(entries: readonly SgEntry[], pgoffset = 0): Generator<Page> {
  let skip = pgoffset;
  for (const { page, offset, length } of entries) {
    const count = alignUp(offset + length, PAGE_SIZE) / PAGE_SIZE;
    for (; skip < count; skip++) yield pfnToPage(page + skip);
    skip -= count;
  }
}

/** The bus address of each page of what the device sees (for_each_sg_dma_page). */
export function* sgDmaPages({ sgl, nents }: SgTable, pgoffset = 0): Generator<DmaAddr> {
  let skip = pgoffset;
  for (const { dmaAddress, dmaLength, offset } of sgl.slice(0, nents)) {
    const count = alignUp(offset + dmaLength, PAGE_SIZE) / PAGE_SIZE;
    for (; skip < count; skip++) yield offsetBy(dmaAddress, skip * PAGE_SIZE);
    skip -= count;
  }
}

/** What the device is to be programmed with (for_each_sgtable_dma_sg). */
export function* sgDmaSegments({ sgl, nents }: SgTable): Generator<{
  readonly address: DmaAddr;
  readonly length: number;
}> {
  for (const { dmaAddress, dmaLength } of sgl.slice(0, nents)) {
    if (dmaLength === 0) return;
    yield { address: dmaAddress, length: dmaLength };
  }
}

/** The memory of a list from its byte `skip` on, page by page (sg_miter). */
export function* sgPieces(entries: readonly SgEntry[], skip = 0): Generator<SgPiece> {
  let before = skip;
  for (const entry of entries) {
    let done = Math.min(before, entry.length);
    before -= done;
    while (done < entry.length) {
      const at = entry.offset + done;
      const offset = at % PAGE_SIZE;
      const length = Math.min(entry.length - done, PAGE_SIZE - offset);
      yield { page: pfnToPage(entry.page + Math.floor(at / PAGE_SIZE)), offset, length };
      done += length;
    }
  }
}
