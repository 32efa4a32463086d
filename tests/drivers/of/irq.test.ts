import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import { ofIrqFindParent, ofIrqParse, ofIrqs } from '../../../drivers/of/irq';
import type { DeviceTree } from '../../../drivers/of/tree';
import type { DtLiteral } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';

/** Controllers of one, three and two cells. */
const CONTROLLERS: DtLiteral = {
  'intc0: intc0': { 'interrupt-controller': true, '#interrupt-cells': [1] },
  'intc1: intc1': { 'interrupt-controller': true, '#interrupt-cells': [3] },
  'intc2: intc2': { 'interrupt-controller': true, '#interrupt-cells': [2] },
};

const treeOf = (more: DtLiteral): DeviceTree =>
  dt({ '#address-cells': [1], '#size-cells': [1], ...CONTROLLERS, ...more });

/** The interrupts of a device as text, each `controller<specifier>` or the kernel's error. */
const parsed = (tree: DeviceTree, path: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const result = ofIrqParse(nodeAt(tree, path), index, tree.phandles());
    if (!result.ok) return result.problem.errno;
    return `${result.value.node.name}<${result.value.args.join(' ')}>`;
  });

const of = (device: DtLiteral, count: number, more: DtLiteral = {}) =>
  parsed(treeOf({ ...more, device }), '/device', count);

/** The interrupt maps of the kernel's own tests. */
const MAP0: DtLiteral = {
  '#interrupt-cells': [1],
  '#address-cells': [0],
  'interrupt-map': [
    ...[1, ref('intc0'), 9],
    ...[2, ref('intc1'), 10, 11, 12],
    ...[3, ref('intc2'), 13, 14],
    ...[4, ref('intc2'), 15, 16],
  ],
};

const NEXUS: DtLiteral = {
  'map0: map0': MAP0,
  'map1: map1': { '#interrupt-cells': [2], 'interrupt-map': [0x5000, 1, 2, ref('intc0'), 15] },
};

test('interrupts are cut into specifiers by the interrupt parent', t => {
  const device = { 'interrupt-parent': [ref('intc0')], interrupts: [1, 2, 3, 4] };
  t.deepEqual(of(device, 5), ['intc0<1>', 'intc0<2>', 'intc0<3>', 'intc0<4>', 'EOVERFLOW']);
  const pairs = { 'interrupt-parent': [ref('intc2')], interrupts: [1, 2, 3] };
  t.deepEqual(of(pairs, 2), ['intc2<1 2>', 'EOVERFLOW']);
});

test('an interrupt map turns a specifier into one of another controller', t => {
  const device = { 'interrupt-parent': [ref('map0')], interrupts: [1, 2, 3, 4] };
  t.deepEqual(of(device, 4, NEXUS), [
    'intc0<9>',
    'intc1<10 11 12>',
    'intc2<13 14>',
    'intc2<15 16>',
  ]);
});

test('interrupts-extended names a controller for each, maps included', t => {
  const device = {
    reg: [0x5000, 0x100],
    'interrupts-extended': [
      ...[ref('intc0'), 1, ref('intc1'), 2, 3, 4, ref('intc2'), 5, 6],
      ...[ref('map0'), 1, ref('map0'), 2, ref('map0'), 3, ref('map1'), 1, 2],
    ],
  };
  t.deepEqual(of(device, 8, NEXUS), [
    ...['intc0<1>', 'intc1<2 3 4>', 'intc2<5 6>'],
    ...['intc0<9>', 'intc1<10 11 12>', 'intc2<13 14>', 'intc0<15>'],
    'EINVAL',
  ]);
});

test('interrupts-extended comes before interrupts, which serve for the entries it lacks', t => {
  const device = {
    'interrupts-extended': [ref('intc2'), 7, 8],
    'interrupt-parent': [ref('intc0')],
    interrupts: [1, 2],
  };
  t.deepEqual(of(device, 3), ['intc2<7 8>', 'intc0<2>', 'EOVERFLOW']);
});

test('the interrupt parent is the nearest that is named, or that has interrupt cells', t => {
  const tree = treeOf({
    'interrupt-parent': [ref('intc0')],
    soc: {
      plain: {},
      'own: own': { 'interrupt-parent': [ref('intc2')] },
      'gpio: gpio': { '#interrupt-cells': [2], child: {} },
      lost: { 'interrupt-parent': [99] },
    },
  });
  const parent = (path: string) => ofIrqFindParent(nodeAt(tree, path), tree.phandles())?.name;
  t.is(parent('/soc/plain'), 'intc0');
  t.is(parent('/soc/own'), 'intc2');
  t.is(parent('/soc/gpio/child'), 'gpio');
  t.is(parent('/soc/lost'), undefined);
  t.is(parent('/'), 'intc0');
});

test('a named parent without interrupt cells passes on to its own interrupt parent', t => {
  const more = { 'mid: mid': { 'interrupt-parent': [ref('intc1')] } };
  const device = { 'interrupt-parent': [ref('mid')], interrupts: [1, 2, 3] };
  t.deepEqual(of(device, 1, more), ['intc1<1 2 3>']);
});

test('a node with interrupt cells that is neither controller nor map hands the specifier up', t => {
  const more = {
    'mid: mid': { '#interrupt-cells': [1], '#address-cells': [0], 'interrupt-parent': [ref('up')] },
    'up: up': {
      '#interrupt-cells': [1],
      '#address-cells': [0],
      'interrupt-map': [5, ref('intc2'), 6, 7],
    },
    'dead: dead': { '#interrupt-cells': [1], 'interrupt-parent': [99] },
  };
  t.deepEqual(of({ 'interrupt-parent': [ref('mid')], interrupts: [5] }, 1, more), ['intc2<6 7>']);
  const deadEnd = { 'interrupt-parent': [ref('dead')], interrupts: [5] };
  t.deepEqual(of(deadEnd, 1, more), ['ENOENT']);
  const passing = { ...more, 'up: up': { 'interrupt-parent': [ref('intc0')] } };
  const device = { 'interrupt-parent': [ref('mid')], interrupts: [5] };
  t.deepEqual(of(device, 1, passing), ['mid<5>'], 'the first node is still the one named');
});

/** A PCI host whose four slots swizzle two interrupts. */
const HOST: DtLiteral = {
  'gic: gic': { 'interrupt-controller': true, '#interrupt-cells': [3], '#address-cells': [1] },
  pcie: {
    device_type: 'pci',
    '#address-cells': [3],
    '#size-cells': [2],
    '#interrupt-cells': [1],
    'interrupt-map-mask': [0xf800, 0, 0, 7],
    'interrupt-map': [
      ...[0x0000, 0, 0, 1, ref('gic'), 0xaa, 0, 143, 4],
      ...[0x0000, 0, 0, 2, ref('gic'), 0xaa, 0, 144, 4],
      ...[0x0800, 0, 0, 1, ref('gic'), 0xaa, 0, 145, 4],
    ],
    'slot@0,0': { reg: [0x0000, 1, 2, 0, 0], interrupts: [2] },
    'slot@1,3': { reg: [0x0b00, 0, 0, 0, 0], interrupts: [9] },
    'slot@2,0': { reg: [0x1000, 0, 0, 0, 0], interrupts: [1] },
  },
};

test("a map compares unit address and specifier under its mask, and skips the parent's address", t => {
  const tree = treeOf(HOST);
  t.deepEqual(parsed(tree, '/pcie/slot@0,0', 1), ['gic<0 144 4>']);
  t.deepEqual(parsed(tree, '/pcie/slot@1,3', 1), ['gic<0 145 4>'], 'function and pin are masked');
  t.deepEqual(parsed(tree, '/pcie/slot@2,0', 1), ['EINVAL']);
});

test('without a mask every bit counts', t => {
  const more = (specifier: number): DtLiteral => ({
    'map: map': {
      '#interrupt-cells': [1],
      '#address-cells': [1],
      'interrupt-map': [0x8000_0010, specifier, ref('intc0'), 3],
    },
  });
  const device = {
    reg: [0x8000_0010],
    'interrupt-parent': [ref('map')],
    interrupts: [0x8000_0001],
  };
  t.deepEqual(of(device, 1, more(0x8000_0001)), ['intc0<3>']);
  t.deepEqual(of(device, 1, more(1)), ['EINVAL']);
});

test('maps may follow one another, each with the address and specifier of the one before', t => {
  const more = {
    'a: a': {
      '#interrupt-cells': [1],
      '#address-cells': [0],
      'interrupt-map': [1, ref('b'), 0x44, 7, 8],
    },
    'b: b': {
      '#interrupt-cells': [2],
      '#address-cells': [1],
      'interrupt-map': [0x55, 7, 8, ref('intc0'), 1, 0x44, 7, 8, ref('intc0'), 2],
    },
  };
  t.deepEqual(of({ 'interrupt-parent': [ref('a')], interrupts: [1] }, 1, more), ['intc0<2>']);
});

test('an entry whose controller is disabled is passed over', t => {
  const more: DtLiteral = {
    'off: off': { 'interrupt-controller': true, '#interrupt-cells': [1], status: 'disabled' },
    'map: map': {
      '#interrupt-cells': [1],
      '#address-cells': [0],
      'interrupt-map': [1, ref('off'), 5, 1, ref('intc0'), 6, 2, ref('off'), 7],
    },
  };
  const device = { 'interrupt-parent': [ref('map')], interrupts: [1, 2] };
  t.deepEqual(of(device, 2, more), ['intc0<6>', 'EINVAL']);
});

test("an entry that leads to the map's own node is the end", t => {
  const more = {
    'self: self': {
      '#interrupt-cells': [1],
      '#address-cells': [0],
      'interrupt-map': [1, ref('self'), 5],
    },
  };
  t.deepEqual(of({ 'interrupt-parent': [ref('self')], interrupts: [1] }, 1, more), ['self<5>']);
});

test('a controller with a map is a nexus, except those that read their map themselves', t => {
  const controller = (compatible: string): DtLiteral => ({
    'both: both': {
      compatible,
      'interrupt-controller': true,
      '#interrupt-cells': [1],
      '#address-cells': [0],
      'interrupt-map': [1, ref('intc0'), 5],
    },
  });
  const device = { 'interrupt-parent': [ref('both')], interrupts: [1] };
  t.deepEqual(of(device, 1, controller('acme,intc')), ['intc0<5>']);
  t.deepEqual(of(device, 1, controller('fsl,ls1021a-extirq')), ['both<1>']);
});

test('without #address-cells anywhere a map has two, looked for upwards from its node', t => {
  const map = (...cells: number[]): DtLiteral => ({
    'm: m': { '#interrupt-cells': [1], 'interrupt-map': [...cells, 1, ref('i'), 4] },
    'i: i': { 'interrupt-controller': true, '#interrupt-cells': [1] },
    device: { reg: [7, 8], 'interrupt-parent': [ref('m')], interrupts: [1] },
  });
  t.deepEqual(parsed(dt(map(7, 8)), '/device', 1), ['i<4>']);
  t.deepEqual(parsed(dt({ '#address-cells': [1], ...map(7) }), '/device', 1), ['i<4>']);
  const three = dt({ '#address-cells': [4], ...map(7, 8, 0, 0) });
  t.deepEqual(parsed(three, '/device', 1), ['i<4>'], 'cells the device lacks are 0');
  const long = map(7, 8, 9, 0);
  const device = { reg: [7, 8, 9, 10], 'interrupt-parent': [ref('m')], interrupts: [1] };
  const four = dt({ '#address-cells': [4], ...long, device });
  t.deepEqual(parsed(four, '/device', 1), ['i<4>'], 'no more than three count');
});

test("what cannot be followed has the kernel's error", t => {
  const map = (...cells: (number | ReturnType<typeof ref>)[]): DtLiteral => ({
    'm: m': { '#interrupt-cells': [1], '#address-cells': [0], 'interrupt-map': cells },
    'mute: mute': {},
  });
  const device = { 'interrupt-parent': [ref('m')], interrupts: [1] };
  t.deepEqual(of(device, 1, map(1, 99, 5)), ['EINVAL'], 'no such node');
  t.deepEqual(of(device, 1, map(1, ref('mute'), 5)), ['EINVAL'], 'no interrupt cells');
  t.deepEqual(of(device, 1, map(1, ref('intc1'), 5)), ['EINVAL'], 'too few cells');
  t.deepEqual(of(device, 1, map(1, ref('intc0'))), ['EINVAL'], 'a map cut short');
  const huge = { 'huge: huge': { '#interrupt-cells': [9], '#address-cells': [8] } };
  const cells = [1, ref('huge'), ...Array<number>(17).fill(0)];
  t.deepEqual(of(device, 1, { ...map(...cells), ...huge }), ['EINVAL'], 'too many cells');
  t.deepEqual(of({}, 1), ['EINVAL'], 'no interrupts');
  t.deepEqual(parsed(dt({ device: { interrupts: [1] } }), '/device', 1), ['EINVAL'], 'no parent');
  const wide = { 'w: w': { '#interrupt-cells': [4], '#address-cells': [13] } };
  const many = { 'interrupt-parent': [ref('w')], interrupts: [1, 2, 3, 4] };
  t.deepEqual(of(many, 1, wide), ['EFAULT'], 'more cells than a specifier can have');
});

test('all interrupts of a device are listed up to the first that cannot be read', t => {
  const tree = treeOf({
    device: { 'interrupts-extended': [ref('intc0'), 1, ref('intc2'), 2, 3, 99, 1] },
    silent: {},
  });
  const list = (path: string) => ofIrqs(nodeAt(tree, path), tree.phandles());
  t.deepEqual(
    list('/device').map(({ node }) => node.name),
    ['intc0', 'intc2'],
  );
  t.deepEqual(list('/silent'), []);
});

const about = (place: string, property: string) => ({
  instanceOf: InputError,
  message: new RegExp(`^${place}: property '${property}'`),
});

test('interrupt parents in a circle, in which Linux would stay, are an InputError', t => {
  const circle = {
    'a: a': { 'interrupt-parent': [ref('b')] },
    'b: b': { 'interrupt-parent': [ref('a')] },
  };
  const device = { 'interrupt-parent': [ref('a')], interrupts: [1] };
  t.throws(() => of(device, 1, circle), about('/a', 'interrupt-parent'));
});

test('interrupt maps in a circle, in which Linux would stay, are an InputError', t => {
  const hop = (to: string): DtLiteral => ({
    '#interrupt-cells': [1],
    '#address-cells': [0],
    'interrupt-map': [1, ref(to), 1],
  });
  const device = { 'interrupt-parent': [ref('a')], interrupts: [1] };
  t.throws(
    () => of(device, 1, { 'a: a': hop('b'), 'b: b': hop('a') }),
    about('/a', 'interrupt-map'),
  );
});

test('a mask shorter than what it masks is an InputError', t => {
  const more: DtLiteral = { 'map0: map0': { ...MAP0, 'interrupt-map-mask': true } };
  const device = { 'interrupt-parent': [ref('map0')], interrupts: [1] };
  t.throws(() => of(device, 1, more), about('/map0', 'interrupt-map-mask'));
});

test('interrupts of no cells, of which there are endlessly many, are an InputError', t => {
  const tree = treeOf({
    'none: none': { 'interrupt-controller': true, '#interrupt-cells': [0] },
    device: { 'interrupt-parent': [ref('none')], interrupts: [1] },
  });
  const list = () => ofIrqs(nodeAt(tree, '/device'), tree.phandles());
  t.throws(list, about('/none', '#interrupt-cells'));
});

test('interrupts that are not whole cells are an InputError', t => {
  const device = { 'interrupt-parent': [ref('intc0')], interrupts: new Uint8Array(3) };
  t.throws(() => of(device, 1), about('/device', 'interrupts'));
});
