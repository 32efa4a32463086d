import test from 'ava';
import { EINVAL } from '../../../drivers/base/kernel/errno';
import { IrqType } from '../../../drivers/base/kernel/irq';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { offsetBy } from '../../../drivers/base/types/address';
import { BenchError, InputError, UnmodelledError } from '../../../drivers/base/types/errors';
import { GicV3Driver } from '../../../drivers/irqchip/gic-v3/driver';
import { GicV3 } from '../../../drivers/irqchip/gic-v3/model/gic-v3';
import {
  FRAME_SIZE,
  GICD,
  GICR_RD,
  GICR_SGI,
  REDISTRIBUTOR_SIZE,
} from '../../../drivers/irqchip/gic-v3/regs';
import { SPURIOUS } from '../../../drivers/irqchip/gic/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { fill, irqChipConformance } from '../../conformance/irq-chip';
import { DeviceBus } from '../../support/device-bus';

const SPI = 32;
/** Two clusters, as Aff1 of the cores of a DynamIQ system has them. */
const AFFINITIES = [0x000, 0x100, 0x101];

const make = (affinities: readonly number[] = AFFINITIES, spis = 96) => {
  const guestErrors: string[] = [];
  const gic = new GicV3({
    name: 'gic',
    affinities,
    spis,
    priorityBits: 5,
    onGuestError: text => guestErrors.push(text),
  });
  return { gic, guestErrors };
};

/** Everything enabled at odd priorities, SPIs edge-triggered and routed elsewhere; some active. */
const leaveRunning = (bus: DeviceBus): void => {
  const sgiFrame = offsetBy(bus.baseOf(1), FRAME_SIZE);
  for (const bank of [bus.baseOf(0), sgiFrame]) {
    const first = bank === sgiFrame ? 0 : 1;
    const words = bank === sgiFrame ? 1 : 3;
    fill(bus.io, offsetBy(bank, 0x100 + 4 * first), words, 0xffff_ffff);
    fill(bus.io, offsetBy(bank, 0x300 + 4 * first), words, 0x8001_8001);
    fill(bus.io, offsetBy(bank, 0x400 + 32 * first), 8 * words, 0xf8f8_f8f8);
  }
  fill(bus.io, offsetBy(bus.baseOf(0), 0xc08), 6, 0xaaaa_aaaa);
  for (let spi = 0; spi < 96; spi++)
    bus.io.writel(0x200, offsetBy(bus.baseOf(0), 0x6100 + 8 * spi));
  bus.io.writel(0x12, bus.baseOf(0));
};

const joined = (affinities: readonly number[] = AFFINITIES, spis = 96, firmware?: string) => {
  const parts = make(affinities, spis);
  const { gic } = parts;
  const bus = new DeviceBus(gic);
  if (firmware !== undefined) leaveRunning(bus);
  const cpu = { current: 0 };
  const chip = new GicV3Driver({
    name: 'gic',
    io: bus.io,
    icc: {
      read: register => gic.icc(cpu.current).read(register),
      write: (register, value) => {
        gic.icc(cpu.current).write(register, value);
      },
    },
    distributor: bus.baseOf(0),
    redistributors: bus.baseOf(1),
    currentCpu: () => cpu.current,
  });
  chip.initDistributor(affinities[0] ?? 0);
  for (let i = affinities.length - 1; i >= 0; i--) {
    cpu.current = i;
    chip.initCpu(i, affinities[i] ?? 0);
  }
  const levels = (): boolean[] => affinities.map((_, i) => gic.irq(i).level);
  return { ...parts, bus, chip, cpu, levels, gicd: ioRegisters(GICD, bus.io, bus.baseOf(0)) };
};

deviceModelConformance(test, 'gic-v3', () => {
  const { gic, guestErrors } = make([0], 992);
  return {
    device: gic,
    windows: [
      { sheet: GICD, region: 0, offset: 0 },
      { sheet: GICR_RD, region: 1, offset: 0 },
      { sheet: GICR_SGI, region: 1, offset: FRAME_SIZE },
    ],
    irqs: [gic.irq(0)],
    guestErrors,
    dynamic: [
      // Interrupts from 1020 on and priority bits that are not implemented read as zero.
      ...['IGROUPR', 'ISENABLER', 'ICENABLER', 'ISPENDR', 'ICPENDR', 'ISACTIVER', 'ICACTIVER'].map(
        name => `gicv3-gicd.${name}`,
      ),
      ...['gicv3-gicd.IPRIORITYR', 'gicv3-gicd.ICFGR', 'gicr-sgi.IPRIORITYR', 'gicr-sgi.ICFGR'],
      'gicr-rd.WAKER',
    ],
    stir: bus => {
      bus.write(bus.baseOf(0), 4, 0x12);
      bus.write(bus.baseOf(0) + 0x84, 4, 0xffff_ffff);
      bus.write(bus.baseOf(0) + 0x104, 4, 0xffff_ffff);
      bus.write(bus.baseOf(1) + 0x14, 4, 0);
      gic.icc(0).write('ICC_PMR', 0xf0);
      gic.icc(0).write('ICC_IGRPEN1', 1);
      gic.icc(0).write('ICC_BPR1', 4);
      gic.spis.set(1, true);
      gic.icc(0).read('ICC_IAR1');
      bus.write(bus.baseOf(0) + 0x420, 4, 0);
      bus.write(bus.baseOf(0) + 0x424, 4, 0);
      bus.write(bus.baseOf(1) + FRAME_SIZE + 0x80, 4, 0xffff_ffff);
      bus.write(bus.baseOf(1) + FRAME_SIZE + 0x100, 4, 0xffff_ffff);
      gic.spis.set(1, false);
      gic.icc(0).write('ICC_EOIR1', SPI + 1);
      gic.spis.set(4, true);
      gic.icc(0).write('ICC_SGI1R', 0x0500_0001);
    },
    release: () => {
      gic.spis.set(4, false);
    },
  };
});

irqChipConformance(test, 'gic-v3', firmware => {
  const { gic, guestErrors, chip } = joined(AFFINITIES, 96, firmware);
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
      [[1, 13, 4, 0], 29],
    ],
    wrongSpecifiers: [[], [0], [0, 1], [0, 96, 4], [1, 16, 4], [2, 0, 4], [0, 0, 5]],
    guestErrors,
  };
});

test('a shared interrupt is routed to one CPU by its affinity', t => {
  const { gic, chip, levels, cpu } = joined();
  chip.enable(SPI + 7);
  gic.spis.set(7, true);
  t.deepEqual(levels(), [true, false, false]);
  t.is(chip.setAffinity(SPI + 7, 2), 0);
  t.deepEqual(levels(), [false, false, true]);
  cpu.current = 2;
  t.is(chip.ack(), SPI + 7);
  gic.spis.set(7, false);
  chip.eoi(SPI + 7);
  t.is(chip.setAffinity(20, 1), -EINVAL);
  t.is(chip.setAffinity(SPI + 7, 9), -EINVAL);
});

test('an interrupt keeps being disabled when it is moved', t => {
  const { gicd, chip } = joined();
  chip.setAffinity(SPI, 1);
  t.is(gicd.ISENABLER(0).read().value, 0);
  chip.enable(SPI);
  chip.setAffinity(SPI, 0);
  t.is(gicd.ISENABLER(0).read().value, 1);
});

test('the last interrupt, 1019, has a route too', t => {
  const { gic, chip, levels } = joined([0], 992);
  chip.enable(1019);
  gic.spis.set(1019 - SPI, true);
  t.deepEqual(levels(), [true]);
  t.throws(() => {
    gic.spis.set(1020 - SPI, true);
  });
});

test("each CPU's own interrupts are in its redistributor", t => {
  const { gic, chip, cpu, levels, bus } = joined();
  cpu.current = 1;
  chip.enable(27);
  gic.privateInputs(0).set(27, true);
  gic.privateInputs(1).set(27, true);
  t.deepEqual(levels(), [false, true, false]);
  const frame = bus.baseOf(1) + REDISTRIBUTOR_SIZE + FRAME_SIZE;
  t.is(bus.read(frame + GICR_SGI.registers.ISENABLER.at, 4) >>> 27, 1);
});

test('SGIs go to the listed CPUs of a cluster, or to all but the sender', t => {
  const { gic, chip, levels, cpu } = joined();
  chip.sendSgi(4, [1, 2]);
  t.deepEqual(levels(), [false, true, true]);
  cpu.current = 2;
  t.is(chip.ack(), 4);
  chip.eoi(4);
  t.deepEqual(levels(), [false, true, false]);
  gic.icc(2).write('ICC_SGI1R', 2 ** 40 + 0x0600_0000);
  t.deepEqual(levels(), [true, true, false]);
  chip.sendSgi(1, [0, 2]);
  t.deepEqual(levels(), [true, true, true]);
});

test('only Group 1 is signalled, with affinity routing, and only to a CPU that is awake', t => {
  const { gic, gicd, chip, levels, bus } = joined([0]);
  chip.enable(SPI);
  gic.spis.set(0, true);
  t.deepEqual(levels(), [true]);
  const ends: [string, () => void, () => void][] = [
    [
      'group',
      () => {
        gicd.IGROUPR(0).write(0);
      },
      () => {
        gicd.IGROUPR(0).write(1);
      },
    ],
    [
      'routing',
      () => {
        gicd.CTLR.write({ ENABLE_GRP1: 1 });
      },
      () => {
        gicd.CTLR.write({ ENABLE_GRP1: 1, ARE: 1 });
      },
    ],
    [
      'enable',
      () => {
        gicd.CTLR.write({ ARE: 1 });
      },
      () => {
        gicd.CTLR.write({ ENABLE_GRP1: 1, ARE: 1 });
      },
    ],
    [
      'group enable',
      () => {
        gic.icc(0).write('ICC_IGRPEN1', 0);
      },
      () => {
        gic.icc(0).write('ICC_IGRPEN1', 1);
      },
    ],
    [
      'sleep',
      () => bus.write(bus.baseOf(1) + GICR_RD.registers.WAKER.at, 4, 2),
      () => bus.write(bus.baseOf(1) + GICR_RD.registers.WAKER.at, 4, 0),
    ],
    [
      'mask',
      () => {
        gic.icc(0).write('ICC_PMR', 0xa0);
      },
      () => {
        gic.icc(0).write('ICC_PMR', 0xf0);
      },
    ],
  ];
  for (const [what, off, on] of ends) {
    off();
    t.deepEqual(levels(), [false], what);
    t.is(gic.icc(0).read('ICC_IAR1'), SPURIOUS, what);
    on();
    t.deepEqual(levels(), [true], what);
  }
});

test('priorities preempt by their group, as the binary point divides them', t => {
  const { gic, gicd, chip, levels } = joined([0]);
  const icc = gic.icc(0);
  chip.enable(SPI);
  chip.enable(SPI + 1);
  gicd.IPRIORITYR(0).write(0x80a0);
  icc.write('ICC_BPR1', 6);
  gic.spis.set(0, true);
  t.is(chip.ack(), SPI);
  t.is(icc.read('ICC_RPR'), 0x80, 'the group of 0xa0');
  gic.spis.set(1, true);
  t.deepEqual(levels(), [false]);
  t.is(icc.read('ICC_HPPIR1'), SPI + 1);
  icc.write('ICC_BPR1', 0);
  t.is(icc.read('ICC_BPR1'), 3, 'no less than the implemented bits');
  t.deepEqual(levels(), [true]);
  t.is(chip.ack(), SPI + 1);
  t.is(icc.read('ICC_RPR'), 0x80);
  chip.eoi(SPI + 1);
  t.is(icc.read('ICC_RPR'), 0xa0);
});

test('system registers that are not modelled are loud, and wrong directions are guest errors', t => {
  const { gic, guestErrors } = make();
  const icc = gic.icc(0);
  const refuse = (wrong: () => void, message: RegExp): void => {
    t.throws(wrong, { instanceOf: UnmodelledError, message });
  };
  refuse(() => {
    icc.write('ICC_CTLR', 2);
  }, /EOImode/);
  refuse(() => {
    icc.write('ICC_SRE', 0);
  }, /SRE/);
  refuse(() => {
    icc.write('ICC_DIR', 40);
  }, /DIR_EL1/);
  t.is(icc.read('ICC_SGI1R'), 0);
  icc.write('ICC_IAR1', 1);
  icc.write('ICC_EOIR1', 5);
  t.is(guestErrors.length, 3);
  t.is((icc.read('ICC_CTLR') >>> 8) & 7, 4, 'five bits of priority');
});

test('SGIs are edges after reset, and the group enable reads as written', t => {
  const { gic, bus } = joined([0]);
  const sgi = ioRegisters(GICR_SGI, bus.io, offsetBy(bus.baseOf(1), FRAME_SIZE));
  t.is(sgi.ICFGR(0).read().value, 0xaaaa_aaaa);
  t.is(gic.icc(0).read('ICC_IGRPEN1'), 1);
  gic.icc(0).write('ICC_IGRPEN1', 0);
  t.is(gic.icc(0).read('ICC_IGRPEN1'), 0);
});

test('the driver waits until the distributor has taken up a change', t => {
  const { gic } = make([0]);
  const bus = new DeviceBus(gic);
  let busy = 0;
  const chip = new GicV3Driver({
    name: 'gic',
    io: {
      ...bus.io,
      readl: address => {
        const isControl = address === bus.baseOf(0);
        return (bus.io.readl(address) | (isControl && busy-- > 0 ? 2 ** 31 : 0)) >>> 0;
      },
    },
    icc: gic.icc(0),
    distributor: bus.baseOf(0),
    redistributors: bus.baseOf(1),
    currentCpu: () => 0,
  });
  const changes: (() => void)[] = [
    () => {
      chip.initDistributor(0);
      chip.initCpu(0, 0);
    },
    () => {
      chip.enable(SPI);
    },
    () => {
      chip.disable(SPI);
    },
    () => chip.setType(SPI, IrqType.EdgeRising),
    () => chip.setAffinity(SPI, 0),
  ];
  for (const change of changes) {
    busy = 3;
    change();
    t.true(busy < 0, 'it polled until the bit was clear');
  }
});

test('a CPU without a redistributor, or not initialised, is named', t => {
  const { chip, cpu } = joined([0]);
  t.throws(
    () => {
      chip.initCpu(1, 0x200);
    },
    { instanceOf: InputError, message: /affinity 0x200/ },
  );
  cpu.current = 5;
  t.throws(
    () => {
      chip.enable(20);
    },
    { instanceOf: KernelOops, message: /initCpu\(5\)/ },
  );
});

test('a distributor that never ends a write is an oops, not a hang', t => {
  const { gic } = make([0]);
  const bus = new DeviceBus(gic);
  const chip = new GicV3Driver({
    name: 'gic',
    io: { ...bus.io, readl: () => 0x8000_0000 },
    icc: gic.icc(0),
    distributor: bus.baseOf(0),
    redistributors: bus.baseOf(1),
    currentCpu: () => 0,
  });
  t.throws(
    () => {
      chip.initDistributor(0);
    },
    { instanceOf: KernelOops, message: /never ends/ },
  );
});

test('types that the hardware has not are refused', t => {
  const { chip } = joined();
  t.is(chip.setType(SPI, IrqType.LevelLow), -EINVAL);
  t.is(chip.setType(SPI, IrqType.EdgeRising), 0);
  t.is(chip.setType(0, IrqType.EdgeRising), -EINVAL);
});

test('a GICv3 that cannot be is a defect of whoever put it together', t => {
  t.throws(() => make([], 32), { instanceOf: BenchError });
  t.throws(() => make([1, 1], 32), { instanceOf: BenchError });
  t.throws(() => make([2 ** 24], 32), { instanceOf: BenchError });
  t.throws(() => make([0], 31), { instanceOf: BenchError });
});
