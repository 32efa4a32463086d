import type { CurrentCpu } from '../drivers/base/kernel/current-cpu';
import { IrqDomain } from '../drivers/base/kernel/irq';
import type { IrqChip } from '../drivers/base/kernel/irq';
import type { RegisterIo } from '../drivers/base/kernel/registers';
import type { DeviceModel, GuestErrorSink } from '../drivers/base/hw/device';
import type { IrqInputs, IrqLine } from '../drivers/base/hw/irq';
import type { CpuAddr } from '../drivers/base/types/address';
import { AspeedVicDriver } from '../drivers/irqchip/aspeed-vic/driver';
import { AspeedVic } from '../drivers/irqchip/aspeed-vic/model';
import { ArmctrlIcDriver } from '../drivers/irqchip/bcm2835-armctrl-ic/driver';
import { ArmctrlIc } from '../drivers/irqchip/bcm2835-armctrl-ic/model';
import type { SingleCpuController } from '../drivers/irqchip/common/model';
import { GicDriver } from '../drivers/irqchip/gic/driver/gic-driver';
import { Gic } from '../drivers/irqchip/gic/model/gic';
import { FIRST_SPI, MAX_CPUS } from '../drivers/irqchip/gic/regs';
import { GicV3Driver } from '../drivers/irqchip/gic-v3/driver';
import { GicV3 } from '../drivers/irqchip/gic-v3/model/gic-v3';
import { MAX_CPUS as MAX_CPUS_V3, REDISTRIBUTOR_SIZE } from '../drivers/irqchip/gic-v3/regs';
import { OmapIntcDriver } from '../drivers/irqchip/omap-intc/driver';
import { OmapIntc } from '../drivers/irqchip/omap-intc/model';
import { Sun4iIcDriver } from '../drivers/irqchip/sun4i-ic/driver';
import { Sun4iIc } from '../drivers/irqchip/sun4i-ic/model';
import { VicDriver } from '../drivers/irqchip/vic/driver';
import { Vic } from '../drivers/irqchip/vic/model';
import type { DtNode } from '../drivers/of/tree';
import { irqChipFor } from './models';
import type { IrqChipKind } from './models';
import type { DevicePlan } from './plan-devices';
import type { MachinePlan } from './plan';

/** Shared interrupts of every GIC here: more than any board's devices use. */
const SPIS = 480;
const GIC_PRIORITY_BITS = 5;

/** An interrupt controller of a machine: its model, and how to make its driver. */
export interface InterruptController {
  readonly node: DtNode;
  readonly model: DeviceModel;
  /** The line to a CPU; only CPU 0 has one on a controller for one CPU. */
  lineTo(cpu: number): IrqLine | null;
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
  readonly plan: DevicePlan;
  readonly affinities: readonly number[];
  readonly currentCpu: () => number;
  readonly onGuestError: GuestErrorSink;
}

/**
 * The controller whose output goes to the CPUs: the first that is modelled and complete. A board
 * whose controller is not modelled has none, and its drivers poll.
 */
export const rootController = (
  plan: MachinePlan,
  currentCpu: () => number,
  onGuestError: GuestErrorSink,
): { readonly controller: InterruptController | null; readonly note: string | null } => {
  const affinities = plan.cpus.map(cpu => cpu.hwid);
  for (const device of plan.devices) {
    const kind = irqChipFor(device.device.compatible);
    if (kind === null) continue;
    const context = { plan: device, affinities, currentCpu, onGuestError };
    const problem = reasonAgainst(kind, device, affinities.length);
    if (problem === null) return { controller: makeController(kind, context), note: null };
    const note = `${device.device.node.path}: ${problem}; devices are polled`;
    return { controller: null, note };
  }
  return {
    controller: null,
    note: 'no interrupt controller that is modelled: devices are polled',
  };
};

/** Why the model cannot stand for this one, or null. */
const reasonAgainst = (kind: IrqChipKind, plan: DevicePlan, cpus: number): string | null => {
  const { node, resources } = plan.device;
  if (kind === 'gic') {
    if (resources.length < 2) return 'a GIC without a CPU interface window';
    return cpus > MAX_CPUS ? `a GICv2 has at most ${MAX_CPUS} CPUs, not ${cpus}` : null;
  }
  if (kind !== 'gic-v3') return null;
  if (cpus > MAX_CPUS_V3) return `more than ${MAX_CPUS_V3} CPUs`;
  const [, redistributors] = resources;
  const fits = Number(redistributors?.size ?? 0n) >= cpus * REDISTRIBUTOR_SIZE;
  const isPlain =
    node.u32('#redistributor-regions') === undefined && !node.has('redistributor-stride');
  return fits && isPlain ? null : 'several regions or a stride of redistributors are not modelled';
};

const makeController = (kind: IrqChipKind, context: ControllerContext): InterruptController => {
  const { node } = context.plan.device;
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
  drive: (services: ControllerServices) => IrqChip,
): InterruptController => ({
  node,
  model,
  lineTo: cpu => (cpu === 0 ? model.irq : null),
  connect: (line, hwirq) => {
    model.inputs.connect(line, hwirq);
  },
  start: services => new IrqDomain(drive(services)),
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
  const { plan, affinities, currentCpu, onGuestError } = context;
  const { node, resources } = plan.device;
  const model = new Gic({
    name: node.name,
    version: node.compatible.includes('arm,gic-400') ? 2 : 1,
    cpus: affinities.length,
    spis: SPIS,
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
  const { plan, affinities, onGuestError } = context;
  const { node } = plan.device;
  const model = new GicV3({
    name: node.name,
    affinities,
    spis: SPIS,
    priorityBits: GIC_PRIORITY_BITS,
    onGuestError,
  });
  return {
    node,
    model,
    lineTo: cpu => model.irq(cpu),
    connect: (line, hwirq) => {
      connectGic({ spis: model.spis, privateInputs: cpu => model.privateInputs(cpu) }, line, hwirq);
    },
    start: ({ cpu, io, map }) => {
      const driver = new GicV3Driver({
        name: node.name,
        io,
        icc: {
          read: register => model.icc(cpu.number).read(register),
          write: (register, value) => {
            model.icc(cpu.number).write(register, value);
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
