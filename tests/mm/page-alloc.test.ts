import test from 'ava';
import fc from 'fast-check';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  GFP_ATOMIC,
  GFP_DMA,
  GFP_DMA32,
  GFP_HIGHUSER,
  GFP_KERNEL,
} from '../../drivers/base/kernel/gfp';
import { FenceContract } from '../../mm/dma-buf/fence-contract';
import { PageAllocator } from '../../mm/page-alloc';
import type { ZoneLayout } from '../../mm/page-alloc';
import { MAX_ORDER, getOrder } from '../../mm/zone';

/** Three ranges with holes, none aligned; a zone border in the middle of each of the last two. */
const LAYOUT: ZoneLayout = {
  ranges: [
    { start: 3, end: 700 },
    { start: 1001, end: 3000 },
    { start: 4096, end: 9001 },
  ],
  dmaEnd: 1500,
  dma32End: null,
  lowEnd: 6000,
};

const make = (layout: ZoneLayout = LAYOUT): { pages: PageAllocator; cleared: number[] } => {
  const cleared: number[] = [];
  return { pages: new PageAllocator(layout, { clearPage: page => cleared.push(page) }), cleared };
};

const FLAGS = { kernel: GFP_KERNEL, dma: GFP_DMA, high: GFP_HIGHUSER } as const;
const LIMIT = { kernel: 6000, dma: 1500, high: 9001 } as const;

test('blocks are aligned, free until given, in one zone, and all memory can be had again', t => {
  const step = fc.record({
    flags: fc.constantFrom('kernel', 'dma', 'high'),
    order: fc.integer({ min: 0, max: 9 }),
    free: fc.option(fc.nat(1000)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const { pages } = make();
      const total = pages.managedPages;
      t.is(total, 697 + 1999 + 4905);
      const taken = new Set<number>();
      const blocks: { page: Page; order: number }[] = [];
      for (const { flags, order, free } of steps) {
        const page = pages.allocPages(FLAGS[flags], order);
        if (page !== null) {
          t.is(page % 2 ** order, 0);
          for (let pfn: number = page; pfn < page + 2 ** order; pfn++) {
            t.true(LAYOUT.ranges.some(({ start, end }) => pfn >= start && pfn < end));
            t.true(pfn < LIMIT[flags] && !taken.has(pfn) && !pages.isFree(pfn as Page));
            taken.add(pfn);
          }
          blocks.push({ page, order });
        }
        if (free !== null && blocks.length > 0) {
          const [gone] = blocks.splice(free % blocks.length, 1);
          if (gone === undefined) continue;
          pages.freePagesAt(gone.page, gone.order);
          for (let i = 0; i < 2 ** gone.order; i++) taken.delete(gone.page + i);
        }
        t.is(pages.freePages, total - taken.size);
      }
      for (const { page, order } of blocks) pages.freePagesAt(page, order);
      t.is(pages.freePages, total);
      t.truthy(pages.allocPages(GFP_HIGHUSER, MAX_ORDER));
    }),
    { numRuns: 40 },
  );
});

test('memory is given to the last page, and then none', t => {
  const { pages } = make();
  let count = 0;
  while (pages.allocPages(GFP_HIGHUSER, 0) !== null) count++;
  t.is(count, pages.managedPages);
  t.is(pages.freePages, 0);
});

test('the highest zone that will do is taken first', t => {
  const { pages } = make();
  t.true(pages.isHighmem(pages.allocPages(GFP_HIGHUSER, 0) ?? (0 as Page)));
  const normal = pages.allocPages(GFP_KERNEL, 0) ?? 0;
  t.true(normal >= 1500 && normal < 6000);
  t.true((pages.allocPages(GFP_DMA, 0) ?? 0) < 1500);
});

test('ZONE_DMA ends where lowmem ends, whatever the machine asks for', t => {
  const { pages } = make({ ...LAYOUT, dmaEnd: 8000 });
  t.true(pages.hasHighmem);
  t.deepEqual(
    pages.zones.map(zone => zone.managedPages),
    [697 + 1999 + 1904, 0, 0, 3001],
  );
  for (let page = pages.allocPages(GFP_KERNEL, 0); page !== null;) {
    if (pages.isHighmem(page)) {
      t.fail('GFP_KERNEL gave highmem');
      return;
    }
    page = pages.allocPages(GFP_KERNEL, 0);
  }
  t.is(pages.freePages, 3001);
});

test('GFP_DMA32 keeps to its zone, and means nothing where there is none', t => {
  const { pages } = make({
    ranges: [{ start: 2 ** 20 - 5, end: 2 ** 20 + 5 }],
    dmaEnd: null,
    dma32End: 2 ** 20,
    lowEnd: 2 ** 21,
  });
  let count = 0;
  while (pages.allocPages(GFP_DMA32, 0) !== null) count++;
  t.is(count, 5);
  t.is(pages.freePages, 5);
  t.deepEqual(pages.rangesFor(GFP_DMA32), [{ start: 2 ** 20 - 5, end: 2 ** 20 }]);
  t.true((make().pages.allocPages(GFP_DMA32, 0) ?? 0) >= 1500);
});

test('the wrong order, a page inside a block and a second free are bad page states', t => {
  const { pages } = make();
  const page = pages.allocPages(GFP_KERNEL, 2) ?? (0 as Page);
  for (const [at, order] of [
    [page, 1],
    [(page + 1) as Page, 0],
  ] as const) {
    const run = (): void => {
      pages.freePagesAt(at, order);
    };
    t.throws(run, { instanceOf: KernelOops, message: /^bad page state: free of order/ });
  }
  pages.freePagesAt(page, 2);
  const again = (): void => {
    pages.freePagesAt(page, 2);
  };
  t.throws(again, { instanceOf: KernelOops, message: /not allocated/ });
});

test('zeroed blocks are cleared page by page, others are not; too large ones there are none', t => {
  const { pages, cleared } = make();
  const page = pages.allocPages({ ...GFP_KERNEL, zero: true }, 1) ?? 0;
  t.deepEqual(cleared, [page, page + 1]);
  pages.allocPages(GFP_KERNEL, 1);
  t.is(cleared.length, 2);
  t.is(pages.allocPages(GFP_KERNEL, MAX_ORDER + 1), null);
});

test('the order of a size is the smallest that holds it', t => {
  for (let size = 1; size < 40 * PAGE_SIZE; size += 511) {
    const order = getOrder(size);
    t.true(PAGE_SIZE * 2 ** order >= size && (order === 0 || PAGE_SIZE * 2 ** (order - 1) < size));
  }
});

test('memory that may have to be reclaimed is not to be had on the way to a signal of a fence', t => {
  const { pages } = make();
  const contract = new FenceContract();
  pages.mightReclaim = () => {
    contract.mightAlloc('alloc_pages', GFP_KERNEL);
  };
  t.not(pages.allocPages(GFP_KERNEL, 0), null);
  contract.beginSignalling();
  t.not(pages.allocPages(GFP_ATOMIC, 0), null);
  for (const alloc of ['allocPages', 'allocKernelPages'] as const) {
    t.throws(() => pages[alloc](GFP_KERNEL, 0), {
      instanceOf: KernelOops,
      message: /^alloc_pages with GFP_KERNEL on the way to a fence's signal/,
    });
  }
  contract.endSignalling();
  t.not(pages.allocPages(GFP_KERNEL, 0), null);
});
