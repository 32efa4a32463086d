import test from 'ava';
import { dt, ref } from '../../support/dt';
import type { DtLiteral } from '../../support/dt';
import { describeMachine } from '../../../machines/describe';
import { planMachine } from '../../../machines/plan';
import { describeHuman } from '../../../tools/report/describe-human';

const MMU: DtLiteral = { compatible: 'acme,mmu', '#iommu-cells': [1] };

const tree = (core: string, cpu: DtLiteral, nodes: DtLiteral) =>
  dt({
    compatible: 'acme,board',
    '#address-cells': [1],
    '#size-cells': [1],
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      'cpu@0': { device_type: 'cpu', compatible: core, reg: [0], ...cpu },
    },
    memory: { device_type: 'memory', reg: [0x8000_0000, 0x1000_0000] },
    ...nodes,
  });

const lines = (core: string, cpu: DtLiteral, nodes: DtLiteral): string[] => {
  const board = { tree: tree(core, cpu, nodes), source: 'a', hash: '', diagnostics: [] };
  const plan = planMachine(board.tree, { memory: null, quirks: [] });
  const text = describeHuman(board, plan, (_, word) => word, 200);
  return text.split('\n').map(line => line.trim().replace(/ +/g, ' '));
};

test('a cache that is not modelled stands among the others, as one', t => {
  const found = lines(
    'arm,cortex-a72',
    { 'next-level-cache': [ref('l2')] },
    {
      'l2: l2-cache': { compatible: 'cache', 'next-level-cache': [ref('l3')] },
      'l3: l3-cache': { compatible: 'cache', 'cache-level': [3], 'cache-size': [0x20_0000] },
    },
  );
  t.true(found.includes('L3 unified 2 MiB not modelled, /l3-cache: cache-level, cache-size'));
});

test('masters that differ in nothing but whose property it is are one group', t => {
  const master = (address: number, mmu: string): DtLiteral => ({
    compatible: 'acme,dma',
    reg: [address, 0x1000],
    iommus: [ref(mmu), 1],
  });
  const found = lines(
    'arm,cortex-a72',
    {},
    {
      'on: iommu@1000': { ...MMU, reg: [0x1000, 0x1000] },
      'off: iommu@2000': { ...MMU, reg: [0x2000, 0x1000], status: 'disabled' },
      'a@3000': master(0x3000, 'on'),
      'b@4000': master(0x4000, 'on'),
      'c@5000': master(0x5000, 'off'),
    },
  );
  t.true(found.includes('2 non-coherent, behind /iommu@1000, mask 0xffffffff (its iommus)'));
  t.true(found.includes('/a@3000, /b@4000'));
  t.true(
    found.includes('1 non-coherent, mask 0xffffffff (/c@5000:iommus: /iommu@2000 is disabled)'),
  );
});

test('the pool of linux,dma-default is the default of kernels without an MMU only', t => {
  const pool: DtLiteral = {
    'reserved-memory': {
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: true,
      'pool@88000000': {
        compatible: 'shared-dma-pool',
        reg: [0x8800_0000, 0x10_0000],
        'no-map': true,
        'linux,dma-default': true,
      },
    },
  };
  for (const [core, isDefault, words] of [
    ['arm,cortex-a7', false, 'coherent, default only without an MMU'],
    ['arm,cortex-m7', true, 'coherent, default'],
  ] as const) {
    const plan = planMachine(tree(core, {}, pool), { memory: null, quirks: [] });
    const [region] = describeMachine(plan, { source: 'a', hash: '' }).reserved;
    t.is(region?.default, isDefault);
    t.true(
      lines(core, {}, pool).includes(`0x88000000 1 MiB ${words} /reserved-memory/pool@88000000`),
      core,
    );
  }
});
