import test from 'ava';
import { IRQ_HANDLED, IrqDomain } from '../../../drivers/base/kernel/irq';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { offsetBy } from '../../../drivers/base/types/address';
import { AspeedVicDriver } from '../../../drivers/irqchip/aspeed-vic/driver';
import { AspeedVic } from '../../../drivers/irqchip/aspeed-vic/model';
import { AVIC } from '../../../drivers/irqchip/aspeed-vic/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { fill, irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const make = () => {
  const guestErrors: string[] = [];
  const vic = new AspeedVic({ name: 'avic', onGuestError: text => guestErrors.push(text) });
  return { vic, guestErrors };
};

const joined = (firmware?: string) => {
  const { vic, guestErrors } = make();
  const bus = new DeviceBus(vic);
  if (firmware !== undefined) {
    fill(bus.io, offsetBy(bus.baseOf(0), AVIC.registers.INT_ENABLE.at), 2, 0xffff_ffff);
    for (const edge of [EDGE, EDGE + 1, 35]) {
      vic.inputs.set(edge, true);
      vic.inputs.set(edge, false);
    }
  }
  const chip = new AspeedVicDriver({ name: 'avic', io: bus.io, base: bus.baseOf(0) });
  chip.init();
  return { vic, guestErrors, chip, regs: ioRegisters(AVIC, bus.io, bus.baseOf(0)) };
};

/** By the reset value of the sense registers: 16 to 18 and 35 to 39 are edges. */
const EDGE = 16;

deviceModelConformance(test, 'aspeed-vic', () => {
  const { vic, guestErrors } = make();
  return {
    device: vic,
    windows: [{ sheet: AVIC, region: 0, offset: 0 }],
    irqs: [vic.irq],
    guestErrors,
    dynamic: [],
    stir: bus => {
      bus.write(AVIC.registers.INT_ENABLE.at, 4, 0xffff_ffff);
      vic.inputs.set(EDGE, true);
    },
    release: () => {
      vic.inputs.set(EDGE, false);
    },
  };
});

irqChipConformance(test, 'aspeed-vic', firmware => {
  const { vic, guestErrors, chip } = joined(firmware);
  return {
    chip,
    irq: vic.irq,
    input: (hwirq, level) => {
      vic.inputs.set(hwirq, level);
    },
    lines: [0, 15, 19, 31, 32, 34, 44],
    specifiers: [[[50], 50]],
    wrongSpecifiers: [[], [51], [1, 4]],
    guestErrors,
  };
});

test('an edge is latched, handled once, and not seen again while the line stays up', t => {
  const { vic, chip, regs } = joined();
  const domain = new IrqDomain(chip);
  let calls = 0;
  domain.requestIrq(EDGE, 'timer', () => {
    calls++;
    return IRQ_HANDLED;
  });
  vic.inputs.set(EDGE, true);
  t.is(regs.EDGE_STATUS(0).read().value, 1 << EDGE);
  t.is(domain.handleIrq(), 1);
  t.false(vic.irq.level);
  t.is(domain.handleIrq(), 0);
  vic.inputs.set(EDGE, false);
  t.false(vic.irq.level);
  vic.inputs.set(EDGE, true);
  t.is(domain.handleIrq(), 1);
  t.is(calls, 2);
});

test('an edge that comes while its handler runs is not lost', t => {
  const { vic, chip } = joined();
  const domain = new IrqDomain(chip);
  let calls = 0;
  domain.requestIrq(EDGE, 'timer', () => {
    if (++calls === 1) {
      vic.inputs.set(EDGE, false);
      vic.inputs.set(EDGE, true);
    }
    return IRQ_HANDLED;
  });
  vic.inputs.set(EDGE, true);
  t.is(domain.handleIrq(), 2);
});
