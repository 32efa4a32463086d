import test from 'ava';
import { DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import { DebugBench, HERE, START, listOf } from './debug-kernel';
import { partOf } from './watched-memory';

/* What kernel/dma/debug.c makes of scatter lists, and of lines that mappings share. */

const THREE = [
  [START, 64],
  [START + 8192, 128],
  [START + 16384, 64],
] as const;

test('each segment that the device sees is an entry, with the memory of the entry that carries it', t => {
  const bench = new DebugBench();
  const list = bench.mapList(listOf(THREE));
  t.deepEqual(
    bench.debug.store.all.map(({ made, address, sgMappedEnts, mapError }) => [
      address,
      made.busAddress,
      made.size,
      made.sgCallEnts,
      sgMappedEnts,
      mapError,
    ]),
    list.entries.map(({ address, busAddress, length }) => [
      address,
      busAddress,
      length,
      3,
      3,
      'not applicable',
    ]),
  );
  bench.debug.sgUnmapped(list, HERE);
  t.deepEqual([bench.checks(), bench.debug.store.all.length], [[], 0]);
});

test('of a list that was merged the unmap takes as many as were mapped, whatever it names', t => {
  const bench = new DebugBench();
  const merged = listOf(THREE).entries.map((one, i) => ({ ...one, busLength: i === 0 ? 256 : 0 }));
  const list = bench.mapList(listOf([], { entries: merged, mapped: 1 }));
  t.is(bench.debug.store.all.length, 1);
  bench.debug.sgSynced(list, 'cpu', HERE);
  bench.debug.sgUnmapped(list, HERE);
  t.deepEqual([bench.checks(), bench.debug.store.all.length], [[], 0]);
});

test('an unmap of a list that is not there looks for every entry, a sync for none', t => {
  const bench = new DebugBench();
  bench.debug.sgSynced(listOf(THREE), 'cpu', HERE);
  t.deepEqual(bench.checks(), []);
  bench.debug.sgUnmapped(listOf(THREE), HERE);
  t.deepEqual(bench.checks(), [4, 4, 4]);
  bench.debug.sgSynced(listOf([]), 'device', HERE);
  bench.debug.sgUnmapped(listOf([]), HERE);
  t.deepEqual(bench.checks(), []);
});

test('an unmap with fewer entries than were given leaves the rest, and says so once an entry', t => {
  const bench = new DebugBench();
  const list = bench.mapList(listOf(THREE));
  bench.debug.sgUnmapped({ ...list, entries: list.entries.slice(0, 2) }, HERE);
  t.deepEqual(bench.checks(), [8, 8]);
  t.is(bench.debug.store.all.length, 1);
});

test('a sync with fewer entries is told of each, but not of a list in both directions', t => {
  const bench = new DebugBench();
  const list = bench.mapList(listOf(THREE));
  bench.debug.sgSynced({ ...list, entries: list.entries.slice(0, 2) }, 'cpu', HERE);
  t.deepEqual(bench.checks(), [19, 19]);
  const both = listOf([[START + 32768, 64]], { direction: 'bidirectional' });
  bench.mapList(both);
  bench.debug.sgSynced({ ...both, entries: [...both.entries, ...list.entries] }, 'cpu', HERE);
  t.deepEqual(bench.checks(), []);
});

test('a list is synced piece by piece with the call for one buffer, which the kernel lets pass', t => {
  const bench = new DebugBench();
  const list = bench.mapList(listOf(THREE));
  const [first] = list.entries;
  const call = { ...partOf(bench.map({ address: START + 65536 })), size: 64 };
  bench.debug.synced({ ...call, busAddress: first?.busAddress ?? 0 }, 'cpu', HERE);
  t.deepEqual(bench.checks(), []);
});

test('of a list and a buffer at one address, an unmap takes the kind that it is for', t => {
  const bench = new DebugBench();
  const direction = 'to-device' as const;
  const mapped = bench.map({ size: 64, direction });
  const list = bench.mapList(listOf([[START, 64]], { direction }));
  bench.debug.sgUnmapped(list, HERE);
  bench.unmap(mapped);
  t.deepEqual([bench.checks(), bench.debug.store.all.length], [[], 0]);
});

test('entries count for the best fit: with another count none of two lists is found', t => {
  const bench = new DebugBench();
  const direction = 'to-device' as const;
  const list = bench.mapList(listOf([[START, 64]], { direction }));
  bench.mapList(listOf([[START, 64]], { direction }));
  const [entry] = list.entries;
  if (entry === undefined) throw new Error('no entry');
  bench.debug.sgUnmapped({ ...list, entries: [entry, entry] }, HERE);
  t.deepEqual(bench.checks(), [4, 4]);
});

test('a sync goes back a bucket at a time, to the first of all and no further', t => {
  const bench = new DebugBench();
  const mapped = bench.map({ busAddress: 8192, size: 4 * 8192 });
  bench.debug.synced(partOf(mapped, 3 * 8192, 64), 'cpu', HERE);
  t.deepEqual(bench.checks(), []);
  bench.debug.synced({ ...mapped, busAddress: 4096 }, 'cpu', HERE);
  t.deepEqual(bench.checks(), [14]);
});

test('a mapping that lies 2^27 bytes further shares the bucket, and is not mistaken', t => {
  const bench = new DebugBench();
  const mapped = bench.map({ busAddress: 0x1000 });
  bench.map({ busAddress: 0x1000 + 2 ** 27, address: START + 4096 });
  bench.unmap(mapped);
  t.deepEqual([bench.checks(), bench.debug.store.all.length], [[], 1]);
});

test('of eight more mappings of a line than one the last is beyond count, and that is told once', t => {
  const bench = new DebugBench();
  const all = Array.from({ length: 9 }, (_, i) =>
    bench.map({ direction: 'bidirectional', busAddress: 0x1000 * i }),
  );
  t.deepEqual(
    bench.told
      .splice(0)
      .map(({ text }) => text)
      .filter(text => text.includes('exceeded')),
    ['DMA-API: exceeded 7 overlapping mappings of cacheline 0x02000040'],
  );
  t.is(bench.debug.log.errorCount, 8, 'it is none of the errors');
  bench.map({ direction: 'bidirectional' });
  t.deepEqual(bench.checks(), [1]);
  // The count stood at 7: after eight unmaps the line is free, though two mappings live.
  for (const mapped of all.slice(0, 8)) bench.unmap(mapped);
  t.is(bench.debug.store.all.length, 2);
  const next = bench.map({ direction: 'bidirectional', busAddress: 0x100_0000 });
  t.deepEqual(bench.checks(), []);
  bench.unmap(next);
  for (const mapped of all.slice(8)) bench.unmap(mapped);
  t.is(bench.debug.store.all.length, 1);
});

test('a kernel for smaller lines keeps them apart', t => {
  const bench = new DebugBench({}, { lineBytes: 32 });
  bench.map({ size: 32 });
  bench.map({ address: START + 32, size: 32 });
  t.deepEqual(bench.checks(), []);
  bench.map({ address: START + 56, size: 8 });
  t.deepEqual(bench.checks(), [1]);
});

const overlap = (bench: DebugBench, attrs: readonly [number, number]): readonly unknown[] => {
  for (const one of attrs) bench.map({ attrs: one, direction: 'bidirectional' });
  return bench.checks();
};

test('who may share lines depends on the version', t => {
  const { DebuggingIgnoreCachelines: ignore, RequireCoherent: coherent } = DmaAttr;
  for (const version of ['6.1', '6.12'] as const) {
    t.deepEqual(overlap(new DebugBench({ version }), [ignore, ignore]), [1], version);
  }
  const newest = { version: 'newest' } as const;
  t.deepEqual(overlap(new DebugBench(newest), [ignore, coherent]), [], 'both say so');
  t.deepEqual(overlap(new DebugBench(newest), [0, ignore]), [1], 'one says so');
  t.deepEqual(overlap(new DebugBench(newest), [ignore, 0]), [1], 'the other says so');
  const bounces = { bouncesUnaligned: () => true };
  t.deepEqual(overlap(new DebugBench({ version: '6.1' }, bounces), [0, 0]), [1]);
  t.deepEqual(overlap(new DebugBench({}, bounces), [0, 0]), []);
  const small = { cacheAlignment: 32 };
  t.deepEqual(overlap(new DebugBench({}, small), [0, 0]), [1]);
  t.deepEqual(overlap(new DebugBench(newest, small), [0, 0]), []);
});

test('who ignores lines is not told that they are too many', t => {
  const bench = new DebugBench({ version: 'newest' });
  const attrs = DmaAttr.DebuggingIgnoreCachelines;
  for (let i = 0; i < 9; i++) bench.map({ attrs, direction: 'bidirectional' });
  t.deepEqual(bench.checks(), []);
  bench.map({ direction: 'bidirectional' });
  t.deepEqual(bench.checks(), ['warning', 1]);
});

test('coherent memory counts among the lines, as what both sides write', t => {
  const bench = new DebugBench();
  const memory = bench.allocate();
  bench.map();
  t.deepEqual(bench.checks(), [1]);
  bench.debug.memoryFreed(memory, HERE);
  bench.map({ direction: 'to-device' });
  t.deepEqual(bench.checks(), []);
});
