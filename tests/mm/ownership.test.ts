import test from 'ava';
import { SIZE, START, OwnershipBench } from './ownership-bench';
import { LINE, partOf, range, site } from './watched-memory';

test("a buffer is the device's from its map, the CPU's from a sync, and nobody's after the unmap", t => {
  const { map, unmap, syncForCpu, syncForDevice, cpu, device } = new OwnershipBench();
  const mapped = map({ direction: 'bidirectional' });
  t.deepEqual(cpu('load'), ['cpu-access-to-device-buffer']);
  t.deepEqual(cpu('store'), ['cpu-access-to-device-buffer']);
  t.deepEqual([device(true), device(false)], [[], []]);
  syncForCpu(mapped);
  t.deepEqual([cpu('load'), cpu('store'), cpu('poll')], [[], [], []]);
  t.deepEqual(device(true), ['device-access-not-given']);
  syncForDevice(mapped);
  t.deepEqual(device(true), []);
  t.deepEqual(cpu('load'), ['cpu-access-to-device-buffer']);
  unmap(mapped);
  t.deepEqual([cpu('load'), cpu('store')], [[], []]);
  t.deepEqual(device(true), ['device-access-after-unmap']);
});

test('a finding says whose buffer it is, where it was allocated and mapped, and which call was due between what', t => {
  const { ownership, findings, map, syncForCpu, cpu } = new OwnershipBench();
  ownership.allocated(START, 256, site('driver.ts:0'));
  const mapped = map();
  ownership.cpuTouches('load', START + 8, 4);
  const buffer = {
    allocatedAt: 'driver.ts:0',
    mappedAt: 'driver.ts:1',
    unmappedAt: null,
    range: { start: START, size: SIZE },
  };
  const [found] = findings.all.splice(0);
  const at = found?.access.at ?? '';
  t.regex(at, /^tests\/mm\/ownership\.test\.ts:\d+$/);
  t.deepEqual(found, {
    rule: 'cpu-access-to-device-buffer',
    device: 'dev',
    buffer,
    bytes: { start: START + 8, size: 4 },
    access: { kind: 'CPU load', at },
    missing: {
      call: 'dmaSyncSingleForCpu',
      range: { start: START + 8, size: 4 },
      between: ['driver.ts:1', at],
    },
    event: 7,
    verdict: null,
  });
  syncForCpu(mapped);
  cpu('store');
  ownership.transfers.begins('dev', 1);
  ownership.transfers.acts('dev', 1);
  ownership.deviceTouches('dev', true, START, 8);
  const [second] = findings.all;
  t.like(second, {
    rule: 'device-access-not-given',
    bytes: { start: START, size: 4 },
    access: { kind: 'device write' },
    missing: { call: 'dmaSyncSingleForDevice', between: ['driver.ts:5', second?.access.at] },
  });
});

test('what the device reads the CPU may read too, but not write', t => {
  const { map, syncForCpu, syncForDevice, cpu, device } = new OwnershipBench();
  const mapped = map({ direction: 'to-device' });
  t.deepEqual([cpu('load'), cpu('poll')], [[], []]);
  t.deepEqual(cpu('store'), ['cpu-access-to-device-buffer']);
  syncForCpu(mapped);
  t.deepEqual(cpu('store'), []);
  t.deepEqual(device(false), ['device-access-not-given']);
  syncForDevice(mapped);
  t.deepEqual(device(false), []);
});

test("what the CPU has only read the device may fill again without a sync, and then it is the device's", t => {
  const { map, syncForCpu, cpu, device } = new OwnershipBench();
  const mapped = map();
  syncForCpu(mapped);
  t.deepEqual([cpu('load'), device(true)], [[], []]);
  t.deepEqual(cpu('load'), ['cpu-access-to-device-buffer']);
  syncForCpu(mapped);
  t.deepEqual(cpu('load'), []);
});

test('a part is handed over alone', t => {
  const { map, syncForCpu, syncForDevice, cpu, device } = new OwnershipBench();
  const mapped = map();
  syncForCpu(mapped, 0, 64);
  t.deepEqual([cpu('load', START), cpu('load', START + 60)], [[], []]);
  t.deepEqual(cpu('load', START + 64), ['cpu-access-to-device-buffer']);
  cpu('store', START + 32);
  t.deepEqual(device(true, START + 32), ['device-access-not-given']);
  t.deepEqual(device(true, START + 64), []);
  syncForDevice(mapped, 32, 32);
  t.deepEqual(device(true, START + 32), []);
});

test('the direction binds the device', t => {
  const { map, device } = new OwnershipBench();
  map({ direction: 'to-device' });
  map({ address: START + 4096, direction: 'from-device' });
  t.deepEqual(device(true), ['device-access-against-direction']);
  t.deepEqual(device(false, START + 4096), ['device-access-against-direction']);
  t.deepEqual([device(false), device(true, START + 4096)], [[], []]);
  map({ busAddress: 0x100, direction: 'from-device' });
  t.deepEqual(device(true), [], 'a second mapping of the same memory permits it');
});

test('a device reaches its own mappings only, and is told from one that had a mapping before', t => {
  const { ownership, findings, map, unmap, device } = new OwnershipBench();
  const mapped = map({ device: 'other' });
  ownership.allocated(START, SIZE, site('driver.ts:0'));
  ownership.deviceTouches('dev', true, START, 4);
  const [found] = findings.all.splice(0);
  t.like(found, {
    rule: 'device-access-unmapped',
    missing: { call: 'dmaMapSingle', between: ['driver.ts:0', found?.access.at] },
  });
  unmap(mapped);
  t.deepEqual(device(true), ['device-access-unmapped']);
  unmap(map());
  ownership.deviceTouches('dev', true, START + SIZE - 4, 8);
  t.deepEqual(
    findings.all.map(({ rule, bytes }) => [rule, bytes.start, bytes.size]),
    [
      ['device-access-after-unmap', START + SIZE - 4, 4],
      ['device-access-unmapped', START + SIZE, 4],
    ],
  );
});

test('memory that is freed while it is mapped is mapped no more', t => {
  const { ownership, findings, watch, map } = new OwnershipBench();
  ownership.allocated(START, 4096, site('driver.ts:0'));
  map();
  ownership.freed(START, 4096, site('driver.ts:8'));
  t.is(watch.watched, 0);
  ownership.deviceTouches('dev', true, START, 4);
  t.like(findings.all[0], {
    rule: 'device-access-unmapped',
    buffer: { allocatedAt: 'driver.ts:0', mappedAt: 'driver.ts:1' },
    missing: { call: 'dmaUnmapSingle' },
  });
});

test('a device that is taken for coherent shares its buffer with the CPU, but keeps to what is mapped', t => {
  const { watch, map, unmap, syncForCpu, cpu, device } = new OwnershipBench();
  const mapped = map({ coherent: true, direction: 'to-device' });
  t.deepEqual([cpu('load'), cpu('store'), device(false)], [[], [], []]);
  syncForCpu(mapped);
  cpu('store');
  t.deepEqual(device(false), []);
  t.is(watch.watched, 0);
  t.deepEqual(device(true), ['device-access-against-direction']);
  unmap(mapped);
  t.deepEqual(device(false), ['device-access-after-unmap']);
});

test('memory that is mapped without a sync is shared until the first one', t => {
  const { map, syncForDevice, cpu, device } = new OwnershipBench();
  const mapped = map({ skipsSync: true, direction: 'bidirectional' });
  t.deepEqual([cpu('store'), device(true), cpu('load'), device(false)], [[], [], [], []]);
  syncForDevice({ ...mapped, skipsSync: false });
  t.deepEqual(cpu('load'), ['cpu-access-to-device-buffer']);
});

test('a store to another part of a line is found while a device writes the line, and only then', t => {
  const { map, unmap, syncForCpu, cpu } = new OwnershipBench();
  const mapped = map({ address: START + 8, size: 100 });
  t.deepEqual(cpu('store', START, 4), ['shared-line']);
  t.deepEqual(cpu('store', START + 108, 4), ['shared-line']);
  t.deepEqual(cpu('load', START, 4), []);
  t.deepEqual(cpu('store', START + 128, 4), [], 'the next line');
  syncForCpu(mapped);
  t.deepEqual(cpu('store', START, 4), []);
  unmap(mapped);
  map({ address: START + 8, size: 100, direction: 'to-device' });
  t.deepEqual(cpu('store', START, 4), []);
});

test('two buffers that devices write share no line', t => {
  const { findings, map } = new OwnershipBench();
  map({ size: 40 });
  map({ address: START + 64, size: 40 });
  t.deepEqual(findings.rules(), []);
  map({ address: START + 40, size: 8, direction: 'to-device' });
  t.deepEqual(findings.rules(), []);
  map({ address: START + 48, size: 8 });
  t.deepEqual(findings.rules(), ['shared-line']);
});

test('in the window of a transfer the CPU keeps off what it has touched', t => {
  const { ownership, watch, map, syncForCpu, cpu, device } = new OwnershipBench();
  const mapped = map();
  syncForCpu(mapped);
  ownership.transfers.begins('dev', 1);
  t.deepEqual(cpu('load'), []);
  ownership.transfers.acts('dev', 1);
  t.deepEqual(device(true), []);
  ownership.transfers.acts('dev', 0);
  for (const access of ['clean', 'invalidate', 'clean+invalidate'] as const) {
    t.deepEqual(cpu(access), ['cpu-access-in-transfer'], access);
  }
  t.deepEqual(cpu('load').sort(), ['cpu-access-in-transfer', 'cpu-access-to-device-buffer']);
  t.deepEqual(cpu('invalidate', START + LINE, LINE), [], 'the next line');
  ownership.callBegins('sync for CPU', partOf(mapped), site('early'));
  t.deepEqual(cpu('invalidate', START, LINE), ['cpu-access-in-transfer'], 'once, for the call');
  ownership.syncedForCpu(partOf(mapped), site('early'));
  ownership.transfers.ends('dev', 1);
  t.deepEqual(cpu('load'), []);
  ownership.dmaUnmapped(partOf(mapped), site('end'));
  t.is(watch.watched, 0);
});

test('what a transfer only reads the CPU may load and clean, and map for another device to read', t => {
  const { ownership, findings, map, unmap, cpu, device } = new OwnershipBench();
  const mapped = map({ direction: 'to-device' });
  ownership.transfers.begins('dev', 1);
  ownership.transfers.acts('dev', 1);
  device(false);
  t.deepEqual([cpu('load'), cpu('clean'), cpu('poll')], [[], [], []]);
  t.deepEqual(cpu('invalidate'), ['cpu-access-in-transfer']);
  const second = map({ device: 'other', direction: 'to-device' });
  unmap(second);
  t.deepEqual(findings.rules(), []);
  unmap(mapped);
  t.deepEqual(findings.rules(), ['cpu-access-in-transfer']);
  t.deepEqual(cpu('store'), ['cpu-access-in-transfer'], 'still under way');
});

test('memory has no contents from its allocation, after its free, and in the hands of a device that writes it', t => {
  const { ownership, watch, map, syncForDevice } = new OwnershipBench();
  ownership.allocated(START, 4096, site('a'));
  const mapped = map();
  map({ address: START + 1024, direction: 'bidirectional' });
  map({ address: START + 2048, coherent: true });
  map({ address: START + 3072, skipsSync: true });
  syncForDevice(mapped, 32, 64);
  ownership.freed(START + 64, 64, site('unknown'));
  ownership.freed(START, 4096, site('f'));
  t.deepEqual(watch.forgotten, [
    { start: START, size: 4096 },
    { start: START, size: SIZE },
    { start: START + 32, size: 64 },
    { start: START, size: 4096 },
  ]);
});

test('a sync in the direction of the device alone keeps what the device is to read', t => {
  const { ownership, watch, map } = new OwnershipBench();
  const mapped = map({ direction: 'bidirectional' });
  ownership.callBegins('sync for device', { ...mapped, direction: 'from-device' }, site('s'));
  t.deepEqual(watch.forgotten, []);
});

test('where the architecture keeps what the CPU wrote, a map forgets nothing', t => {
  const { watch, map, syncForDevice } = new OwnershipBench(false);
  syncForDevice(map());
  t.deepEqual(watch.forgotten, []);
});

test('a byte belongs to a live mapping, to the last that ended if it is the same memory still, to an allocation', t => {
  const { ownership, map, unmap } = new OwnershipBench();
  const { mappings } = ownership;
  t.deepEqual(mappings.ownerOf(START), { mapping: null, buffer: null });
  ownership.allocated(START, 256, site('driver.ts:0'));
  const allocation = { allocatedAt: 'driver.ts:0', range: { start: START, size: 256 } };
  const unmapped = { mappedAt: null, unmappedAt: null };
  t.deepEqual(mappings.ownerOf(START).buffer, { ...allocation, ...unmapped });
  const other = map({ device: 'other', direction: 'to-device' }, 'driver.ts:2');
  const mapped = map({ direction: 'to-device' });
  t.is(mappings.ownerOf(START).mapping?.device, 'dev');
  t.is(mappings.ownerOf(START, 'other').mapping?.device, 'other');
  t.is(mappings.ownerOf(START + SIZE).mapping, null);
  unmap(mapped);
  unmap(other);
  const last = { mappedAt: 'driver.ts:2', unmappedAt: 'driver.ts:9' };
  t.like(mappings.ownerOf(START).buffer, last, 'the last that ended');
  ownership.freed(START, 256, site('driver.ts:8'));
  ownership.allocated(START, 64, site('driver.ts:9'));
  t.deepEqual(mappings.ownerOf(START), {
    mapping: null,
    buffer: { allocatedAt: 'driver.ts:9', ...unmapped, range: { start: START, size: 64 } },
  });
});

test('calls on what is not mapped change nothing', t => {
  const { ownership, findings, watch } = new OwnershipBench();
  const never = partOf(range({ address: START, size: SIZE }));
  ownership.callBegins('unmap', never, site('x'));
  ownership.dmaUnmapped(never, site('x'));
  ownership.callBegins('sync for CPU', never, site('x'));
  ownership.syncedForCpu(never, site('x'));
  ownership.transfers.ends('dev', 3);
  ownership.transfers.acts('dev', 3);
  t.deepEqual([findings.all.length, watch.watched], [0, 0]);
});

test('however many mappings come and go, only so many are remembered', t => {
  const { ownership, map, unmap, device } = new OwnershipBench();
  unmap(map());
  for (let i = 0; i < 300; i++) unmap(map({ address: START + 4096 * (1 + i), size: 64 }));
  t.deepEqual(device(true), ['device-access-unmapped'], 'it was long ago');
  t.deepEqual(device(true, START + 4096 * 300), ['device-access-after-unmap']);
  t.is(ownership.mappings.overlapping(START, 2 ** 30).length, 0);
});
