import test from 'ava';
import { DMA_MAPPING_ERROR, DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import type { DebugVersion } from '../../mm/dma-debug-text';
import { DebugBench, HERE, START, listOf } from './debug-kernel';
import { range } from './watched-memory';

/* The files of /sys/kernel/debug/dma-api, the boot parameters, and what the versions differ in. */

const NEVER = range({ address: START, size: 64 });

/** `count` errors of a driver. */
const fail = (bench: DebugBench, count = 1, driver = 'driver'): void => {
  for (let i = 0; i < count; i++) bench.debug.unmapped({ ...NEVER, driver }, HERE);
};

test('every error is told, until a user asks for one, for so many, or for those of a driver', t => {
  const bench = new DebugBench();
  const { log } = bench.debug;
  fail(bench, 3);
  t.is(bench.told.splice(0).length, 3);
  log.allErrors = false;
  fail(bench, 3);
  t.is(bench.told.splice(0).length, 1, 'as Linux does by default');
  log.numErrors = 2;
  fail(bench, 3);
  t.is(bench.told.splice(0).length, 2);
  t.deepEqual([log.errorCount, log.numErrors], [9, 0]);
});

test('an error that the filter takes away uses up one of those to be told', t => {
  const bench = new DebugBench();
  const { log } = bench.debug;
  log.allErrors = false;
  log.writeFilter('eth');
  fail(bench);
  t.deepEqual([bench.told.length, log.errorCount, log.numErrors], [0, 1, 0]);
});

test('a filter is the first word of what is written; what begins otherwise switches it off', t => {
  const { log } = new DebugBench().debug;
  const before = log.notices.length;
  for (const text of ['', '-x', 'eth0 wlan0\n', '\n', '\n', 'a\tb', 'x'.repeat(80)]) {
    log.writeFilter(text);
  }
  t.deepEqual(log.notices.slice(before), [
    'DMA-API: enable driver filter for driver [eth0]',
    'DMA-API: switching off dma-debug driver filter',
    'DMA-API: enable driver filter for driver [a]',
    `DMA-API: enable driver filter for driver [${'x'.repeat(63)}]`,
  ]);
  t.is(log.filter.length, 63);
});

test('a filter passes a driver of that name, to 63 characters, and no device without a driver', t => {
  const bench = new DebugBench({ driver: 'eth' });
  fail(bench);
  t.is(bench.told.length, 0);
  fail(bench, 1, 'eth');
  t.is(bench.told.splice(0).length, 1);
  fail(bench, 1, 'eth0');
  t.is(bench.told.length, 0);
  bench.debug.log.writeFilter('platform');
  fail(bench, 1, 'platform');
  t.is(bench.told.length, 0);
  bench.debug.log.writeFilter('x'.repeat(63));
  fail(bench, 1, `${'x'.repeat(63)}y`);
  t.is(bench.told.length, 1);
});

test('at boot all of the text is the filter, and none is none', t => {
  t.is(new DebugBench({ driver: 'a b' }).debug.log.filter, 'a b');
  t.is(new DebugBench({ driver: '' }).debug.log.filter, '');
  t.deepEqual(new DebugBench({ driver: 'eth' }).debug.log.notices, [
    'DMA-API: enable driver filter for driver [eth]',
    'DMA-API: preallocated 65536 debug entries',
    'DMA-API: debugging enabled by kernel config',
  ]);
});

test('switched off at boot it says so, looks at nothing and counts nothing', t => {
  const bench = new DebugBench({ isOff: true });
  const { debug } = bench;
  const mapped = bench.map();
  debug.synced({ ...mapped, size: 1000 }, 'cpu', HERE);
  bench.mapList(listOf([[START, 2 ** 20]]));
  debug.sgSynced(listOf([[START, 64]]), 'cpu', HERE);
  debug.sgUnmapped(listOf([[START, 64]]), HERE);
  debug.memoryFreed(bench.allocate(), HERE);
  debug.mapSingle({ ...NEVER, virtualAddress: 0 }, HERE);
  debug.unmapped(NEVER, HERE);
  debug.released(NEVER, HERE);
  t.deepEqual([bench.told, debug.log.errorCount, debug.store.pool.total], [[], 0, 0]);
  t.deepEqual(debug.log.notices, ['DMA-API: debugging disabled on kernel command line']);
  t.true(debug.store.isDisabled);
});

test('entries come from a pool, by the page, and the least that were free is kept', t => {
  const bench = new DebugBench({ entries: 33 });
  const { pool } = bench.debug.store;
  const counts = (): number[] => [pool.free, pool.least, pool.total];
  t.deepEqual(counts(), [64, 64, 64]);
  const mapped = bench.map();
  const list = bench.mapList(
    listOf([
      [START + 4096, 64],
      [START + 8192, 64],
    ]),
  );
  t.deepEqual(counts(), [61, 61, 64]);
  bench.unmap(mapped);
  bench.debug.sgUnmapped(list, HERE);
  t.deepEqual(counts(), [64, 61, 64]);
});

test('a pool that is used up grows by a page, and says so each time it has grown by its first size', t => {
  const bench = new DebugBench({ entries: 64 });
  const { log, store } = bench.debug;
  for (let i = 0; i < 64 + 1; i++) bench.map({ address: START + 4096 * i });
  t.deepEqual([store.pool.free, store.pool.least, store.pool.total], [31, 0, 96]);
  t.is(log.notices.length, 2);
  for (let i = 65; i < 96 + 1; i++) bench.map({ address: START + 4096 * i });
  t.deepEqual(log.notices.slice(2), ['DMA-API: dma_debug_entry pool grown to 128 (200%)']);
});

test('the pool may begin with more than was asked for, and then grows past a multiple', t => {
  const bench = new DebugBench({ entries: 33 });
  for (let i = 0; i < 64 + 1; i++) bench.map({ address: START + 4096 * i });
  t.is(bench.debug.log.notices.at(-1), 'DMA-API: dma_debug_entry pool grown to 96 (200%)');
});

test('with no memory for more entries it is over: what lives is never looked at again', t => {
  let pages = 1;
  const hasMemory = (what: 'entries' | 'lines'): boolean => what === 'lines' || pages-- > 0;
  const bench = new DebugBench({ entries: 32, hasMemory });
  const { log, store } = bench.debug;
  const all = Array.from({ length: 31 }, (_, i) => bench.map({ address: START + 4096 * i }));
  bench.mapList(
    listOf([
      [START + 2 ** 20, 64],
      [START + 2 ** 21, 64],
      [START + 2 ** 22, 64],
    ]),
  );
  t.true(store.isDisabled);
  t.is(store.all.length, 32, 'the list had one of its three');
  t.is(log.notices.at(-1), 'DMA-API: debugging out of memory - disabling');
  for (const mapped of all) bench.unmap(mapped, { size: 1 });
  fail(bench);
  t.deepEqual([bench.told, store.all.length], [[], 32]);
});

test('with no memory for a line it is over too', t => {
  const bench = new DebugBench({ hasMemory: what => what === 'entries' });
  bench.map({ direction: 'to-device' });
  t.false(bench.debug.store.isDisabled, 'no line is kept of what a device reads');
  bench.map();
  t.true(bench.debug.store.isDisabled);
  t.is(bench.debug.log.notices.at(-1), 'DMA-API: cacheline tracking ENOMEM, dma-debug disabled');
});

test('at boot it takes what memory there is, and does without if there is none', t => {
  let pages = 2;
  const few = new DebugBench({ entries: 100, hasMemory: () => pages-- > 0 });
  t.is(few.debug.log.notices[0], 'DMA-API: 100 debug entries requested but only 64 allocated');
  t.false(few.debug.store.isDisabled);
  const none = new DebugBench({ hasMemory: () => false });
  t.deepEqual(none.debug.log.notices, ['DMA-API: debugging out of memory error - disabled']);
  t.true(none.debug.store.isDisabled);
});

const dumped = (version: DebugVersion, phys: 4 | 8): readonly string[] => {
  const bench = new DebugBench({ version }, { widths: { pointer: phys, phys } });
  bench.map({}, false);
  bench.map({ address: START + 4096, direction: 'to-device', attrs: DmaAttr.NoWarn });
  bench.mapList(listOf([[START + 0x10_0000, 64]], { direction: 'bidirectional' }));
  return bench.debug.dump;
};

test('the dump has a line for each mapping, by bucket, as each version writes it', t => {
  t.deepEqual(dumped('6.12', 4), [
    'driver dev single idx 0 P=0x80001000 D=c0001000 L=100 cln=0x02000040 DMA_FROM_DEVICE dma map error not checked',
    'driver dev single idx 1 P=0x80002000 D=c0002000 L=100 cln=0x02000080 DMA_TO_DEVICE dma map error checked',
    'driver dev scatter-gather idx 128 P=0x80101000 D=c0101000 L=40 cln=0x02004040 DMA_BIDIRECTIONAL dma map error check not applicable',
  ]);
  t.deepEqual(dumped('6.1', 4), [
    'dev driver single idx 0 P=80001000 N=80001 D=c0001000 L=100 DMA_FROM_DEVICE dma map error not checked',
    'dev driver single idx 1 P=80002000 N=80002 D=c0002000 L=100 DMA_TO_DEVICE dma map error checked',
    'dev driver scather-gather idx 128 P=80101000 N=80101 D=c0101000 L=40 DMA_BIDIRECTIONAL dma map error check not applicable',
  ]);
  t.deepEqual(dumped('newest', 8), [
    'driver dev phy idx 0 P=0x0000000080001000 D=c0001000 L=100 cln=0x0000000002000040 DMA_FROM_DEVICE dma map error not checked attrs=0x0',
    'driver dev phy idx 1 P=0x0000000080002000 D=c0002000 L=100 cln=0x0000000002000080 DMA_TO_DEVICE dma map error checked attrs=0x100',
    'driver dev scatter-gather idx 128 P=0x0000000080101000 D=c0101000 L=40 cln=0x0000000002004040 DMA_BIDIRECTIONAL dma map error check not applicable attrs=0x0',
  ]);
});

test('the dump for the log is that of one device, or of all', t => {
  const bench = new DebugBench();
  bench.map();
  bench.map({ device: 'other', address: START + 4096 });
  t.is(bench.debug.dumpMappings(null).length, 2);
  t.deepEqual(bench.debug.dumpMappings('other'), [
    'driver other: single idx 1 P=0x80002000 D=c0002000 L=100 cln=0x02000080 DMA_FROM_DEVICE dma map error checked',
  ]);
});

const AT = '[device address=0x00000000c0001000] [size=4096 bytes]';

test('6.1 prints a CPU address as it prints all, and has a slip in the name of a list', t => {
  const bench = new DebugBench({ version: '6.1' });
  const memory = bench.allocate();
  bench.debug.memoryFreed({ ...memory, virtualAddress: memory.virtualAddress + 1 }, HERE);
  t.deepEqual(bench.texts(), [
    `DMA-API: driver dev: device driver frees DMA memory with different CPU address ${AT} [cpu alloc address=0x0000000080001000] [cpu free address=0x0000000080001001]`,
  ]);
  bench.mapList(listOf([[START, 4096]]));
  bench.debug.unmapped({ ...range({ address: START, size: 4096 }) }, HERE);
  t.deepEqual(bench.texts(), [
    `DMA-API: driver dev: device driver frees DMA memory with wrong function ${AT} [mapped as scather-gather] [unmapped as single]`,
  ]);
});

test('6.1 takes what dma_alloc_pages gives for a mapping that nobody has looked at: a false alarm of its own', t => {
  for (const [version, says] of [
    ['6.1', [10]],
    ['6.12', []],
    ['newest', []],
  ] as const) {
    const bench = new DebugBench({ version });
    const memory = bench.allocate({ kind: 'noncoherent', direction: 'to-device' });
    bench.debug.memoryFreed(memory, HERE);
    t.deepEqual(bench.checks(), says, version);
    const kernel = { start: START, size: 4096 };
    const other = new DebugBench({ version }, { kernel });
    other.allocate({ kind: 'noncoherent', direction: 'to-device' });
    t.deepEqual(other.checks(), version === '6.1' ? [13] : [], version);
  }
});

test('mainline knows no single mappings any more, but syncs as if it did: none of two alike is found', t => {
  for (const [version, says] of [
    ['6.12', []],
    ['newest', [14]],
  ] as const) {
    const bench = new DebugBench({ version });
    const mapped = bench.map({ direction: 'to-device' });
    bench.map({ direction: 'to-device' });
    bench.debug.synced(mapped, 'device', HERE);
    t.deepEqual(bench.checks(), says, version);
  }
});

test('before mainline a resource that could not be mapped leaves an entry, which no driver can end', t => {
  const request = { ...range({ address: 0x4000_0000, size: 64 }), kind: 'resource' } as const;
  const bench = new DebugBench();
  bench.debug.mapFailed(request, HERE);
  bench.debug.mapFailed({ ...request, kind: 'single' }, HERE);
  t.deepEqual(
    bench.debug.store.all.map(({ made }) => made.busAddress),
    [DMA_MAPPING_ERROR],
  );
  t.regex(
    bench.debug.dump[0] ?? '',
    /^driver dev resource idx 16383 P=0x40000000 D=ffffffff L=40 /,
  );
  bench.debug.released(request, HERE);
  t.deepEqual(bench.texts(), [
    'DMA-API: driver dev: device driver has pending DMA allocations while released from device [count=1]\n' +
      'One of leaked entries details: [device address=0x00000000ffffffff] [size=64 bytes] [mapped with DMA_FROM_DEVICE] [mapped as resource]',
  ]);
  const newest = new DebugBench({ version: 'newest' });
  newest.debug.mapFailed(request, HERE);
  t.deepEqual(newest.debug.store.all, []);
});

test('mainline compares attributes of resources as those of registers', t => {
  const bench = new DebugBench({ version: 'newest' });
  const mapped = bench.map({ kind: 'resource', address: 0x4000_0000 });
  bench.unmap(mapped, { kind: 'single' });
  t.deepEqual(bench.checks(), ['attributes']);
  bench.unmap(bench.map({ ...mapped, attrs: DmaAttr.Mmio }), { attrs: 0 });
  t.deepEqual(bench.checks(), []);
});

test('nobody tells it what is linked to reserved addresses', t => {
  const bench = new DebugBench();
  bench.unmap(bench.map({ kind: 'linked' }, false));
  t.deepEqual([bench.checks(), bench.debug.store.all.length], [[], 0]);
});

test('that memory is mapped as if it were registers all versions warn of, mainline in dma-debug', t => {
  const text = 'driver dev: dma_map_resource called for RAM address 0x80001000';
  for (const version of ['6.1', '6.12', 'newest'] as const) {
    const bench = new DebugBench({ version });
    bench.map({ kind: 'resource', address: 0x4000_0000 });
    bench.map({ kind: 'resource', direction: 'to-device' });
    const isError = version === 'newest';
    t.deepEqual(bench.texts(), [isError ? `DMA-API: ${text}` : text], version);
    t.is(bench.debug.log.errorCount, isError ? 1 : 0);
  }
});

test('what drivers hold when a machine is up is nothing that they leave behind', t => {
  const bench = new DebugBench();
  const kept = bench.map();
  bench.debug.keep();
  bench.debug.released(kept, HERE);
  t.deepEqual(bench.texts(), []);
  bench.map({ address: START + 4096 });
  bench.debug.released(kept, HERE);
  t.deepEqual(bench.checks(), [2]);
  bench.unmap(kept);
  t.deepEqual(bench.checks(), []);
});
