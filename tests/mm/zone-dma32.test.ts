import test from 'ava';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { GFP_DMA, GFP_DMA32 } from '../../drivers/base/kernel/gfp';
import { PageAllocator } from '../../mm/page-alloc';
import type { ZoneLayout } from '../../mm/page-alloc';
import { MAX_ORDER } from '../../mm/zone';

const FOUR_GIB = 2 ** 20;

const LAYOUT: ZoneLayout = {
  ranges: [
    { start: 0, end: 2 ** MAX_ORDER },
    { start: FOUR_GIB, end: 2 ** 34 },
  ],
  dmaEnd: 256,
  dma32End: FOUR_GIB,
  lowEnd: 2 ** 34,
};

const make = (layout: ZoneLayout): PageAllocator =>
  new PageAllocator(layout, { clearPage: () => undefined });

test('ZONE_DMA32 lies between ZONE_DMA and the rest, and both serve GFP_DMA32', t => {
  const pages = make(LAYOUT);
  t.deepEqual(
    pages.zones.map(({ name, managedPages }) => [name, managedPages]),
    [
      ['DMA', 256],
      ['DMA32', 2 ** MAX_ORDER - 256],
      ['Normal', 2 ** 34 - FOUR_GIB],
      ['HighMem', 0],
    ],
  );
  t.deepEqual(pages.rangesFor(GFP_DMA32), [
    { start: 0, end: 256 },
    { start: 256, end: 2 ** MAX_ORDER },
  ]);
  t.deepEqual(pages.rangesFor(GFP_DMA), [{ start: 0, end: 256 }]);
});

test('with ZONE_DMA32 used up, the memory above it is not gone through', t => {
  const pages = make({ ...LAYOUT, dmaEnd: null });
  t.is(pages.allocPages(GFP_DMA32, MAX_ORDER), 0 as Page);
  // 64 TiB lie above: to pass over them page by page never ends.
  t.is(pages.allocPages(GFP_DMA32, 0), null);
});
