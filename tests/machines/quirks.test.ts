import test from 'ava';
import { InputError, UnmodelledError } from '../../drivers/base/types/errors';
import type { DeviceTree } from '../../drivers/of/tree';
import { describeDma } from '../../machines/describe';
import { planMachine } from '../../machines/plan';
import { QUIRKS } from '../../machines/quirks';
import { onBoard } from '../support/boards';
import { ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';
import { applied, deviceAt, machine, plan } from '../support/quirks';

const A9 = 'arm,cortex-a9';
const A53 = 'arm,cortex-a53';

test('every quirk has a name and a source of its own', t => {
  t.is(new Set(QUIRKS.map(({ name }) => name)).size, QUIRKS.length);
  for (const { source } of QUIRKS) t.regex(source, /^(arch|drivers)\/.*\.c, \w+(\(\))?$/);
});

test('a machine that no quirk knows has none', t => {
  const bare = plan(
    machine(['acme,soc'], [A9], 0n, {
      'dma@1000': { compatible: 'arm,pl330', reg: [0x1000, 0x1000] },
    }),
  );
  t.deepEqual(applied(bare), []);
  t.deepEqual(bare.facts, { dmaZoneLimit: null, outerIoCoherent: false });
  for (const device of bare.devices) t.is(device.effective, device.tree);
});

test('a name that no quirk has is answered with the names', t => {
  const tree = machine(['acme,soc'], [A9], 0n, {});
  const error = t.throws(() => plan(tree, '+mvebu'), { instanceOf: InputError });
  for (const { name } of QUIRKS) t.true(error.message.includes(name));
  t.true(error.message.includes('found mvebu'));
});

test('of two choices for one quirk the last counts', t => {
  const tree = machine(['acme,soc'], [A9], 0n, {});
  t.deepEqual(applied(plan(tree, '-keystone-offset', '+keystone-offset')), ['keystone-offset']);
  t.deepEqual(applied(plan(tree, '+keystone-offset', '-keystone-offset')), []);
});

// mvebu-hwcc

const armada = (fabric: string | readonly string[], cores: number): DeviceTree =>
  machine(['marvell,armada380'], new Array<string>(cores).fill(A9), 0n, {
    'cache-controller@8000': {
      compatible: 'arm,pl310-cache',
      reg: [0x8000, 0x1000],
      'cache-level': [2],
    },
    'fabric@21010': { compatible: fabric, reg: [0x21010, 0x1c] },
    'sata@a8000': { compatible: 'marvell,armada-380-ahci', reg: [0xa8000, 0x2000] },
    'pcie@90000': {
      compatible: 'acme,pcie',
      device_type: 'pci',
      '#address-cells': [3],
      '#size-cells': [2],
      reg: [0x90000, 0x1000],
      ranges: [0x200_0000, 0, 0x1000_0000, 0x1000_0000, 0, 0x1000],
    },
  });

for (const [fabric, outerIoCoherent] of [
  ['marvell,armada-380-coherency-fabric', true],
  ['marvell,armada-375-coherency-fabric', true],
  ['marvell,coherency-fabric', false],
] as const) {
  test(`${fabric} and two CPUs make all devices coherent, PCI functions too`, t => {
    const smp = plan(armada(fabric, 2));
    t.deepEqual(applied(smp), ['mvebu-hwcc']);
    t.is(smp.facts.outerIoCoherent, outerIoCoherent);
    const sata = deviceAt(smp, '/soc/sata@a8000');
    t.false(sata.tree.dma.coherent);
    t.is(describeDma(sata.effective, smp).from, 'quirk mvebu-hwcc');
    t.true(smp.devices.every(({ effective }) => effective.dma.coherent));
    t.true(deviceAt(smp, '/soc/pcie@90000').function?.dma.coherent);
  });
}

test('a fabric is found behind a string that every object has as a property', t => {
  const fabric = ['constructor', 'marvell,armada-380-coherency-fabric'];
  t.true(plan(armada(fabric, 2)).facts.outerIoCoherent);
});

test('one CPU is not coherent with devices, whatever the fabric', t => {
  const up = plan(armada('marvell,armada-380-coherency-fabric', 1));
  t.deepEqual(applied(up), []);
  t.true(up.devices.every(({ effective }) => !effective.dma.coherent));
});

test('a coherency fabric means nothing to an arm64 kernel', t => {
  const tree = machine(['marvell,new'], [A53, A53], 0n, {
    'fabric@21010': { compatible: 'marvell,coherency-fabric', reg: [0x2_1010, 0x1c] },
  });
  t.deepEqual(applied(plan(tree)), []);
});

test('an arm64 kernel undoes what a notifier made coherent, an arm one keeps it', t => {
  const fabric: DtLiteral = {
    'fabric@21010': { compatible: 'marvell,coherency-fabric', reg: [0x2_1010, 0x1c] },
    'sata@a8000': { compatible: 'marvell,armada-380-ahci', reg: [0xa_8000, 0x2000] },
    'usb@58000': { compatible: 'acme,usb', reg: [0x5_8000, 0x500], 'dma-noncoherent': true },
    'eth@70000': { compatible: 'acme,eth', reg: [0x7_0000, 0x4000], 'dma-coherent': true },
  };
  const coherent = (core: string): boolean[] => {
    const board = plan(machine(['marvell,new'], [core, core], 0n, fabric), '+mvebu-hwcc');
    return ['sata@a8000', 'usb@58000', 'eth@70000'].map(name => {
      const { tree, effective } = deviceAt(board, `/soc/${name}`);
      t.is(effective.quirks.length > 0, effective.dma.coherent !== tree.dma.coherent);
      return effective.dma.coherent;
    });
  };
  t.deepEqual(coherent(A9), [true, true, true]);
  t.deepEqual(coherent(A53), [false, false, true]);
});

test('a device that is not configured stays as the notifier left it', t => {
  const soc: DtLiteral = {
    bus: {
      compatible: 'simple-bus',
      '#address-cells': [1],
      '#size-cells': [2],
      ranges: true,
      'dma-ranges': [0, 0, 0xffff_ffff, 0xffff_ffff],
      'sata@a8000': { compatible: 'marvell,armada-380-ahci', reg: [0xa_8000, 0, 0x2000] },
    },
  };
  const board = plan(machine(['marvell,new'], [A9], 0n, soc), '+mvebu-hwcc');
  const { tree, effective } = deviceAt(board, '/soc/bus/sata@a8000');
  t.not(effective.failure, null);
  t.deepEqual([tree.dma.coherent, effective.dma.coherent], [false, true]);
});

test('mvebu-hwcc can be switched off, and on where nothing asks for it', t => {
  const off = plan(armada('marvell,armada-380-coherency-fabric', 2), '-mvebu-hwcc');
  t.false(off.facts.outerIoCoherent);
  t.true(off.devices.every(({ effective }) => !effective.dma.coherent));
  t.is(
    off.quirks.find(({ name }) => name === 'mvebu-hwcc')?.reason,
    'asked for with --quirk=-mvebu-hwcc',
  );
  const on = plan(armada('acme,fabric', 1), '+mvebu-hwcc');
  t.false(on.facts.outerIoCoherent);
  t.true(on.devices.every(({ effective }) => effective.dma.coherent));
});

onBoard('armhf/armada-388-clearfog', 'is coherent as its kernel makes it', (t, tree) => {
  t.deepEqual(applied(plan(tree)), ['mvebu-hwcc']);
  t.true(plan(tree).facts.outerIoCoherent);
  t.false(plan(tree, '-mvebu-hwcc').devices.some(({ effective }) => effective.dma.coherent));
});

onBoard('armhf/armada-xp-gp', 'is coherent, with an outer cache that is not told', (t, tree) => {
  t.deepEqual(applied(plan(tree)), ['mvebu-hwcc']);
  t.false(plan(tree).facts.outerIoCoherent);
});

onBoard(
  'armhf/armada-370-mirabox',
  'has a fabric and one CPU, so nothing is coherent',
  (t, tree) => {
    t.deepEqual(applied(plan(tree)), []);
  },
);

// highbank-sregs

onBoard(
  'armhf/ecx-2000',
  'needs its system registers for what the tree calls coherent',
  (t, tree) => {
    const board = plan(tree);
    t.deepEqual(applied(board), ['highbank-sregs', 'dma-zone-size']);
    t.true(board.devices.some(({ effective }) => effective.dma.coherent));
    for (const device of board.devices) t.is(device.effective, device.tree);
  },
);

test('a Highbank without its quirk is not modelled, another machine without it is itself', t => {
  const highbank = machine(['calxeda,highbank'], [A9], 0n, {});
  t.throws(() => plan(highbank, '-highbank-sregs'), { instanceOf: UnmodelledError });
  t.notThrows(() => plan(machine(['acme,soc'], [A9], 0n, {}), '-highbank-sregs'));
});

// sunxi-mbus-legacy

const sunxi = (soc: string, ram: bigint, extra: DtLiteral = {}): DeviceTree =>
  machine([soc], ['arm,cortex-a7'], ram, {
    'mbus: dram@1c62000': {
      compatible: 'allwinner,sun5i-a13-mbus',
      reg: [0x1c6_2000, 0x1000],
      '#interconnect-cells': [1],
      '#address-cells': [1],
      '#size-cells': [1],
      'dma-ranges': [0, 0x4000_0000, 0x2000_0000],
    },
    'codec@1c0e000': { compatible: 'allwinner,sun4i-a10-video-engine', reg: [0x1c0_e000, 0x1000] },
    'new@1e60000': {
      compatible: 'allwinner,sun4i-a10-display-backend',
      reg: [0x1e6_0000, 0x1000],
      interconnects: [ref('mbus'), 18],
      'interconnect-names': 'dma-mem',
    },
    'nameless@1e80000': {
      compatible: 'allwinner,sun4i-a10-display-frontend',
      reg: [0x1e8_0000, 0x1000],
      interconnects: [ref('mbus'), 19],
    },
    'mmc@1c0f000': { compatible: 'allwinner,sun4i-a10-mmc', reg: [0x1c0_f000, 0x1000] },
    ...extra,
  });

test('a master of the MBUS whose tree does not say so sees RAM at 0, without a limit', t => {
  const board = plan(sunxi('allwinner,sun7i-a20', 0x4000_0000n));
  t.deepEqual(applied(board), ['sunxi-mbus-legacy']);
  const { tree, effective } = deviceAt(board, '/soc/codec@1c0e000');
  t.is(tree.dma.map, null);
  t.deepEqual(effective.dma.map, [{ dma: 0n, cpu: 0x4000_0000n, size: 0x1_0000_0000n }]);
  t.is(effective.dma.busDmaLimit, null);
  t.is(effective.dma.mask, tree.dma.mask);
  t.deepEqual(effective.quirks, ['sunxi-mbus-legacy']);
});

test('sunxi-mbus-legacy leaves alone what has interconnects and what is not in its list', t => {
  const board = plan(sunxi('allwinner,sun7i-a20', 0x4000_0000n));
  for (const path of ['/soc/new@1e60000', '/soc/nameless@1e80000', '/soc/mmc@1c0f000']) {
    const { tree, effective } = deviceAt(board, path);
    t.is(effective, tree);
  }
});

test('sunxi-mbus-legacy needs the SoC, RAM above 0, and to be on', t => {
  for (const board of [
    plan(sunxi('allwinner,sun50i-h6', 0x4000_0000n)),
    plan(sunxi('allwinner,sun7i-a20', 0n)),
    plan(sunxi('allwinner,sun7i-a20', 0x4000_0000n), '-sunxi-mbus-legacy'),
  ]) {
    t.is(deviceAt(board, '/soc/codec@1c0e000').effective.dma.map, null);
  }
});

onBoard(
  'armhf/sun4i-a10-mk802',
  'has masters of the MBUS that only the kernel knows',
  (t, tree) => {
    const changed = plan(tree).devices.filter(({ effective }) => effective.quirks.length > 0);
    t.true(changed.length > 0);
    for (const { device, effective } of changed) {
      t.is(effective.dma.map?.[0]?.cpu, 0x4000_0000n, device.node.path);
    }
  },
);

// keystone-offset

for (const [ram, names] of [
  [0x8_0000_0000n, ['keystone-offset', 'dma-zone-size']],
  [0x8000_0000n, ['dma-zone-size']],
] as const) {
  test(`Keystone with RAM at 0x${ram.toString(16)}: its devices have nodes and stay`, t => {
    const tree = machine(['ti,k2e', 'ti,keystone'], ['arm,cortex-a15'], ram, {
      'dma@1000': { compatible: 'arm,pl330', reg: [0x1000, 0x1000] },
    });
    const board = plan(tree);
    t.deepEqual(applied(board), names);
    t.is(board.facts.dmaZoneLimit, Number(ram) + 0x8000_0000 - 1);
    for (const device of board.devices) t.is(device.effective, device.tree);
  });
}

// dma-zone-size, and arm64's zone

for (const [root, core, size] of [
  ['ti,omap5', 'arm,cortex-a15', 0x8000_0000],
  ['ti,dra7', 'arm,cortex-a15', 0x8000_0000],
  ['ti,am5718', 'arm,cortex-a15', 0x8000_0000],
  ['ti,keystone', 'arm,cortex-a15', 0x8000_0000],
  ['calxeda,highbank', A9, 0x1_0000_0000],
  ['arm,realview-pbx', A9, 0x1000_0000],
] as const) {
  test(`${root} has a ZONE_DMA of 0x${size.toString(16)} bytes from the start of RAM`, t => {
    const tree = machine([root], [core], 0x1000_0000n, {});
    t.is(plan(tree).facts.dmaZoneLimit, 0x1000_0000 + size - 1);
    t.is(plan(tree, '-dma-zone-size').facts.dmaZoneLimit, null);
  });
}

test('other machines of arm32 have no ZONE_DMA, asked for or not', t => {
  const tree = machine(['ti,omap4'], [A9], 0x8000_0000n, {});
  t.is(plan(tree).facts.dmaZoneLimit, null);
  t.is(plan(tree, '+dma-zone-size').facts.dmaZoneLimit, null);
});

test("arm64's ZONE_DMA ends where the narrowest window of its tree does, or RAM does", t => {
  const narrow: DtLiteral = {
    'dma-ranges': [0, 0, 0, 0x4000_0000],
    'dma@1000': { compatible: 'arm,pl330', reg: [0x1000, 0x1000] },
  };
  const of = (ram: bigint, soc: DtLiteral, memory: number): number | null =>
    planMachine(machine(['acme,soc'], [A53], ram, soc), { memory, quirks: [] }).facts.dmaZoneLimit;
  t.is(of(0n, narrow, 0x1_0000_0000), 0x3fff_ffff);
  t.is(of(0n, narrow, 0x2000_0000), 0x1fff_ffff);
  t.is(of(0n, {}, 0x2_0000_0000), 0xffff_ffff);
  t.is(of(0x8000_0000n, narrow, 0x2_0000_0000), 0xffff_ffff);
  t.is(of(0x8_0000_0000n, {}, 0x1000_0000), 0x8_0fff_ffff);
});

onBoard('armhf/bcm2711-rpi-4-b', 'has a ZONE_DMA of 1 GiB on arm64 by its windows', (t, tree) => {
  const board = planMachine(tree, { memory: 0xfc00_0000, quirks: [] });
  t.deepEqual(applied(board), []);
  t.is(board.facts.dmaZoneLimit, 0x3fff_ffff);
});
