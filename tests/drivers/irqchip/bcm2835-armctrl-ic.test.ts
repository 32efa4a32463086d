import test from 'ava';
import { ioRegisters, type RegisterIo } from '../../../drivers/base/kernel/registers';
import { cpuAddr, hex, offsetBy } from '../../../drivers/base/types/address';
import { ArmctrlIcDriver } from '../../../drivers/irqchip/bcm2835-armctrl-ic/driver';
import { ArmctrlIc } from '../../../drivers/irqchip/bcm2835-armctrl-ic/model';
import { ARMCTRL } from '../../../drivers/irqchip/bcm2835-armctrl-ic/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { fill, irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const make = () => {
  const guestErrors: string[] = [];
  const ic = new ArmctrlIc({ name: 'armctrl', onGuestError: text => guestErrors.push(text) });
  return { ic, guestErrors };
};

deviceModelConformance(test, 'armctrl', () => {
  const { ic, guestErrors } = make();
  return {
    device: ic,
    windows: [{ sheet: ARMCTRL, region: 0, offset: 0 }],
    irqs: [ic.irq],
    guestErrors,
    dynamic: [],
    stir: bus => {
      bus.write(ARMCTRL.registers.ENABLE2.at, 4, 0xffff_ffff);
      bus.write(ARMCTRL.registers.ENABLE0.at, 4, 0xf);
      ic.inputs.set(95, true);
    },
    release: () => {
      ic.inputs.set(95, false);
    },
  };
});

irqChipConformance(test, 'armctrl', firmware => {
  const { ic, guestErrors } = make();
  const bus = new DeviceBus(ic);
  if (firmware !== undefined) {
    bus.io.writel(0xff, offsetBy(bus.baseOf(0), ARMCTRL.registers.ENABLE0.at));
    fill(bus.io, offsetBy(bus.baseOf(0), ARMCTRL.registers.ENABLE1.at), 2, 0xffff_ffff);
  }
  const chip = new ArmctrlIcDriver({ name: 'armctrl', io: bus.io, base: bus.baseOf(0) });
  chip.init();
  return {
    chip,
    irq: ic.irq,
    input: (hwirq, level) => {
      ic.inputs.set(hwirq, level);
    },
    lines: [0, 7, 32, 39, 51, 63, 64, 85, 94, 95],
    specifiers: [
      [[0, 7], 7],
      [[1, 0], 32],
      [[2, 31], 95],
    ],
    wrongSpecifiers: [[], [1], [0, 8], [1, 32], [3, 0], [1, 1, 4]],
    guestErrors,
  };
});

test('a FIQ that the boot loader left enabled is turned off, and nothing that it did not', t => {
  const log: string[] = [];
  const unused = (): never => {
    throw new Error('the driver accesses words');
  };
  const io: RegisterIo = {
    readb: unused,
    readw: unused,
    writeb: unused,
    writew: unused,
    readl: address => (Number(address) === ARMCTRL.registers.FIQ_CONTROL.at ? 0x89 : 0),
    writel: (value, address) => log.push(`${hex(address)} ${value}`),
  };
  new ArmctrlIcDriver({ name: 'armctrl', io, base: cpuAddr(0) }).init();
  t.deepEqual(log, ['0xc 0']);
});

test('an interrupt with a shortcut shows there and in its bank, but not as more to see', t => {
  const { ic } = make();
  const bus = new DeviceBus(ic);
  const regs = ioRegisters(ARMCTRL, bus.io, bus.baseOf(0));
  regs.ENABLE1.write(0xffff_ffff);
  regs.ENABLE2.write(0xffff_ffff);
  ic.inputs.set(32 + 7, true);
  t.like(regs.PENDING0.read(), { SHORTCUT: 1, BANK1: 0, BANK2: 0 });
  t.is(regs.PENDING1.read().value, 1 << 7);
  ic.inputs.set(64 + 30, true);
  t.like(regs.PENDING0.read(), { SHORTCUT: 0b100_0000_0001, BANK1: 0, BANK2: 0 });
  ic.inputs.set(64 + 3, true);
  t.like(regs.PENDING0.read(), { BANK1: 0, BANK2: 1 });
  ic.inputs.set(32 + 8, true);
  t.like(regs.PENDING0.read(), { BANK1: 1, BANK2: 1 });
});
