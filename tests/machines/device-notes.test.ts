import test from 'ava';
import type { DeviceTree } from '../../drivers/of/tree';
import { onBoard } from '../support/boards';
import { dt, ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';
import { machine, plan } from '../support/quirks';

const A9 = 'arm,cortex-a9';

const BUS: DtLiteral = {
  compatible: 'simple-bus',
  '#address-cells': [1],
  '#size-cells': [1],
  ranges: true,
};

const masters = (...extra: DtLiteral[]): DtLiteral =>
  Object.fromEntries(
    extra.map((properties, n) => [
      `dma@${n}000`,
      { compatible: 'acme,dma', reg: [n * 0x1000, 0x1000], ...properties },
    ]),
  );

const notesOf = (soc: DtLiteral): readonly string[] =>
  plan(machine(['acme,soc'], [A9], 0x8000_0000n, soc)).notes;

test('the gap rule is one note for each bus that it hides', t => {
  const notes = notesOf({
    'dma-ranges': [0, 0, 0, 0x4000_0000],
    outer: { ...BUS, inner: { ...BUS, ...masters({}, {}, {}) } },
  });
  t.deepEqual(notes, [
    '/soc: dma-ranges ignored by the gap rule (3 devices, /soc/outer/inner/dma@0000 the first)',
  ]);
});

onBoard('armhf/am572x-idk', 'has one note on more than 200 devices', (t, tree) => {
  const notes = plan(tree).notes.filter(note => note.includes('gap rule'));
  t.is(notes.length, 1);
  t.regex(notes[0] ?? '', /^\/ocp: dma-ranges ignored by the gap rule \(23\d devices, /);
});

test('windows that do not translate are one note for each bus', t => {
  const bus = (...extra: DtLiteral[]): DtLiteral => ({
    ...BUS,
    'dma-ranges': [0, 0x9000_0000, 0x1000, 0x1000, 0xa000_0000, 0x1000],
    ...masters(...extra),
  });
  const notes = notesOf({ 'dma-ranges': [0, 0, 0, 0x4000_0000], a: bus({}, {}), b: bus({}) });
  t.is(notes.length, 2);
  t.regex(
    notes[0] ?? '',
    /^\/soc\/a: property 'dma-ranges': expected .*; 1 more like it \(2 devices, \/soc\/a\/dma@0000 the first\)$/,
  );
  t.regex(notes[1] ?? '', /^\/soc\/b: property 'dma-ranges': .* \(\/soc\/b\/dma@0000\)$/);
});

test('windows of an odd size are a note', t => {
  const [note] = notesOf({ 'dma-ranges': [0, 0, 0, 0x3fff_ffff], ...masters({}, {}) });
  t.regex(note ?? '', /^\/soc: property 'dma-ranges': expected windows of an even size.*2 devices/);
});

test('a device that Linux does not configure is a note', t => {
  const notes = notesOf({
    bus: {
      ...BUS,
      '#size-cells': [2],
      'dma-ranges': [0, 0, 0xffff_ffff, 0xffff_ffff],
      'dma@2000': { compatible: 'acme,dma', reg: [0x2000, 0, 0x1000] },
      'dma@3000': { compatible: 'acme,dma', reg: [0x3000, 0, 0x1000] },
    },
  });
  t.is(notes.length, 1);
  t.regex(
    notes[0] ?? '',
    /^\/soc\/bus: property 'dma-ranges': expected .*; Linux does not configure what is behind it \(2 devices/,
  );
});

test('references to an IOMMU that cannot be read are one note for each cause', t => {
  const notes = notesOf(masters({ iommus: [77] }, { iommus: [77] }, {}));
  t.is(notes.length, 1);
  t.regex(notes[0] ?? '', /^\/soc\/dma@0000: property 'iommus': .* \(2 devices, /);
});

/** A board whose device has a pool, that says what the pool is. */
const withPool = (pool: DtLiteral, device: DtLiteral): DeviceTree =>
  dt({
    compatible: 'acme,soc',
    '#address-cells': [1],
    '#size-cells': [1],
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      'cpu@0': { device_type: 'cpu', compatible: A9, reg: [0] },
    },
    memory: { device_type: 'memory', reg: [0x8000_0000, 0x1000_0000] },
    'reserved-memory': {
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: true,
      'pool: pool@88000000': { reg: [0x8800_0000, 0x10_0000], ...pool },
    },
    'mmu: iommu@1000': {
      ...{ compatible: 'mediatek,mt8173-m4u', reg: [0x1000, 0x1000], '#iommu-cells': [1] },
    },
    'wifi@2000': {
      compatible: 'acme,wifi',
      reg: [0x2000, 0x1000],
      'memory-region': [ref('pool')],
      ...device,
    },
  });

test('a device that has a restricted pool is told to be unconfined where no kernel confines it', t => {
  const restricted: DtLiteral = { compatible: 'restricted-dma-pool' };
  t.deepEqual(plan(withPool(restricted, {})).notes, [
    '/reserved-memory/pool@88000000: a kernel without swiotlb; ' +
      'its devices use all of memory (/wifi@2000)',
  ]);
  t.deepEqual(plan(withPool(restricted, { iommus: [ref('mmu'), 1] })).notes, []);
  const shared: DtLiteral = { compatible: 'shared-dma-pool', 'no-map': true };
  t.deepEqual(plan(withPool(shared, {})).notes, []);
  const refused = plan(withPool({ ...restricted, 'no-map': true }, {})).notes;
  t.is(refused.length, 1);
  t.regex(refused[0] ?? '', /it is not used$/);
});

test('a tree for arm whose cores run arm64 says which kernel is assumed', t => {
  const noteOf = (core: string, cpus: DtLiteral): readonly string[] => {
    const cpu = { device_type: 'cpu', compatible: core, reg: [0] };
    return plan(
      dt({
        compatible: 'acme,soc',
        '#address-cells': [1],
        '#size-cells': [1],
        cpus: { '#address-cells': [1], '#size-cells': [0], 'cpu@0': cpu, ...cpus },
        memory: { device_type: 'memory', reg: [0x8000_0000, 0x1000_0000] },
      }),
    ).notes;
  };
  const method = { 'enable-method': 'brcm,bcm2836-smp' };
  t.deepEqual(noteOf('arm,cortex-a53', method), [
    "/cpus: 'enable-method' is for an arm kernel; an arm64 kernel is assumed, as its cores run one",
  ]);
  t.deepEqual(noteOf('arm,cortex-a53', {}), []);
  t.deepEqual(noteOf('arm,cortex-a7', method), []);
});
