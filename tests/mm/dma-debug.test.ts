import test from 'ava';
import type { Direction } from '../../drivers/base/types/observer';
import { HERE, START, DebugBench } from './debug-kernel';
import { BUS_OFFSET, partOf, range, site } from './watched-memory';

const PREFIX = 'DMA-API: driver dev: device driver ';
/** START as the device has it, in a message. */
const ADDRESS = '[device address=0x00000000c0001000]';

test('a mapping that is made, checked, synced in parts and ended is silent', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const mapped = bench.map();
  debug.synced(partOf(mapped), 'cpu', HERE);
  debug.synced(partOf(mapped, 64, 64), 'cpu', HERE);
  debug.synced(partOf(mapped, 255, 1), 'device', HERE);
  debug.unmapped(mapped, HERE);
  debug.released(mapped, HERE);
  t.deepEqual([bench.texts(), debug.log.errorCount], [[], 0]);
});

test('a message says where the call was, where the mapping was made, and which memory it has', t => {
  const bench = new DebugBench();
  const { debug, told } = bench;
  const mapped = bench.map();
  debug.unmapped({ ...mapped, size: 128 }, HERE);
  t.deepEqual(told, [
    {
      check: 5,
      text: `${PREFIX}frees DMA memory with different size ${ADDRESS} [map size=256 bytes] [unmap size=128 bytes]`,
      device: 'dev',
      site: HERE,
      mappedAt: site('driver.ts:1'),
      range: { start: START, size: 256 },
    },
  ]);
  t.deepEqual(debug.log.messages, told);
});

test('unmaps of what was never mapped', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const never = range({ address: START, size: 64 });
  debug.unmapped(never, HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}tries to free DMA memory it has not allocated ${ADDRESS} [size=64 bytes]`,
  ]);
  debug.unmapped({ ...never, busAddress: 2 ** 64 }, HERE);
  t.deepEqual(bench.texts(), [`${PREFIX}tries to free an invalid DMA memory address`]);
  const mapped = bench.map();
  debug.unmapped({ ...mapped, device: 'other' }, HERE);
  t.deepEqual(bench.texts(), [
    `DMA-API: driver other: device driver tries to free DMA memory it has not allocated ${ADDRESS} [size=256 bytes]`,
  ]);
  debug.unmapped(mapped, HERE);
  debug.unmapped(mapped, HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}tries to free DMA memory it has not allocated ${ADDRESS} [size=256 bytes]`,
  ]);
});

test('unmaps with another direction, and without a look at the result of the map', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  debug.unmapped({ ...bench.map(), direction: 'bidirectional' }, HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}frees DMA memory with different direction ${ADDRESS} [size=256 bytes] [mapped with DMA_FROM_DEVICE] [unmapped with DMA_BIDIRECTIONAL]`,
  ]);
  debug.unmapped(bench.map({}, false), HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}failed to check map error${ADDRESS} [size=256 bytes] [mapped as single]`,
  ]);
  const mapped = bench.map({}, false);
  debug.unmapped({ ...mapped, direction: 'to-device', size: 1 }, HERE);
  t.deepEqual(
    bench.texts().map(text => text.slice(PREFIX.length, PREFIX.length + 40)),
    [
      'frees DMA memory with different size [dev',
      'frees DMA memory with different directio',
      'failed to check map error[device address',
    ].map(text => text.slice(0, 40)),
  );
});

test('a look at the result counts for one mapping of an address: the first not looked at', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const mapped = bench.map({ direction: 'to-device' }, false);
  bench.map({ direction: 'to-device' }, false);
  debug.checked('dev', mapped.busAddress);
  debug.unmapped(mapped, HERE);
  t.deepEqual(bench.texts(), []);
  debug.unmapped(mapped, HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}failed to check map error${ADDRESS} [size=256 bytes] [mapped as single]`,
  ]);
});

test('of several mappings of an address, an unmap that fits none finds none', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  bench.map({ direction: 'to-device' });
  const mapped = bench.map({ direction: 'to-device', size: 64 });
  debug.unmapped({ ...mapped, size: 32 }, HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}tries to free DMA memory it has not allocated ${ADDRESS} [size=32 bytes]`,
  ]);
  debug.unmapped(mapped, HERE);
  debug.unmapped({ ...mapped, size: 32 }, HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}frees DMA memory with different size ${ADDRESS} [map size=256 bytes] [unmap size=32 bytes]`,
  ]);
});

test('syncs outside of any mapping of the device', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const mapped = bench.map();
  debug.synced(partOf(mapped, 192, 128), 'cpu', HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}tries to sync DMA memory it has not allocated [device address=0x00000000c00010c0] [size=128 bytes]`,
  ]);
  debug.synced({ ...mapped, device: 'other' }, 'device', HERE);
  t.is(bench.texts().length, 1);
});

test('a part far behind the start of a mapping is found in another bucket', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const mapped = bench.map({ size: 100 * 8192 });
  debug.synced(partOf(mapped, 99 * 8192, 64), 'cpu', HERE);
  t.deepEqual(bench.texts(), []);
});

test('a part of a buffer that is mapped twice is found in none of both: the kernel has it so', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const mapped = bench.map({ direction: 'to-device' });
  bench.map({ direction: 'to-device' });
  debug.synced(partOf(mapped), 'device', HERE);
  t.deepEqual(bench.texts(), []);
  debug.synced(partOf(mapped, 0, 64), 'device', HERE);
  t.deepEqual(bench.texts(), [
    `${PREFIX}tries to sync DMA memory it has not allocated ${ADDRESS} [size=64 bytes]`,
  ]);
});

const NAMES = {
  'to-device': 'DMA_TO_DEVICE',
  'from-device': 'DMA_FROM_DEVICE',
  bidirectional: 'DMA_BIDIRECTIONAL',
} as const;

const DIFFERENT = 'syncs DMA memory with different direction';
const READ_ONLY = 'syncs device read-only DMA memory for cpu';
const WRITE_ONLY = 'syncs device write-only DMA memory to device';

/** What a sync for the CPU and one for the device say. */
const SYNCS: readonly (readonly [Direction, Direction, readonly string[], readonly string[]])[] = [
  ['to-device', 'to-device', [], []],
  ['to-device', 'from-device', [DIFFERENT, READ_ONLY], [DIFFERENT]],
  ['to-device', 'bidirectional', [DIFFERENT, READ_ONLY], [DIFFERENT]],
  ['from-device', 'from-device', [], []],
  ['from-device', 'to-device', [DIFFERENT], [DIFFERENT, WRITE_ONLY]],
  ['from-device', 'bidirectional', [DIFFERENT], [DIFFERENT, WRITE_ONLY]],
  ['bidirectional', 'to-device', [], []],
  ['bidirectional', 'from-device', [], []],
  ['bidirectional', 'bidirectional', [], []],
];

for (const [mappedWith, syncedWith, forCpu, forDevice] of SYNCS) {
  test(`mapped ${mappedWith}, synced ${syncedWith}`, t => {
    const bench = new DebugBench();
    const { debug } = bench;
    const call = { ...partOf(bench.map({ direction: mappedWith }), 64, 32), direction: syncedWith };
    const fields = `[device address=0x00000000c0001040] [size=256 bytes] [mapped with ${NAMES[mappedWith]}] [synced with ${NAMES[syncedWith]}]`;
    const line = (what: string): string => `${PREFIX}${what} ${fields}`;
    debug.synced(call, 'cpu', HERE);
    t.deepEqual(bench.texts(), forCpu.map(line));
    debug.synced(call, 'device', HERE);
    t.deepEqual(bench.texts(), forDevice.map(line));
  });
}

const OVERLAP =
  "DMA-API: driver dev: cacheline tracking EEXIST, overlapping mappings aren't supported";

test('mappings that a device writes do not begin in one line, be it of 64 bytes', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const first = bench.map();
  t.deepEqual(bench.texts(), []);
  const second = bench.map({ address: START + 32, busAddress: START + BUS_OFFSET + 32 });
  t.deepEqual(bench.texts(), [OVERLAP]);
  bench.map({ address: START + 64 });
  t.deepEqual(bench.texts(), [], 'the kernel sees first lines only');
  bench.map({ direction: 'to-device' });
  t.deepEqual(bench.texts(), [], 'what the device reads may be mapped twice');
  debug.unmapped(second, HERE);
  bench.map({ address: START + 40, busAddress: 0x100 });
  t.deepEqual(bench.texts(), [OVERLAP]);
  debug.unmapped(first, HERE);
});

test("an overlap of a mapping without syncs is nobody's business", t => {
  const bench = new DebugBench();
  bench.map({ direction: 'bidirectional' });
  bench.map({ direction: 'bidirectional', skipsSync: true });
  t.deepEqual(bench.texts(), []);
  bench.map({ direction: 'bidirectional' });
  t.deepEqual(bench.texts(), [OVERLAP], 'but it counts for the next');
});

test('a line is free again when all of its mappings have ended', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const both = [bench.map(), bench.map({ busAddress: 0x100 })];
  bench.texts();
  for (const one of both) debug.unmapped(one, HERE);
  bench.map();
  t.deepEqual(bench.texts(), []);
});

test('memory that is no buffer: vmalloc, what has no page, the kernel itself', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const refused = { device: 'dev', driver: 'driver', size: 64 };
  debug.refused({ ...refused, virtualAddress: 0xf000_0000 }, HERE);
  t.deepEqual(bench.texts(), ['driver dev: rejecting DMA map of vmalloc memory']);
  debug.refused({ ...refused, virtualAddress: 0x8000 }, HERE);
  t.deepEqual(bench.texts(), [`${PREFIX}maps memory from invalid area [addr=00008000] [len=64]`]);
  bench.map({ address: 0x8000_0800, size: 16, direction: 'to-device' });
  t.deepEqual(bench.texts(), [
    `${PREFIX}maps memory from kernel text or rodata [addr=c0000800] [len=16]`,
  ]);
  bench.map({ address: 0x8000_0ff0, size: 32, direction: 'to-device' });
  t.is(bench.texts().length, 1);
  const wide = new DebugBench({}, { widths: { pointer: 8, phys: 8 } });
  wide.debug.refused({ ...refused, virtualAddress: 2 ** 52 - 4096 }, HERE);
  t.deepEqual(wide.texts(), [
    `${PREFIX}maps memory from invalid area [addr=fffffffffffff000] [len=64]`,
  ]);
});

test('what a driver leaves mapped when it leaves its device is told once', t => {
  const bench = new DebugBench();
  const { debug, told } = bench;
  bench.map({ address: START + 8192, size: 64, direction: 'to-device' });
  bench.map();
  bench.map({ device: 'other', address: START + 0x10_0000 });
  t.deepEqual(
    debug.holders.map(({ device }) => device),
    ['dev', 'other'],
  );
  debug.released({ device: 'dev', driver: 'driver' }, HERE);
  t.deepEqual(told[0]?.mappedAt, site('driver.ts:1'));
  t.deepEqual(bench.texts(), [
    `${PREFIX}has pending DMA allocations while released from device [count=2]\n` +
      'One of leaked entries details: [device address=0x00000000c0003000] [size=64 bytes] [mapped with DMA_TO_DEVICE] [mapped as single]',
  ]);
  debug.released({ device: 'dev', driver: 'driver' }, HERE);
  t.deepEqual(bench.texts(), []);
});

test('more messages than anyone reads are counted and not kept', t => {
  const bench = new DebugBench();
  const { debug } = bench;
  const never = range({ address: START, size: 64 });
  for (let i = 0; i < 1100; i++) debug.unmapped(never, HERE);
  t.is(debug.log.messages.length, 1024);
  t.is(debug.log.errorCount, 1100);
});
