import test from 'ava';
import { describeDma } from '../../machines/describe';
import { onBoard } from '../support/boards';
import { ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';
import { deviceAt, machine, plan } from '../support/quirks';
import type { MachinePlan } from '../../machines/plan';

/* The `from` of a device's DMA configuration: every fact's property, and why others do not count. */

const A53 = 'arm,cortex-a53';

const BUS: DtLiteral = {
  compatible: 'simple-bus',
  '#address-cells': [1],
  '#size-cells': [1],
  ranges: true,
};

const DMA: DtLiteral = { compatible: 'acme,dma', reg: [0x2000, 0x1000] };

const board = (soc: DtLiteral, ...quirks: string[]): MachinePlan =>
  plan(machine(['acme,soc'], [A53], 0n, soc), ...quirks);

const fromOf = (plan: MachinePlan, path: string): string =>
  describeDma(deviceAt(plan, path).effective, plan).from;

const mmu = (extra: DtLiteral = {}): DtLiteral => ({
  compatible: 'acme,mmu',
  reg: [0x1000, 0x1000],
  '#iommu-cells': [1],
  ...extra,
});

test('nothing about DMA in the tree is the default', t => {
  t.is(fromOf(board({ 'dma@2000': DMA }), '/soc/dma@2000'), 'default');
});

test('an IOMMU is from the property that names it, beside windows and coherency', t => {
  const tree = board({
    'dma-ranges': [0, 0, 0, 0x4000_0000],
    'mmu: iommu@1000': mmu(),
    'dma@2000': { ...DMA, iommus: [ref('mmu'), 3], 'dma-coherent': true },
  });
  t.is(
    fromOf(tree, '/soc/dma@2000'),
    '/soc:dma-ranges, /soc/dma@2000:dma-coherent, /soc/dma@2000:iommus',
  );
});

test('an IOMMU that is disabled is named with the property that is without effect', t => {
  const tree = board({
    'mmu: iommu@1000': mmu({ status: 'disabled' }),
    'dma@2000': { ...DMA, iommus: [ref('mmu'), 3] },
  });
  t.is(fromOf(tree, '/soc/dma@2000'), '/soc/dma@2000:iommus: /soc/iommu@1000 is disabled');
});

test('iommus that cannot be read are not the default', t => {
  const tree = board({ 'dma@2000': { ...DMA, iommus: [77, 3] } });
  t.is(fromOf(tree, '/soc/dma@2000'), '/soc/dma@2000:iommus: cannot be read');
});

test('an IOMMU that a quirk takes away is named with the quirk', t => {
  const tree = board({
    'mmu: iommu@1000': mmu({ compatible: 'ti,omap4-iommu', '#iommu-cells': [0] }),
    'dma@2000': { ...DMA, iommus: [ref('mmu')] },
  });
  t.is(
    fromOf(tree, '/soc/dma@2000'),
    '/soc/dma@2000:iommus: /soc/iommu@1000 has a driver that takes no specifiers, ' +
      'quirk omap-iommu-no-xlate',
  );
});

test('a PCI function is behind the IOMMU of its bridge by iommu-map, or by none', t => {
  const pcie = (map: readonly (number | { label: string })[]): string => {
    const tree = board({
      'mmu: iommu@1000': mmu(),
      'pcie@3000': {
        compatible: 'acme,pcie',
        device_type: 'pci',
        '#address-cells': [3],
        '#size-cells': [2],
        reg: [0x3000, 0x1000],
        'iommu-map': map,
      },
    });
    const { function: pci } = deviceAt(tree, '/soc/pcie@3000');
    return pci === null ? '' : describeDma(pci, tree).from;
  };
  t.is(pcie([0, ref('mmu'), 0, 0x100]), '/soc/pcie@3000:iommu-map');
  t.is(pcie([8, ref('mmu'), 0, 0x100]), '/soc/pcie@3000:iommu-map: has no entry for id 0');
});

test('the gap rule is told with the bus that has the gap and the bus it hides', t => {
  const tree = board({
    'dma-ranges': [0, 0, 0, 0x4000_0000],
    outer: { ...BUS, inner: { ...BUS, 'dma@2000': DMA } },
  });
  t.is(fromOf(tree, '/soc/outer/inner/dma@2000'), '/soc/outer: gap rule, /soc:dma-ranges ignored');
  const silent = board({ outer: { ...BUS, inner: { ...BUS, 'dma@2000': DMA } } });
  t.is(fromOf(silent, '/soc/outer/inner/dma@2000'), 'default');
});

test('windows that do not translate are told with their bus', t => {
  const inner = { ...BUS, 'dma-ranges': [0, 0x9000_0000, 0x1000], 'dma@2000': DMA };
  const tree = board({ 'dma-ranges': [0, 0, 0, 0x4000_0000], inner });
  t.is(fromOf(tree, '/soc/inner/dma@2000'), '/soc/inner:dma-ranges: does not translate');
});

test('a device that Linux does not configure is told with the windows it refuses', t => {
  const tree = board({
    'mmu: iommu@1000': mmu(),
    // A mask that somebody wrote for a size: one more than that is 0.
    bus: {
      ...BUS,
      '#size-cells': [2],
      'dma-ranges': [0, 0, 0xffff_ffff, 0xffff_ffff],
      'dma@2000': { compatible: 'acme,dma', reg: [0x2000, 0, 0x1000], iommus: [ref('mmu'), 3] },
    },
  });
  const { effective } = deviceAt(tree, '/soc/bus/dma@2000');
  t.is(effective.failure?.errno, 'EINVAL');
  t.deepEqual(describeDma(effective, tree).iommus, []);
  t.is(fromOf(tree, '/soc/bus/dma@2000'), '/soc/bus:dma-ranges: not configured');
});

onBoard('armhf/am572x-idk', 'has devices behind a gap, and says where it is', (t, tree) => {
  const planned = plan(tree);
  const sources = planned.devices.map(({ tree: facts }) => describeDma(facts, planned).from);
  const gaps = sources.filter(from => from.includes('gap rule, /ocp:dma-ranges ignored'));
  t.true(gaps.length > 200);
  t.true(gaps.every(from => from.startsWith('/ocp/')));
});
