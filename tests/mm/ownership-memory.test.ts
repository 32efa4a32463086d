import test from 'ava';
import type { DmaMemoryRange, DmaPoolBlock } from '../../drivers/base/types/observer';
import { listOf, memoryOf } from './debug-kernel';
import { OwnershipBench, SIZE, START } from './ownership-bench';
import { BUS_OFFSET, LINE, partOf, range, site } from './watched-memory';

/* Ownership of lists, of what the DMA API allocates, of pools and of what is bounced. */

const SECOND = START + 8192;
const LIST = [
  [START, 64],
  [SECOND, 64],
] as const;

/** Where a slot is that stands in for START. */
const SLOT = 0x9000_0000;

const allocate = (bench: OwnershipBench, fields: Partial<DmaMemoryRange> = {}): DmaMemoryRange => {
  const memory = { ...memoryOf(START, 4096), ...fields };
  bench.ownership.memoryAllocated(memory, site('driver.ts:2'));
  return memory;
};

test('of a list each piece is a mapping of its own, all made and ended by one call', t => {
  const bench = new OwnershipBench();
  const list = bench.mapList(listOf(LIST));
  t.deepEqual(bench.device(true, SECOND), []);
  bench.ownership.cpuTouches('load', SECOND, 4);
  t.like(bench.findings.all.splice(0)[0], {
    rule: 'cpu-access-to-device-buffer',
    buffer: { mappedAt: 'driver.ts:1', range: { start: SECOND, size: 64 } },
    missing: { call: 'dmaSyncSgForCpu' },
  });
  t.deepEqual(bench.device(true, START + 64), ['device-access-unmapped'], 'between the pieces');
  bench.unmapList(list);
  t.deepEqual([bench.cpu('load'), bench.cpu('load', SECOND)], [[], []]);
  bench.ownership.deviceTouches('dev', true, SECOND, 4);
  t.like(bench.findings.all[0], {
    rule: 'device-access-after-unmap',
    buffer: { mappedAt: 'driver.ts:1', unmappedAt: 'driver.ts:9' },
    missing: { call: 'dmaMapSg', between: ['driver.ts:9'] },
  });
  t.is(bench.watch.watched, 0);
});

test('a list changes hands as a whole, or as much of it as is named', t => {
  const bench = new OwnershipBench();
  const { ownership } = bench;
  const list = bench.mapList(listOf(LIST));
  const first = { ...list, entries: list.entries.slice(0, 1) };
  ownership.sgCallBegins('sync for CPU', first, site('s'));
  ownership.sgSyncedForCpu(first, site('s'));
  t.deepEqual(bench.cpu('store'), []);
  t.deepEqual(bench.cpu('store', SECOND), ['cpu-access-to-device-buffer']);
  t.deepEqual(bench.device(true), ['device-access-not-given']);
  ownership.sgCallBegins('sync for device', list, site('s'));
  ownership.sgSyncedForDevice(list, site('s'));
  t.deepEqual([bench.device(true), bench.device(true, SECOND)], [[], []]);
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer']);
});

test('what a map of a list drops has no contents, piece by piece', t => {
  const bench = new OwnershipBench();
  bench.mapList(listOf(LIST));
  t.deepEqual(
    bench.watch.forgotten,
    LIST.map(([start, size]) => ({ start, size })),
  );
});

test('of a list that was merged each piece has the bus addresses that follow', t => {
  const bench = new OwnershipBench();
  const [one, other] = listOf(LIST).entries;
  if (one === undefined || other === undefined) throw new Error('no entries');
  const entries = [
    { ...one, busAddress: 0x1000, busLength: 128 },
    { ...other, busAddress: 0, busLength: 0 },
  ];
  const list = bench.mapList(listOf([], { entries, mapped: 1 }));
  const half = { ...bench.map({ address: START + 65536 }), busAddress: 0x1040, size: 64 };
  bench.syncForCpu(half);
  t.deepEqual(bench.cpu('load', SECOND), []);
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer']);
  bench.unmapList(list);
  t.is(bench.ownership.mappings.overlapping(START, 16384).length, 0);
});

test('pieces of one list may share a line; those of two may not', t => {
  const bench = new OwnershipBench();
  bench.mapList(
    listOf([
      [START, 40],
      [START + 40, 24],
    ]),
  );
  t.deepEqual(bench.findings.rules(), []);
  bench.mapList(listOf([[START + 64, 40]]));
  bench.mapList(listOf([[START + 104, 8]]));
  t.deepEqual(bench.findings.rules(), ['shared-line']);
});

test('calls on a list that is not mapped change nothing', t => {
  const bench = new OwnershipBench();
  const list = listOf(LIST);
  const unmapped = { ...list, entries: list.entries.map(one => ({ ...one, busLength: 0 })) };
  bench.unmapList(list);
  bench.unmapList(unmapped);
  bench.ownership.sgMapBegins(list, site('m'));
  bench.ownership.sgMapFailed();
  t.false(bench.ownership.isInCall);
  t.deepEqual([bench.findings.all.length, bench.watch.watched], [0, 0]);
});

test('registers that are mapped for a device are no memory', t => {
  const bench = new OwnershipBench();
  const mapped = bench.map();
  const registers = bench.map({ kind: 'resource', busAddress: mapped.busAddress });
  bench.unmap(registers);
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer'], 'the buffer is mapped still');
});

test('memory that is linked to reserved addresses is mapped as any other', t => {
  const bench = new OwnershipBench();
  const linked = bench.map({ kind: 'linked' });
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer']);
  bench.unmap(linked);
  bench.ownership.deviceTouches('dev', true, START, 4);
  t.like(bench.findings.all[0], {
    missing: { call: 'dmaIovaLink' },
    buffer: { allocatedAt: null },
  });
});

test('coherent memory is common to both, at any time, until it is freed', t => {
  const bench = new OwnershipBench();
  const memory = allocate(bench);
  t.deepEqual([bench.cpu('store'), bench.device(true), bench.device(false)], [[], [], []]);
  bench.ownership.transfers.begins('dev', 1);
  bench.ownership.transfers.acts('dev', 1);
  t.deepEqual([bench.device(true), bench.cpu('load')], [[], []], 'in a transfer too');
  bench.ownership.transfers.ends('dev', 1);
  t.is(bench.watch.watched, 0, 'so that nobody need look');
  bench.ownership.memoryFreed(memory, site('driver.ts:8'));
  bench.ownership.deviceTouches('dev', true, START + 64, 4);
  t.like(bench.findings.all[0], {
    rule: 'device-access-after-unmap',
    buffer: {
      allocatedAt: 'driver.ts:2',
      unmappedAt: 'driver.ts:8',
      range: { start: START, size: 4096 },
    },
    missing: null,
  });
});

test('coherent memory may lie in pieces; all of them are freed at once', t => {
  const bench = new OwnershipBench();
  const pieces = [
    { address: SECOND, size: 4096 },
    { address: START, size: 4096 },
  ];
  const memory = allocate(bench, { pieces, size: 8192 });
  const other = allocate(bench, {
    busAddress: 0x4000,
    pieces: [{ address: START + 65536, size: 64 }],
  });
  t.deepEqual([bench.device(true), bench.device(true, SECOND + 4000)], [[], []]);
  t.is(bench.ownership.mappings.overlapping(START, 1)[0]?.busAddress, memory.busAddress + 4096);
  bench.ownership.memoryFreed(memory, site('f'));
  t.deepEqual(bench.device(true), ['device-access-after-unmap']);
  t.deepEqual(bench.device(true, SECOND), ['device-access-after-unmap']);
  t.deepEqual(bench.device(true, START + 65536), []);
  t.deepEqual(bench.watch.forgotten, [
    { start: SECOND, size: 4096 },
    { start: START, size: 4096 },
  ]);
  bench.ownership.memoryFreed(memory, site('f'));
  bench.ownership.memoryFreed(other, site('f'));
});

test('coherent memory whose pages are freed under it is the mistake of who freed them', t => {
  const bench = new OwnershipBench();
  bench.ownership.allocated(START, 4096, site('driver.ts:2'));
  allocate(bench);
  bench.ownership.freed(START, 4096, site('driver.ts:8'));
  bench.ownership.deviceTouches('dev', false, START, 4);
  t.like(bench.findings.all[0], {
    rule: 'device-access-unmapped',
    missing: { call: 'dmaFreeCoherent' },
  });
});

test("what dma_alloc_pages gives is the CPU's first, and then goes to and fro", t => {
  const bench = new OwnershipBench();
  const memory = allocate(bench, { kind: 'noncoherent', direction: 'from-device' });
  const call = { ...bench.map({ address: START + 65536 }), ...memory, kind: 'single' as const };
  t.deepEqual([bench.cpu('load'), bench.cpu('store')], [[], []]);
  bench.ownership.deviceTouches('dev', true, START, 4);
  t.like(bench.findings.all.splice(0)[0], {
    rule: 'device-access-not-given',
    missing: { call: 'dmaSyncSingleForDevice', between: ['driver.ts:2'] },
  });
  bench.syncForDevice({ ...call, size: 128 });
  t.deepEqual([bench.device(true), bench.device(false)], [[], ['device-access-against-direction']]);
  t.deepEqual(bench.device(true, START + 128), ['device-access-not-given']);
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer']);
  bench.syncForCpu(call);
  t.deepEqual(bench.cpu('load'), []);
  bench.ownership.memoryFreed(memory, site('f'));
  t.deepEqual(bench.device(true), ['device-access-after-unmap']);
});

test('what dma_alloc_noncontiguous gives is the same, in pieces', t => {
  const bench = new OwnershipBench();
  const list = bench.mapList(listOf(LIST, { isAllocation: true }));
  t.deepEqual([bench.cpu('store'), bench.cpu('store', SECOND)], [[], []]);
  t.deepEqual(bench.device(true, SECOND), ['device-access-not-given']);
  bench.ownership.sgSyncedForDevice(list, site('s'));
  t.deepEqual(bench.device(true, SECOND), []);
});

test('the pages that the device has of a list may be more than it was given of them', t => {
  const bench = new OwnershipBench();
  const [one, other] = listOf(LIST).entries;
  if (one === undefined || other === undefined) throw new Error('no entries');
  const entries = [
    { ...one, busLength: 100 },
    { ...other, busLength: 0 },
  ];
  bench.mapList(listOf([], { entries, mapped: 1 }));
  t.deepEqual(bench.device(true, SECOND + 32, 4), []);
  t.deepEqual(bench.device(true, SECOND + 36, 4), ['device-access-unmapped']);
});

test('a device that is taken for coherent has such memory in common with the CPU', t => {
  const bench = new OwnershipBench();
  allocate(bench, { kind: 'noncoherent', coherent: true });
  bench.mapList(listOf([[SECOND, 64]], { isAllocation: true, coherent: true }));
  t.deepEqual([bench.device(true), bench.device(true, SECOND), bench.cpu('load')], [[], [], []]);
  t.is(bench.watch.watched, 0);
  bench.ownership.deviceTouches('dev', true, START + 4092, 8);
  t.deepEqual(
    bench.findings.all.map(({ rule, bytes }) => [rule, bytes.start]),
    [['device-access-unmapped', START + 4096]],
  );
});

const block = (at: number): DmaPoolBlock => ({
  device: 'dev',
  driver: 'driver',
  coherent: false,
  pool: 'descriptors',
  busAddress: START + BUS_OFFSET + at,
  size: 64,
});

test('of the memory of a pool the device has the blocks that were given out', t => {
  const bench = new OwnershipBench();
  const { ownership } = bench;
  allocate(bench);
  t.deepEqual(bench.device(true, START + 512), [], 'no pool yet');
  ownership.poolAllocated(block(0), site('driver.ts:3'));
  ownership.poolAllocated(block(64), site('driver.ts:4'));
  t.deepEqual([bench.device(true), bench.device(false, START + 64)], [[], []]);
  t.deepEqual(bench.device(true, START + 512), ['device-access-unmapped']);
  ownership.poolFreed({ ...block(32), size: 32 }, site('nowhere'));
  ownership.poolFreed({ ...block(96), size: 32 }, site('nowhere'));
  t.deepEqual([bench.device(true), bench.device(false, START + 64)], [[], []]);
  t.true(ownership.mappings.ownerOf(START).mapping?.isCommon);
  ownership.poolFreed(block(64), site('driver.ts:8'));
  ownership.deviceTouches('dev', false, START + 60, 8);
  t.like(bench.findings.all.splice(0), [
    {
      rule: 'device-access-after-unmap',
      bytes: { start: START + 64, size: 4 },
      buffer: {
        allocatedAt: 'driver.ts:4',
        unmappedAt: 'driver.ts:8',
        range: { start: START + 64, size: 64 },
      },
    },
  ]);
  ownership.poolAllocated(block(64), site('driver.ts:5'));
  t.deepEqual(bench.device(false, START + 60, 8), []);
  t.is(ownership.mappings.ownerOf(START + 64).buffer?.allocatedAt, 'driver.ts:5');
  t.is(ownership.mappings.ownerOf(START + 512).buffer?.allocatedAt, 'driver.ts:2');
});

test('the CPU touches no block that was given back, until it is given again or its memory freed', t => {
  const bench = new OwnershipBench();
  const { ownership } = bench;
  const memory = allocate(bench);
  for (const at of [0, 64]) ownership.poolAllocated(block(at), site('driver.ts:3'));
  t.is(bench.watch.watched, 0);
  ownership.poolFreed(block(64), site('driver.ts:8'));
  t.is(bench.watch.watched, 2, 'lines');
  ownership.cpuTouches('load', START + 60, 8);
  t.like(bench.findings.all.splice(0), [
    {
      rule: 'cpu-access-after-free',
      bytes: { start: START + 64, size: 4 },
      buffer: { allocatedAt: 'driver.ts:3', unmappedAt: 'driver.ts:8' },
    },
  ]);
  t.deepEqual(bench.cpu('store', START + 64), ['cpu-access-after-free']);
  t.deepEqual(bench.cpu('store', START), []);
  ownership.poolAllocated(block(64), site('driver.ts:9'));
  t.deepEqual(bench.cpu('load', START + 64), []);
  t.is(bench.watch.watched, 0);
  ownership.poolFreed(block(0), site('driver.ts:10'));
  ownership.memoryFreed(memory, site('driver.ts:11'));
  t.deepEqual(bench.cpu('load'), []);
  t.is(bench.watch.watched, 0);
});

test('blocks of memory that nobody has told of are nobody', t => {
  const bench = new OwnershipBench();
  bench.ownership.poolAllocated(block(0), site('a'));
  bench.ownership.poolFreed(block(0), site('f'));
  t.deepEqual(bench.device(true), ['device-access-unmapped']);
});

test("where a slot stands in for a buffer, the device's accesses to the slot are those to the buffer", t => {
  const bench = new OwnershipBench();
  const mapped = bench.map({}, 'driver.ts:1', SLOT);
  t.deepEqual(bench.device(true, START), ['device-access-unmapped'], 'nobody gave it the buffer');
  t.is(bench.ownership.mappings.ownerOf(SLOT).mapping?.isFilled, false);
  t.deepEqual(bench.device(true, SLOT), []);
  t.deepEqual(bench.device(false, SLOT + 32), ['device-access-against-direction']);
  bench.ownership.deviceTouches('dev', true, SLOT + SIZE - 4, 8);
  t.like(bench.findings.all.splice(0), [
    { rule: 'device-access-unmapped', bytes: { start: SLOT + SIZE, size: 4 }, buffer: null },
  ]);
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer'], 'it has not been copied back');
  const { mapping, buffer } = bench.ownership.mappings.ownerOf(SLOT + 8);
  t.is(mapping?.isFilled, true);
  t.deepEqual(buffer?.range, { start: START, size: SIZE });
  bench.unmap(mapped);
  t.deepEqual(bench.device(true, SLOT), ['device-access-after-unmap']);
  t.is(bench.ownership.mappings.ownerOf(SLOT).buffer?.range.start, START);
  t.is(bench.watch.watched, 0);
});

test('a part of a slot is given back as that part of the buffer', t => {
  const bench = new OwnershipBench();
  const mapped = bench.map({ direction: 'bidirectional' }, 'driver.ts:1', SLOT);
  bench.syncForCpu(mapped, 64, 32);
  t.deepEqual(
    [bench.cpu('store', START + 64), bench.cpu('store')],
    [[], ['cpu-access-to-device-buffer']],
  );
  t.deepEqual(
    [bench.device(true, SLOT + 64), bench.device(true, SLOT)],
    [['device-access-not-given'], []],
  );
  bench.syncForDevice(mapped, 64, 32);
  t.deepEqual(bench.device(true, SLOT + 64), []);
});

test('copies between a buffer and its slot are not held against the driver', t => {
  const bench = new OwnershipBench();
  const { ownership } = bench;
  const mapped = bench.map({ direction: 'bidirectional' }, 'driver.ts:1', SLOT);
  t.false(ownership.isInCall);
  ownership.callBegins('sync for CPU', partOf(mapped), site('s'));
  t.true(ownership.isInCall);
  t.deepEqual([bench.cpu('load', SLOT), bench.cpu('store')], [[], []]);
  t.deepEqual(ownership.maintainedAt({ start: SLOT, size: LINE }), { start: SLOT, size: SIZE });
  ownership.syncedForCpu(partOf(mapped), site('s'));
  t.is(ownership.maintainedAt({ start: SLOT, size: LINE }), null);
});

test('a transfer under way is disturbed by the call, not by each copy that it makes', t => {
  const bench = new OwnershipBench();
  const { ownership } = bench;
  const mapped = bench.map({}, 'driver.ts:1', SLOT);
  ownership.transfers.begins('dev', 1);
  ownership.transfers.acts('dev', 1);
  bench.device(true, SLOT);
  ownership.callBegins('sync for CPU', partOf(mapped), site('early'));
  t.deepEqual(bench.findings.rules(), ['cpu-access-in-transfer']);
  t.deepEqual([bench.cpu('load', SLOT), bench.cpu('invalidate', SLOT, LINE)], [[], []]);
  ownership.syncedForCpu(partOf(mapped), site('early'));
  t.deepEqual(bench.cpu('invalidate', SLOT, LINE), ['cpu-access-in-transfer']);
});

test('a bounced buffer shares no line with anyone, and what a slot held is dropped with its lines', t => {
  const bench = new OwnershipBench();
  bench.map({ size: 40 }, 'driver.ts:1', SLOT);
  bench.map({ address: START + 40, size: 8 }, 'driver.ts:1', SLOT + 2048);
  t.deepEqual(bench.cpu('store', START + 60), []);
  t.deepEqual(bench.watch.forgotten.slice(0, 2), [
    { start: START, size: 40 },
    { start: SLOT, size: 40 },
  ]);
  const kept = new OwnershipBench(false);
  kept.map({}, 'driver.ts:1', SLOT);
  t.deepEqual(kept.watch.forgotten, []);
});

test('a coherent device that is bounced has no more in common with the CPU than any other', t => {
  const bench = new OwnershipBench();
  const mapped = bench.map({ coherent: true }, 'driver.ts:1', SLOT);
  t.deepEqual(bench.cpu('load'), ['cpu-access-to-device-buffer']);
  bench.unmap(mapped);
  t.deepEqual(bench.cpu('load'), []);
});

test('a slot that was taken for a mapping that failed is none of the next', t => {
  const bench = new OwnershipBench();
  const request = bench.map({ address: START + 65536 });
  bench.ownership.mapBegins(request, site('m'));
  bench.ownership.bounced(START, SLOT, SIZE);
  const slot = { start: SLOT, size: SIZE };
  t.deepEqual(bench.ownership.maintainedAt(slot), slot);
  bench.ownership.mapFailed(request);
  bench.map();
  t.deepEqual([bench.device(true), bench.device(true, SLOT)], [[], ['device-access-unmapped']]);
});

test('pieces of a list have a slot each, or none', t => {
  const bench = new OwnershipBench();
  const list = listOf(LIST);
  bench.ownership.sgMapBegins(list, site('m'));
  bench.ownership.bounced(SECOND, SLOT, 64);
  bench.ownership.sgMapped(list, site('m'));
  t.deepEqual([bench.device(true), bench.device(true, SLOT)], [[], []]);
  t.deepEqual(bench.device(true, SECOND), ['device-access-unmapped']);
  bench.unmapList(list);
  t.deepEqual(bench.device(true, SLOT), ['device-access-after-unmap']);
});

test('a call may make another: each has its own bytes, direction and slots', t => {
  const bench = new OwnershipBench();
  const { ownership } = bench;
  const outer = range({ address: START, size: SIZE });
  ownership.mapBegins(outer, site('outer'));
  ownership.bounced(START, SLOT, SIZE);
  const tables = bench.map({ device: 'iommu', address: SECOND, direction: 'to-device' });
  t.true(ownership.isInCall, 'the outer one');
  t.deepEqual(ownership.maintainedAt({ start: SLOT, size: LINE }), { start: SLOT, size: SIZE });
  const never = range({ address: START + 65536, size: 4 });
  ownership.callBegins('unmap', never, site('nothing'));
  t.deepEqual(
    [bench.cpu('load', SLOT), bench.cpu('store', SECOND)],
    [[], ['cpu-access-to-device-buffer']],
  );
  ownership.dmaUnmapped(never, site('nothing'));
  ownership.dmaMapped(outer, site('outer'));
  t.false(ownership.isInCall);
  t.deepEqual([bench.device(true, SLOT), bench.device(true)], [[], ['device-access-unmapped']]);
  bench.unmap(tables);
  bench.map({ kind: 'resource' });
  ownership.mapBegins(bench.map({ kind: 'resource' }), site('r'));
  ownership.mapFailed(range({ address: 0, size: 4, kind: 'resource' }));
  t.false(ownership.isInCall);
  ownership.mapBegins(never, site('a crash'));
  ownership.finish();
  t.false(ownership.isInCall);
});
