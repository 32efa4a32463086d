import test from 'ava';
import { IRQ_HANDLED, IrqDomain, IrqType } from '../../../drivers/base/kernel/irq';
import { EINVAL } from '../../../drivers/base/kernel/errno';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { offsetBy } from '../../../drivers/base/types/address';
import { BenchError, InputError } from '../../../drivers/base/types/errors';
import { GicDriver } from '../../../drivers/irqchip/gic/driver/gic-driver';
import { Gic } from '../../../drivers/irqchip/gic/model/gic';
import { GICC, GICD, GICD_BANKED, SPURIOUS } from '../../../drivers/irqchip/gic/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { fill, irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const SPI = 32;

const make = (cpus = 2, spis = 96) => {
  const guestErrors: string[] = [];
  const cpu = { current: 0 };
  const gic = new Gic({
    name: 'gic',
    version: 2,
    cpus,
    spis,
    distributorId: 0x0200_143b,
    cpuInterfaceId: 0x0202_143b,
    cpuInterfaceSize: 0x2000,
    priorityBits: 5,
    currentCpu: () => cpu.current,
    onGuestError: text => guestErrors.push(text),
  });
  return { gic, guestErrors, cpu };
};

/** Everything enabled, edge-triggered, at odd priorities; some interrupts active. */
const leaveRunning = (gic: Gic, bus: DeviceBus): void => {
  const distributor = bus.baseOf(0);
  fill(bus.io, offsetBy(distributor, 0x100), 4, 0xffff_ffff);
  fill(bus.io, offsetBy(distributor, 0x300), 4, 0x8001_8001);
  fill(bus.io, offsetBy(distributor, 0x400), 32, 0xf8f8_f8f8);
  fill(bus.io, offsetBy(distributor, 0x820), 24, 0);
  fill(bus.io, offsetBy(distributor, 0xc08), 6, 0xaaaa_aaaa);
  bus.io.writel(1, distributor);
  gic.spis.set(1, true);
};

/** Model and Linux's driver, all CPUs up; the boot CPU runs. */
const joined = (cpus = 2, spis = 96, firmware?: string) => {
  const parts = make(cpus, spis);
  const bus = new DeviceBus(parts.gic);
  const [distributor, cpuInterface] = [bus.baseOf(0), bus.baseOf(1)];
  if (firmware !== undefined) leaveRunning(parts.gic, bus);
  const chip = new GicDriver({ name: 'gic', io: bus.io, distributor, cpuInterface });
  chip.initDistributor();
  for (let i = cpus - 1; i >= 0; i--) {
    parts.cpu.current = i;
    chip.initCpu(i);
  }
  return {
    ...parts,
    bus,
    chip,
    gicd: ioRegisters(GICD, bus.io, distributor),
    banked: ioRegisters(GICD_BANKED, bus.io, distributor),
    gicc: ioRegisters(GICC, bus.io, cpuInterface),
  };
};

deviceModelConformance(test, 'gic', () => {
  const { gic, guestErrors, cpu } = make(1);
  return {
    device: gic,
    windows: [
      { sheet: GICD, region: 0, offset: 0 },
      { sheet: GICD_BANKED, region: 0, offset: 0 },
      { sheet: GICC, region: 1, offset: 0 },
    ],
    irqs: [gic.irq(0)],
    guestErrors,
    dynamic: [
      // Interrupts, priority bits and targets that are not implemented read as zero.
      ...['ISENABLER', 'ICENABLER', 'ISPENDR', 'ICPENDR', 'ISACTIVER', 'ICACTIVER'].map(
        name => `gicd.${name}`,
      ),
      ...['gicd.IPRIORITYR', 'gicd.ICFGR', 'gicd.ITARGETSR'],
      ...['gicd-banked.IPRIORITYR', 'gicd-banked.ICFGR', 'gicd-banked.ISPENDR'],
      ...['gicd-banked.ICPENDR', 'gicc.PMR'],
    ],
    stir: bus => {
      bus.write(bus.baseOf(0), 4, 1);
      bus.write(bus.baseOf(0) + 0x100, 4, 0xffff_ffff);
      bus.write(bus.baseOf(0) + 0x104, 4, 0xffff_ffff);
      bus.write(bus.baseOf(0) + 0x420, 4, 0x5050_5050);
      bus.write(bus.baseOf(1) + 0x04, 4, 0xf0);
      bus.write(bus.baseOf(1), 4, 1);
      gic.spis.set(1, true);
      bus.read(bus.baseOf(1) + 0x0c, 4);
      gic.privateInputs(0).set(29, true);
      bus.write(bus.baseOf(0) + 0xf00, 4, 0x0201_0003);
      cpu.current = 0;
    },
    release: () => {
      gic.spis.set(1, false);
      gic.privateInputs(0).set(29, false);
    },
  };
});

for (const cpus of [1, 2]) {
  irqChipConformance(test, `gic with ${cpus} CPUs`, firmware => {
    const { gic, guestErrors, chip } = joined(cpus, 96, firmware);
    return {
      chip,
      irq: gic.irq(0),
      input: (hwirq, level) => {
        if (hwirq < SPI) gic.privateInputs(0).set(hwirq, level);
        else gic.spis.set(hwirq - SPI, level);
      },
      lines: [16, 31, 32, 63, 64, 127],
      specifiers: [
        [[0, 0, 4], 32],
        [[0, 95, 1], 127],
        [[1, 13, 0xf04], 29],
      ],
      wrongSpecifiers: [[], [0], [0, 1], [0, 96, 4], [1, 16, 4], [2, 0, 4], [0, 0, 5]],
      guestErrors,
    };
  });
}

test('the distributor says what was integrated, and version and maker', t => {
  const { gicd, gicc } = joined(2, 96);
  t.like(gicd.TYPER.read(), { IT_LINES: 3, CPUS: 1, SECURITY: 0 });
  t.is(gicd.ICPIDR2.read().ARCH, 2);
  t.is(gicc.IIDR.read().value, 0x0202_143b);
});

test('a specifier keeps the type of its trigger', t => {
  const { chip } = joined();
  t.is(chip.translate([0, 5, 1]).type, IrqType.EdgeRising);
  t.is(chip.translate([1, 5, 0xf08]).type, IrqType.LevelLow);
});

test('an edge is latched and taken once; a level lasts as long as its line', t => {
  const { gic, gicc, chip } = joined();
  t.is(chip.setType(SPI, IrqType.EdgeRising), 0);
  chip.enable(SPI);
  chip.enable(SPI + 1);
  gic.spis.set(0, true);
  gic.spis.set(0, false);
  t.true(gic.irq(0).level, 'the edge stays');
  t.is(chip.ack(), SPI);
  gicc.EOIR.write(SPI);
  t.false(gic.irq(0).level);
  gic.spis.set(1, true);
  gic.spis.set(1, false);
  t.false(gic.irq(0).level, 'the level went');
});

test('an edge that comes while it is handled is pending again after the end', t => {
  const { gic, chip } = joined();
  chip.setType(SPI, IrqType.EdgeRising);
  chip.enable(SPI);
  gic.spis.set(0, true);
  t.is(chip.ack(), SPI);
  gic.spis.set(0, false);
  gic.spis.set(0, true);
  t.false(gic.irq(0).level, 'not while it is active');
  chip.eoi(SPI);
  t.true(gic.irq(0).level);
});

test('types that the hardware has not are refused', t => {
  const { chip } = joined();
  t.is(chip.setType(SPI, IrqType.LevelLow), -EINVAL);
  t.is(chip.setType(SPI, IrqType.EdgeFalling), -EINVAL);
  t.is(chip.setType(3, IrqType.EdgeRising), -EINVAL, 'an SGI');
  t.is(chip.setType(29, IrqType.LevelLow), 0, 'a PPI may be wired low');
});

test('the more urgent interrupt preempts, its equals wait, and ends go inside out', t => {
  const { gic, gicd, gicc, chip } = joined();
  for (const [spi, priority] of [
    [0, 0xa0],
    [1, 0xa0],
    [2, 0x40],
  ] as const) {
    chip.enable(SPI + spi);
    const before = gicd.IPRIORITYR(0).read().value & ~(0xff << (8 * spi));
    gicd.IPRIORITYR(0).write((before | (priority << (8 * spi))) >>> 0);
  }
  gic.spis.set(1, true);
  t.is(chip.ack(), SPI + 1);
  t.is(gicc.RPR.read().PRIORITY, 0xa0);
  gic.spis.set(0, true);
  t.false(gic.irq(0).level, 'equal priority does not preempt');
  t.is(gicc.HPPIR.read().INT_ID, SPI);
  t.is(chip.ack(), null);
  gic.spis.set(2, true);
  t.true(gic.irq(0).level);
  t.is(chip.ack(), SPI + 2);
  t.is(gicc.RPR.read().PRIORITY, 0x40);
  gic.spis.set(2, false);
  chip.eoi(SPI + 2);
  t.is(gicc.RPR.read().PRIORITY, 0xa0);
  gic.spis.set(1, false);
  chip.eoi(SPI + 1);
  t.is(gicc.RPR.read().PRIORITY, 0xff);
  t.is(chip.ack(), SPI);
});

test('of equal priorities the smaller number comes first', t => {
  const { gic, chip } = joined();
  for (const spi of [40, 7, 70]) {
    chip.enable(SPI + spi);
    gic.spis.set(spi, true);
  }
  const order = [chip.ack()];
  chip.disable(SPI + 7);
  chip.eoi(SPI + 7);
  order.push(chip.ack());
  t.deepEqual(order, [SPI + 7, SPI + 40]);
});

test('the binary point groups priorities that do not preempt each other', t => {
  const { gic, gicd, gicc, chip } = joined();
  gicc.BPR.write({ BINARY_POINT: 5 });
  chip.enable(SPI);
  chip.enable(SPI + 1);
  gicd.IPRIORITYR(0).write(0x80a0);
  gic.spis.set(0, true);
  t.is(chip.ack(), SPI);
  gic.spis.set(1, true);
  t.false(gic.irq(0).level, '0x80 and 0xa0 are one group of 0xc0');
  gicc.BPR.write({ BINARY_POINT: 2 });
  t.true(gic.irq(0).level);
});

test('the priority mask holds back its own priority and less urgent ones', t => {
  const { gic, gicc, chip } = joined();
  chip.enable(SPI);
  gic.spis.set(0, true);
  gicc.PMR.write({ PRIORITY: 0xa0 });
  t.false(gic.irq(0).level);
  t.is(chip.ack(), null);
  gicc.PMR.write({ PRIORITY: 0xa8 });
  t.true(gic.irq(0).level);
});

test('bits of a priority that are not implemented read as zero', t => {
  const { gicd, gicc, banked } = joined();
  gicd.IPRIORITYR(3).write(0xffff_ffff);
  t.is(gicd.IPRIORITYR(3).read().value, 0xf8f8_f8f8);
  gicc.PMR.write({ PRIORITY: 0xff });
  t.is(gicc.PMR.read().PRIORITY, 0xf8);
  banked.IPRIORITYR(0).write(0x0707_0707);
  t.is(banked.IPRIORITYR(0).read().value, 0);
});

test('SGIs are edges and stay so; the other interrupts begin as levels', t => {
  const { banked, gicd } = joined();
  t.is(banked.ICFGR(0).read().value, 0xaaaa_aaaa);
  banked.ICFGR(0).write(0);
  t.is(banked.ICFGR(0).read().value, 0xaaaa_aaaa);
  gicd.ICFGR(5).write(0xffff_ffff);
  t.is(gicd.ICFGR(5).read().value, 0xaaaa_aaaa, 'only the upper of two bits is there');
});

test('interrupts that are not implemented cannot be enabled', t => {
  const { gicd } = joined(2, 32);
  gicd.ISENABLER(1).write(0xffff_ffff);
  t.is(gicd.ISENABLER(1).read().value, 0);
  gicd.ISENABLER(0).write(0xffff_ffff);
  t.is(gicd.ISENABLER(0).read().value, 0xffff_ffff);
  const all = joined(2, 992);
  all.gicd.ISENABLER(30).write(0xffff_ffff);
  t.is(all.gicd.ISENABLER(30).read().value, 0x0fff_ffff, '1020 to 1023 are no interrupts');
});

test('a shared interrupt goes to the CPUs it targets, and to one of them', t => {
  const { gic, chip, cpu } = joined();
  chip.enable(SPI);
  gic.spis.set(0, true);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [true, false], 'at first to the boot CPU');
  t.is(chip.setAffinity(SPI, 1), 0);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [false, true]);
  cpu.current = 1;
  t.is(chip.ack(), SPI);
  gic.spis.set(0, false);
  chip.eoi(SPI);
  t.is(chip.setAffinity(SPI, 7), -EINVAL);
  t.is(chip.setAffinity(20, 1), -EINVAL, 'a PPI cannot move');
});

test('with several targets the first to acknowledge takes it, the other finds nothing', t => {
  const { gic, gicd, chip, cpu } = joined();
  gicd.ITARGETSR(0).write(0x0000_0003);
  chip.enable(SPI);
  gic.spis.set(0, true);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [true, true]);
  cpu.current = 1;
  t.is(chip.ack(), SPI);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [false, false]);
  cpu.current = 0;
  t.is(chip.ack(), null);
});

test("a CPU's own interrupts are its own, at the same addresses", t => {
  const { gic, chip, banked, cpu } = joined();
  cpu.current = 1;
  chip.enable(29);
  t.is((banked.ISENABLER(0).read().value >>> 29) & 1, 1);
  cpu.current = 0;
  t.is((banked.ISENABLER(0).read().value >>> 29) & 1, 0);
  gic.privateInputs(0).set(29, true);
  gic.privateInputs(1).set(29, true);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [false, true]);
});

test('an SGI says who sent it, once for each sender, and is ended with that', t => {
  const { gic, chip, cpu, gicc, banked } = joined();
  const domain = new IrqDomain(chip);
  cpu.current = 1;
  chip.sendSgi(3, [0]);
  cpu.current = 0;
  chip.sendSgi(3, [0, 1]);
  t.is(banked.SPENDSGIR(0).read().value, 0x0300_0000);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [true, true]);
  t.like(gicc.HPPIR.read(), { INT_ID: 3, CPU_ID: 0 });
  const senders: number[] = [];
  domain.requestIrq(3, 'ipi', () => {
    senders.push(banked.SPENDSGIR(0).read().value >>> 24);
    return IRQ_HANDLED;
  });
  t.is(domain.handleIrq(), 2);
  t.deepEqual(senders, [0b10, 0]);
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [false, true]);
});

test('the filter of an SGI sends to all others, or to oneself', t => {
  const { gic, gicd } = joined();
  gicd.SGIR.write({ FILTER: 1, INT_ID: 1, TARGETS: 0xff });
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [false, true]);
  gicd.SGIR.write({ FILTER: 2, INT_ID: 1 });
  t.deepEqual([gic.irq(0).level, gic.irq(1).level], [true, true]);
});

test('the pending registers show an SGI and do not change it; those of their own do', t => {
  const { gic, banked } = joined();
  banked.ISPENDR(0).write(1 << 5);
  t.is(banked.ISPENDR(0).read().value, 0);
  banked.SPENDSGIR(1).write(0x0200);
  t.is(banked.ISPENDR(0).read().value, 1 << 5);
  t.true(gic.irq(0).level);
  banked.ICPENDR(0).write(1 << 5);
  t.true(gic.irq(0).level);
  banked.CPENDSGIR(1).write(0x0200);
  t.false(gic.irq(0).level);
});

test('software may make an interrupt pending, and take that back', t => {
  const { gic, gicd, chip } = joined();
  chip.enable(SPI + 3);
  gicd.ISPENDR(0).write(8);
  t.true(gic.irq(0).level);
  gicd.ICPENDR(0).write(8);
  t.false(gic.irq(0).level);
  gic.spis.set(3, true);
  gicd.ICPENDR(0).write(8);
  t.true(gic.irq(0).level, 'but not a line that is asserted');
  t.is(gicd.ICPENDR(0).read().value, 8);
});

test('an end of what was not acknowledged, or not last, is a guest error', t => {
  const { gic, chip, guestErrors } = joined();
  chip.eoi(SPI);
  t.is(guestErrors.length, 1);
  chip.enable(SPI);
  gic.spis.set(0, true);
  t.is(chip.ack(), SPI);
  chip.eoi(SPI + 1);
  t.is(guestErrors.length, 2);
  t.false(gic.irq(0).level, 'it is still active');
  chip.eoi(SPI);
  t.true(gic.irq(0).level);
});

test('nothing is signalled while distributor or CPU interface is off', t => {
  const { gic, gicd, gicc, chip } = joined();
  chip.enable(SPI);
  gic.spis.set(0, true);
  gicd.CTLR.write(0);
  t.false(gic.irq(0).level);
  t.is(gicc.IAR.read().INT_ID, SPURIOUS);
  gicd.CTLR.write({ ENABLE: 1 });
  gicc.CTLR.write(0);
  t.false(gic.irq(0).level);
});

test('the targets of a uniprocessor read as zero, and it gets every interrupt', t => {
  const { gic, gicd, banked, chip } = joined(1);
  gicd.ITARGETSR(0).write(0xffff_ffff);
  t.is(gicd.ITARGETSR(0).read().value, 0);
  t.is(banked.ITARGETSR(0).read().value, 0);
  chip.enable(SPI);
  gic.spis.set(0, true);
  t.true(gic.irq(0).level);
});

test('a GIC that cannot be is a defect of whoever put it together', t => {
  for (const [cpus, spis] of [
    [0, 32],
    [9, 32],
    [1, 33],
    [1, 1024],
  ] as const) {
    t.throws(() => make(cpus, spis), { instanceOf: BenchError });
  }
  const { gic } = make(2);
  t.throws(() => gic.irq(2), { instanceOf: BenchError });
});

test('a snapshot of another number of CPUs is refused', t => {
  const state = make(1).gic.saveState();
  t.throws(
    () => {
      make(2).gic.restoreState(state);
    },
    { instanceOf: InputError, message: /list of 2, found a list of 1/ },
  );
});
