import test from 'ava';
import { Plumbing, callSite } from '../../../../drivers/base/types/call-site';
import { cpuAddr } from '../../../../drivers/base/types/address';
import { GFP_KERNEL } from '../../../../drivers/base/kernel/gfp';
import { PageAllocator } from '../../../../mm/page-alloc';
import { Slab } from '../../../../mm/slab';
import { RecordingObserver } from '../../../mm/recording-observer';

const HERE = 'tests/drivers/base/types/call-site.test.ts';

/** The line of this file that called, as any stack has it. */
const line = (): number =>
  Number(new Error().stack?.split('\n')[2]?.match(/call-site\.test\.ts:(\d+)/)?.[1]);

test('a site is a file of the project and a line of its source', t => {
  t.deepEqual([callSite().at, line()], [`${HERE}:${line()}`, line()]);
});

test('the kernel between the driver and the site is passed over', t => {
  const observer = new RecordingObserver();
  const layout = { ranges: [{ start: 16, end: 64 }], dmaEnd: null, dma32End: null, lowEnd: 64 };
  const pages = new PageAllocator(layout, { clearPage: () => undefined });
  const slab = new Slab(pages, { virtToPhys: () => null, physToVirt: cpuAddr }, 64);
  slab.kmalloc(10, GFP_KERNEL);
  pages.observer = observer;
  pages.allocPages(GFP_KERNEL, 0);
  t.deepEqual(observer.sites, [`${HERE}:${line() - 1}`]);
});

test('what is passed over can be chosen, by paths in the project', t => {
  t.is(callSite(new Plumbing([/^\/tests\//, /node_modules/, /^\/node:/, /^\/drivers\//])).at, null);
  t.is(callSite(new Plumbing([/^\/drivers\//])).at, `${HERE}:${line()}`);
});

test('the same place is the same text however often it is asked for, and another is another', t => {
  const sites = [1, 2, 3].map(() => callSite());
  t.is(new Set(sites.map(({ at }) => at)).size, 1);
  t.not(callSite().at, sites[0]?.at);
  t.is(sites[0]?.at, sites[0]?.at);
});

test('errors are written as before once a site was asked for', t => {
  const before: unknown = Reflect.get(Error, 'prepareStackTrace');
  const limit = Error.stackTraceLimit;
  t.not(callSite().at, null);
  t.true(Reflect.get(Error, 'prepareStackTrace') === before);
  t.is(Error.stackTraceLimit, limit);
  t.regex(new Error('text').stack ?? '', /^Error: text\n\s+at .*call-site\.test\.ts:\d+/);
});
