import test from 'ava';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { BenchError } from '../../../drivers/base/types/errors';
import { OmapIntcDriver } from '../../../drivers/irqchip/omap-intc/driver';
import { OmapIntc } from '../../../drivers/irqchip/omap-intc/model';
import { INTC } from '../../../drivers/irqchip/omap-intc/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const make = (lines = 128) => {
  const guestErrors: string[] = [];
  const intc = new OmapIntc({
    name: 'intc',
    lines,
    revision: 0x50,
    onGuestError: text => guestErrors.push(text),
  });
  return { intc, guestErrors };
};

const bare = () => {
  const { intc } = make();
  const bus = new DeviceBus(intc);
  return { intc, regs: ioRegisters(INTC, bus.io, bus.baseOf(0)) };
};

deviceModelConformance(test, 'omap-intc', () => {
  const { intc, guestErrors } = make();
  return {
    device: intc,
    windows: [{ sheet: INTC, region: 0, offset: 0 }],
    irqs: [intc.irq],
    guestErrors,
    dynamic: ['omap-intc.SYSCONFIG'],
    stir: bus => {
      bus.write(INTC.registers.ILR.at + 4 * 127, 4, 5 << 2);
      bus.write(INTC.arrays.BANK.at + 3 * INTC.arrays.BANK.stride + 0x08, 4, 0xffff_ffff);
      intc.inputs.set(127, true);
    },
    release: () => {
      intc.inputs.set(127, false);
    },
  };
});

irqChipConformance(test, 'omap-intc', firmware => {
  const { intc, guestErrors } = make(96);
  const bus = new DeviceBus(intc);
  if (firmware !== undefined) {
    const regs = ioRegisters(INTC, bus.io, bus.baseOf(0));
    for (let bank = 0; bank < 4; bank++) {
      regs.BANK(bank).MIR.write(0);
      regs.BANK(bank).ISR_SET.write(0xffff_ffff);
    }
    regs.THRESHOLD.write(1);
  }
  const chip = new OmapIntcDriver({ name: 'intc', io: bus.io, base: bus.baseOf(0), lines: 96 });
  chip.init();
  return {
    chip,
    irq: intc.irq,
    input: (hwirq, level) => {
      intc.inputs.set(hwirq, level);
    },
    lines: [0, 31, 32, 95],
    specifiers: [[[95], 95]],
    wrongSpecifiers: [[], [96], [1, 4]],
    guestErrors,
  };
});

test('the sorted interrupt stays signalled until software agrees to a new one', t => {
  const { intc, regs } = bare();
  regs.BANK(0).MIR_CLEAR.write(0xffff_ffff);
  intc.inputs.set(9, true);
  t.true(intc.irq.level);
  intc.inputs.set(9, false);
  intc.inputs.set(3, true);
  t.true(intc.irq.level);
  t.is(regs.SIR_IRQ.read().ACTIVEIRQ, 9);
  regs.CONTROL.write({ NEWIRQAGR: 1 });
  t.is(regs.SIR_IRQ.read().ACTIVEIRQ, 3);
  regs.BANK(0).MIR_SET.write(0xffff_ffff);
  t.true(intc.irq.level);
  regs.CONTROL.write({ NEWIRQAGR: 1 });
  t.false(intc.irq.level);
});

test('the smaller priority number is more urgent, and the threshold holds the others back', t => {
  const { intc, regs } = bare();
  regs.BANK(0).MIR_CLEAR.write(0xffff_ffff);
  regs.THRESHOLD.write({ THRESHOLD: 10 });
  regs.ILR(1).write({ PRIORITY: 10 });
  regs.ILR(2).write({ PRIORITY: 9 });
  regs.ILR(3).write({ PRIORITY: 8 });
  intc.inputs.set(1, true);
  t.false(intc.irq.level);
  intc.inputs.set(2, true);
  t.is(regs.SIR_IRQ.read().ACTIVEIRQ, 2);
  t.is(regs.IRQ_PRIORITY.read().PRIORITY, 9);
  intc.inputs.set(3, true);
  regs.CONTROL.write({ NEWIRQAGR: 1 });
  t.is(regs.SIR_IRQ.read().ACTIVEIRQ, 3);
});

test('software interrupts show before the mask', t => {
  const { intc, regs } = bare();
  regs.BANK(1).ISR_SET.write(0x10);
  t.is(regs.BANK(1).ITR.read().value, 0x10);
  t.is(regs.BANK(1).PENDING_IRQ.read().value, 0);
  t.false(intc.irq.level);
  regs.BANK(1).MIR_CLEAR.write(0x10);
  t.is(regs.BANK(1).PENDING_IRQ.read().value, 0x10);
  t.true(intc.irq.level);
});

test('a soft reset masks everything and lowers the line', t => {
  const { intc, regs } = bare();
  regs.BANK(0).MIR_CLEAR.write(1);
  intc.inputs.set(0, true);
  t.true(intc.irq.level);
  regs.SYSCONFIG.write({ SOFTRESET: 1 });
  t.false(intc.irq.level);
  t.is(regs.BANK(0).MIR.read().value, 0xffff_ffff);
  t.like(regs.SYSCONFIG.read(), { SOFTRESET: 0 });
  t.is(regs.REVISION.read().value, 0x50);
});

test('initialisation leaves autoidle and protection on, as Linux does', t => {
  const { intc } = make(96);
  const bus = new DeviceBus(intc);
  new OmapIntcDriver({ name: 'intc', io: bus.io, base: bus.baseOf(0), lines: 96 }).init();
  const regs = ioRegisters(INTC, bus.io, bus.baseOf(0));
  t.like(regs.SYSCONFIG.read(), { AUTOIDLE: 1, SOFTRESET: 0 });
  t.is(regs.PROTECTION.read().PROTECTION, 1);
});

test('a controller that never ends its reset is an oops, not a hang', t => {
  const bus = new DeviceBus(make().intc);
  const io = { ...bus.io, readl: () => 0 };
  const chip = new OmapIntcDriver({ name: 'intc', io, base: bus.baseOf(0), lines: 96 });
  t.throws(
    () => {
      chip.init();
    },
    { instanceOf: KernelOops, message: /intc never ends/ },
  );
});

test('a number of interrupts that is no whole bank is refused', t => {
  for (const lines of [0, 33, 160]) t.throws(() => make(lines), { instanceOf: BenchError });
});
