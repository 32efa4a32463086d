import test from 'ava';
import { InputError } from '../../drivers/base/types/errors';
import { describeMachine } from '../../machines/describe';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import type { DeviceTree } from '../../drivers/of/tree';
import { boardNames, onBoard, readBoard } from '../support/boards';
import { dt, ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';

const plan = (tree: DeviceTree): MachinePlan => planMachine(tree, { memory: null, quirks: [] });

const cpus = (...compatible: readonly (readonly string[])[]): DtLiteral => ({
  '#address-cells': [1],
  '#size-cells': [0],
  ...Object.fromEntries(
    compatible.map((list, n) => [`cpu@${n}`, { device_type: 'cpu', compatible: list, reg: [n] }]),
  ),
});

const A9 = ['arm,cortex-a9'];

/** A machine of one Cortex-A9 and 256 MiB, with what is given on top. */
const machine = (root: DtLiteral): DeviceTree =>
  dt({
    compatible: 'acme,board',
    '#address-cells': [1],
    '#size-cells': [1],
    cpus: cpus(A9),
    memory: { device_type: 'memory', reg: [0, 0x1000_0000] },
    ...root,
  });

test('a tree without any compatible at its root is a machine without facts', t => {
  const { model, compatible, quirks, notes } = plan(machine({ compatible: [] }));
  t.deepEqual([model, compatible], ['unnamed', []]);
  t.false(quirks.some(({ applied }) => applied));
  t.deepEqual(notes, []);
});

test('a processor that does not say what it is is assumed, by the timer of the tree', t => {
  const v7 = plan(machine({ cpus: cpus([]) })).cpus[0];
  t.is(v7?.core.name, 'armv7');
  t.is(v7?.coreFrom, 'assumed: no compatible is not in the core table');
  const v8 = plan(machine({ cpus: cpus([]), timer: { compatible: 'arm,armv8-timer' } })).cpus[0];
  t.is(v8?.core.name, 'armv8');
});

test('a processor of another kind than the first needs another kernel', t => {
  for (const other of ['arm,cortex-a53', 'arm,cortex-m4']) {
    const error = t.throws(() => plan(machine({ cpus: cpus(A9, [other]) })), {
      instanceOf: InputError,
    });
    t.regex(error.message, /^\/cpus\/cpu@1: property 'compatible': expected a core for the kernel/);
  }
  t.is(plan(machine({ cpus: cpus(['arm,cortex-a15'], ['arm,cortex-a7']) })).cpus.length, 2);
});

test('what Linux makes of processors with one id is done, and a note says why', t => {
  const twins: DtLiteral = {
    '#address-cells': [1],
    '#size-cells': [0],
    'cpu@0': { device_type: 'cpu', compatible: A9, reg: [0] },
    'cpu@1': { device_type: 'cpu', compatible: A9, reg: [0] },
  };
  const { cpus: found, notes } = plan(machine({ cpus: twins }));
  t.deepEqual(
    found.map(({ path }) => path),
    ['/cpus/cpu@0'],
  );
  t.deepEqual(notes, [
    "/cpus/cpu@1: property 'reg': expected a value of its own, found 0x0, as /cpus/cpu@0 has",
  ]);
});

test('memory nodes that overlap are the RAM that either of them says', t => {
  const { memory } = plan(
    machine({
      'memory@0': { device_type: 'memory', reg: [0, 0x1000_0000] },
      'memory@8000000': { device_type: 'memory', reg: [0x800_0000, 0x1000_0000] },
    }),
  );
  t.deepEqual(
    memory.banks.map(({ base, size }) => [base, size]),
    [[0n, 0x1800_0000n]],
  );
});

test('RAM that ends above 2^48 is refused, wherever it starts', t => {
  for (const [base, size] of [
    [0x1_0000_0000_0000n, 0x1000_0000n],
    [0xffff_f000_0000n, 0x2000_0000n],
    [0xffff_ffff_0000_0000n, 0x1000_0000n],
  ] as const) {
    const tree = dt({
      compatible: 'acme,board',
      '#address-cells': [2],
      '#size-cells': [2],
      cpus: cpus(A9),
      memory: { device_type: 'memory', reg: [base, size] },
    });
    const error = t.throws(() => plan(tree), { instanceOf: InputError });
    t.regex(error.message, /^\/memory: 0x[0-9a-f]+: expected RAM below 2\^48/);
  }
});

test('a PL310 without registers is there, and nobody drives it', t => {
  const { outer } = plan(
    machine({ 'cache-controller': { compatible: 'arm,pl310-cache', 'cache-level': [2] } }),
  );
  t.false(outer?.driven);
  t.deepEqual(outer?.plan.geometry, { size: 0x8_0000, ways: 8, line: 32 });
  t.is(outer?.plan.from, 'assumed');
});

for (const [size, sets, line, expected] of [
  [0x2_0000, 512, 32, { size: 0x2_0000, ways: 8, line: 32 }],
  [0x2_0000, 512, 64, { size: 0x2_0000, ways: 8, line: 32 }],
  [0x2_0000, 1024, 32, null],
  [0x2_0000, 0, 32, null],
  [0x3_0000, 768, 32, null],
  [0, 512, 32, null],
] as const) {
  test(`a PL310 of ${size} bytes in ${sets} sets of ${line}-byte lines is ${expected === null ? 'not ' : ''}believed`, t => {
    const { outer } = plan(
      machine({
        'cache@1000': {
          compatible: 'arm,pl310-cache',
          reg: [0x1000, 0x1000],
          'cache-size': [size],
          'cache-sets': [sets],
          'cache-line-size': [line],
        },
      }),
    );
    t.deepEqual(outer?.plan.geometry, expected ?? { size: 0x8_0000, ways: 8, line: 32 });
    t.is(outer?.plan.from, expected === null ? 'assumed' : '/cache@1000: cache-size');
  });
}

test('an outer cache of another make has the lines and ways that its node says', t => {
  const { outer } = plan(
    machine({
      'cache@1000': {
        compatible: 'socionext,uniphier-system-cache',
        reg: [0x1000, 0x1000],
        'cache-size': [0xc_0000],
        'cache-sets': [256],
        'cache-line-size': [128],
      },
    }),
  );
  t.false(outer?.driven);
  t.deepEqual(outer?.plan.geometry, { size: 0xc_0000, ways: 24, line: 128 });
});

test('a cache beyond the second level is not modelled, and a note says so', t => {
  const { cpus: found, notes } = plan(
    machine({
      cpus: {
        '#address-cells': [1],
        '#size-cells': [0],
        'cpu@0': {
          device_type: 'cpu',
          compatible: 'arm,cortex-a72',
          reg: [0],
          'next-level-cache': [ref('l2')],
        },
        'l2: l2': { compatible: 'cache', 'cache-level': [2], 'next-level-cache': [ref('l3')] },
        'l3: l3': { compatible: 'cache', 'cache-level': [3], 'cache-size': [0x40_0000] },
      },
    }),
  );
  t.is(found[0]?.l2?.level, 2);
  t.deepEqual(notes, ['/cpus/l3: not modelled: a cache of level 3']);
});

test('a tree with nothing in it is no machine', t => {
  const error = t.throws(() => plan(dt({ compatible: 'acme,board' })), { instanceOf: InputError });
  t.regex(error.message, /expected the tree of a whole machine .*, found nothing below the root/);
});

test('an overlay is no machine', t => {
  const tree = dt({ 'fragment@0': { 'target-path': '/soc', __overlay__: { status: 'okay' } } });
  const error = t.throws(() => plan(tree), { instanceOf: InputError });
  t.regex(error.message, /expected the tree of a whole machine .*, found an overlay/);
});

test('a machine without a memory node gets RAM where no device is', t => {
  const tree = dt({
    compatible: 'acme,board',
    '#address-cells': [1],
    '#size-cells': [1],
    cpus: cpus(A9),
    soc: {
      compatible: 'simple-bus',
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: true,
      'dma@10000000': { compatible: 'arm,pl330', reg: [0x1000_0000, 0x1000] },
    },
  });
  const { memory, notes } = plan(tree);
  t.deepEqual(
    memory.banks.map(({ base, size }) => [base, size]),
    [[0x2000_0000n, 0x2000_0000n]],
  );
  t.regex(notes[0] ?? '', /^no memory node: 512 MiB at 0x20000000 assumed/);
});

test('a master that Linux cannot configure is a master all the same', t => {
  const { devices } = plan(
    machine({
      soc: {
        compatible: 'simple-bus',
        '#address-cells': [1],
        '#size-cells': [1],
        ranges: true,
        'dma-ranges': [0, 0, 0],
        'dma@1000': { compatible: 'arm,pl330', reg: [0x1000, 0x1000] },
      },
    }),
  );
  t.is(devices[0]?.status, 'generic-master');
  t.is(devices[0]?.effective.dma.map?.length ?? 0, 0);
});

test('interconnects that lead in a circle are an error that names one', t => {
  const link = (label: string): DtLiteral => ({
    compatible: 'acme,bus',
    '#interconnect-cells': [0],
    interconnects: [ref(label)],
    'interconnect-names': 'dma-mem',
  });
  const tree = machine({
    'a: a@1000': { ...link('b'), reg: [0x1000, 0x1000] },
    'b: b@2000': { ...link('a'), reg: [0x2000, 0x1000] },
  });
  t.throws(() => plan(tree), { instanceOf: InputError, message: /interconnects/ });
});

onBoard('armhf/am572x-idk', 'has as many devices as the census counted', (t, tree) => {
  const { devices } = plan(tree);
  t.is(devices.length, 312);
  t.is(devices.filter(({ effective }) => effective.dma.map !== null).length, 76);
  t.is(devices.filter(({ function: pci }) => pci !== null).length, 1);
});

const corpusTest = boardNames.length > 0 ? test : test.skip;

corpusTest('every real board is understood and can be described', t => {
  for (const board of boardNames) {
    const machineOf = plan(readBoard(board));
    const described = describeMachine(machineOf, { source: board, hash: '' });
    t.true(described.cpus.length > 0, board);
    t.true(described.memory.length > 0, board);
    t.true(described.devices.length > 0, board);
    t.true(described.devices.every(({ effective }) => effective.from !== ''));
  }
});

test('a 64-bit processor keeps its affinity level 3, which a 32-bit one does not have', t => {
  const processors = (core: string): DtLiteral => ({
    '#address-cells': [2],
    '#size-cells': [0],
    'cpu@0': { device_type: 'cpu', compatible: core, reg: [0x12, 0x0034_5678] },
  });
  const v8 = plan(machine({ cpus: processors('arm,cortex-a53') }));
  t.is(v8.cpus[0]?.hwid, 0x12_0034_5678);
  const v7 = plan(machine({ cpus: processors('arm,cortex-a9') }));
  t.true((v7.cpus[0]?.hwid ?? 0) < 2 ** 24);
});
