import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { EBUSY } from '../../drivers/base/kernel/errno';
import { GFP_DMA, GFP_HIGHUSER, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { CmaArea } from '../../mm/cma';
import type { MovableOwner } from '../../mm/movable';
import { PageAllocator, pfnToPage } from '../../mm/page-alloc';
import { PhysMemory } from '../../mm/phys-memory';

const END = 256;
const MOVABLE: Gfp = { ...GFP_KERNEL, movable: true };

/** 1 MiB: frames 16 to 63 are ordinary, 64 to 127 an area, 128 to 255 highmem up to `highEnd`. */
const make = (lowEnd = 64, highEnd = 128) => {
  const bytes = new DataView(new ArrayBuffer(END * PAGE_SIZE));
  const io = {
    readb: (address: number) => bytes.getUint8(address),
    readl: (address: number) => bytes.getUint32(address, true),
    writeb: (value: number, address: number) => {
      bytes.setUint8(address, value);
    },
    writel: (value: number, address: number) => {
      bytes.setUint32(address, value, true);
    },
  };
  const memory = new PhysMemory(io, { with: (page, body) => body(cpuAddr(page * PAGE_SIZE)) });
  const ranges = [
    { start: 16, end: lowEnd },
    { start: 128, end: highEnd },
  ];
  const layout = { ranges, dmaEnd: null, dma32End: null, lowEnd: 128 };
  const pages = new PageAllocator(layout, { clearPage: () => undefined });
  const log = new KernelLog();
  const area = new CmaArea({ name: 'pool', base: 64, count: 64, pages, memory, log });
  return { bytes, pages, area, lines: () => log.lines.map(({ text }) => text) };
};
type Bench = ReturnType<typeof make>;

/** Has blocks whose words it knows, wherever they are. */
class User implements MovableOwner {
  readonly blocks = new Map<Page, { order: number; seed: number }>();
  moved = 0;
  refusals = 0;
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  take(gfp: Gfp, order: number, seed: number): Page | null {
    const { pages, bytes } = this.#bench;
    const page = pages.allocPages(gfp, order);
    if (page === null) return null;
    pages.movable.setOwner(page, this);
    this.blocks.set(page, { order, seed });
    for (let i = 0; i < 2 ** order; i++) bytes.setUint32((page + i) * PAGE_SIZE + 8, seed + i);
    return page;
  }

  migrate(from: Page, to: Page, copy: () => void): number {
    const block = this.blocks.get(from);
    if (block === undefined || this.refusals > 0) {
      this.refusals--;
      return -EBUSY;
    }
    copy();
    this.blocks.delete(from);
    this.blocks.set(to, block);
    this.moved++;
    return 0;
  }

  check(): void {
    for (const [page, { order, seed }] of this.blocks) {
      assert.deepEqual(this.#bench.pages.blockOf(page), { page, order });
      for (let i = 0; i < 2 ** order; i++) {
        assert.equal(this.#bench.bytes.getUint32((page + i) * PAGE_SIZE + 8), seed + i);
      }
    }
  }
}

const isIn = (page: number): boolean => page >= 64 && page < 128;

test('movable pages come from the area while it has more free than the rest, others never do', t => {
  const bench = make();
  const { pages } = bench;
  t.is(pages.freePages, 48 + 64);
  const user = new User(bench);
  for (let i = 0; i < 17; i++) t.is(isIn(user.take(MOVABLE, 0, i) ?? 0), i < 16, `page ${i}`);
  while (user.take(MOVABLE, 0, 0) !== null) continue;
  t.is(user.blocks.size, 48 + 64);
  const other = make().pages;
  let count = 0;
  for (let page = other.allocPages(GFP_KERNEL, 0); page !== null; count++) {
    t.false(isIn(page));
    page = other.allocPages(GFP_KERNEL, 0);
  }
  t.is(count, 48);
});

test('pages of lowmem only are not movable into an area beyond, nor out of it into highmem', t => {
  const bench = make(64, 256);
  const low = new User(bench);
  for (let i = 0; i < 64; i++) low.take(MOVABLE, 0, i * 8);
  t.false([...low.blocks.keys()].some(page => page >= 128));
  t.truthy(bench.area.alloc(32, 0, false));
  t.false([...low.blocks.keys()].some(page => page >= 128));
  low.check();
  const layout = { ranges: [{ start: 16, end: 64 }], dmaEnd: 64, dma32End: null, lowEnd: 128 };
  const pages = new PageAllocator(layout, { clearPage: () => undefined });
  pages.cma.push(...bench.pages.cma);
  let count = 0;
  while (pages.allocPages({ ...GFP_DMA, movable: true }, 0) !== null) count++;
  t.is(count, 48);
});

test('an allocation moves who is in the way, and their data goes with them', t => {
  const bench = make();
  const user = new User(bench);
  for (const order of [3, 0, 2, 0, 1]) t.true(isIn(user.take(MOVABLE, order, order * 100) ?? 0));
  const page = bench.area.alloc(40, 0, false);
  t.is(page, pfnToPage(64));
  t.true(user.moved > 0);
  t.is(bench.pages.movable.moverOf(64 as Page), null);
  t.false([...user.blocks.keys()].some(at => at >= 64 && at < 104));
  user.check();
  t.is(bench.area.used, 40);
  t.true(bench.area.release(page ?? (0 as Page), 40));
  t.is(bench.area.used, 0);
  t.is(bench.pages.freePages, 112 - 16);
});

test('pages that are pinned, or of nobody who moves, are gone round', t => {
  const bench = make();
  const { pages, area } = bench;
  const user = new User(bench);
  const pinned = user.take(MOVABLE, 0, 1) ?? (0 as Page);
  t.is(pinned, pfnToPage(64));
  pages.movable.pin(pinned);
  t.is(area.alloc(8, 3, false), pfnToPage(72));
  pages.movable.unpin(pinned);
  t.is(area.alloc(8, 3, false), pfnToPage(64));
  t.not(pages.allocPages(MOVABLE, 0), null);
  t.is(area.alloc(48, 0, false), null);
  t.is(area.used, 16);
  t.deepEqual(bench.lines(), [
    'cma: __cma_alloc: pool: alloc failed, req-size: 48 pages, ret: -16',
  ]);
  t.is(pages.freePages, 112 - 16 - 2);
  user.check();
});

test('an owner that is busy is asked again, but not for ever', t => {
  const bench = make();
  const user = new User(bench);
  user.take(MOVABLE, 0, 1);
  user.refusals = 4;
  t.is(bench.area.alloc(1, 0, false), pfnToPage(64));
  t.is(user.moved, 1);
  user.take(MOVABLE, 0, 2);
  user.refusals = 5;
  const free = bench.pages.freePages;
  t.is(bench.area.alloc(63, 0, true), null);
  t.is(user.moved, 1);
  t.is(bench.pages.freePages, free);
  t.deepEqual(bench.lines(), []);
  user.check();
});

test('without room to move to there is no memory, and nobody was moved for nothing', t => {
  const bench = make();
  while (bench.pages.allocPages(GFP_KERNEL, 0) !== null) continue;
  const user = new User(bench);
  while (user.take(MOVABLE, 0, 7) !== null) continue;
  t.is(user.blocks.size, 64);
  t.is(bench.area.alloc(1, 0, false), null);
  t.deepEqual(bench.lines(), ['cma: __cma_alloc: pool: alloc failed, req-size: 1 pages, ret: -12']);
  t.is(bench.area.used, 0);
});

test('allocations are aligned, apart and in the area; users keep their data; nothing is lost', t => {
  const step = fc.record({
    what: fc.constantFrom('contiguous', 'movable', 'ordinary', 'free', 'pin'),
    count: fc.integer({ min: 1, max: 20 }),
    order: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), steps => {
      const bench = make();
      const { pages, area } = bench;
      const user = new User(bench);
      const ranges: { page: Page; count: number }[] = [];
      const ordinary: { page: Page; order: number }[] = [];
      for (const { what, count, order } of steps) {
        if (what === 'contiguous') {
          const page = area.alloc(count, order, true);
          if (page === null) continue;
          assert.ok(isIn(page) && isIn(page + count - 1) && page % 2 ** order === 0);
          for (const other of ranges) {
            assert.ok(other.page + other.count <= page || page + count <= other.page);
          }
          for (let pfn = page; pfn < page + count; pfn++) {
            assert.equal(pages.blockOf(pfn), null);
            assert.ok(!pages.isFree(pfn));
          }
          ranges.push({ page, count });
        } else if (what === 'movable') user.take(MOVABLE, order, count * 1000);
        else if (what === 'ordinary') {
          const page = pages.allocPages(GFP_KERNEL, order);
          if (page !== null) ordinary.push({ page, order });
        } else if (what === 'pin') {
          const [first] = user.blocks.keys();
          if (first !== undefined) pages.movable.pin(first);
        } else {
          const [gone] = ranges.splice(count % Math.max(1, ranges.length), 1);
          if (gone !== undefined) area.release(gone.page, gone.count);
          const [block] = [...user.blocks].slice(-1);
          if (block === undefined) continue;
          pages.freePagesAt(block[0], block[1].order);
          user.blocks.delete(block[0]);
        }
        user.check();
      }
      for (const { page, count } of ranges) area.release(page, count);
      for (const { page, order } of ordinary) pages.freePagesAt(page, order);
      for (const [page, { order }] of user.blocks) pages.freePagesAt(page, order);
      assert.equal(pages.freePages, 112);
      assert.equal(area.alloc(64, 6, true), 64);
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('only what was allocated can be released, and only here', t => {
  const { area, pages } = make();
  const page = area.alloc(4, 2, false) ?? (0 as Page);
  t.false(area.release(32 as Page, 4));
  t.false(area.release(128 as Page, 4));
  const oops = { instanceOf: KernelOops };
  t.throws(() => area.release(page, 5), oops);
  t.true(area.release(page, 4));
  t.throws(() => area.release(page, 4), oops);
  t.is(area.alloc(64, 0, false), pfnToPage(64));
  t.throws(() => area.release(120 as Page, 9), oops);
  const block = pages.allocPages({ ...GFP_HIGHUSER, movable: true }, 0) ?? (0 as Page);
  t.throws(() => {
    pages.movable.pin(block);
  }, oops);
});
