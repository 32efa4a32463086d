import fc from 'fast-check';
import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import { ofResources } from '../../../drivers/of/address';
import { ofDmaConfigure } from '../../../drivers/of/dma';
import { ofDmaGetMaxCpuAddress } from '../../../drivers/of/dma-range';
import { ofBusMasterHints, ofDevices } from '../../../drivers/of/platform';
import { ofDmaSetRestrictedBuffer } from '../../../drivers/of/reserved-mem-device';
import type { DeviceTree, DtNode } from '../../../drivers/of/tree';
import { treeWork } from '../../../drivers/of/tree-work';
import { boardNames, readBoard } from '../../support/boards';
import type { DtLiteral } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';
import { deriveEverything } from '../../support/of-everything';

/** A machine that has a little of everything this layer reads. */
const machine = (): DeviceTree =>
  dt({
    '#address-cells': [2],
    '#size-cells': [2],
    'interrupt-parent': [ref('gic')],
    compatible: 'acme,machine',
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      'cpu-map': { cluster0: { core0: { cpu: [ref('cpu0')] } } },
      'cpu0: cpu@0': {
        device_type: 'cpu',
        reg: [0],
        'd-cache-size': [0x8000],
        'next-level-cache': [ref('l2')],
      },
    },
    'memory@40000000': { device_type: 'memory', reg: [0x4000_0000n, 0x4000_0000n] },
    chosen: { 'linux,usable-memory-range': [0x4000_0000n, 0x4000_0000n] },
    'reserved-memory': {
      '#address-cells': [2],
      '#size-cells': [2],
      ranges: true,
      'cma: cma': { compatible: 'shared-dma-pool', reusable: true, size: [0x40_0000n] },
      'pool: pool@48000000': {
        compatible: 'shared-dma-pool',
        'no-map': true,
        reg: [0x4800_0000n, 0x10_0000n],
        alignment: [0x1000n],
        'alloc-ranges': [0n, 0x8000_0000n],
      },
      'bounce: bounce': { compatible: 'restricted-dma-pool', size: [0x10_0000n] },
    },
    soc: {
      compatible: 'simple-bus',
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: [0, 0n, 0x4000_0000],
      'dma-ranges': [0x8000_0000, 0x4000_0000n, 0x4000_0000],
      'dma-coherent': true,
      'gic: gic@1000': {
        compatible: 'arm,gic-400',
        reg: [0x1000, 0x1000],
        'interrupt-controller': true,
        '#interrupt-cells': [3],
        '#address-cells': [0],
      },
      'l2: cache@2000': {
        compatible: 'arm,pl310-cache',
        reg: [0x2000, 0x1000],
        'cache-level': [2],
        'arm,tag-latency': [1, 1, 1],
      },
      'mmu: iommu@3000': { compatible: 'acme,mmu', reg: [0x3000, 4], '#iommu-cells': [1] },
      'mbus: mbus@4000': {
        compatible: 'acme,mbus',
        reg: [0x4000, 4],
        '#interconnect-cells': [1],
        'dma-ranges': [0, 0x4000_0000, 0x1000_0000],
      },
      'dma: dma@5000': {
        compatible: 'arm,pl330',
        reg: [0x5000, 0x100],
        'reg-names': ['all'],
        '#dma-cells': [1],
        interrupts: [0, 1, 4, 0, 2, 4],
        iommus: [ref('mmu'), 1, ref('mmu'), 2],
        'memory-region': [ref('pool'), ref('cma'), ref('bounce')],
        interconnects: [ref('mbus'), 5],
        'interconnect-names': ['dma-mem'],
      },
      'router@6000': {
        compatible: 'acme,router',
        reg: [0x6000, 4],
        '#dma-cells': [2],
        'dma-masters': [ref('dma')],
        'interrupts-extended': [ref('gic'), 0, 3, 4],
      },
      'pcie@10000000': {
        compatible: 'pci-host-ecam-generic',
        device_type: 'pci',
        reg: [0x1000_0000, 0x1000],
        '#address-cells': [3],
        '#size-cells': [2],
        '#interrupt-cells': [1],
        ranges: [0x0200_0000, 0x2000_0000n, 0x2000_0000, 0x1000_0000n],
        'dma-ranges': [0x4200_0000, 0n, 0x8000_0000, 0x1000_0000n],
        'iommu-map': [0, ref('mmu'), 0, 0x1_0000],
        'iommu-map-mask': [0xffff],
        'interrupt-map-mask': [0, 0, 0, 7],
        'interrupt-map': [0, 0n, 1, ref('gic'), 0, 8, 4, 0, 0n, 2, ref('gic'), 0, 9, 4],
        'nic@1,0': {
          compatible: 'acme,nic',
          reg: [0x800, 0n, 0n],
          'assigned-addresses': [0x8200_0810, 0x2000_0000n, 0x1000n],
          interrupts: [1],
        },
      },
    },
  });

/** True if everything is derived, or what is wrong is told as somebody's input. */
const survives = (tree: DeviceTree): boolean => {
  try {
    deriveEverything(tree, 'arm64');
    deriveEverything(tree, 'arm32');
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problem.place !== '' && error.problem.found !== '';
  }
  return true;
};

/** What a property becomes, from what it was. */
type Damage = (value: Uint8Array) => Uint8Array;

const cell = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5, 17, 0x1000, 0x7fff_ffff, 0xffff_ffff),
  fc.nat(16),
);

const setCell = (at: number, to: number): Damage => {
  return value => {
    const damaged = new Uint8Array(value);
    const index = 4 * (at % Math.max(Math.floor(value.length / 4), 1));
    if (index + 4 <= damaged.length) new DataView(damaged.buffer).setUint32(index, to);
    return damaged;
  };
};

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.nat(20), cell).map(([at, to]) => setCell(at, to)),
  fc.nat(40).map(
    (length): Damage =>
      value =>
        value.slice(0, length),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (bytes): Damage =>
      () =>
        bytes,
  ),
  fc.nat(5).map((times): Damage => value => {
    return new Uint8Array(Array.from({ length: times }, () => [...value]).flat());
  }),
);

const applyTo = (tree: DeviceTree, at: number, change: Damage): void => {
  const places: [DtNode, string][] = [];
  for (const node of tree.root.walk()) {
    for (const name of node.properties.keys()) places.push([node, name]);
  }
  const [node, name] = places[at % places.length] ?? [tree.root, 'compatible'];
  node.setProperty(name, change(node.bytes(name) ?? new Uint8Array(0)));
};

test('everything is derived from the machine the damage is done to', t => {
  t.is(deriveEverything(machine(), 'arm64'), 8);
});

test('damaged properties give values or an InputError, never anything else', t => {
  const changes = fc.array(fc.tuple(fc.nat(1000), damage), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(changes, list => {
      const tree = machine();
      for (const [at, change] of list) applyTo(tree, at, change);
      return survives(tree);
    }),
    { numRuns: 400 },
  );
  t.pass();
});

/** `count` windows that continue nowhere, so that they stay as many. */
const windows = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => [
    0x1000_0000 - 0x20 * i,
    0x1000_0000 - 0x20 * i,
    16,
  ]).flat();

const CELLS: DtLiteral = { '#address-cells': [1], '#size-cells': [1] };

/** Devices below `depth` buses of `count` windows, the last of which are the ones that match. */
const deepBuses = (
  property: 'ranges' | 'dma-ranges',
  depth: number,
  count: number,
  devices: number,
): DeviceTree => {
  const address = 0x1000_0000 - 0x20 * (count - 1);
  let literal: DtLiteral = Object.fromEntries(
    Array.from({ length: devices }, (_, i) => [
      `d${i}`,
      { compatible: 'acme,device', reg: [address, 1] },
    ]),
  );
  for (let i = 0; i < depth; i++) {
    literal = { bus: { ...CELLS, ranges: true, [property]: windows(count), ...literal } };
  }
  return dt({ ...CELLS, ...literal });
};

test('a bus is translated once, however many devices are below it', t => {
  const tree = deepBuses('dma-ranges', 2, 200, 300);
  const phandles = tree.phandles();
  const looks: number[] = [];
  for (const { node } of ofDevices(tree)) {
    const config = ofDmaConfigure(node, phandles, { kind: 'platform', arch: 'arm64' });
    t.is(config.ok ? config.value.map?.length : 0, 200);
    looks.push(treeWork(phandles).dmaRanges.looks);
  }
  t.is(looks.length, 300);
  t.is(looks[0], looks.at(-1));
  // Each window is found in the bus above after as many looks as its number.
  t.true((looks[0] ?? 0) <= (200 * 201) / 2 + 200 + 200);
});

test('more windows than can be told for each device are an InputError', t => {
  const tree = deepBuses('dma-ranges', 1, 256, 257);
  const phandles = tree.phandles();
  const configure = (count: number): void => {
    for (const { node } of ofDevices(tree).slice(0, count)) {
      ofDmaConfigure(node, phandles, { kind: 'platform', arch: 'arm64' });
      ofDmaConfigure(node, phandles, { kind: 'platform', arch: 'arm32' });
    }
  };
  configure(256);
  t.throws(
    () => {
      configure(257);
    },
    {
      instanceOf: InputError,
      message: /^\/bus: property 'dma-ranges': expected at most 65536 DMA windows of all devices/,
    },
  );
});

test('buses so deep and long that translating would take for ever are an InputError', t => {
  const found = /^(?:\/bus)+: property '(?:dma-)?ranges': expected buses .* 1048576 steps in all/;
  const resources = deepBuses('ranges', 40, 256, 200);
  t.throws(() => ofDevices(resources), { instanceOf: InputError, message: found });
  const { root } = deepBuses('dma-ranges', 40, 256, 1);
  t.throws(() => ofDmaGetMaxCpuAddress(root, new Map()), {
    instanceOf: InputError,
    message: found,
  });
  t.is(ofDevices(deepBuses('ranges', 40, 256, 2)).length, 2);
});

test('long lists of a device are read once for it, not once for each entry', t => {
  const cells = [...Array(4096).keys()].map(i => i + 1);
  const names = Array.from({ length: 4000 }, () => 'a');
  const device: DtLiteral = {
    ...{ compatible: 'acme,device', '#dma-cells': [1] },
    ...{ reg: cells, 'reg-names': names, 'dma-masters': cells, 'memory-region': cells },
  };
  const tree = dt({ ...CELLS, device });
  const node = nodeAt(tree, '/device');
  let reads = 0;
  const bytes = node.bytes.bind(node);
  node.bytes = name => {
    reads += 1;
    return bytes(name);
  };
  t.is(ofResources(node).length, 2048);
  ofBusMasterHints(node, new Map());
  ofDmaSetRestrictedBuffer(node, node, new Map());
  t.true(reads < 40, `${reads}`);
});

const boardTest = boardNames.length > 0 ? test : test.skip;

boardTest('everything is derived from every board without an error', t => {
  for (const name of boardNames) {
    const arch = name.startsWith('armhf') ? 'arm32' : 'arm64';
    t.true(deriveEverything(readBoard(name), arch) > 0, name);
  }
});
