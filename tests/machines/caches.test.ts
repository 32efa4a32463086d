import test from 'ava';
import { CORES } from '../../arch/arm/cores';
import type { DeviceTree } from '../../drivers/of/tree';
import { describeMachine } from '../../machines/describe';
import type { DescribedCache } from '../../machines/describe';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { onBoard } from '../support/boards';
import { dt, ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';

const plan = (tree: DeviceTree): MachinePlan => planMachine(tree, { memory: null, quirks: [] });

const machine = (core: string, cpu: DtLiteral, nodes: DtLiteral = {}): MachinePlan =>
  plan(
    dt({
      compatible: 'acme,board',
      '#address-cells': [1],
      '#size-cells': [1],
      cpus: {
        '#address-cells': [1],
        '#size-cells': [0],
        'cpu@0': { device_type: 'cpu', compatible: core, reg: [0], ...cpu },
      },
      memory: { device_type: 'memory', reg: [0, 0x1000_0000] },
      ...nodes,
    }),
  );

const cachesOf = (board: MachinePlan): readonly DescribedCache[] =>
  describeMachine(board, { source: 'a', hash: '' }).cpus[0]?.caches ?? [];

for (const [core, indexing] of [
  ['arm926ej-s', 'vivt'],
  ['feroceon', 'vivt'],
  ['arm1136jf-s', 'vipt'],
  ['arm1176jzf-s', 'vipt'],
  ['cortex-a5', 'vipt'],
  ['cortex-a7', 'vipt'],
  ['cortex-a8', 'vipt'],
  ['cortex-a9', 'vipt'],
  ['cortex-a15', 'pipt'],
  ['cortex-a35', 'vipt'],
  ['cortex-a53', 'vipt'],
  ['cortex-a55', 'vipt'],
  ['cortex-a57', 'pipt'],
  ['cortex-a72', 'pipt'],
  ['cortex-a73', 'vipt'],
  ['cortex-a76', 'pipt'],
] as const) {
  test(`the instruction cache of ${core} is ${indexing.toUpperCase()}`, t => {
    const name = CORES.find(candidate => candidate.name === core)?.compatible[0] ?? '';
    const cache = cachesOf(machine(name, {})).find(({ type }) => type === 'instruction');
    t.is(cache?.indexing, indexing);
  });
}

test('an instruction cache whose indexing nobody has looked up says so', t => {
  const [, known] = cachesOf(machine('arm,cortex-a9', {}));
  t.is(known?.from, 'core table: Cortex-A9 TRM DDI 0388');
  const [, boards] = cachesOf(machine('nvidia,tegra132-denver', {}));
  t.is(boards?.from, 'core table: consistent in the device trees of its boards, indexing assumed');
});

const L3: DtLiteral = {
  compatible: 'cache',
  'cache-level': [3],
  'cache-size': [0x80_0000],
  'cache-sets': [8192],
  'cache-line-size': [64],
};

const behindL2 = (l3: DtLiteral): MachinePlan =>
  machine(
    'arm,cortex-a57',
    { 'next-level-cache': [ref('l2')] },
    {
      'l2: l2-cache': { compatible: 'cache', 'next-level-cache': [ref('l3')] },
      'l3: l3-cache': l3,
    },
  );

test('a level beyond those that are modelled is told as the tree has it', t => {
  const board = behindL2(L3);
  t.deepEqual(cachesOf(board).at(-1), {
    level: 3,
    type: 'unified',
    size: 0x80_0000,
    ways: 16,
    line: 64,
    indexing: 'pipt',
    from: '/l3-cache: cache-level, cache-size, cache-sets, cache-line-size',
  });
  t.deepEqual(board.notes, ['/l3-cache: not modelled: a cache of level 3']);
});

test('what the tree does not say of such a cache is null', t => {
  const last = cachesOf(behindL2({ compatible: 'cache', 'cache-sets': [0] })).at(-1);
  t.like(last, { level: 3, size: null, ways: null, line: null, from: '/l3-cache: cache-sets' });
  const none = cachesOf(behindL2({ compatible: 'cache' })).at(-1);
  t.like(none, { level: 3, from: '/l3-cache: no property' });
  const odd = cachesOf(behindL2({ ...L3, 'cache-sets': [0] })).at(-1);
  t.is(odd?.ways, null);
});

test('a second level that the core has not is told, the PL310 that is modelled only once', t => {
  const next = { 'next-level-cache': [ref('l2')] };
  const plain = cachesOf(
    machine('arm,cortex-a9', next, { 'l2: l2-cache': { ...L3, 'cache-level': [2] } }),
  );
  t.deepEqual(
    plain.map(({ level, type }) => `${level} ${type}`),
    ['1 data', '1 instruction', '2 unified'],
  );
  const pl310 = { compatible: 'arm,pl310-cache', reg: [0x2000_0000, 0x1000], 'cache-level': [2] };
  const modelled = machine('arm,cortex-a9', next, { 'l2: cache@20000000': pl310 });
  t.is(cachesOf(modelled).length, 3);
  t.deepEqual(modelled.notes, []);
});

onBoard('arm64/amd-overdrive-rev-b0', 'has a third level of 8 MiB', (t, tree) => {
  for (const { caches } of describeMachine(plan(tree), { source: 'a', hash: '' }).cpus) {
    t.like(caches.at(-1), { level: 3, size: 0x80_0000, ways: 16, line: 64 });
  }
});

test('a tree cannot give an unknown core a cache that no core has', t => {
  const l1d = (size: number, sets: number, line: number): unknown => {
    const board = machine('acme,core', {
      'd-cache-size': [size],
      'd-cache-sets': [sets],
      'd-cache-line-size': [line],
    });
    return [board.cpus[0]?.l1d?.geometry, board.notes.length];
  };
  const usual = { size: 0x8000, ways: 4, line: 32 };
  t.deepEqual(l1d(0x2_0000, 512, 64), [{ size: 0x2_0000, ways: 4, line: 64 }, 0]);
  t.deepEqual(l1d(0x40_0000, 0x8000, 64), [{ size: 0x40_0000, ways: 2, line: 64 }, 0]);
  t.deepEqual(l1d(0x8000_0000, 0x200_0000, 64), [usual, 1]);
  t.deepEqual(l1d(0x80_0000, 0x8000, 64), [usual, 1]);
  t.deepEqual(l1d(0x40_0000, 0x1_0000, 64), [usual, 1]);
  t.deepEqual(l1d(0x40_0000, 1, 64), [usual, 1]);
  t.deepEqual(l1d(0x1_0000, 128, 128), [{ size: 0x1_0000, ways: 4, line: 128 }, 0]);
  t.deepEqual(l1d(0x1_0000, 64, 256), [{ ...usual, size: 0x1_0000 }, 1]);
  const { cpus, notes } = machine('acme,core', { 'd-cache-size': [0x8000_0000] });
  t.deepEqual(cpus[0]?.l1d?.geometry, usual);
  t.deepEqual(notes, [
    '/cpus/cpu@0: d-cache-size: 2147483648 bytes, which this core does not come with; the table is used',
  ]);
});
