import test from 'ava';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DeviceModel } from '../../drivers/base/hw/device';
import { IrqType } from '../../drivers/base/kernel/irq';
import { offsetBy, physAddr } from '../../drivers/base/types/address';
import { BenchError, InputError, UnmodelledError } from '../../drivers/base/types/errors';
import { FaultKind } from '../../drivers/base/types/isa';
import { Random } from '../../drivers/base/types/random';
import { COPY_ENGINE } from '../../drivers/dma/copy-engine/regs';
import { TestMasterDevice } from '../../drivers/misc/test-master/driver';
import { TEST_MASTER } from '../../drivers/misc/test-master/regs';
import { GICC, GICD } from '../../drivers/irqchip/gic/regs';
import { boardNames, loadBoard } from '../../machines/boards';
import { bootMachine } from '../../machines/boot';
import { DeviceKinds } from '../../machines/devices';
import type { DeviceModule } from '../../machines/devices';
import type { Kernel } from '../../machines/kernel';
import type { Machine } from '../../machines/machine';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { checkBootable } from '../../machines/plan-boot';
import { testMasterBase } from '../../machines/plan-windows';
import { BOARD_FILES } from '../../tools/board/board-files';
import type { CpuAddr } from '../../drivers/base/types/address';
import { dt, ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';

const plan = (
  root: DtLiteral,
  cores = 1,
  core = 'arm,cortex-a53',
  modules: readonly DeviceModule[] = [],
): MachinePlan =>
  planMachine(
    dt({
      compatible: 'acme,board',
      '#address-cells': [2],
      '#size-cells': [2],
      cpus: {
        '#address-cells': [1],
        '#size-cells': [0],
        ...Object.fromEntries(
          Array.from({ length: cores }, (_, n) => [
            `cpu@${n}`,
            { device_type: 'cpu', compatible: core, reg: [n] },
          ]),
        ),
      },
      memory: { device_type: 'memory', reg: [0x8000_0000n, 0x1000_0000n] },
      ...root,
    }),
    { memory: null, quirks: [], modules },
  );

const boot = (machine: MachinePlan): Machine =>
  bootMachine(machine, {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });

const required = <T>(value: T | null): T => {
  if (value === null) throw new Error('nothing');
  return value;
};

const mapped = (kernel: Kernel, address: number, size: number): CpuAddr =>
  required(kernel.mappings.ioremap(physAddr(address), size));

const gic = (at: bigint): DtLiteral => ({
  compatible: 'arm,gic-400',
  'interrupt-controller': true,
  '#interrupt-cells': [3],
  reg: [at, 0x1000n, at + 0x1000n, 0x1000n],
});

const engine = (at: bigint, more: DtLiteral = {}): DtLiteral => ({
  compatible: 'dmabench,copy-engine',
  reg: [at, 0x1000n],
  ...more,
});

const wired = (type: number): DtLiteral => ({
  'interrupt-parent': [ref('gic')],
  interrupts: [0, 9, type],
});

for (const name of boardNames(BOARD_FILES)) {
  test(`${name}: every device that is called modelled is placed and has a driver`, t => {
    const machine = boot(planMachine(loadBoard(name, BOARD_FILES), { memory: null, quirks: [] }));
    const { hardware, kernel, devices } = machine;
    const modelled = machine.plan.devices.filter(({ status }) => status === 'modelled');
    const root = hardware.interrupts?.node;
    for (const { device } of modelled) {
      const { node, resources } = device;
      const range = hardware.space.find(Number(resources[0]?.start ?? -1n));
      t.is(range?.region.content.kind, 'io', node.path);
      const region = range?.region.name ?? '';
      t.true(
        hardware.models().some(model => region.startsWith(model.name)),
        node.path,
      );
      if (node === root) t.not(kernel.irq, null, node.path);
      else if (node === machine.plan.outer?.cache.node) t.not(hardware.outerCache, null);
      else
        t.true(
          machine.iommus.has(node) ||
            devices.some(({ plan: { device: bound } }) => bound === device),
          node.path,
        );
    }
    t.is(modelled.length, hardware.models().length - hardware.masters.length);
  });
}

test('a test master of the tree is one of the masters that suites use', t => {
  const { masters, kernel } = boot(
    plan({ tm: { compatible: 'dmabench,test-master', reg: [0x7000_0000n, 0x1000n] } }),
  );
  t.deepEqual(
    masters.map(({ plan: { example }, device }) => [example, device.dev.ofPath]),
    [
      ['/tm', null],
      ['/tm', '/tm'],
    ],
  );
  t.true(masters.every(({ device }) => device instanceof TestMasterDevice));
  const registers = mapped(kernel, 0x7000_0000, 0x1000);
  t.is(kernel.io.readl(registers), TEST_MASTER.registers.ID.reset);
});

test('a second interrupt controller is not modelled, nor a cache that nothing drives', t => {
  const { devices } = plan({
    'gic: gic': gic(0x2000_0000n),
    second: gic(0x2100_0000n),
  });
  t.deepEqual(
    devices.map(({ matched, status }) => [matched, status]),
    [
      ['arm,gic-400', 'modelled'],
      [null, 'inert'],
    ],
  );
});

test('a device whose interrupts lead to what is not modelled is polled, and the run says so', t => {
  const { copyEngines, notes } = boot(
    plan({
      'gic: gic': gic(0x2000_0000n),
      'mux: mux': {
        compatible: 'acme,mux',
        'interrupt-controller': true,
        '#interrupt-cells': [1],
        reg: [0x2100_0000n, 0x1000n],
      },
      e: engine(0x3000_0000n, { 'interrupt-parent': [ref('mux')], interrupts: [3] }),
    }),
  );
  t.deepEqual(notes, ['/e: interrupts lead to /mux, which is not modelled; it is polled']);
  t.is(copyEngines.length, 1);
});

test('two devices share an interrupt, triggered as the tree says', t => {
  const { copyEngines, notes, kernel, hardware } = boot(
    plan({
      'gic: gic': gic(0x2000_0000n),
      a: engine(0x3000_0000n, wired(IrqType.LevelHigh)),
      b: engine(0x3000_1000n, wired(IrqType.LevelHigh)),
    }),
  );
  t.deepEqual(notes, []);
  t.deepEqual(kernel.irq?.statistics(41).names, ['a', 'b']);
  t.is(copyEngines.length, 2);
  for (const { engine: copier } of copyEngines) {
    const from = required(kernel.slab.kmalloc(64, {}));
    const to = required(kernel.slab.kmalloc(64, {}));
    t.is(copier.copy(to, from, 64), 0);
  }
  t.true((kernel.irq?.statistics(41).count ?? 0) >= 2);
  t.is(hardware.guestErrors.total, 0);
});

test('an edge in the tree is an edge in the controller; another one for the same line is told', t => {
  const { notes, kernel, copyEngines } = boot(
    plan({
      'gic: gic': gic(0x2000_0000n),
      a: engine(0x3000_0000n, wired(IrqType.EdgeRising)),
      b: engine(0x3000_1000n, wired(IrqType.LevelHigh)),
    }),
  );
  t.is(copyEngines.length, 2);
  t.deepEqual(notes, ['/b: interrupts: another device has set another trigger; it is polled']);
  const base = mapped(kernel, 0x2000_0000, 0x1000);
  const icfgr = offsetBy(base, GICD.registers.ICFGR.at);
  t.is((kernel.io.readl(icfgr) >>> (2 * 9)) & 3, 2);
});

test('a device that its driver does not take is told and left alone', t => {
  const { copyEngines, notes } = boot(
    plan({ 'gic: gic': gic(0x2000_0000n), e: engine(0x3000_0000n, wired(IrqType.LevelLow)) }),
  );
  t.deepEqual(
    [copyEngines.length, ...notes],
    [0, '/e: probe with driver copy-engine failed with error -22'],
  );
});

test('a node is what its first known string says: to its model, and to its driver', t => {
  const driver = { name: 'acme', compatible: ['acme,engine'], probe: () => 'acme' };
  const e = engine(0x3000_0000n, { compatible: ['acme,engine', 'dmabench,copy-engine'] });
  const { devices } = boot(plan({ e }, 1, 'arm,cortex-a53', [{ models: [], drivers: [driver] }]));
  t.deepEqual(
    devices.map(({ plan: { matched }, bound }) => [matched, bound]),
    [['dmabench,copy-engine', 'acme']],
  );
});

test('what is loaded for one machine is known to no other', t => {
  const [own] = boot(plan({ e: engine(0x3000_0000n) })).hardware.devices;
  const makeModel = (): DeviceModel => required(own?.model ?? null);
  const driver = { name: 'acme', compatible: ['acme,box'], probe: () => 0 };
  const compatible = ['acme,box'];
  const loaded = [{ models: [{ compatible, windows: [16], makeModel }], drivers: [driver] }];
  const kind = new DeviceKinds(loaded).of(compatible);
  t.deepEqual(kind?.windows, [16]);
  t.is(kind?.driver, driver);
  t.is(new DeviceKinds().of(compatible), null);
  const box = engine(0x3000_0000n, { compatible });
  t.is(plan({ box }, 1, 'arm,cortex-a53', loaded).devices[0]?.matched, 'acme,box');
  t.is(plan({ box }).devices[0]?.matched, null);
});

test('an interrupt specifier that the controller does not take is wrong input of the device', t => {
  const e = engine(0x3000_0000n, { 'interrupt-parent': [ref('gic')], interrupts: [7, 9999, 4] });
  const error = t.throws(() => boot(plan({ 'gic: gic': gic(0x2000_0000n), e })), {
    instanceOf: InputError,
  });
  t.regex(error.message, /^\/e: property 'interrupts': expected <0 SPI type> or/);
});

test('registers that are banked by CPU answer to the CPU that asks, whatever the kernel thinks', t => {
  const { hardware, kernel } = boot(plan({ 'gic: gic': gic(0x2000_0000n) }, 2));
  const base = mapped(kernel, 0x2000_0000, 0x2000);
  const [first, second] = hardware.complex.cpus;
  const mask = offsetBy(base, 0x1000 + GICC.registers.PMR.at);
  first?.store32(mask, 0x50);
  second?.store32(mask, 0x80);
  t.deepEqual([first?.load32(mask), second?.load32(mask)], [0x50, 0x80]);
});

test('the interface of a GICv3 is system registers of its CPU: events, and undefined without one', t => {
  const gicV3: DtLiteral = {
    compatible: 'arm,gic-v3',
    'interrupt-controller': true,
    '#interrupt-cells': [3],
    reg: [0x2000_0000n, 0x1_0000n, 0x2010_0000n, 0x4_0000n],
  };
  const { hardware } = boot(plan({ 'gic: gic': gicV3 }, 2));
  const { complex, trace } = hardware;
  const [first, second] = complex.cpus;
  const before = [complex.pulse.now, trace.events, trace.hash];
  first?.writeSys('ICC_PMR', 0x80);
  second?.writeSys('ICC_PMR', 0x40);
  t.deepEqual([first?.readSys('ICC_PMR'), second?.readSys('ICC_PMR')], [0x80, 0x40]);
  t.is(complex.pulse.now, Number(before[0]) + 4);
  t.is(trace.events, Number(before[1]) + 4);
  t.not(trace.hash, before[2]);

  const [plain] = boot(plan({ 'gic: gic': gic(0x2000_0000n) })).hardware.complex.cpus;
  plain?.setVectors({ abort: () => false, interrupt: () => undefined });
  t.is(plain?.readSys('ICC_IAR1'), 0);
  t.is(plain?.fault.kind, FaultKind.Undefined);
});

test('masters behind IOMMUs are told in one line', t => {
  const smmu: DtLiteral = {
    compatible: 'acme,mmu',
    '#iommu-cells': [1],
    reg: [0x5000_0000n, 0x2_0000n],
  };
  const usb = (at: bigint): DtLiteral => ({
    compatible: 'snps,dwc3',
    reg: [at, 0x1000n],
    iommus: [ref('smmu'), 1],
  });
  const root = {
    'gic: gic': gic(0x2000_0000n),
    'smmu: smmu': smmu,
    u: usb(0x6000_0000n),
    v: usb(0x6000_1000n),
  };
  t.deepEqual(boot(plan(root)).notes, [
    '2 masters behind /smmu: IOMMUs translate nothing, as in bypass',
  ]);
});

test('test masters are put above 4 GiB where there is no room below', t => {
  const soc = { compatible: 'acme,soc', reg: [0n, 0x1_0000_0000n] };
  const machine = plan({ soc });
  t.is(testMasterBase(machine), 0x1_0000_0000);
  const { kernel, masters } = boot(machine);
  t.is(masters.length, 1);
  const registers = mapped(kernel, 0x1_0000_0000, 0x1000);
  t.is(kernel.io.readl(registers), TEST_MASTER.registers.ID.reset);
});

const UNBOOTABLE: readonly (readonly [what: string, root: DtLiteral, message: string])[] = [
  [
    'hardly any RAM',
    { memory: { device_type: 'memory', reg: [0x8000_0000n, 0x1000n] } },
    "/memory: property 'reg': expected at least 1048576 bytes of RAM that are not set aside, " +
      'found 4096',
  ],
  [
    'RAM that is all set aside',
    {
      'reserved-memory': {
        '#address-cells': [2],
        '#size-cells': [2],
        ranges: true,
        all: { reg: [0x8000_0000n, 0x1000_0000n], 'no-map': true },
      },
    },
    "/memory: property 'reg': expected at least 1048576 bytes of RAM that are not set aside, " +
      'found 0',
  ],
  [
    'bus addresses that no number holds',
    {
      bus: {
        compatible: 'simple-bus',
        '#address-cells': [2],
        '#size-cells': [2],
        ranges: true,
        'dma-ranges': [0xffff_ffff_f000_0000n, 0x8000_0000n, 0x1000_0000n],
        usb: { compatible: 'snps,dwc3', reg: [0x6000_0000n, 0x1000n] },
      },
    },
    "/bus: property 'dma-ranges': expected windows that end below 2^53, " +
      'found 0x10000000 bytes from 0xfffffffff0000000 on, which are 0x80000000 to the CPUs',
  ],
];

for (const [what, root, message] of UNBOOTABLE) {
  test(`wrong input for a machine: ${what}`, t => {
    const error = t.throws(() => {
      checkBootable(plan(root));
    });
    t.true(error instanceof InputError);
    t.is(error.message, message);
  });
}

test('the registers of a copy engine are those of its data sheet', t => {
  const { kernel } = boot(plan({ e: engine(0x3000_0000n) }));
  const base = mapped(kernel, 0x3000_0000, 0x1000);
  t.is(kernel.io.readl(base), COPY_ENGINE.registers.ID.reset);
});

test('a strap decides whether a master snoops, whatever its tree says', t => {
  const { hardware } = boot(plan({ e: engine(0x3000_0000n, { 'dma-coherent': true }) }));
  t.true(hardware.snoops('e'));
  hardware.strapCoherency('e', false);
  t.false(hardware.snoops('e'));
  hardware.strapCoherency('e', true);
  t.true(hardware.snoops('e'));
  t.throws(
    () => {
      hardware.strapCoherency('nobody', true);
    },
    { instanceOf: BenchError },
  );
});

test('a strap cannot give the cores a port that they do not have', t => {
  const { hardware } = boot(plan({ e: engine(0x3000_0000n) }, 1, 'arm,arm926ej-s'));
  t.throws(
    () => {
      hardware.strapCoherency('e', true);
    },
    { instanceOf: UnmodelledError },
  );
});
