import test from 'ava';
import { VicDriver } from '../../../drivers/irqchip/vic/driver';
import { Vic } from '../../../drivers/irqchip/vic/model';
import { VIC } from '../../../drivers/irqchip/vic/regs';
import { EINVAL } from '../../../drivers/base/kernel/errno';
import { IRQ_HANDLED, IrqDomain } from '../../../drivers/base/kernel/irq';
import { offsetBy } from '../../../drivers/base/types/address';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { deviceModelConformance } from '../../conformance/device-model';
import { irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const make = () => {
  const guestErrors: string[] = [];
  const vic = new Vic({ name: 'vic', onGuestError: text => guestErrors.push(text) });
  return { vic, guestErrors };
};

/** The model alone, its registers as a driver of one's own would use them. */
const bare = () => {
  const { vic, guestErrors } = make();
  const bus = new DeviceBus(vic);
  return { vic, guestErrors, regs: ioRegisters(VIC, bus.io, bus.baseOf(0)) };
};

deviceModelConformance(test, 'vic', () => {
  const { vic, guestErrors } = make();
  return {
    device: vic,
    windows: [{ sheet: VIC, region: 0, offset: 0 }],
    irqs: [vic.irq, vic.fiq],
    guestErrors,
    dynamic: ['pl190.IRQSTATUS', 'pl190.RAWINTR', 'pl190.VECTADDR'],
    stir: bus => {
      bus.write(VIC.registers.INTSELECT.at, 4, 2);
      bus.write(VIC.registers.INTENABLE.at, 4, 7);
      bus.write(VIC.registers.SLOTCNTL.at + 4, 4, 0x22);
      vic.inputs.set(2, true);
      bus.read(VIC.registers.VECTADDR.at, 4);
      bus.write(VIC.registers.SLOTCNTL.at, 4, 0x20);
      vic.inputs.set(0, true);
      vic.inputs.set(1, true);
    },
    release: () => {
      for (const input of [0, 1, 2]) vic.inputs.set(input, false);
    },
  };
});

irqChipConformance(test, 'vic', firmware => {
  const { vic, guestErrors } = make();
  const bus = new DeviceBus(vic);
  if (firmware !== undefined) {
    const regs = ioRegisters(VIC, bus.io, bus.baseOf(0));
    regs.INTENABLE.write(0xffff_ffff);
    regs.SLOTCNTL(1).write({ ENABLE: 1, SOURCE: 31 });
    for (const software of [1 << 15, 2 ** 31]) {
      regs.SOFTINT.write(software);
      regs.VECTADDR.read();
    }
    regs.INTSELECT.write(1);
  }
  const chip = new VicDriver({ name: 'vic', io: bus.io, base: bus.baseOf(0) });
  chip.init();
  return {
    chip,
    irq: vic.irq,
    input: (hwirq, level) => {
      vic.inputs.set(hwirq, level);
    },
    lines: [0, 15, 16, 31],
    specifiers: [[[31], 31]],
    wrongSpecifiers: [[], [32], [1, 4]],
    guestErrors,
  };
});

test('an interrupt selected as FIQ raises the other line', t => {
  const { vic, regs } = bare();
  regs.INTENABLE.write(0b11);
  regs.INTSELECT.write(0b10);
  vic.inputs.set(1, true);
  t.deepEqual([vic.irq.level, vic.fiq.level], [false, true]);
  t.is(regs.FIQSTATUS.read().value, 0b10);
  t.is(regs.IRQSTATUS.read().value, 0);
  t.is(regs.RAWINTR.read().value, 0b10);
});

test('software interrupts are raised and cleared by register, and show as raw', t => {
  const { vic, regs } = bare();
  regs.INTENABLE.write(1);
  regs.SOFTINT.write(1);
  t.true(vic.irq.level);
  t.is(regs.RAWINTR.read().value, 1);
  regs.SOFTINTCLEAR.write(1);
  t.false(vic.irq.level);
});

test('types and CPUs that a controller for one CPU has not are refused', t => {
  const { vic } = make();
  const bus = new DeviceBus(vic);
  const chip = new VicDriver({ name: 'vic', io: bus.io, base: bus.baseOf(0) });
  t.is(chip.setType(31), 0);
  t.is(chip.setType(32), -EINVAL);
  t.is(chip.setAffinity(31, 0), 0);
  t.is(chip.setAffinity(31, 1), -EINVAL);
  t.is(chip.setAffinity(32, 0), -EINVAL);
  t.throws(() => chip.translate([]), { message: /found no cells/ });
  t.throws(() => chip.translate([40]), { message: /expected one cell below 32, found <40>/ });
});

test('a software interrupt is over when it was handled', t => {
  const { vic } = make();
  const bus = new DeviceBus(vic);
  const chip = new VicDriver({ name: 'vic', io: bus.io, base: bus.baseOf(0) });
  chip.init();
  const domain = new IrqDomain(chip);
  let calls = 0;
  domain.requestIrq(4, 'self', () => {
    calls++;
    return IRQ_HANDLED;
  });
  bus.io.writel(1 << 4, offsetBy(bus.baseOf(0), VIC.registers.SOFTINT.at));
  t.is(domain.handleIrq(), 1);
  t.is(calls, 1);
});

test('clearing the enable of an asserted line lowers the output at once', t => {
  const { vic, regs } = bare();
  regs.INTENABLE.write(1);
  vic.inputs.set(0, true);
  t.true(vic.irq.level);
  regs.INTENCLEAR.write(1);
  t.false(vic.irq.level);
});

test('reading the vector masks what is less urgent until the write that ends it', t => {
  const { vic, regs } = bare();
  regs.SLOTADDR(0).write(0x1000);
  regs.SLOTADDR(3).write(0x3000);
  regs.DEFVECTADDR.write(0xdef0);
  regs.SLOTCNTL(0).write({ ENABLE: 1, SOURCE: 20 });
  regs.SLOTCNTL(3).write({ ENABLE: 1, SOURCE: 5 });
  regs.INTENABLE.write(0xffff_ffff);

  vic.inputs.set(7, true);
  t.is(regs.VECTADDR.read().value, 0xdef0, 'an interrupt without a slot');
  t.false(vic.irq.level, 'is not signalled again');
  vic.inputs.set(5, true);
  t.true(vic.irq.level, 'a slot preempts it');
  t.is(regs.VECTADDR.read().value, 0x3000);
  vic.inputs.set(8, true);
  t.false(vic.irq.level);
  vic.inputs.set(20, true);
  t.is(regs.VECTADDR.read().value, 0x1000);
  vic.inputs.set(20, false);
  regs.VECTADDR.write(0);
  t.false(vic.irq.level, 'slot 3 is still being handled');
  vic.inputs.set(5, false);
  regs.VECTADDR.write(0);
  t.false(vic.irq.level, 'and so is the one without a slot');
  regs.VECTADDR.write(0);
  t.true(vic.irq.level, 'now its like may interrupt');
});
