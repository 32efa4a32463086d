import test from 'ava';
import { knownMaster } from '../../../drivers/of/known-masters';
import { ofBusMasterHints, ofDevices } from '../../../drivers/of/platform';
import type { DtLiteral } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';

const CELLS: DtLiteral = { '#address-cells': [1], '#size-cells': [1] };
const uart = (reg: number): DtLiteral => ({ compatible: 'arm,pl011', reg: [reg, 0x1000] });
const paths = (root: DtLiteral): string[] =>
  ofDevices(dt({ ...CELLS, ...root })).map(({ node }) => node.path);

test('a device is enabled, compatible with something and has registers at a CPU address', t => {
  const root: DtLiteral = {
    soc: {
      compatible: 'simple-bus',
      ...CELLS,
      ranges: true,
      'uart@1000': uart(0x1000),
      'plain@2000': { reg: [0x2000, 4] },
      'off@3000': { ...uart(0x3000), status: 'disabled' },
      'i2c@4000': {
        compatible: 'acme,i2c',
        reg: [0x4000, 4],
        '#address-cells': [1],
        '#size-cells': [0],
        'eeprom@50': { compatible: 'atmel,24c02', reg: [0x50] },
      },
    },
    'hidden-bus': { ...CELLS, 'uart@5000': uart(0x5000) },
  };
  t.deepEqual(paths(root), ['/soc/uart@1000', '/soc/i2c@4000']);
});

test('whatever creates a device, it is one: buses that are no simple-bus count too', t => {
  const root: DtLiteral = {
    'target-module@48000000': {
      compatible: 'ti,sysc',
      reg: [0x4800_0000, 4],
      ranges: [0, 0x4800_0000, 0x1000],
      'timer@0': { compatible: 'ti,timer', reg: [0, 0x80] },
    },
  };
  t.deepEqual(paths(root), ['/target-module@48000000', '/target-module@48000000/timer@0']);
  const timer = ofDevices(dt({ ...CELLS, ...root }))[1];
  t.is(timer?.resources[0]?.start, 0x4800_0000n);
  t.deepEqual(timer?.compatible, ['ti,timer']);
});

test('nodes that count from the start of their own bus have names of their own', t => {
  const bus = (start: number): DtLiteral => ({
    compatible: 'ti,sysc',
    reg: [start, 4],
    ranges: [0, start, 0x1000],
    'mmu@0': { compatible: 'ti,iommu', reg: [0, 0x80] },
  });
  const root = { ...CELLS, 'module@4000': bus(0x4000), 'module@5000': bus(0x5000) };
  const names = ofDevices(dt(root)).map(({ name }) => name);
  t.deepEqual(names, ['module@4000', '4000.mmu', 'module@5000', '5000.mmu']);
});

test('a disabled bus disables all below it', t => {
  t.deepEqual(paths({ soc: { status: 'disabled', ranges: true, 'uart@0': uart(0) } }), []);
});

test('a device without registers is one if it is behind an IOMMU', t => {
  const root = { 'm: mmu': {}, gpu: { compatible: 'acme,gpu', iommus: [ref('m')] } };
  t.deepEqual(paths(root), ['/gpu']);
  t.deepEqual(ofDevices(dt(root))[0]?.resources, []);
});

test('processors and reserved memory are no devices, devices of their names elsewhere are', t => {
  const root: DtLiteral = {
    cpus: { ranges: true, 'cpu@0': { compatible: 'arm,cortex-a9', reg: [0, 1] } },
    'reserved-memory': { ranges: true, 'pool@0': { compatible: 'shared-dma-pool', reg: [0, 1] } },
    soc: { ranges: true, cpus: { compatible: 'acme,cpus', reg: [0, 1] } },
  };
  t.deepEqual(paths(root), ['/soc/cpus']);
});

const hints = (node: DtLiteral, more: DtLiteral = {}): string[] => {
  const tree = dt({ ...more, node });
  return ofBusMasterHints(nodeAt(tree, '/node'), tree.phandles()).map(({ hint }) => hint);
};

test('each property only masters have use for is a hint, with its place', t => {
  const names = ['iommus', 'iommu-map', 'dma-coherent', 'dma-noncoherent', 'memory-region'];
  for (const name of names) t.deepEqual(hints({ [name]: true }), [name]);
  const [hint] = ofBusMasterHints(nodeAt(dt({ n: { iommus: [1] } }), '/n'), new Map());
  t.deepEqual(hint?.from, { path: '/n', property: 'iommus' });
});

test('a DMA engine masters the bus, its client and a router of requests do not', t => {
  t.deepEqual(hints({ '#dma-cells': [1] }), ['#dma-cells']);
  t.deepEqual(hints({ '#dma-cells': [1], 'dma-masters': [2] }), ['#dma-cells'], 'a count');
  const engine = { 'e: engine': { '#dma-cells': [1] } };
  t.deepEqual(hints({ dmas: [ref('e'), 3], 'dma-names': 'rx' }, engine), []);
  t.deepEqual(hints({ '#dma-cells': [3], 'dma-masters': [ref('e')] }, engine), []);
});

test('a PCI host is a master, a bridge behind it and a node without driver are none', t => {
  const pci: DtLiteral = { compatible: 'pci-host-ecam-generic', device_type: 'pci' };
  t.deepEqual(hints(pci), ['pci-host']);
  t.deepEqual(hints({ device_type: 'pci' }), []);
  const nested = dt({ 'pcie@0': { ...pci, 'pcie@1,0': pci } });
  t.deepEqual(ofBusMasterHints(nodeAt(nested, '/pcie@0/pcie@1,0'), new Map()), []);
  const named = ofBusMasterHints(
    nodeAt(dt({ 'pcie@0': { compatible: 'x' } }), '/pcie@0'),
    new Map(),
  );
  t.like(named, [{ hint: 'pci-host', from: { property: 'compatible' } }]);
});

test('a known compatible string is a hint that says what the device is', t => {
  const tree = dt({ gpu: { compatible: ['acme,mali', 'arm,mali-t760'] } });
  t.like(ofBusMasterHints(nodeAt(tree, '/gpu'), new Map()), [
    { hint: 'known', masterClass: 'gpu' },
  ]);
  t.deepEqual(hints({ compatible: 'arm,pl011' }), []);
});

test('the most specific compatible string that is known decides', t => {
  t.deepEqual(knownMaster(['acme,new', 'fsl,imx6q-sdma', 'fsl,imx35-sdma']), {
    masterClass: 'dma-engine',
    compatible: 'fsl,imx6q-sdma',
    pattern: 'fsl,imx*-sdma',
  });
  t.is(knownMaster(['acme,new']), undefined);
  t.is(knownMaster([]), undefined);
});

test('a pattern matches whole strings, its stars any text between', t => {
  const known = (compatible: string) => knownMaster([compatible])?.pattern;
  t.is(known('arm,pl330'), 'arm,pl330');
  t.is(known('arm,pl3300'), undefined);
  t.is(known('qcom,bam-v1.7.0'), 'qcom,bam-v*');
  t.is(known('qcom,bam'), undefined);
  t.is(known('ti,j721e-navss-main-udmap'), 'ti,*-navss-*-udmap');
  t.is(known('ti,-navss-udmap'), undefined, 'parts do not overlap');
  t.is(known('fsl,imx-sdma'), 'fsl,imx*-sdma', 'a star may be empty');
});
