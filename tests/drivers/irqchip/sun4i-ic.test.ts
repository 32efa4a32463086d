import test from 'ava';
import { IRQ_HANDLED, IrqDomain } from '../../../drivers/base/kernel/irq';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { offsetBy } from '../../../drivers/base/types/address';
import { Sun4iIcDriver } from '../../../drivers/irqchip/sun4i-ic/driver';
import { Sun4iIc } from '../../../drivers/irqchip/sun4i-ic/model';
import { INTC } from '../../../drivers/irqchip/sun4i-ic/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { fill, irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const make = () => {
  const guestErrors: string[] = [];
  const ic = new Sun4iIc({ name: 'intc', onGuestError: text => guestErrors.push(text) });
  return { ic, guestErrors };
};

const joined = (firmware?: string) => {
  const { ic, guestErrors } = make();
  const bus = new DeviceBus(ic);
  if (firmware !== undefined) {
    ic.inputs.set(0, true);
    bus.io.writel(3, offsetBy(bus.baseOf(0), INTC.registers.NMI_CTRL.at));
    for (const { at, count } of [INTC.registers.ENABLE, INTC.registers.MASK]) {
      fill(bus.io, offsetBy(bus.baseOf(0), at), count, 0xffff_ffff);
    }
  }
  const chip = new Sun4iIcDriver({ name: 'intc', io: bus.io, base: bus.baseOf(0) });
  chip.init();
  return { ic, guestErrors, chip, regs: ioRegisters(INTC, bus.io, bus.baseOf(0)) };
};

deviceModelConformance(test, 'sun4i-ic', () => {
  const { ic, guestErrors } = make();
  return {
    device: ic,
    windows: [{ sheet: INTC, region: 0, offset: 0 }],
    irqs: [ic.irq],
    guestErrors,
    dynamic: ['sun4i-ic.VECTOR'],
    stir: bus => {
      bus.write(INTC.registers.ENABLE.at, 4, 0xffff_ffff);
      ic.inputs.set(0, true);
      ic.inputs.set(0, false);
    },
    release: () => {
      ic.inputs.set(0, false);
    },
  };
});

irqChipConformance(test, 'sun4i-ic', firmware => {
  const { ic, guestErrors, chip } = joined(firmware);
  return {
    chip,
    irq: ic.irq,
    input: (hwirq, level) => {
      ic.inputs.set(hwirq, level);
    },
    lines: [1, 31, 32, 63, 64, 95],
    specifiers: [
      [[0], 0],
      [[95], 95],
    ],
    wrongSpecifiers: [[], [96], [1, 4]],
    guestErrors,
  };
});

test('the NMI is latched until it is acknowledged, and told from no interrupt at all', t => {
  const { ic, chip, regs } = joined();
  const domain = new IrqDomain(chip);
  let calls = 0;
  domain.requestIrq(0, 'pmic', () => {
    calls++;
    return IRQ_HANDLED;
  });
  t.is(domain.handleIrq(), 0);
  ic.inputs.set(0, true);
  ic.inputs.set(0, false);
  t.true(ic.irq.level);
  t.is(domain.handleIrq(), 1);
  t.is(calls, 1);
  t.false(ic.irq.level);
  t.is(regs.PENDING(0).read().value, 0);
});

test('initialisation leaves protection on and the NMI low-level, as Linux does', t => {
  const { regs } = joined('left it running');
  t.is(regs.PROTECTION.read().ENABLE, 1);
  t.is(regs.NMI_CTRL.read().SOURCE, 0);
});

test('the vector is the base and four bytes for each interrupt, lowest first', t => {
  const { ic, regs } = joined();
  regs.BASE_ADDR.write(0x4000_0000);
  for (let word = 0; word < 3; word++) regs.ENABLE(word).write(0xffff_ffff);
  ic.inputs.set(70, true);
  t.is(regs.VECTOR.read().value, 0x4000_0000 + 4 * 70);
  ic.inputs.set(33, true);
  t.is(regs.VECTOR.read().value, 0x4000_0000 + 4 * 33);
  regs.MASK(1).write(2);
  t.is(regs.VECTOR.read().value, 0x4000_0000 + 4 * 70);
});
