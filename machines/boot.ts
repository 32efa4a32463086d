import type { Adversary } from '../arch/arm/adversary/adversary';
import type { BootMemory } from '../arch/arm/mm/init';
import type { StepOrder } from '../arch/arm/mm/coherent/steps';
import type { StreamingSteps } from '../arch/arm/mm/dma';
import type { KernelImage } from '../arch/arm/mm/cpu-info';
import type { DmaTiming } from '../drivers/base/hw/dma-port';
import type { IrqLine } from '../drivers/base/hw/irq';
import type { CallGate } from '../drivers/base/kernel/call-gate';
import { probeDevice } from '../drivers/base/kernel/device';
import type { IrqResource, Resource } from '../drivers/base/kernel/device';
import type { IrqDomain, IrqSpecifier } from '../drivers/base/kernel/irq';
import { physAddr } from '../drivers/base/types/address';
import { BenchError, InputError, invariant } from '../drivers/base/types/errors';
import type { Random } from '../drivers/base/types/random';
import { CopyEngineDevice } from '../drivers/dma/copy-engine/driver';
import { TestMasterDevice, testMasterDriver } from '../drivers/misc/test-master/driver';
import { TEST_MASTER } from '../drivers/misc/test-master/regs';
import { ofIrqs } from '../drivers/of/irq';
import type { OfResource } from '../drivers/of/address';
import type { OfPhandleArgs } from '../drivers/of/phandle';
import type { DtNode } from '../drivers/of/tree';
import { BoundIommus } from './boot-iommus';
import { DeviceMaker, deviceDma } from './device-dma';
import { coherentChoice } from './coherent';
import { swiotlbOf } from './dma-memory';
import { Hardware } from './hardware';
import type { InterruptController } from './interrupts';
import { iommuMatch } from './iommus';
import { iommuPolicy } from './iommus/policy';
import { Kernel } from './kernel';
import type { OuterCacheBoot } from './kernel';
import type { BoundCopyEngine, BoundDevice, BoundMaster, Machine } from './machine';
import { masterOf, planMasters } from './masters';
import type { MachinePlan } from './plan';
import type { DmaDebugOptions } from '../mm/dma-debug';
import { observe } from './observe';
import { observeCaches } from './observe-caches';
import { observeIommus } from './observe-iommus';
import { usesLpae } from './plan-memory';
import { ReservedPools, isBypassed, prepareAtomicPools } from './reserved-pools';

/** What a machine is booted with, beside its plan. */
export interface BootOptions {
  /** `all`: every cache behaviour is checked at once, on a machine that needs no caches. */
  readonly adversary: Adversary | 'all';
  /** Check mode of a machine with concrete caches: see Versions. */
  readonly versions?: boolean;
  readonly random: Random;
  readonly timing: DmaTiming;
  /** ALL_STEPS, unless a step of streaming maintenance is to be left out or counted. */
  readonly streaming: StreamingSteps;
  /** Asked before each call of the DMA layer, barriers and maintenance; all are carried out if null. */
  readonly gate?: CallGate | null;
  /** How dma-debug is set on a machine under `all`. */
  readonly dmaDebug?: DmaDebugOptions;
  /** The order in which coherent memory is made uncached; the right one if absent. */
  readonly coherentOrder?: StepOrder;
  /** Called when the silicon is there and nothing has run on it yet. */
  readonly onPower?: (hardware: Hardware) => void;
}

/** Builds the silicon of a plan, boots a kernel on it, and binds the drivers. */
export const bootMachine = (plan: MachinePlan, options: BootOptions): Machine => {
  const masterPlans = planMasters(plan.devices);
  const hardware = new Hardware(plan, masterPlans, options);
  options.onPower?.(hardware);
  const { complex } = hardware;
  const [first] = complex.cpus;
  if (first === undefined) throw new BenchError('a machine without CPUs');
  const memory = bootMemory(plan);
  const kernel = new Kernel(first, {
    memory,
    outer: outerBoot(plan),
    dmaZoneLimit: plan.facts.dmaZoneLimit,
    streaming: options.streaming,
    clock: () => hardware.events.now,
    gate: options.gate ?? null,
    iommuDefault: iommuPolicy(plan.dmaMemory),
    coherent: coherentChoice(plan, options.coherentOrder),
    swiotlb: plan.bounce === 'swiotlb' ? swiotlbOf(plan, plan.dmaMemory.swiotlb) : null,
    bounce: plan.bounce,
  });
  const observer = observe(hardware, kernel, options.dmaDebug);
  const coherent = coherentCpus(plan);
  for (let number = 1; number < coherent; number++) {
    kernel.startSecondary(complex.bringUp(number));
  }
  if (hardware.interrupts !== null) startInterrupts(plan, hardware.interrupts, kernel);
  const pools = new ReservedPools(plan, kernel);
  kernel.reservedMem = (dev, index) => pools.init(dev, index);
  prepareAtomicPools(kernel, plan.dmaMemory.coherentPool);
  if (observer !== null) {
    observeIommus(hardware, kernel.iommus, observer);
    observeCaches(hardware, observer);
  }
  const notes: string[] = [];
  const iommus = bindIommus(plan, hardware, kernel, notes);
  const maker = new DeviceMaker(kernel, iommus, pools);
  const masters = bindMasters(hardware, maker);
  const devices = bindDevices(plan, hardware, kernel, maker, notes);
  observer?.booted();
  return {
    plan,
    hardware,
    kernel,
    observer,
    findings: observer?.findings ?? null,
    iommus: iommus.byNode,
    devices,
    masters: [...masters, ...devices.flatMap(mastersAmong)],
    copyEngines: devices.flatMap(enginesAmong),
    notes: [
      ...plan.notes,
      ...hardware.notes,
      ...kernel.mm.layout.notes,
      ...notesOnCpus(plan, coherent),
      ...notes,
      ...noteOnIommus(plan),
    ],
  };
};

/** A test master of the tree serves as those do that dmabench adds. */
const mastersAmong = ({ plan, bound }: BoundDevice): BoundMaster[] =>
  bound instanceof TestMasterDevice ? [{ plan: masterOf(plan), device: bound }] : [];

const enginesAmong = ({ dev, bound }: BoundDevice): BoundCopyEngine[] =>
  bound instanceof CopyEngineDevice ? [{ dev, engine: bound }] : [];

/** What is not modelled of a board's ways to memory, in one line. */
const noteOnIommus = ({ devices }: MachinePlan): string[] => {
  const behind = devices.flatMap(({ status, effective, function: pci }) => {
    const { iommu } = pci ?? effective;
    if (status === 'inert' || iommu.kind !== 'iommu') return [];
    return iommu.specs.some(({ node }) => iommuMatch(node.compatible) !== null) ? [] : [iommu];
  });
  if (behind.length === 0) return [];
  const paths = new Set(behind.flatMap(({ specs }) => specs.map(({ node }) => node.path)));
  const [first, ...others] = paths;
  const iommus = others.length === 0 ? `${first}` : `${first} and ${others.length} more`;
  const masters = behind.length === 1 ? '1 master' : `${behind.length} masters`;
  return [`${masters} behind ${iommus}: IOMMUs translate nothing, as in bypass`];
};

/** CPUs that one kernel can run on: all, if their caches can be kept coherent, else the first. */
const coherentCpus = ({ cpus }: MachinePlan): number =>
  cpus.every(({ core }) => core.multiprocessor) ? cpus.length : 1;

const notesOnCpus = ({ cpus }: MachinePlan, used: number): string[] =>
  used === cpus.length
    ? []
    : [`${cpus.length - used} CPUs stay off: their caches are not coherent`];

const bootMemory = (plan: MachinePlan): BootMemory => {
  const [cpu] = plan.cpus;
  const image: KernelImage =
    plan.arch === 'arm64' ? 'arm64' : cpu?.core.tables.length === 0 ? 'nommu' : 'arm';
  const ram = plan.memory.banks.map(({ base, size }) => ({
    base: Number(base),
    size: Number(size),
  }));
  const ranges = plan.memory.reserved;
  const bypassed = ranges.regions.filter(region => isBypassed(region, plan));
  const reserved = ranges.reserved.filter(
    range => !bypassed.some(({ base, size }) => base === range.base && size === range.size),
  );
  const noMap = ranges.regions.filter(({ kind, node }) => kind !== 'refused' && node.has('no-map'));
  return {
    image,
    ram,
    reserved: reserved.map(({ base, size }) => ({ base: Number(base), size: Number(size) })),
    noMap: noMap.map(({ base, size }) => ({ base: Number(base), size: Number(size) })),
    dmaLimit: plan.facts.dmaZoneLimit,
    lpae: usesLpae(plan.cpus, plan.memory),
  };
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

/** IOMMUs, which have interrupts as any device has. */
const bindIommus = (
  plan: MachinePlan,
  hardware: Hardware,
  kernel: Kernel,
  notes: string[],
): BoundIommus =>
  new BoundIommus(
    hardware,
    kernel,
    plan,
    ({ device: { name, node, resources }, effective }, lines) => {
      const irqs = wireInterrupts(plan, hardware, kernel.irq, lines, node, notes);
      const dma = deviceDma(effective, kernel);
      return kernel.addDevice(name, node.path, dma, resources.map(toResource), irqs);
    },
    notes,
  );

const bindMasters = (hardware: Hardware, maker: DeviceMaker): BoundMaster[] =>
  hardware.masters.map(({ plan, base, model: { name } }) => {
    const registers = [{ start: physAddr(base), size: TEST_MASTER.size }];
    const dev = maker.make(plan.facts, { name, ofPath: null, registers, irqs: [] });
    const device = probeDevice(testMasterDriver, dev);
    if (typeof device === 'number') throw new BenchError(`${name}: probe: ${device}`);
    return { plan, device };
  });

/** Each device of the tree that has a model, with what its driver made of it. */
const bindDevices = (
  plan: MachinePlan,
  hardware: Hardware,
  kernel: Kernel,
  maker: DeviceMaker,
  notes: string[],
): readonly BoundDevice[] =>
  hardware.devices.flatMap(({ plan: device, irq }): BoundDevice[] => {
    const { name, node, compatible, resources } = device.device;
    const driver = plan.kinds.of(compatible)?.driver;
    invariant(driver !== undefined, `${node.path}: a model without a driver`);
    const irqs = wireInterrupts(plan, hardware, kernel.irq, [irq], node, notes);
    const registers = resources.map(toResource);
    const dev = maker.make(device.effective, { name, ofPath: node.path, registers, irqs });
    const bound = probeDevice(driver, dev);
    if (typeof bound !== 'number') return [{ plan: device, dev, bound }];
    notes.push(`${node.path}: probe with driver ${driver.name} failed with error ${bound}`);
    return [];
  });

/** Connects a device's lines where its `interrupts` lead, if that is the controller we have. */
const wireInterrupts = (
  { phandles }: MachinePlan,
  hardware: Hardware,
  domain: IrqDomain | null,
  lines: readonly IrqLine[],
  node: DtNode,
  notes: string[],
): IrqResource[] => {
  const { interrupts } = hardware;
  if (interrupts === null || domain === null) return [];
  const specifiers = ofIrqs(node, phandles);
  const names = node.strings('interrupt-names') ?? [];
  return lines.flatMap((line, index): IrqResource[] => {
    const specifier = specifiers[index];
    if (specifier === undefined) return [];
    const wired = wireInterrupt({ interrupts, domain }, line, specifier, node, notes);
    const name = names[index];
    if (wired === null) return [];
    return [{ ...wired, index, ...(name === undefined ? {} : { name }) }];
  });
};

/** Null, and a note, for an interrupt that does not get to the controller. */
const wireInterrupt = (
  { interrupts, domain }: { interrupts: InterruptController; domain: IrqDomain },
  line: IrqLine,
  specifier: OfPhandleArgs,
  node: DtNode,
  notes: string[],
): IrqResource | null => {
  if (specifier.node !== interrupts.node) {
    const to = specifier.node.path;
    const note = `${node.path}: interrupts lead to ${to}, which is not modelled; it is polled`;
    if (!notes.includes(note)) notes.push(note);
    return null;
  }
  const mapping = translate(domain, specifier.args, node);
  const { hwirq } = mapping;
  if (domain.createMapping(mapping) !== 0) {
    notes.push(`${node.path}: interrupts: another device has set another trigger; it is polled`);
    return null;
  }
  interrupts.connect(line, hwirq);
  return { domain, hwirq };
};

/** InputError, with the place of the device, for cells that its controller does not take. */
const translate = (domain: IrqDomain, cells: readonly number[], node: DtNode): IrqSpecifier => {
  try {
    return domain.chip.translate(cells);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { expected, found } = error.problem;
    throw node.problem('interrupts', expected, found);
  }
};
