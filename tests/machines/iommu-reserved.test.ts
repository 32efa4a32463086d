import test from 'ava';
import { reservedOf } from '../../machines/iommus/reserved';
import { ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';
import { deviceAt, machine, plan } from '../support/quirks';

/* Addresses that the tree keeps from devices behind IOMMUs. */

const MEM = 0x0200_0000;
const IO = 0x0100_0000;

const REGIONS: DtLiteral = {
  '#address-cells': [1],
  '#size-cells': [1],
  ranges: true,
  'a: logo@8000000': {
    reg: [0x800_0000, 0x10_0000],
    'iommu-addresses': [ref('other'), 0x1000, 0x1000, ref('panel'), 0x800_0000, 0x10_0000],
  },
  'b: elsewhere@8200000': {
    reg: [0x820_0000, 0x1000],
    'iommu-addresses': [ref('panel'), 0x4000_0000, 0x2000],
  },
  'c: nowhere': { 'iommu-addresses': [ref('panel'), 0x5000_0000, 0x1000, ref('panel'), 0, 0] },
};

test('iommu-addresses: mapped where the memory is, else kept free; those of others are not its', t => {
  const tree = machine(['acme,soc'], ['arm,cortex-a53'], 0n, {
    'reserved-memory': REGIONS,
    'panel: display@2000': {
      compatible: 'acme,panel',
      reg: [0x2000, 0x1000],
      'memory-region': [ref('a'), ref('b'), ref('c')],
    },
    'other: dma@3000': { compatible: 'acme,dma', reg: [0x3000, 0x1000] },
  });
  const planned = plan(tree);
  const of = (path: string) => reservedOf(deviceAt(planned, path).effective, planned.phandles);
  t.deepEqual(of('/soc/display@2000'), [
    { type: 'direct', start: 0x800_0000, length: 0x10_0000 },
    { type: 'reserved', start: 0x4000_0000, length: 0x2000 },
    { type: 'reserved', start: 0x5000_0000, length: 0x1000 },
  ]);
  t.deepEqual(of('/soc/dma@3000'), []);
});

test('a PCI function has no address of a window to other functions, nor one that none lets in', t => {
  const tree = machine(['acme,soc'], ['arm,cortex-a53'], 0n, {
    'pci@40000000': {
      compatible: 'pci-host-ecam-generic',
      device_type: 'pci',
      reg: [0x4000_0000, 0x1000],
      '#address-cells': [3],
      '#size-cells': [2],
      ranges: [MEM, 0, 0x5000_0000, 0x5000_0000, 0, 0x100_0000, IO, 0, 0, 0x6000_0000, 0, 0x1_0000],
      'dma-ranges': [MEM, 0, 0x8000_0000, 0, 0, 0x4000_0000],
    },
  });
  const planned = plan(tree);
  const { function: facts } = deviceAt(planned, '/soc/pci@40000000');
  if (facts === null) throw new Error('no host');
  t.deepEqual(reservedOf(facts, planned.phandles), [
    { type: 'reserved', start: 0x5000_0000, length: 0x100_0000 },
    { type: 'reserved', start: 0, length: 0x8000_0000 },
    { type: 'reserved', start: 0xc000_0000, length: 2 ** 52 - 0xc000_0000 },
  ]);
});
