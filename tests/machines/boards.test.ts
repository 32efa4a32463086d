import test from 'ava';
import type { ExecutionContext } from 'ava';
import { InputError } from '../../drivers/base/types/errors';
import type { InputProblem } from '../../drivers/base/types/errors';
import { boardNames, loadBoard } from '../../machines/boards';
import { describeDma } from '../../machines/describe';
import type { DescribedDma } from '../../machines/describe';
import type { DevicePlan } from '../../machines/plan-devices';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { ofResources } from '../../drivers/of/address';
import { ofIrqs } from '../../drivers/of/irq';
import type { DeviceTree } from '../../drivers/of/tree';
import { BOARD_FOLDER, boardFolder } from '../support/board-folder';
import { onBoard } from '../support/boards';

const plan = (tree: DeviceTree): MachinePlan => planMachine(tree, { memory: null, quirks: [] });

const own = (board: string): MachinePlan => plan(loadBoard(board, BOARD_FOLDER));

const BOARDS = [
  'am335x',
  'armada-388',
  'beagle-xm',
  'highbank',
  'hip07',
  'imx6q-sabresd',
  'imx8mm',
  'iommus',
  'juno',
  'mixed',
  'n810',
  'odroid-u3',
  'pandaboard',
  'rpi-4',
  'rpi-b',
  'stm32mp1',
  'versatile-pb',
  'vexpress-a15',
  'virt',
];

test('the folder has the boards that it should', t => {
  t.deepEqual(boardNames(BOARD_FOLDER), BOARDS);
});

/** What there is to note of a board: not assumptions, but what is special about its tree. */
const NOTES: Readonly<Record<string, readonly string[]>> = {
  imx8mm: [
    '/soc@0: dma-ranges ignored by the gap rule (3 devices, /soc@0/bus@30800000/bus@30800000/serial@30860000 the first)',
  ],
};

for (const board of BOARDS) {
  test(`${board} is understood without assumptions`, t => {
    const { notes, memory, cpus } = own(board);
    t.deepEqual(notes, NOTES[board] ?? []);
    t.true(memory.banks.every(({ from }) => !from.startsWith('assumed')));
    t.true(cpus.every(({ coreFrom, path }) => path !== null && !coreFrom.startsWith('assumed')));
  });

  test(`${board} has a copy engine in a hole of its own, on a line of its own`, t => {
    const { tree, phandles, devices, memory } = own(board);
    const engines = devices.filter(({ matched }) => matched === 'dmabench,copy-engine');
    t.is(engines.length, 1);
    const [engine] = engines;
    const [window] = engine?.device.resources ?? [];
    t.is(window?.size, 0x1000n);
    const start = window?.start ?? 0n;
    const taken = [
      ...memory.banks.map(({ base, size }) => ({ start: base, size })),
      ...devices
        .filter(({ device }) => device !== engine?.device && !isBus(device.node.name))
        .flatMap(({ device }) => device.resources),
    ];
    const overlapping = taken.filter(
      range => range.start < start + 0x1000n && start < range.start + range.size,
    );
    t.deepEqual(overlapping, []);
    const lines = [...tree.root.walk()].flatMap(node =>
      ofIrqs(node, phandles).map(({ node: controller, args }) => ({ node, controller, args })),
    );
    const mine = lines.filter(({ node }) => node === engine?.device.node);
    t.is(mine.length, 1);
    t.is(mine[0]?.controller, phandles.get(tree.root.u32('interrupt-parent') ?? -1));
    const others = lines.filter(
      ({ node, controller, args }) =>
        node !== engine?.device.node &&
        controller === mine[0]?.controller &&
        args.slice(0, 2).join() === mine[0].args.slice(0, 2).join(),
    );
    t.deepEqual(others, []);
  });
}

const isBus = (name: string): boolean => /^(bus|ocp|soc|crypto)@/.test(name);

interface Tuple extends Omit<DescribedDma, 'from' | 'iommus' | 'domain'> {
  readonly iommus: readonly string[];
}

/** What a device's DMA looks like, without how the tree says it. */
const tupleOf = (machine: MachinePlan, facts: DevicePlan['effective']): Tuple => {
  const { coherent, ranges, busDmaLimit, mask, iommus } = describeDma(facts, machine);
  const startOf = (path: string): string => {
    const found = machine.devices.find(({ device }) => device.node.path === path);
    return (found?.device.resources[0]?.start ?? 0n).toString(16);
  };
  return {
    coherent,
    ranges,
    busDmaLimit,
    mask,
    iommus: iommus.map(({ path, args }) => `${startOf(path)}<${args.join(' ')}>`),
  };
};

/** The device at the same address that is compatible with something that this one is, too. */
const counterpart = ({ device }: DevicePlan, real: MachinePlan): DevicePlan | undefined => {
  const [window] = device.resources;
  return real.devices.find(
    other =>
      other.device.resources[0]?.start === window?.start &&
      other.device.compatible.some(name => device.compatible.includes(name)),
  );
};

/** Own board and the real one's tree. */
const REAL: readonly (readonly [string, string])[] = [
  ['am335x', 'armhf/am335x-boneblack'],
  ['armada-388', 'armhf/armada-388-clearfog'],
  ['beagle-xm', 'armhf/omap3-beagle-xm'],
  ['highbank', 'armhf/highbank'],
  ['hip07', 'arm64/hip07-d05'],
  ['imx6q-sabresd', 'armhf/imx6q-sabresd'],
  ['imx8mm', 'arm64/imx8mm-venice-gw7902'],
  ['juno', 'arm64/juno-r1-scmi'],
  ['odroid-u3', 'armhf/exynos4412-odroidu3'],
  ['pandaboard', 'armhf/omap4-panda-es'],
  ['rpi-4', 'armhf/bcm2711-rpi-4-b'],
  ['rpi-b', 'armhf/bcm2835-rpi-b'],
  ['stm32mp1', 'armhf/stm32mp157c-dk2'],
  ['vexpress-a15', 'armhf/vexpress-v2p-ca15-tc1'],
];

for (const [board, real] of REAL) {
  onBoard(real, `${board} gives each device the DMA that the real tree gives it`, (t, tree) => {
    const mine = own(board);
    const theirs = plan(tree);
    const missing: string[] = [];
    for (const device of mine.devices) {
      if (device.device.compatible.some(name => name.startsWith('dmabench,'))) continue;
      const { path } = device.device.node;
      const other = counterpart(device, theirs);
      if (other === undefined) {
        missing.push(path);
        continue;
      }
      t.deepEqual(tupleOf(mine, device.tree), tupleOf(theirs, other.tree), path);
      t.deepEqual(tupleOf(mine, device.effective), tupleOf(theirs, other.effective), path);
      t.is(device.function === null, other.function === null, path);
      if (device.function === null || other.function === null) continue;
      t.deepEqual(tupleOf(mine, device.function), tupleOf(theirs, other.function), path);
    }
    t.deepEqual(missing, []);
  });

  onBoard(real, `the copy engine of ${board} is where the real tree has nothing`, (t, tree) => {
    const mine = own(board);
    const engine = mine.devices.find(({ matched }) => matched === 'dmabench,copy-engine');
    const start = engine?.device.resources[0]?.start ?? 0n;
    const phandles = tree.phandles();
    const [line] = engine === undefined ? [] : ofIrqs(engine.device.node, mine.phandles);
    for (const node of tree.root.walk()) {
      if (!node.has('compatible')) continue;
      const isThere = ofResources(node).some(
        range =>
          range.size < 0x10_0000n &&
          range.start < start + 0x1000n &&
          start < range.start + range.size,
      );
      t.false(isThere, node.path);
      const lines = ofIrqs(node, phandles).map(({ args }) => args.slice(0, 2).join(' '));
      t.false(lines.includes(line?.args.slice(0, 2).join(' ') ?? ''), node.path);
    }
  });

  onBoard(real, `${board} has the cores, caches and pools of the real tree`, (t, tree) => {
    const mine = own(board);
    const theirs = plan(tree);
    const shape = ({ core, l1d, l2 }: MachinePlan['cpus'][number]): unknown => [
      core.name,
      l1d?.geometry,
      l2?.geometry,
    ];
    const cpus = theirs.cpus.slice(0, mine.cpus.length);
    t.deepEqual(mine.cpus.map(shape), cpus.map(shape));
    t.deepEqual(mine.outer?.plan.geometry, theirs.outer?.plan.geometry);
    t.is(mine.outer?.cache.registers?.start, theirs.outer?.cache.registers?.start);
    t.is(mine.outer?.cache.registers?.size, theirs.outer?.cache.registers?.size);
    t.deepEqual(controlOf(mine), controlOf(theirs));
    // Of the i.MX 8M Mini the corpus has another board.
    if (board === 'imx8mm') return;
    const pools = (machine: MachinePlan): unknown[] =>
      machine.memory.reserved.regions
        .map(({ kind, size, cmaDefault }) => `${kind} ${size}${cmaDefault ? ' default' : ''}`)
        .sort();
    t.deepEqual(pools(mine), pools(theirs));
  });
}

/** What the tree says of how the outer cache behaves. */
const controlOf = ({ outer }: MachinePlan): unknown[] =>
  [...(outer?.cache.control ?? [])].map(([name, { value }]) => `${name} ${value.join(' ')}`).sort();

const directly = {
  coherent: false,
  ranges: [],
  busDmaLimit: null,
  mask: '0xffffffff',
  iommus: [],
};

test('versatile-pb: nothing stands between its masters and memory', t => {
  const machine = own('versatile-pb');
  t.deepEqual(
    machine.cpus.map(({ core, l1d }) => `${core.name} ${l1d?.indexing ?? ''}`),
    ['arm926ej-s vivt'],
  );
  t.true(machine.devices.length > 12);
  for (const { effective } of machine.devices) t.deepEqual(tupleOf(machine, effective), directly);
});

test('n810: one core whose data cache aliases, and nothing else of note', t => {
  const machine = own('n810');
  t.deepEqual(
    machine.cpus.map(({ core, l1d }) => [core.name, l1d?.indexing, l1d?.geometry]),
    [['arm1136jf-s', 'vipt', { size: 0x8000, ways: 4, line: 32 }]],
  );
  t.true(machine.devices.length > 8);
  for (const { effective } of machine.devices) t.deepEqual(tupleOf(machine, effective), directly);
});

test('virt: all that masters memory is coherent, and PCI functions are', t => {
  const machine = own('virt');
  t.deepEqual(
    machine.cpus.map(({ core }) => core.name),
    ['cortex-a53', 'cortex-a53'],
  );
  t.true(machine.devices.length > 8);
  for (const { effective, function: pci } of machine.devices) {
    t.deepEqual(tupleOf(machine, effective), { ...directly, coherent: true });
    if (pci !== null) t.deepEqual(tupleOf(machine, pci), { ...directly, coherent: true });
  }
  t.is(machine.devices.filter(device => device.function !== null).length, 1);
});

test('rpi-b: its cache of 16 KiB in four ways does not alias', t => {
  const [cpu] = own('rpi-b').cpus;
  t.like(cpu?.l1d, { indexing: 'vipt', geometry: { size: 0x4000, ways: 4, line: 32 } });
});

test('rpi-4: memory that its masters do not all reach, so a small ZONE_DMA', t => {
  const { facts, memory } = own('rpi-4');
  t.is(facts.dmaZoneLimit, 0x3fff_ffff);
  t.true(memory.banks.some(({ base, size }) => base + size > 0xc000_0000n));
});

test('hip07: some of its memory lies beyond 64 GiB', t => {
  t.true(own('hip07').memory.banks.some(({ base }) => base > 2n ** 36n));
});

test('armada-388: the kernel makes coherent what the tree does not', t => {
  const machine = own('armada-388');
  t.true(machine.devices.every(({ tree }) => !tree.dma.coherent));
  t.true(machine.devices.every(({ effective }) => effective.dma.coherent));
  t.true(machine.facts.outerIoCoherent);
});

const problemOf = (t: ExecutionContext, make: () => unknown): InputProblem => {
  const error = t.throws(make, { instanceOf: InputError });
  t.true(error instanceof InputError);
  return error.problem;
};

test('a board that there is not is answered with the names of those there are', t => {
  const files = boardFolder({ 'b.dts': '/dts-v1/; / { };', 'a.dts': '', 'soc/c.dts': '' });
  t.deepEqual(boardNames(files), ['a', 'b']);
  for (const name of ['c', 'b.dts', 'soc/c', '../b', '']) {
    const problem = problemOf(t, () => loadBoard(name, files));
    t.is(problem.place, name);
    t.is(problem.expected, 'a board: a, b');
  }
});

test('a board includes what lies below the folder, by names relative to the includer', t => {
  const files = boardFolder({
    'a.dts': '/dts-v1/; /include/ "soc/x.dtsi"',
    'soc/x.dtsi': '/include/ "./deep/y.dtsi"\n/include/ "../top.dtsi"',
    'soc/deep/y.dtsi': '/ { y; };',
    'top.dtsi': '/ { top; };',
  });
  const { root } = loadBoard('a', files);
  t.deepEqual([...root.properties.keys()], ['y', 'top']);
});

for (const name of ['../outside.dtsi', '/etc/passwd', 'soc/../../outside.dtsi', 'missing.dtsi']) {
  test(`a board does not include ${name}`, t => {
    const read: string[] = [];
    const files = {
      list: () => ['a.dts'],
      read: (file: string) => {
        read.push(file);
        return file === 'a.dts' ? `/dts-v1/;\n/include/ "${name}"` : undefined;
      },
    };
    const problem = problemOf(t, () => loadBoard('a', files));
    t.regex(problem.place, /^a\.dts:2:/);
    t.deepEqual(read, name === 'missing.dtsi' ? ['a.dts', name] : ['a.dts']);
  });
}
