import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import type { DmaConfig, DmaConfigureOptions } from '../../../drivers/of/dma';
import { ofDmaConfigure, ofDmaIsCoherent } from '../../../drivers/of/dma';
import { ofGetDmaParent } from '../../../drivers/of/dma-parent';
import type { BusDmaRegion } from '../../../drivers/of/dma-range';
import {
  arm64ZoneLimits,
  ofDmaGetMaxCpuAddress,
  ofDmaGetRange,
} from '../../../drivers/of/dma-range';
import { U64_MAX } from '../../../drivers/of/property';
import { addressTree } from '../../support/address-tree';
import type { DtLiteral, DtValue } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';

const PLATFORM: DmaConfigureOptions = { kind: 'platform', arch: 'arm64' };

/** What a device at `path` is given; the test fails if its probe would. */
const configure = (
  literal: DtLiteral,
  path: string,
  options: DmaConfigureOptions = PLATFORM,
): DmaConfig => {
  const tree = dt(literal);
  const result = ofDmaConfigure(nodeAt(tree, path), tree.phandles(), options);
  if (!result.ok) throw new Error(result.problem.errno);
  return result.value;
};

/** A device two buses below the root, whose nearer bus is `bus`. */
const below = (bus: DtLiteral, outer: DtLiteral = {}): DtLiteral => ({
  '#address-cells': [2],
  '#size-cells': [2],
  outer: { ...outer, bus: { ...bus, device: {} } },
});
const DEVICE = '/outer/bus/device';

/** Windows in two cells each: bus, CPU, size. */
const windows = (...cells: bigint[]): { 'dma-ranges': DtValue } => ({ 'dma-ranges': cells });

const region = (dma: bigint, cpu: bigint, size: bigint): BusDmaRegion => ({ dma, cpu, size });

test("the windows of the kernel's own tests translate as the kernel expects", t => {
  const tree = addressTree();
  const mapAt = (path: string) => {
    const range = ofDmaGetRange(nodeAt(tree, path), tree.phandles());
    return range.ok ? range.value.map : range.problem.reason;
  };
  t.deepEqual(mapAt('/soc/device@70000000'), [region(0n, 0x2000_0000n, 0x4000_0000n)]);
  t.deepEqual(mapAt('/soc/wide@80000000/device@1000'), [
    region(0x1_0000_0000n, 0x2000_0000n, 0x20_0000_0000n),
  ]);
  t.deepEqual(mapAt('/soc/pci@90000000'), [
    region(0x8000_0000n, 0x2000_0000n, 0x1000_0000n),
    region(0xc000_0000n, 0x4000_0000n, 0x1000_0000n),
  ]);
});

test('trap: the limit is a bus address and the mask the power of two above it', t => {
  const config = configure(below(windows(0x4000_0000n, 0n, 0x2000_0000n)), DEVICE);
  t.is(config.busDmaLimit, 0x5fff_ffffn);
  t.is(config.mask, 0x7fff_ffffn);
  t.is(config.dmaStart, 0x4000_0000n);
  t.is(config.dmaEnd, 0x5fff_ffffn);
  t.deepEqual(config.map, [region(0x4000_0000n, 0n, 0x2000_0000n)]);
  t.deepEqual(config.provenance.map, { path: '/outer/bus', property: 'dma-ranges' });
});

test('trap: limit and mask know nothing of the holes between windows', t => {
  const bus = windows(0x3000_0000n, 0n, 0x6_0000n, 0x1000_0000n, 0x100_0000n, 0x1_0000n);
  const config = configure(below(bus), DEVICE);
  t.is(config.dmaStart, 0x1000_0000n);
  t.is(config.busDmaLimit, 0x3005_ffffn);
  t.is(config.mask, 0x3fff_ffffn);
  t.is(config.map?.length, 2);
});

test('trap: masks are cut to 32 bits whatever the window, the limit is not', t => {
  const config = configure(below(windows(0n, 0n, 0x10_0000_0000n)), DEVICE);
  t.is(config.busDmaLimit, 0xf_ffff_ffffn);
  t.is(config.mask, 0xffff_ffffn);
});

test('trap: without windows there is no limit, and the bounds are those of the mask', t => {
  const config = configure(below({}), DEVICE);
  t.like(config, { configured: true, map: null, busDmaLimit: null, mask: 0xffff_ffffn });
  t.is(config.dmaStart, 0n);
  t.is(config.dmaEnd, 0xffff_ffffn);
  t.deepEqual(config.diagnostics, []);
});

test('trap: an odd size is a mask somebody wrote for a size, and gets 1 added', t => {
  const config = configure(below(windows(0n, 0n, 0x3fff_ffffn)), DEVICE);
  t.is(config.busDmaLimit, 0x3fff_ffffn);
  t.like(config.diagnostics[0], { place: '/outer/bus', property: 'dma-ranges' });
  t.is(config.map?.[0]?.size, 0x3fff_ffffn, 'the window itself keeps its odd size');
});

test('trap: windows of 2^64 - 1 bytes become none, which fails the probe', t => {
  const tree = dt(below(windows(0n, 0n, U64_MAX)));
  const result = ofDmaConfigure(nodeAt(tree, DEVICE), new Map(), PLATFORM);
  t.like(result, { ok: false, problem: { errno: 'EINVAL' } });
});

test('trap: a window of size 0 hides all after it, as it ends every loop of the kernel', t => {
  const bus = windows(0n, 0n, 0x1000n, 0x8000_0000n, 0n, 0n, 0x4000n, 0x4000n, 0x1000n);
  const config = configure(below(bus), DEVICE);
  t.deepEqual(config.map, [region(0n, 0n, 0x1000n)]);
  t.is(config.busDmaLimit, 0xfffn);
});

test('trap: a first window of size 0 leaves a device that reaches nothing', t => {
  const config = configure(below(windows(0n, 0n, 0n)), DEVICE);
  t.like(config, { mask: 0n, busDmaLimit: 0n });
  t.deepEqual(config.map, []);
});

test('trap: a platform device begins at its DMA parent, not with its own dma-ranges', t => {
  const literal = below({ device: windows(0n, 0n, 0x1000n) });
  t.is(configure(literal, DEVICE).map, null);
});

test("trap: a PCI function reads the dma-ranges of its host bridge, the bridge its parent's", t => {
  const literal: DtLiteral = {
    '#address-cells': [2],
    '#size-cells': [2],
    soc: {
      ...windows(0n, 0n, 0x80_0000_0000n),
      'pcie@0': {
        device_type: 'pci',
        '#address-cells': [3],
        'dma-ranges': [0x4200_0000, 0n, 0n, 0xc000_0000n],
      },
    },
  };
  const bridge = '/soc/pcie@0';
  const behind = configure(literal, bridge, { kind: 'pci-bridge', arch: 'arm64' });
  t.is(behind.busDmaLimit, 0xbfff_ffffn);
  t.is(configure(literal, bridge).busDmaLimit, 0x7f_ffff_ffffn);
});

const reasonOf = (literal: DtLiteral, path = DEVICE) => {
  const { map } = configure(literal, path).provenance;
  if ('property' in map) return map.path;
  return map.reason === 'gap' ? `gap hiding ${map.hidden?.path ?? 'nothing'}` : map.reason;
};
const OUTER = windows(0n, 0n, 0x1000_0000n);

test('trap: the gap rule tolerates a bus without dma-ranges only as the first step', t => {
  t.is(reasonOf(below({}, OUTER)), '/outer');
  const twoSteps: DtLiteral = { outer: { ...OUTER, bus: { inner: { device: {} } } } };
  t.is(reasonOf(twoSteps, '/outer/bus/inner/device'), 'gap hiding /outer');
});

test('trap: an empty dma-ranges is passed over, yet uses up the one step the gap rule allows', t => {
  t.is(reasonOf(below({ 'dma-ranges': true }, OUTER)), '/outer');
  const emptyFirst: DtLiteral = {
    outer: { ...OUTER, bus: { inner: { 'dma-ranges': true, device: {} } } },
  };
  t.is(reasonOf(emptyFirst, '/outer/bus/inner/device'), 'gap hiding /outer');
  const emptySecond: DtLiteral = {
    '#address-cells': [2],
    '#size-cells': [2],
    outer: { ...OUTER, bus: { 'dma-ranges': true, inner: { device: {} } } },
  };
  t.is(reasonOf(emptySecond, '/outer/bus/inner/device'), '/outer');
});

test('a gap that hides nothing and a tree without windows are told apart', t => {
  t.is(reasonOf(below({})), 'gap hiding nothing');
  t.is(reasonOf({ bus: { device: {} } }, '/bus'), 'absent');
  t.is(reasonOf({ bus: {} }, '/'), 'absent', 'the root has no bus at all');
});

test('trap: windows that do not translate are left out, and force goes on without any', t => {
  const outer = windows(0n, 0n, 0x1000n);
  const one = configure(
    below(windows(0n, 0x10n, 0x100n, 0x8000n, 0x9_0000n, 0x100n), outer),
    DEVICE,
  );
  t.deepEqual(one.map, [region(0n, 0x10n, 0x100n)]);
  t.like(one.diagnostics[0], { place: '/outer/bus', found: 'none for bus address 0x8000' });
  const none = configure(below(windows(0n, 0x9_0000n, 0x100n), outer), DEVICE);
  t.like(none, { configured: true, map: null, busDmaLimit: null });
  t.is(none.diagnostics.length, 1);
});

/** A device whose DMA leaves through `mbus`, which stands elsewhere in the tree. */
const throughMbus = (device: DtLiteral = {}): DtLiteral => ({
  soc: {
    'dma-ranges': [0, 0x5000_0000, 0x8000_0000],
    device: {
      interconnects: [ref('other'), 9, ref('mbus'), 3],
      'interconnect-names': ['cpu-cfg', 'dma-mem'],
      ...device,
    },
    'mbus: mbus': {
      '#interconnect-cells': [1],
      'dma-coherent': true,
      'dma-ranges': [0, 0x4000_0000, 0xc000_0000],
    },
  },
  'other: other': { '#interconnect-cells': [1] },
});

test('trap: the DMA parent is the interconnect called dma-mem, at the place of its name', t => {
  const tree = dt(throughMbus());
  const device = nodeAt(tree, '/soc/device');
  t.is(ofGetDmaParent(device, tree.phandles())?.path, '/soc/mbus');
  const config = configure(throughMbus(), '/soc/device');
  t.deepEqual(config.map, [region(0n, 0x9000_0000n, 0xc000_0000n)]);
});

test('trap: a dma-mem that cannot be read leaves the parent in the tree', t => {
  for (const interconnects of [[], [ref('other'), 9], [ref('other'), 9, 77, 3]]) {
    const tree = dt(throughMbus({ interconnects }));
    t.is(ofGetDmaParent(nodeAt(tree, '/soc/device'), tree.phandles())?.path, '/soc');
  }
});

test('trap: coherency is inherited along the DMA parents, the nearest word counting', t => {
  const tree = dt({
    'dma-coherent': true,
    soc: { 'dma-noncoherent': true, plain: {}, own: { 'dma-coherent': true } },
    bus: { device: {} },
  });
  const at = (path: string) => ofDmaIsCoherent(nodeAt(tree, path), new Map());
  t.deepEqual(at('/soc/plain'), {
    coherent: false,
    from: { path: '/soc', property: 'dma-noncoherent' },
  });
  t.true(at('/soc/own').coherent);
  t.deepEqual(at('/bus/device').from, { path: '/', property: 'dma-coherent' });
  const silent = dt({ device: {} });
  t.deepEqual(ofDmaIsCoherent(nodeAt(silent, '/device'), new Map()), {
    coherent: false,
    from: null,
  });
  const through = dt(throughMbus());
  t.true(ofDmaIsCoherent(nodeAt(through, '/soc/device'), through.phandles()).coherent);
});

test('trap: arm64 assigns coherency, arm32 keeps what a notifier has set', t => {
  const coherentBefore = true;
  const noncoherent = below({ 'dma-noncoherent': true });
  const arm32 = configure(noncoherent, DEVICE, { kind: 'platform', arch: 'arm32', coherentBefore });
  t.like(arm32, { coherent: true, provenance: { coherent: 'coherentBefore' } });
  const arm64 = configure(noncoherent, DEVICE, { kind: 'platform', arch: 'arm64', coherentBefore });
  t.false(arm64.coherent);
  const written = below({ 'dma-coherent': true });
  const both = configure(written, DEVICE, { kind: 'platform', arch: 'arm32', coherentBefore });
  t.like(both.provenance.coherent, { path: '/outer/bus' });
});

test('the highest CPU address for DMA is the least of all available buses', t => {
  const tree = addressTree();
  t.is(ofDmaGetMaxCpuAddress(nodeAt(tree, '/soc'), tree.phandles()), 0x4fff_ffffn);
  const buses = (status: string): DtLiteral => ({
    '#address-cells': [2],
    '#size-cells': [2],
    narrow: { status, ...windows(0n, 0x1000n, 0x1000n) },
    wide: windows(0n, 0n, 0x1_0000_0000n, 0x8_0000_0000n, 0x8_0000_0000n, 0x1000n),
  });
  const max = (literal: DtLiteral) => ofDmaGetMaxCpuAddress(dt(literal).root, new Map());
  t.is(max(buses('okay')), 0x1fffn);
  t.is(max(buses('disabled')), 0x8_0000_0fffn);
  t.is(max({ bus: { 'dma-ranges': true } }), U64_MAX);
  t.is(max({ 'dma-ranges': [0, 0, 0x1000] }), 0xffen, 'OF_BAD_ADDR + size - 1, as in the kernel');
});

test('arm64 ends ZONE_DMA at the power of two above what every master reaches', t => {
  const ram = { start: 0n, end: 0x1_0000_0000n };
  t.deepEqual(arm64ZoneLimits(ram, 0x3fff_ffffn), {
    zoneDma: 0x4000_0000n,
    zoneDma32: 0x1_0000_0000n,
  });
  t.is(arm64ZoneLimits(ram, 0x4fff_ffffn).zoneDma, 0x8000_0000n);
  t.is(arm64ZoneLimits({ start: 0n, end: 0x1000_0000n }, 0x3fff_ffffn).zoneDma, 0x1000_0000n);
  const big = { start: 0n, end: 0x10_0000_0000n };
  t.is(arm64ZoneLimits(big, U64_MAX).zoneDma, 0x1_0000_0000n, 'never above 4 GiB');
});

test("trap: RAM that begins above a zone's limit widens the zone", t => {
  const above4G = { start: 0x8_0000_0000n, end: 0x9_0000_0000n };
  const all = { zoneDma: above4G.end, zoneDma32: above4G.end };
  t.deepEqual(arm64ZoneLimits(above4G, 0x3fff_ffffn), all);
  const above1G = { start: 0x8000_0000n, end: 0x2_0000_0000n };
  t.is(arm64ZoneLimits(above1G, 0x3fff_ffffn).zoneDma, 0x1_0000_0000n);
});

test('DMA parents in a circle or without end are an InputError at a node of theirs', t => {
  const hop = (to: string): DtLiteral => ({
    '#interconnect-cells': [0],
    'interconnect-names': 'dma-mem',
    interconnects: [ref(to)],
  });
  const circle = dt({ 'a: a': hop('b'), 'b: b': hop('a') });
  const chain: Record<string, DtLiteral> = { 'n200: n200': {} };
  for (let i = 0; i < 200; i++) chain[`n${i}: n${i}`] = hop(`n${i + 1}`);
  for (const [tree, path] of [
    [circle, '/a'],
    [dt(chain), '/n0'],
  ] as const) {
    const error = { instanceOf: InputError, message: /^\/\w+: property 'interconnects'/ };
    const node = nodeAt(tree, path);
    t.throws(() => ofDmaConfigure(node, tree.phandles(), PLATFORM), error);
    t.throws(() => ofDmaIsCoherent(node, tree.phandles()), error);
  }
});

test('dma-ranges that are not whole cells are an InputError at their bus', t => {
  const error = { instanceOf: InputError, message: /^\/outer\/bus: property 'dma-ranges'/ };
  t.throws(() => configure(below({ 'dma-ranges': new Uint8Array(7) }), DEVICE), error);
});
