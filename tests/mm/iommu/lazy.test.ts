import test from 'ava';
import { DMA_MAPPING_ERROR, DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { dmaMapPage, dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { pfnToPage } from '../../../mm/page-alloc';
import { QUEUE_SIZE, QUEUE_TIMEOUT } from '../../../mm/iommu/flush-queue';
import { boot } from '../../support/booted';
import { FakeIommuBench } from '../../support/fake-iommu';

/*
 * Lazy invalidation: what was unmapped waits, with its addresses, for one invalidation of everything.
 */

const { services } = boot('versatile-pb').kernel;
const { FromDevice } = DmaDirection;
const PFN = 0x80;

const bench = (pages = 1024) => {
  const made = new FakeIommuBench(services, { pages, defaultType: 'dma-fq' });
  const dev = made.device(0);
  const cookie = made.iommus.dmaDomain(dev);
  const queue = cookie?.queue;
  if (cookie === null || queue === null || queue === undefined) throw new Error('not lazy');
  const table = made.tableOf(dev);
  const map = () => dmaMapPage(dev, pfnToPage(PFN), 0, PAGE_SIZE, FromDevice);
  const unmap = (address: ReturnType<typeof map>): void => {
    dmaUnmapPage(dev, address, PAGE_SIZE, FromDevice);
  };
  const flushes = (): number => table.calls.filter(call => call.startsWith('flush')).length;
  return { made, dev, queue, table, map, unmap, flushes, iova: cookie.iova };
};

test('what is unmapped is out of the table at once, and invalidated 10 ms later with all else', t => {
  const { made, queue, table, map, unmap, flushes } = bench();
  const [one, two] = [map(), map()];
  unmap(one);
  unmap(two);
  t.is(table.entries.size, 0);
  t.is(table.unflushed.size, 2, 'a TLB may still have them');
  t.is(flushes(), 0);
  t.is(queue.waiting, 2);
  made.pass(QUEUE_TIMEOUT - 1);
  t.is(queue.waiting, 2);
  made.pass(1);
  t.deepEqual([queue.waiting, table.unflushed.size, flushes()], [0, 0, 1]);
  made.pass(QUEUE_TIMEOUT);
  t.is(flushes(), 1, 'the timer is not set without need');
});

test('nobody is given addresses that wait, and whoever has them then is safe', t => {
  const { made, map, unmap, queue, iova } = bench();
  const first = map();
  unmap(first);
  t.true(queue.holds(first / PAGE_SIZE));
  t.true(queue.covers(first / PAGE_SIZE));
  t.false(queue.covers(first / PAGE_SIZE - 1));
  t.not(map(), first);
  made.pass(QUEUE_TIMEOUT);
  t.false(queue.holds(first / PAGE_SIZE));
  t.is(map(), first, 'from the cache of this CPU');
  t.is(iova.live, 2);
});

test('a full queue is invalidated at once, and then what it held is free', t => {
  const { map, unmap, queue, flushes } = bench();
  for (let n = 0; n < QUEUE_SIZE - 1; n++) unmap(map());
  t.deepEqual([queue.waiting, flushes()], [QUEUE_SIZE - 1, 0]);
  unmap(map());
  t.deepEqual([queue.waiting, flushes(), queue.flushes], [1, 1, 1]);
});

test('addresses run out sooner than with strict invalidation, until the timer has expired', t => {
  const { made, map, unmap } = bench(8);
  for (let n = 0; n < 7; n++) unmap(map());
  t.is(map(), DMA_MAPPING_ERROR, 'nothing is mapped, and there is no room');
  made.pass(QUEUE_TIMEOUT);
  t.not(map(), DMA_MAPPING_ERROR);
});

test('an unmap for the second time is warned of, and frees nothing twice', t => {
  const { made, map, unmap, queue, iova } = bench();
  const before = services.log.lines.length;
  const address = map();
  unmap(address);
  unmap(address);
  t.is(queue.waiting, 1);
  t.deepEqual(
    services.log.lines.slice(before).map(({ text }) => text.replace(/at 0x.*,/, 'there,')),
    ['platform dev: WARNING: unmap of 0x0 of 0x1000 bytes there, which is no mapping'],
  );
  made.pass(QUEUE_TIMEOUT);
  t.deepEqual([queue.waiting, iova.live], [0, 0]);
});

test('hardware that cannot, and devices that may do harm, are strict', t => {
  const made = new FakeIommuBench(services, { defaultType: 'dma-fq', deferredFlush: false });
  t.is(made.iommus.groupOf(made.device(0))?.defaultDomain.type, 'dma');
  const lazy = new FakeIommuBench(services, { defaultType: 'dma-fq' });
  const specs = [{ iommu: lazy.iommu, cells: [2] }];
  const group = lazy.iommus.groupFor(specs, { isUntrusted: true });
  t.like(group, { defaultDomain: { type: 'dma', dma: { queue: null } } });
});
