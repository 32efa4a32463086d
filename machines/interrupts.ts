import type { CurrentCpu } from '../drivers/base/kernel/current-cpu';
import { IrqDomain } from '../drivers/base/kernel/irq';
import type { LevelIrqChip } from '../drivers/base/kernel/level-irq-chip';
import type { RegisterIo } from '../drivers/base/kernel/registers';
import type { DeviceModel, GuestErrorSink } from '../drivers/base/hw/device';
import type { IrqInputs, IrqLine } from '../drivers/base/hw/irq';
import type { CpuAddr } from '../drivers/base/types/address';
import { hi32, lo32 } from '../drivers/base/types/bits';
import type { IccPort } from '../drivers/base/types/isa';
import { AspeedVicDriver } from '../drivers/irqchip/aspeed-vic/driver';
import { AspeedVic } from '../drivers/irqchip/aspeed-vic/model';
import { ArmctrlIcDriver } from '../drivers/irqchip/bcm2835-armctrl-ic/driver';
import { ArmctrlIc } from '../drivers/irqchip/bcm2835-armctrl-ic/model';
import type { SingleCpuController } from '../drivers/irqchip/common/model';
import { GicDriver } from '../drivers/irqchip/gic/driver/gic-driver';
import { Gic } from '../drivers/irqchip/gic/model/gic';
import { FIRST_SPI, MAX_SPIS } from '../drivers/irqchip/gic/regs';
import { GicV3Driver } from '../drivers/irqchip/gic-v3/driver';
import { GicV3 } from '../drivers/irqchip/gic-v3/model/gic-v3';
import { OmapIntcDriver } from '../drivers/irqchip/omap-intc/driver';
import { OmapIntc } from '../drivers/irqchip/omap-intc/model';
import { Sun4iIcDriver } from '../drivers/irqchip/sun4i-ic/driver';
import { Sun4iIc } from '../drivers/irqchip/sun4i-ic/model';
import { VicDriver } from '../drivers/irqchip/vic/driver';
import { Vic } from '../drivers/irqchip/vic/model';
import type { OfDevice } from '../drivers/of/platform';
import type { DtNode } from '../drivers/of/tree';
import type { IrqChipKind } from './models';
import type { MachinePlan } from './plan';
import { rootControllerOf } from './root-controller';

/** GICs of the first architecture version; the others are of the second. */
const GIC_V1: readonly string[] = ['arm,cortex-a9-gic', 'arm,cortex-a5-gic', 'arm,arm11mp-gic'];
const GIC_PRIORITY_BITS = 5;

/** An interrupt controller of a machine: its model, and how to make its driver. */
export interface InterruptController {
  readonly node: DtNode;
  readonly model: DeviceModel;
  /** The line to a CPU; only CPU 0 has one on a controller for one CPU. */
  lineTo(cpu: number): IrqLine | null;
  /** What a CPU's system registers are wired to, null where the controller has only windows. */
  iccOf(cpu: number): IccPort | null;
  /** The input of an interrupt number as its driver knows it. */
  connect(line: IrqLine, hwirq: number): void;
  /** Maps registers through `map`, sets the controller up, and answers its driver. */
  start(services: ControllerServices): IrqDomain;
}

/** What a controller's driver is given. */
export interface ControllerServices {
  readonly cpu: CurrentCpu;
  /** Unordered accessors. */
  readonly io: RegisterIo;
  /** The window of the controller, mapped; by number of its `reg` entry. */
  readonly map: (window: number) => CpuAddr;
}

interface ControllerContext {
  readonly device: OfDevice;
  readonly affinities: readonly number[];
  readonly currentCpu: () => number;
  readonly onGuestError: GuestErrorSink;
}

/**
 * The controller whose output goes to the CPUs. A board whose controller is not modelled has none,
 * and its drivers poll.
 */
export const rootController = (
  plan: MachinePlan,
  currentCpu: () => number,
  onGuestError: GuestErrorSink,
): { readonly controller: InterruptController | null; readonly note: string | null } => {
  const affinities = plan.cpus.map(cpu => cpu.hwid);
  const devices = plan.devices.map(({ device }) => device);
  const root = rootControllerOf(devices, affinities);
  if (root === null) {
    const note = 'no interrupt controller that is modelled: devices are polled';
    return { controller: null, note };
  }
  const { device, kind, problem } = root;
  if (problem !== null) {
    return { controller: null, note: `${device.node.path}: ${problem}; devices are polled` };
  }
  const context = { device, affinities, currentCpu, onGuestError };
  return { controller: makeController(kind, context), note: null };
};

const makeController = (kind: IrqChipKind, context: ControllerContext): InterruptController => {
  const { node } = context.device;
  const { onGuestError } = context;
  const name = node.name;
  switch (kind) {
    case 'gic':
      return gicController(context);
    case 'gic-v3':
      return gicV3Controller(context);
    case 'vic':
      return single(
        node,
        new Vic({ name, onGuestError }),
        ({ io, map }) => new VicDriver({ name, io, base: map(0) }),
      );
    case 'bcm2835-armctrl-ic':
      return single(
        node,
        new ArmctrlIc({ name, onGuestError }),
        ({ io, map }) => new ArmctrlIcDriver({ name, io, base: map(0) }),
      );
    case 'sun4i-ic':
      return single(
        node,
        new Sun4iIc({ name, onGuestError }),
        ({ io, map }) => new Sun4iIcDriver({ name, io, base: map(0) }),
      );
    case 'aspeed-vic':
      return single(
        node,
        new AspeedVic({ name, onGuestError }),
        ({ io, map }) => new AspeedVicDriver({ name, io, base: map(0) }),
      );
    case 'omap-intc': {
      const lines = node.compatible.includes('ti,am33xx-intc') ? 128 : 96;
      const model = new OmapIntc({ name, lines, revision: 0x40, onGuestError });
      return single(
        node,
        model,
        ({ io, map }) => new OmapIntcDriver({ name, io, base: map(0), lines }),
      );
    }
  }
};

const single = (
  node: DtNode,
  model: SingleCpuController,
  drive: (services: ControllerServices) => LevelIrqChip,
): InterruptController => ({
  node,
  model,
  lineTo: cpu => (cpu === 0 ? model.irq : null),
  iccOf: () => null,
  connect: (line, hwirq) => {
    model.inputs.connect(line, hwirq);
  },
  start: services => {
    const driver = drive(services);
    driver.init();
    return new IrqDomain(driver);
  },
});

/** SPIs go to the shared inputs, PPIs to those of CPU 0. */
const connectGic = (
  { spis, privateInputs }: { spis: IrqInputs; privateInputs: (cpu: number) => IrqInputs },
  line: IrqLine,
  hwirq: number,
): void => {
  if (hwirq >= FIRST_SPI) spis.connect(line, hwirq - FIRST_SPI);
  else privateInputs(0).connect(line, hwirq);
};

const gicController = (context: ControllerContext): InterruptController => {
  const { device, affinities, currentCpu, onGuestError } = context;
  const { node, resources } = device;
  const model = new Gic({
    name: node.name,
    version: GIC_V1.some(name => node.compatible.includes(name)) ? 1 : 2,
    cpus: affinities.length,
    spis: MAX_SPIS,
    distributorId: 0x0200_143b,
    cpuInterfaceId: 0x0202_143b,
    cpuInterfaceSize: Number(resources[1]?.size ?? 0x1000n),
    priorityBits: GIC_PRIORITY_BITS,
    currentCpu,
    onGuestError,
  });
  return {
    node,
    model,
    lineTo: cpu => model.irq(cpu),
    iccOf: () => null,
    connect: (line, hwirq) => {
      connectGic({ spis: model.spis, privateInputs: cpu => model.privateInputs(cpu) }, line, hwirq);
    },
    start: ({ cpu, io, map }) => {
      const driver = new GicDriver({
        name: node.name,
        io,
        distributor: map(0),
        cpuInterface: map(1),
      });
      driver.initDistributor();
      for (let number = 0; number < cpu.online; number++) {
        cpu.on(number, () => {
          driver.initCpu(number);
        });
      }
      return new IrqDomain(driver);
    },
  };
};

const gicV3Controller = (context: ControllerContext): InterruptController => {
  const { device, affinities, onGuestError } = context;
  const { node } = device;
  const model = new GicV3({
    name: node.name,
    affinities,
    spis: MAX_SPIS,
    priorityBits: GIC_PRIORITY_BITS,
    onGuestError,
  });
  return {
    node,
    model,
    lineTo: cpu => model.irq(cpu),
    iccOf: cpu => model.icc(cpu),
    connect: (line, hwirq) => {
      connectGic({ spis: model.spis, privateInputs: cpu => model.privateInputs(cpu) }, line, hwirq);
    },
    start: ({ cpu, io, map }) => {
      const driver = new GicV3Driver({
        name: node.name,
        io,
        icc: {
          read: register => cpu.readSys(register),
          write: (register, value) => {
            cpu.writeSys(register, lo32(value), hi32(value));
          },
        },
        distributor: map(0),
        redistributors: map(1),
        currentCpu: () => cpu.number,
      });
      driver.initDistributor(affinities[0] ?? 0);
      for (let number = 0; number < cpu.online; number++) {
        cpu.on(number, () => {
          driver.initCpu(number, affinities[number] ?? 0);
        });
      }
      return new IrqDomain(driver);
    },
  };
};
