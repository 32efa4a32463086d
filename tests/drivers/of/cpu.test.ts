import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import { ofExternalCaches } from '../../../drivers/of/cache';
import { ofCpus } from '../../../drivers/of/cpu';
import type { Arch } from '../../../drivers/of/linux';
import type { DtLiteral } from '../../support/dt';
import { dt, ref } from '../../support/dt';

const cpu = (reg: number, more: DtLiteral = {}): DtLiteral => ({
  device_type: 'cpu',
  compatible: 'arm,cortex-a53',
  reg: [reg],
  ...more,
});

const cpusOf = (cpus: DtLiteral, arch: Arch = 'arm64', bootCpu = 0) => {
  const tree = dt({ cpus: { '#address-cells': [1], '#size-cells': [0], ...cpus } }, { bootCpu });
  return ofCpus(tree, tree.phandles(), arch);
};

const usable = (result: ReturnType<typeof cpusOf>): string[] =>
  result.cpus.filter(c => c.usable).map(c => c.node.name);

test('the processors come in tree order with their hardware ids', t => {
  const { cpus, failed, diagnostics } = cpusOf({
    'cpu@0': cpu(0),
    'cpu@100': cpu(0x100, { compatible: ['acme,core', 'arm,cortex-a57'] }),
    'l2-cache': { compatible: 'cache' },
  });
  t.deepEqual(
    cpus.map(({ node, hwid, usable: up, status }) => [node.path, hwid, up, status]),
    [
      ['/cpus/cpu@0', 0n, true, 'okay'],
      ['/cpus/cpu@100', 0x100n, true, 'okay'],
    ],
  );
  t.deepEqual(cpus[1]?.compatible, ['acme,core', 'arm,cortex-a57']);
  t.deepEqual([failed, diagnostics], [[], []]);
});

test('a tree without /cpus, or with an empty one, has no processors and is no mistake', t => {
  const empty = { cpus: [], failed: [], diagnostics: [] };
  t.deepEqual(cpusOf({}), empty);
  t.deepEqual(ofCpus(dt({}), new Map(), 'arm32'), empty);
});

test('a processor is known by its name or by its device_type', t => {
  const { cpus } = cpusOf({
    'cpu@0': { reg: [0] },
    'core@1': cpu(1),
    'idle-states': { reg: [2] },
    'cpu-map': {},
  });
  t.deepEqual(
    cpus.map(c => c.node.name),
    ['cpu@0', 'core@1'],
  );
});

test('trap: a disabled processor counts, a failed one does not', t => {
  const result = cpusOf({
    'cpu@0': cpu(0),
    'cpu@1': cpu(1, { status: 'disabled' }),
    'cpu@2': cpu(2, { status: 'fail' }),
    'cpu@3': cpu(3, { status: 'fail-sss' }),
    'cpu@4': cpu(4, { status: 'failed' }),
  });
  t.deepEqual(usable(result), ['cpu@0', 'cpu@1', 'cpu@4']);
  t.is(result.cpus[1]?.status, 'disabled');
  t.deepEqual(
    result.failed.map(n => n.name),
    ['cpu@2', 'cpu@3'],
  );
});

test('a hardware id may have two cells and more than 32 bits', t => {
  const { cpus } = cpusOf({ '#address-cells': [2], 'cpu@1': { reg: [0x1_0000_0003n] } });
  t.is(cpus[0]?.hwid, 0x1_0000_0003n);
  t.true(cpus[0]?.usable);
});

test('trap: an id that cannot be used costs arm64 that processor, arm32 all but the boot one', t => {
  const cases: [string, DtLiteral][] = [
    ['repeated', { 'cpu@0': cpu(0), 'cpu@1': cpu(1), 'cpu@9': cpu(0) }],
    ['other bits', { 'cpu@0': cpu(0), 'cpu@1': cpu(1), 'cpu@9': cpu(0x0100_0000) }],
    ['none', { 'cpu@0': cpu(0), 'cpu@1': cpu(1), 'cpu@9': { device_type: 'cpu' } }],
  ];
  for (const [what, cpus] of cases) {
    const arm64 = cpusOf(cpus);
    t.deepEqual(usable(arm64), ['cpu@0', 'cpu@1'], what);
    t.like(arm64.diagnostics, [{ place: '/cpus/cpu@9', property: 'reg' }]);
    t.deepEqual(usable(cpusOf(cpus, 'arm32')), ['cpu@0'], what);
    t.deepEqual(usable(cpusOf(cpus, 'arm32', 1)), ['cpu@1'], "as the blob's header says");
    t.deepEqual(usable(cpusOf(cpus, 'arm32', 7)), ['cpu@0'], 'the header names none of them');
  }
});

test('ids that can be used leave every processor to either architecture', t => {
  const two = { 'cpu@0': cpu(0), 'cpu@1': cpu(1) };
  for (const arch of ['arm32', 'arm64'] as const) t.is(usable(cpusOf(two, arch)).length, 2);
});

test('a reg that has no cells for an id, or too few, says none', t => {
  const hwid = (cells: number) =>
    cpusOf({ '#address-cells': [cells], 'cpu@0': cpu(5) }).cpus[0]?.hwid;
  t.deepEqual([hwid(0), hwid(1), hwid(2)], [null, 5n, null]);
});

test('arm64 has a fourth affinity level above bit 32', t => {
  const wide = {
    '#address-cells': [2],
    'cpu@0': { reg: [0n] },
    'cpu@1': { reg: [0x1_0000_0000n] },
  };
  t.is(usable(cpusOf(wide)).length, 2);
  t.is(usable(cpusOf(wide, 'arm32')).length, 1);
});

test('a single processor needs no id, as those of ARMv5 have none', t => {
  for (const arch of ['arm32', 'arm64'] as const) {
    const result = cpusOf({ '#address-cells': [0], cpu: { compatible: 'arm,arm926ej-s' } }, arch);
    t.deepEqual(usable(result), ['cpu']);
    t.is(result.cpus[0]?.hwid, null);
    t.deepEqual(result.diagnostics, []);
  }
});

test('cpu-map says which processors share a cluster', t => {
  const { cpus, diagnostics } = cpusOf({
    'cpu-map': {
      cluster0: { core0: { cpu: [ref('a')] }, core1: { cpu: [ref('b')] } },
      cluster1: { core0: { thread0: { cpu: [ref('c')] }, thread1: { cpu: [ref('d')] } } },
      cluster3: { core0: { cpu: [99] } },
    },
    'a: cpu@0': cpu(0),
    'b: cpu@1': cpu(1),
    'c: cpu@100': cpu(0x100),
    'd: cpu@101': cpu(0x101),
  });
  t.deepEqual(
    cpus.map(c => c.topology),
    [
      { package: 0, cluster: 0, core: 0, thread: null },
      { package: 0, cluster: 0, core: 1, thread: null },
      { package: 0, cluster: 1, core: 0, thread: 0 },
      { package: 0, cluster: 1, core: 0, thread: 1 },
    ],
  );
  t.deepEqual(diagnostics, [], 'cluster3 comes after a gap in the numbers');
});

test('sockets are packages, and of nested clusters the innermost counts', t => {
  const { cpus } = cpusOf({
    'cpu-map': {
      socket0: { cluster0: { core0: { cpu: [ref('a')] } } },
      socket1: { cluster0: { cluster0: {}, cluster1: { core0: { cpu: [ref('b')] } } } },
    },
    'a: cpu@0': cpu(0),
    'b: cpu@1': cpu(1),
  });
  t.like(cpus[0]?.topology, { package: 0, cluster: 0 });
  t.like(cpus[1]?.topology, { package: 1, cluster: 1 });
});

test('trap: a cpu-map that is wrong anywhere is dropped as a whole', t => {
  const a = { cpu: [ref('a')] };
  const b = { cpu: [ref('b')] };
  const cases: [string, DtLiteral, string][] = [
    ['leaves one out', { cluster0: { core0: a } }, '/cpus/cpu-map'],
    ['cores alone', { core0: a, core1: b }, '/cpus/cpu-map/core0'],
    ['core without cluster', { core0: a, cluster0: { core0: b } }, '/cpus/cpu-map/core0'],
    [
      'clusters and cores',
      { cluster0: { cluster0: { core0: a }, core0: b } },
      '/cpus/cpu-map/cluster0/core0',
    ],
    [
      'core without processor',
      { cluster0: { core0: a, core1: b, core2: {} } },
      '/cpus/cpu-map/cluster0/core2',
    ],
    [
      'thread without processor',
      { cluster0: { core0: a, core1: { thread0: b, thread1: {} } } },
      '/cpus/cpu-map/cluster0/core1/thread1',
    ],
    [
      'threads and a processor',
      { cluster0: { core0: a, core1: { ...b, thread0: b } } },
      '/cpus/cpu-map/cluster0/core1',
    ],
  ];
  for (const [what, map, place] of cases) {
    const result = cpusOf({ 'cpu-map': map, 'a: cpu@0': cpu(0), 'b: cpu@1': cpu(1) });
    t.true(
      result.cpus.every(c => c.topology === null),
      what,
    );
    t.like(result.diagnostics, [{ place }], what);
  }
});

test('a processor that cannot be used has no place in the topology', t => {
  const { cpus } = cpusOf({
    'cpu-map': { cluster0: { core0: { cpu: [ref('a')] }, core1: { cpu: [ref('b')] } } },
    'a: cpu@0': cpu(0),
    'b: cpu@1': cpu(0x0100_0000),
  });
  t.deepEqual(
    cpus.map(c => c.topology?.core),
    [0, undefined],
  );
});

test('cpu-map may name processors that have failed', t => {
  const { cpus, diagnostics } = cpusOf({
    'cpu-map': { cluster0: { core0: { cpu: [ref('a')] }, core1: { cpu: [ref('b')] } } },
    'a: cpu@0': cpu(0),
    'b: cpu@1': cpu(1, { status: 'fail' }),
  });
  t.is(cpus[0]?.topology?.core, 0);
  t.deepEqual(diagnostics, []);
});

test('each value of a cache comes with the property it was read from', t => {
  const { cpus } = cpusOf({
    'cpu@0': cpu(0, {
      'd-cache-size': [0x8000],
      'd-cache-line-size': [64],
      'd-cache-sets': [256],
      'i-cache-size': [0xc000],
      'i-cache-block-size': [32],
      'next-level-cache': [ref('l2')],
    }),
    'l2: l2-cache0': {
      compatible: 'cache',
      'cache-level': [2],
      'cache-unified': true,
      'cache-size': [0x10_0000],
      'cache-sets': [1024],
    },
  });
  const path = '/cpus/cpu@0';
  const none = { size: null, lineSize: null, sets: null };
  t.deepEqual(cpus[0]?.l1, {
    data: {
      size: { value: 0x8000, from: { path, property: 'd-cache-size' } },
      lineSize: { value: 64, from: { path, property: 'd-cache-line-size' } },
      sets: { value: 256, from: { path, property: 'd-cache-sets' } },
    },
    instruction: {
      size: { value: 0xc000, from: { path, property: 'i-cache-size' } },
      lineSize: { value: 32, from: { path, property: 'i-cache-block-size' } },
      sets: null,
    },
    unified: none,
    isUnified: null,
  });
  const l2 = '/cpus/l2-cache0';
  t.like(cpus[0]?.next, [
    {
      level: { value: 2, from: { path: l2, property: 'cache-level' } },
      isUnified: { value: true, from: { path: l2, property: 'cache-unified' } },
      geometry: { size: { value: 0x10_0000 }, lineSize: null, sets: { value: 1024 } },
    },
  ]);
});

test('a line size comes before a block size, and a level may be unified at the processor', t => {
  const { cpus } = cpusOf({
    'cpu@0': cpu(0, {
      'cache-unified': true,
      'cache-size': [0x4000],
      'cache-line-size': [32],
      'cache-block-size': [64],
    }),
  });
  t.is(cpus[0]?.l1.unified.lineSize?.value, 32);
  t.is(cpus[0]?.l1.unified.size?.value, 0x4000);
  t.true(cpus[0]?.l1.isUnified?.value);
});

test('processors that share a cache lead to the same node, level by level', t => {
  const { cpus } = cpusOf({
    'cpu@0': cpu(0, { 'next-level-cache': [ref('l2')] }),
    'cpu@1': cpu(1, { 'l2-cache': [ref('l2')], 'next-level-cache': [ref('l3')] }),
    'l2: l2': { 'next-level-cache': [ref('l3')] },
    'l3: l3': { 'cache-level': [3] },
  });
  const chains = cpus.map(c => c.next.map(cache => cache.node.name));
  t.deepEqual(chains, [
    ['l2', 'l3'],
    ['l2', 'l3'],
  ]);
  t.is(cpus[0]?.next[0]?.node, cpus[1]?.next[0]?.node);
});

test('a reference to a cache that is not there ends the chain', t => {
  t.deepEqual(cpusOf({ 'cpu@0': cpu(0, { 'next-level-cache': [99] }) }).cpus[0]?.next, []);
});

test('caches in a circle, or more than there can be, are an InputError', t => {
  const error = { instanceOf: InputError, message: /property 'next-level-cache'/ };
  const circle = {
    'cpu@0': cpu(0, { 'next-level-cache': [ref('a')] }),
    'a: a': { 'next-level-cache': [ref('b')] },
    'b: b': { 'next-level-cache': [ref('a')] },
  };
  t.throws(() => cpusOf(circle), error);
  t.throws(() => cpusOf({ 'c: cpu@0': cpu(0, { 'next-level-cache': [ref('c')] }) }), error);
  const tower: Record<string, DtLiteral> = { 'cpu@0': cpu(0, { 'next-level-cache': [ref('n0')] }) };
  for (let i = 0; i < 8; i++) tower[`n${i}: n${i}`] = { 'next-level-cache': [ref(`n${i + 1}`)] };
  t.throws(() => cpusOf({ ...tower, 'n8: n8': {} }), error);
});

test('values of the wrong shape and too many processors are an InputError', t => {
  t.throws(() => cpusOf({ 'cpu@0': cpu(0, { 'd-cache-size': true }) }), {
    instanceOf: InputError,
    message: /^\/cpus\/cpu@0: property 'd-cache-size'/,
  });
  const many = Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`cpu@${i}`, cpu(i)]));
  t.throws(() => cpusOf(many), { instanceOf: InputError, message: /^\/cpus\/cpu@1024/ });
});

test('external cache controllers are found anywhere, with registers and settings', t => {
  const tree = dt({
    '#address-cells': [1],
    '#size-cells': [1],
    soc: {
      ranges: true,
      'cache-controller@a02000': {
        compatible: ['acme,l2', 'arm,pl310-cache'],
        reg: [0xa0_2000, 0x1000],
        status: 'disabled',
        'cache-unified': true,
        'cache-level': [2],
        'arm,tag-latency': [4, 2, 3],
        'arm,shared-override': true,
        'prefetch-data': [1],
      },
    },
    hidden: { cache: { compatible: 'marvell,aurora-outer-cache', reg: [8, 4] } },
    plain: { compatible: 'cache' },
  });
  const [pl310, aurora, ...more] = ofExternalCaches(tree);
  t.deepEqual(more, []);
  t.is(pl310?.kind, 'arm,pl310-cache');
  t.is(pl310?.registers?.start, 0xa0_2000n);
  t.is(pl310?.level?.value, 2);
  const settings = [...(pl310?.control ?? [])].map(([name, { value }]) => [name, value]);
  t.deepEqual(settings, [
    ['arm,tag-latency', [4, 2, 3]],
    ['arm,shared-override', []],
    ['prefetch-data', [1]],
  ]);
  const path = '/soc/cache-controller@a02000';
  t.deepEqual(pl310?.control.get('prefetch-data')?.from, { path, property: 'prefetch-data' });
  t.is(aurora?.kind, 'marvell,aurora-outer-cache');
  t.is(aurora?.registers, undefined, 'its bus has no ranges');
});
