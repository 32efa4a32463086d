import type { Adversary } from '../arch/arm/adversary/adversary';
import type { BootMemory } from '../arch/arm/mm/init';
import type { StreamingSteps } from '../arch/arm/mm/dma';
import type { KernelImage } from '../arch/arm/mm/cpu-info';
import type { DmaTiming } from '../drivers/base/hw/dma-port';
import type { IrqLine } from '../drivers/base/hw/irq';
import type { DeviceDma, IrqResource, Resource } from '../drivers/base/kernel/device';
import type { IrqDomain } from '../drivers/base/kernel/irq';
import { dmaAddr, physAddr } from '../drivers/base/types/address';
import { BenchError, InputError } from '../drivers/base/types/errors';
import type { Random } from '../drivers/base/types/random';
import { copyEngineDriver } from '../drivers/dma/copy-engine/driver';
import { testMasterDriver } from '../drivers/misc/test-master/driver';
import { TEST_MASTER } from '../drivers/misc/test-master/regs';
import { ofIrqs } from '../drivers/of/irq';
import type { OfResource } from '../drivers/of/address';
import { Hardware } from './hardware';
import type { InterruptController } from './interrupts';
import { Kernel } from './kernel';
import type { OuterCacheBoot } from './kernel';
import type { BoundCopyEngine, BoundMaster, Machine } from './machine';
import { planMasters } from './masters';
import type { MachinePlan } from './plan';
import type { DmaFacts } from './quirks';

export interface BootOptions {
  readonly adversary: Adversary;
  readonly random: Random;
  readonly timing: DmaTiming;
  /** ALL_STEPS, unless a step of streaming maintenance is to be left out or counted. */
  readonly streaming: StreamingSteps;
}

const FOUR_GIB = 2 ** 32;

/** Builds the silicon of a plan, boots a kernel on it, and binds the drivers. */
export const bootMachine = (plan: MachinePlan, options: BootOptions): Machine => {
  const masterPlans = planMasters(plan.devices);
  const hardware = new Hardware(plan, masterPlans, options);
  const { complex } = hardware;
  const [first] = complex.cpus;
  if (first === undefined) throw new BenchError('a machine without CPUs');
  const memory = bootMemory(plan);
  const kernel = new Kernel(first, {
    memory,
    outer: outerBoot(plan),
    dmaZoneLimit: plan.facts.dmaZoneLimit,
    streaming: options.streaming,
  });
  hardware.setAccessingCpu(() => kernel.cpu.number);
  for (let number = 1; number < complex.cpus.length; number++) {
    kernel.startSecondary(complex.bringUp(number));
  }
  if (hardware.interrupts !== null) startInterrupts(plan, hardware.interrupts, kernel);
  return {
    plan,
    hardware,
    kernel,
    masters: bindMasters(hardware, kernel),
    copyEngines: bindCopyEngines(plan, hardware, kernel),
    notes: [...plan.notes, ...hardware.notes],
  };
};

const bootMemory = (plan: MachinePlan): BootMemory => {
  const [cpu] = plan.cpus;
  const image: KernelImage =
    plan.arch === 'arm64' ? 'arm64' : cpu?.core.tables.length === 0 ? 'nommu' : 'arm';
  const ram = plan.memory.banks.map(({ base, size }) => ({
    base: Number(base),
    size: Number(size),
  }));
  const ranges = plan.memory.reserved;
  const noMap = ranges.regions.filter(({ kind, node }) => kind !== 'refused' && node.has('no-map'));
  return {
    image,
    ram,
    reserved: ranges.reserved.map(({ base, size }) => ({ base: Number(base), size: Number(size) })),
    noMap: noMap.map(({ base, size }) => ({ base: Number(base), size: Number(size) })),
    dmaLimit: plan.facts.dmaZoneLimit,
    lpae: usesLpae(plan, ram),
  };
};

/**
 * An LPAE kernel where the core's first table format is LPAE, or where RAM lies beyond what short
 * descriptors reach.
 */
const usesLpae = (
  plan: MachinePlan,
  ram: readonly { readonly base: number; readonly size: number }[],
): boolean => {
  const [cpu] = plan.cpus;
  return cpu?.core.tables[0] === 'lpae' || ram.some(({ base, size }) => base + size > FOUR_GIB);
};

const toResource = ({ start, size }: OfResource): Resource => ({
  start: physAddr(Number(start)),
  size: Number(size),
});

const outerBoot = (plan: MachinePlan): OuterCacheBoot | null => {
  const { outer } = plan;
  if (outer?.driven !== true || outer.cache.registers === undefined) return null;
  return {
    registers: toResource(outer.cache.registers),
    sharedOverride: outer.cache.control.has('arm,shared-override'),
    ioCoherent: outer.cache.control.has('arm,io-coherent') || plan.facts.outerIoCoherent,
  };
};

const startInterrupts = (
  plan: MachinePlan,
  controller: InterruptController,
  kernel: Kernel,
): void => {
  const device = plan.devices.find(candidate => candidate.device.node === controller.node);
  const domain = controller.start({
    cpu: kernel.cpu,
    io: kernel.io.relaxed,
    map: window => {
      const resource = device?.device.resources[window];
      const mapped =
        resource === undefined
          ? null
          : kernel.mappings.ioremap(physAddr(Number(resource.start)), Number(resource.size));
      if (mapped !== null) return mapped;
      throw new InputError({
        place: controller.node.path,
        property: 'reg',
        expected: `a window ${window} that can be mapped`,
        found: 'none',
      });
    },
  });
  kernel.startInterrupts(domain);
};

/** The kernel's view of a DMA configuration. */
const deviceDma = ({ dma }: DmaFacts, kernel: Kernel): DeviceDma => ({
  mask: Number(dma.mask),
  coherentMask: Number(dma.mask),
  busLimit: dma.busDmaLimit === null ? null : Number(dma.busDmaLimit),
  rangeMap:
    dma.map?.map(region => ({
      dma: dmaAddr(Number(region.dma)),
      cpu: physAddr(Number(region.cpu)),
      size: Number(region.size),
    })) ?? null,
  coherent: dma.coherent,
  ops: kernel.direct,
});

const bindMasters = (hardware: Hardware, kernel: Kernel): BoundMaster[] =>
  hardware.masters.map(({ plan, base, model }) => {
    const registers = [{ start: physAddr(base), size: TEST_MASTER.size }];
    const dev = kernel.addDevice(model.name, null, deviceDma(plan.facts, kernel), registers, []);
    const device = testMasterDriver.probe(dev);
    if (typeof device === 'number') throw new BenchError(`${model.name}: probe: ${device}`);
    return { plan, device };
  });

const bindCopyEngines = (
  plan: MachinePlan,
  hardware: Hardware,
  kernel: Kernel,
): BoundCopyEngine[] =>
  hardware.devices.flatMap(({ plan: device, irq }) => {
    const { node, compatible, resources } = device.device;
    if (!copyEngineDriver.compatible.some(name => compatible.includes(name))) return [];
    const irqs = wireInterrupt(plan, hardware, kernel.irq, irq, device.device.node.path);
    const dma = deviceDma(device.effective, kernel);
    const dev = kernel.addDevice(node.name, node.path, dma, resources.map(toResource), irqs);
    const engine = copyEngineDriver.probe(dev);
    if (typeof engine !== 'number') return [{ dev, engine }];
    throw new InputError({ place: node.path, expected: 'a device to bind', found: `${engine}` });
  });

/** Connects a device's line where its `interrupts` lead, if that is the controller we have. */
const wireInterrupt = (
  plan: MachinePlan,
  hardware: Hardware,
  domain: IrqDomain | null,
  line: IrqLine,
  path: string,
): IrqResource[] => {
  const node = plan.tree.at(path);
  const { interrupts } = hardware;
  if (node === undefined || interrupts === null || domain === null) return [];
  const [specifier] = ofIrqs(node, plan.phandles);
  if (specifier?.node !== interrupts.node) return [];
  const { hwirq } = domain.chip.translate(specifier.args);
  interrupts.connect(line, hwirq);
  return [{ domain, hwirq }];
};
