import fc from 'fast-check';
import test from 'ava';
import { BenchError, InputError } from '../../../drivers/base/types/errors';
import {
  ofGetAddress,
  ofRanges,
  ofResources,
  ofTranslateAddress,
  ofTranslateDmaAddress,
} from '../../../drivers/of/address';
import {
  IORESOURCE_IO,
  IORESOURCE_MEM,
  IORESOURCE_MEM_64,
  IORESOURCE_PREFETCH,
  ofBusNAddrCells,
  ofBusNSizeCells,
  ofMatchBus,
  ofNAddrCells,
  ofNSizeCells,
} from '../../../drivers/of/bus';
import { ofReadNumber } from '../../../drivers/of/property';
import { addressTree } from '../../support/address-tree';
import type { DtLiteral } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';

/** An InputError about one property of one node. */
const about = (place: string, property: string) => ({
  instanceOf: InputError,
  message: new RegExp(`^${place}: property '${property}'`),
});

const tree = addressTree();
const at = (path: string) => nodeAt(tree, path);
const phandles = tree.phandles();

test('the windows of a bus come in written order with their CPU addresses', t => {
  t.deepEqual(ofRanges(at('/soc'), 'ranges', phandles), [
    { flags: IORESOURCE_MEM, busAddr: 0x7000_0000n, cpuAddr: 0x7000_0000n, size: 0x5000_0000n },
    { flags: IORESOURCE_MEM, busAddr: 0n, cpuAddr: 0xd000_0000n, size: 0x2000_0000n },
  ]);
});

test('on a bus with three address cells the first is flags and no address', t => {
  t.deepEqual(ofRanges(at('/soc/flags@a0000000'), 'ranges', phandles), [
    { flags: 0xf0_0baa, busAddr: 0n, cpuAddr: 0xa000_0000n, size: 0x10_0000n },
    { flags: 0xf0_0bee, busAddr: 0x1_0000_0000n, cpuAddr: 0xb000_0000n, size: 0x20_0000n },
  ]);
});

test('the inbound windows of a PCI host go through the dma-ranges above it, not its ranges', t => {
  const flags = IORESOURCE_MEM | IORESOURCE_PREFETCH;
  t.deepEqual(ofRanges(at('/soc/pci@90000000'), 'dma-ranges', phandles), [
    { flags, busAddr: 0x8000_0000n, cpuAddr: 0x2000_0000n, size: 0x1000_0000n },
    { flags, busAddr: 0xc000_0000n, cpuAddr: 0x4000_0000n, size: 0x1000_0000n },
  ]);
});

test('a register address goes through every ranges above it', t => {
  const device = at('/soc/wide@80000000/device@1000');
  t.is(ofTranslateAddress(device, [0, 0x1000]), 0x8000_1000n);
  t.is(ofTranslateAddress(device, [0, 0x10_0000]), undefined, 'one byte beyond the window');
  t.is(ofTranslateAddress(device, [1, 0]), undefined);
});

test('a DMA address goes through every dma-ranges above it', t => {
  const device = at('/soc/wide@80000000/device@1000');
  t.is(ofTranslateDmaAddress(device, [1, 0x5000], phandles), 0x2000_5000n);
  t.is(ofTranslateDmaAddress(device, [0, 0], phandles), undefined, 'below the window');
});

test('a flags cell must be equal to that of the window', t => {
  t.is(ofResources(at('/soc/flags@a0000000/device@f00bad,0')).length, 0);
  const { cells } = ofGetAddress(at('/soc/flags@a0000000/device@f00bee,100001000'), 0) ?? {};
  const device = at('/soc/flags@a0000000/device@f00bee,100001000');
  t.is(ofTranslateAddress(device, cells ?? []), 0xb000_1000n);
  t.is(ofTranslateAddress(device, [0xf0_0bee, 2, 0x1000]), undefined, 'high cells count');
});

test('cell counts are looked for upwards, and are 1 if nobody says', t => {
  const cells = dt({
    '#address-cells': [2],
    a: { '#size-cells': [3], b: { c: { '#address-cells': [1] } } },
  });
  t.is(ofBusNAddrCells(nodeAt(cells, '/a/b')), 2);
  t.is(ofBusNSizeCells(nodeAt(cells, '/a/b')), 3);
  t.is(ofNAddrCells(nodeAt(cells, '/a/b/c')), 2, "the node's own count is for its children");
  t.is(ofNSizeCells(nodeAt(cells, '/a')), 1);
  t.is(ofNAddrCells(cells.root), 2, 'the root is its own parent');
});

const busBelow = (bus: DtLiteral, device: DtLiteral = { reg: [0x10, 4] }): DtLiteral => ({
  '#address-cells': [1],
  '#size-cells': [1],
  bus: { '#address-cells': [1], '#size-cells': [1], ...bus, device },
});

const resourcesOf = (root: DtLiteral) => ofResources(nodeAt(dt(root), '/bus/device'));

test('a bus without ranges hides its devices from the CPU; empty ranges pass them through', t => {
  t.deepEqual(resourcesOf(busBelow({})), []);
  t.is(resourcesOf(busBelow({ ranges: true }))[0]?.start, 0x10n);
});

test('a bus without dma-ranges passes DMA addresses through, as one with empty ones does', t => {
  for (const bus of [{}, { 'dma-ranges': true as const }]) {
    const below = dt(busBelow(bus));
    t.is(ofTranslateDmaAddress(nodeAt(below, '/bus/device'), [0x10], new Map()), 0x10n);
  }
});

test('addresses below a bus without size cells are no CPU addresses', t => {
  const i2c = dt(busBelow({ '#size-cells': [0], ranges: true }, { reg: [0x50] }));
  const device = nodeAt(i2c, '/bus/device');
  t.deepEqual(ofGetAddress(device, 0), { cells: [0x50], size: 0n, flags: IORESOURCE_MEM });
  t.is(ofTranslateAddress(device, [0x50]), undefined);
});

test('absurd cell counts do not translate', t => {
  for (const count of [0, 5, 0xffff_ffff]) {
    const wide = dt(busBelow({ '#address-cells': [count], ranges: [0, 0, 0, 0, 0, 0, 9] }));
    t.is(ofGetAddress(nodeAt(wide, '/bus/device'), 0), undefined, `${count}`);
    t.is(ofTranslateAddress(nodeAt(wide, '/bus/device'), [0]), undefined, `${count}`);
  }
  const sizes = dt(busBelow({ '#size-cells': [0xffff_ffff], ranges: [0, 0, 9] }));
  t.is(ofTranslateAddress(nodeAt(sizes, '/bus/device'), [0]), undefined);
});

test('a window is found by value to 2^64, but one whose end wraps contains nothing', t => {
  const wide = (size: bigint) =>
    dt({
      '#address-cells': [2],
      '#size-cells': [2],
      bus: { ranges: [0xffff_ffff_0000_0000n, 0x8000_0000_0000_0000n, size], device: {} },
    });
  const high = [0xffff_ffff, 0xffff_fffe];
  t.is(ofTranslateAddress(nodeAt(wide(0xffff_ffffn), '/bus/device'), high), 0x8000_0000_ffff_fffen);
  t.is(ofTranslateAddress(nodeAt(wide(0x1_0000_0000n), '/bus/device'), high), undefined);
});

test('of a number in more than two cells the low 64 bits count, so a size of 2^64 is 0', t => {
  t.is(ofReadNumber([1, 0, 0], 0, 3), 0n);
  t.is(ofReadNumber([1, 2, 3, 4], 0, 4), 0x3_0000_0004n);
  t.is(ofReadNumber([7], 1, 0), 0n);
  t.is(ofReadNumber([0xffff_ffff, 0xffff_ffff], 0, 2), 0xffff_ffff_ffff_ffffn);
});

test('the first window that contains an address is used', t => {
  const overlapping = busBelow({ ranges: [0, 0x100, 0x8, 0x10, 0x200, 0x10, 0, 0x300, 0x100] });
  t.is(resourcesOf(overlapping)[0]?.start, 0x200n);
});

test('cells at the end of ranges that make no window are left out', t => {
  t.deepEqual(resourcesOf(busBelow({ ranges: [0x100, 0, 8, 0, 0x1000] })), []);
});

test('cells at the end of reg that make no entry are left out', t => {
  const resources = resourcesOf(busBelow({ ranges: true }, { reg: [0x10, 4, 0x20] }));
  t.deepEqual(
    resources.map(({ start, size }) => [start, size]),
    [[0x10n, 4n]],
  );
});

test('a resource has the name reg-names gives it, else its node name', t => {
  const device = { reg: [0, 4, 8, 4], 'reg-names': ['control'] };
  const names = resourcesOf(busBelow({ ranges: true }, device)).map(({ name }) => name);
  t.deepEqual(names, ['control', 'device']);
});

test('the resources of a device end at the first that does not translate', t => {
  const device = { reg: [0x10, 4, 0x900, 4, 0x20, 4] };
  t.is(resourcesOf(busBelow({ ranges: [0, 0, 0x100] }, device)).length, 1);
});

test('a negative index or the root has no address', t => {
  const one = dt({ reg: [1, 2], bus: { reg: [0, 1] } });
  t.is(ofGetAddress(nodeAt(one, '/bus'), -1), undefined);
  t.is(ofGetAddress(one.root, 0), undefined);
  t.is(ofTranslateAddress(one.root, [1]), undefined);
});

const pciTree = dt({
  '#address-cells': [1],
  '#size-cells': [1],
  'pcie@40000000': {
    '#address-cells': [3],
    '#size-cells': [2],
    ranges: [
      ...[0x0100_0000, 0n, 0x4f00_0000, 0x1_0000n],
      ...[0x0200_0000, 0x5000_0000n, 0x5000_0000, 0x1000_0000n],
      ...[0x0300_0000, 0x8_0000_0000n, 0x6000_0000, 0x1000_0000n],
    ],
    'ethernet@1,0': {
      reg: [0x800, 0n, 0n],
      'assigned-addresses': [
        ...[0x8200_0810, 0x5000_2000n, 0x2000n],
        ...[0x8100_0814, 0x100n, 0x20n],
        ...[0xc300_0818, 0x8_0000_4000n, 0x4000n],
      ],
    },
  },
});

test('a node called pcie is a PCI bus even without device_type', t => {
  t.is(ofMatchBus(nodeAt(pciTree, '/pcie@40000000')).name, 'pci');
  t.is(ofMatchBus(nodeAt(dt({ p: { device_type: 'pciex' } }), '/p')).name, 'pci');
  t.is(ofMatchBus(nodeAt(dt({ p: { device_type: 'memory' } }), '/p')).name, 'default');
});

test('a PCI function has its addresses in assigned-addresses', t => {
  const function0 = nodeAt(pciTree, '/pcie@40000000/ethernet@1,0');
  const bar = [0, 1, 2, 3]
    .map(index => ofGetAddress(function0, index))
    .find(address => ((address?.cells[0] ?? 0) & 0xff) === 0x18);
  t.deepEqual(bar?.size, 0x4000n);
  t.is(bar?.flags, IORESOURCE_MEM | IORESOURCE_MEM_64 | IORESOURCE_PREFETCH);
  t.is(ofTranslateAddress(function0, bar?.cells ?? []), 0x6000_4000n);
});

test('a PCI memory address is never found in an I/O window, and I/O is no memory resource', t => {
  const function0 = nodeAt(pciTree, '/pcie@40000000/ethernet@1,0');
  t.is(ofTranslateAddress(function0, [0x0200_0000, 0, 0x100]), undefined);
  t.is(ofTranslateAddress(function0, [0x0100_0000, 0, 0x100]), 0x4f00_0100n);
  t.is(ofTranslateAddress(function0, [0x0300_0000, 0, 0x5000_0000]), 0x5000_0000n, '32 or 64 bit');
  t.is(ofGetAddress(function0, 1)?.flags, IORESOURCE_IO);
  t.deepEqual(
    ofResources(function0).map(({ start }) => start),
    [0x5000_2000n],
    'up to the first that is no memory',
  );
});

test('on an ISA bus the low bit of the first cell tells I/O from memory', t => {
  const isa = dt({
    '#address-cells': [1],
    '#size-cells': [1],
    isa: {
      ranges: [1, 0, 0x1000_0000, 0x400, 0, 0, 0x2000_0000, 0x400],
      device: { reg: [0, 0x60, 4] },
      ports: { reg: [1, 0x60, 4] },
    },
  });
  t.is(ofResources(nodeAt(isa, '/isa/device'))[0]?.start, 0x2000_0060n);
  t.is(ofTranslateAddress(nodeAt(isa, '/isa/ports'), [1, 0x60]), 0x1000_0060n);
  t.deepEqual(ofResources(nodeAt(isa, '/isa/ports')), []);
});

test('empty ranges hand the flags cell on to a parent bus that has one', t => {
  const nested = dt({
    '#address-cells': [1],
    '#size-cells': [1],
    outer: {
      '#address-cells': [3],
      '#size-cells': [1],
      ranges: [7, 0n, 0x4000_0000, 0x1000],
      inner: { ranges: true, device: { reg: [7, 0x20n, 4] } },
    },
  });
  t.is(ofTranslateAddress(nodeAt(nested, '/outer/inner/device'), [7, 0, 0x20]), 0x4000_0020n);
  t.is(ofTranslateAddress(nodeAt(nested, '/outer/inner/device'), [6, 0, 0x20]), undefined);
});

test('windows that continue each other are one, unless their flags differ', t => {
  const bus = (ranges: readonly number[]) =>
    dt(busBelow({ '#address-cells': [1], 'dma-ranges': [...ranges] }));
  const sizes = (ranges: readonly number[]) =>
    ofRanges(nodeAt(bus(ranges), '/bus'), 'dma-ranges', new Map())?.map(({ size }) => size);
  t.deepEqual(sizes([0, 0x100, 0x10, 0x10, 0x110, 0x20]), [0x30n]);
  t.deepEqual(sizes([0, 0x100, 0x10, 0x10, 0x120, 0x20]), [0x10n, 0x20n], 'a hole for the CPU');
  t.deepEqual(sizes([0, 0x100, 0x10, 0x18, 0x110, 0x20]), [0x10n, 0x20n], 'a hole on the bus');
  const flagged = dt({
    '#address-cells': [1],
    '#size-cells': [1],
    bus: { '#address-cells': [3], ranges: [1, 0n, 0, 0x10, 2, 0x10n, 0x10, 0x10] },
  });
  t.is(ofRanges(nodeAt(flagged, '/bus'), 'ranges', new Map())?.length, 2);
});

test("dma-ranges of the root itself do not translate, for want of the root's parent", t => {
  const root = dt({ 'dma-ranges': [0, 0x4000_0000, 0x1000] });
  t.is(ofRanges(root.root, 'dma-ranges', new Map())?.[0]?.cpuAddr, undefined);
  t.is(ofRanges(root.root, 'ranges', new Map()), undefined);
});

test('a property that is not whole cells is an InputError at its node', t => {
  const ragged = new Uint8Array(6);
  t.throws(() => resourcesOf(busBelow({ ranges: ragged })), about('/bus', 'ranges'));
  t.throws(
    () => resourcesOf(busBelow({ ranges: true }, { reg: ragged })),
    about('/bus/device', 'reg'),
  );
  t.throws(
    () => resourcesOf(busBelow({ ranges: true, '#address-cells': true })),
    about('/bus', '#address-cells'),
  );
});

test('an address of too few cells, which Linux would read past the end of, does not translate', t => {
  const device = at('/soc/wide@80000000/device@1000');
  t.is(ofTranslateAddress(device, [0x1000]), undefined);
});

test('windows of a bus below PCI that are written in too few cells are read on from', t => {
  const below = (ranges: readonly number[]): DtLiteral => ({
    '#address-cells': [2],
    '#size-cells': [1],
    'pcie@0': {
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: true,
      bus: { '#address-cells': [1], '#size-cells': [1], 'dma-ranges': [...ranges] },
    },
  });
  const windowsOf = (...ranges: number[]) =>
    ofRanges(nodeAt(dt(below(ranges)), '/pcie@0/bus'), 'dma-ranges', new Map());
  // A PCI address has three cells: the one that is written, the size, and the next entry's first.
  t.like(windowsOf(0x10, 0x0200_0000, 0, 0x4000_0000), [
    { busAddr: 0x10n, cpuAddr: 0x4000_0000n, size: 0n },
  ]);
  t.like(windowsOf(0x10, 0x0200_0000, 0x1000), [
    { busAddr: 0x10n, cpuAddr: undefined, size: 0x1000n },
  ]);
});

test('windows of no cells at all, at which Linux would stay, are an InputError', t => {
  const none = dt({
    '#address-cells': [0],
    '#size-cells': [0],
    bus: { 'dma-ranges': [1, 2, 3] },
    'pcie@0': { 'dma-ranges': [1, 2, 3] },
  });
  for (const path of ['/bus', '/pcie@0']) {
    t.throws(
      () => ofRanges(nodeAt(none, path), 'dma-ranges', new Map()),
      about(path, '#address-cells'),
    );
  }
});

test('cells beyond their property are never read', t => {
  t.throws(() => ofReadNumber([1, 2], 1, 2), { instanceOf: BenchError });
  t.throws(() => ofReadNumber([1, 2], 1, -1), { instanceOf: BenchError });
});

test('more windows than any bus has are an InputError', t => {
  const windows = (count: number) => new Uint8Array(4 * 3 * count);
  t.is(resourcesOf(busBelow({ ranges: windows(256) })).length, 0);
  t.throws(() => resourcesOf(busBelow({ ranges: windows(257) })), about('/bus', 'ranges'));
  const dma = dt(busBelow({ 'dma-ranges': windows(257) }));
  const bus = nodeAt(dma, '/bus');
  t.throws(() => ofRanges(bus, 'dma-ranges', new Map()), about('/bus', 'dma-ranges'));
  const device = nodeAt(dma, '/bus/device');
  t.throws(() => ofTranslateDmaAddress(device, [0], new Map()), about('/bus', 'dma-ranges'));
});

const circle = (bus: DtLiteral) =>
  dt({
    'a: a': { 'interconnect-names': 'dma-mem', interconnects: [ref('b')], ...bus },
    'b: b': {
      'interconnect-names': 'dma-mem',
      interconnects: [ref('a')],
      '#interconnect-cells': [0],
    },
  });

test('DMA parents that lead in a circle, in which Linux would stay, are an InputError', t => {
  const round = circle({ '#interconnect-cells': [0] });
  const walk = () => ofTranslateDmaAddress(nodeAt(round, '/a'), [0], round.phandles());
  t.throws(walk, about('/a', 'interconnects'));
});

interface Window {
  readonly bus: bigint;
  readonly parent: bigint;
  readonly size: bigint;
}

/** What an address below these buses, the innermost first, translates to. */
const throughWindows = (windows: readonly Window[], address: bigint): bigint | undefined => {
  let literal: DtLiteral = { device: {} };
  for (const { bus, parent, size } of windows) {
    literal = { bus: { ranges: [bus, parent, size], ...literal } };
  }
  const nested = dt({ '#address-cells': [2], '#size-cells': [2], ...literal });
  const path = `${'/bus'.repeat(windows.length)}/device`;
  const cells = [Number(address >> 32n), Number(address & 0xffff_ffffn)];
  return ofTranslateAddress(nodeAt(nested, path), cells);
};

test('translating adds up the windows, and the inverse windows lead back', t => {
  const places = fc.array(fc.bigInt({ min: 0n, max: 2n ** 60n }), { minLength: 2, maxLength: 6 });
  const sizes = fc.array(fc.bigInt({ min: 1n, max: 2n ** 40n }), { minLength: 6, maxLength: 6 });
  const offsets = fc.bigInt({ min: 0n, max: 2n ** 34n });
  fc.assert(
    fc.property(places, sizes, offsets, (starts, lengths, offset) => {
      const windows = starts.slice(1).map((parent, i) => ({
        bus: starts[i] ?? 0n,
        parent,
        size: lengths[i] ?? 1n,
      }));
      const [first = 0n] = starts;
      const last = starts.at(-1) ?? 0n;
      const fits = windows.every(({ size }) => offset < size);
      const there = throughWindows(windows, first + offset);
      t.is(there, fits ? last + offset : undefined);
      if (there === undefined) return;
      const inverse = windows
        .map(({ bus, parent, size }) => ({ bus: parent, parent: bus, size }))
        .reverse();
      t.is(throughWindows(inverse, there), first + offset);
    }),
  );
});
