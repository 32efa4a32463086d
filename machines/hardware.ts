import type { Adversary } from '../arch/arm/adversary/adversary';
import { ScriptAdversary } from '../arch/arm/adversary/scripted';
import { Pl310 } from '../arch/arm/cache/pl310/model';
import { CpuComplex } from '../arch/arm/complex';
import type { Complex, ComplexParts } from '../arch/arm/complex-parts';
import { CheckedComplex } from '../arch/arm/checked/complex';
import type { CpuTime } from '../arch/arm/cpu';
import type { CpuBus } from '../arch/arm/front';
import type { CoreProfile } from '../arch/arm/profile';
import type { DeviceModel } from '../drivers/base/hw/device';
import { AddressSpace } from '../drivers/base/hw/address-space';
import { DmaPort } from '../drivers/base/hw/dma-port';
import type { DmaTiming } from '../drivers/base/hw/dma-port';
import { EventQueue } from '../drivers/base/hw/event-queue';
import { GuestErrors } from '../drivers/base/hw/guest-errors';
import type { RefusedAccess, StaleEntry } from '../drivers/base/hw/iommu';
import { IoBus } from '../drivers/base/hw/io-bus';
import { IrqLine } from '../drivers/base/hw/irq';
import { MemoryRegion } from '../drivers/base/hw/memory-region';
import { Ram, RamBlock } from '../drivers/base/hw/ram';
import { NO_RESET, ResetNode } from '../drivers/base/hw/reset';
import { expectName, restoreAll } from '../drivers/base/hw/state-arrays';
import { Trace } from '../drivers/base/hw/trace';
import { ticks } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { BenchError, InputError, UnmodelledError, invariant } from '../drivers/base/types/errors';
import type { Random } from '../drivers/base/types/random';
import { StateReader } from '../drivers/base/types/state';
import type { Stateful, StateValue } from '../drivers/base/types/state';
import type { OfResource } from '../drivers/of/address';
import { TEST_MASTER } from '../drivers/misc/test-master/regs';
import { TestMaster } from '../drivers/misc/test-master/model';
import { describeSilicon } from './describe-silicon';
import type { DeviceCacheSinks, DeviceInsides, DeviceKinds } from './devices';
import { hookOf, iommuKindOf, streamsOf, toldHook } from './iommus';
import type { LedAccess } from './iommus';
import type { IommuModel } from './iommus/kind';
import { rootController } from './interrupts';
import type { InterruptController } from './interrupts';
import type { MasterPlan } from './masters';
import type { DevicePlan } from './plan-devices';
import { testMasterBase } from './plan-windows';
import type { MachinePlan } from './plan';
import type { DmaFacts } from './quirks';

/** What happens that no software asked for, and when devices move their data. */
export interface HardwareOptions {
  /** `all`: no behaviour in particular, every one is checked at once. */
  readonly adversary: Adversary | 'all';
  /** Check mode of concrete caches: which bytes are of the latest version. */
  readonly versions?: boolean;
  readonly random: Random;
  readonly timing: DmaTiming;
}

/** All addresses of a machine lie below. */
const SYSTEM_SIZE = 2 ** 48;
/** Unmodelled registers lie under RAM, models over it. */
const UNDER_RAM = -1;
const OVER_RAM = 1;
/** Translations that an IOMMU keeps. */
const IOTLB_ENTRIES = 16;

/** A modelled device of the tree, with its interrupt line. */
export interface HardwareDevice {
  readonly plan: DevicePlan;
  readonly model: DeviceModel;
  readonly irq: IrqLine;
}

/** An IOMMU that is modelled, with its interrupt lines. */
export interface HardwareIommu {
  readonly plan: DevicePlan;
  readonly model: IommuModel;
  readonly irqs: readonly IrqLine[];
}

/** A test master, and where its registers were put. */
export interface HardwareMaster {
  readonly plan: MasterPlan;
  readonly model: TestMaster;
  readonly irq: IrqLine;
  readonly base: number;
}

/** The silicon of a machine: CPUs, caches, buses, devices. It knows nothing of any kernel. */
export class Hardware implements Stateful {
  readonly events = new EventQueue();
  readonly trace = new Trace();
  readonly space: AddressSpace;
  readonly ram: Ram;
  readonly complex: Complex;
  readonly interrupts: InterruptController | null;
  /** The registers of the cache outside the cores, null where nothing drives one. */
  readonly outerCache: DeviceModel | null;
  readonly iommus: readonly HardwareIommu[];
  /** On a checked machine told of each use of an entry that an IOMMU should have forgotten. */
  onStaleEntry: ((stale: StaleEntry) => void) | null = null;
  /** Told of each transaction that an IOMMU does not let through. */
  onRefused: ((refused: RefusedAccess) => void) | null = null;
  /** In check mode told where the IOMMUs of a master lead each of its transactions. */
  onLed: ((access: LedAccess) => void) | null = null;
  /** On a checked machine told of caches inside devices. */
  cacheSinks: DeviceCacheSinks | null = null;
  readonly devices: readonly HardwareDevice[];
  readonly masters: readonly HardwareMaster[];
  readonly notes: readonly string[];
  /** What the software did to registers that no manual permits. */
  readonly guestErrors = new GuestErrors();

  readonly #system = MemoryRegion.container('system', SYSTEM_SIZE);
  readonly #io: IoBus;
  readonly #options: HardwareOptions;
  readonly #reset: ResetNode;
  readonly #snoopPort: CoreProfile['snoopPort'];
  readonly #ports: DmaPort[] = [];
  /** By the name of a master, whether its port snoops. */
  readonly #snooping = new Map<string, boolean>();
  readonly #description: string;
  /** The CPU whose access is under way; 0 for what other masters do. */
  #accessingCpu = 0;

  constructor(plan: MachinePlan, masters: readonly MasterPlan[], options: HardwareOptions) {
    this.#options = options;
    this.#snoopPort = plan.cpus[0]?.core.snoopPort ?? 'none';
    this.#description = describeSilicon(plan, masters);
    this.#reset = new ResetNode('machine', NO_RESET);
    this.space = new AddressSpace('system', this.#system);
    this.#io = new IoBus(this.space);
    this.ram = new Ram(page => this.#resolvePage(page));
    this.#placeRam(plan);
    this.#placeUnmodelled(plan);
    this.complex = this.#makeComplex(plan);

    const onGuestError = (text: string): void => {
      this.guestErrors.note(text);
    };
    const root = rootController(plan, () => this.#accessingCpu, onGuestError);
    this.interrupts = root.controller;
    this.notes = root.note === null ? [] : [root.note];
    if (this.interrupts !== null) this.#placeController(plan, this.interrupts);
    this.outerCache = this.#makeOuterCache(plan, onGuestError);
    this.iommus = plan.devices.flatMap(device => this.#makeIommu(device, onGuestError));
    this.#schedule?.forIommus((iommu, table) =>
      this.iommus.some(({ model }) => model.name === iommu && model.walksInto(table, 1) === 'step'),
    );
    this.devices = plan.devices.flatMap(device =>
      this.#makeDevice(device, plan.kinds, onGuestError),
    );
    this.masters = this.#makeMasters(plan, masters, onGuestError);
    this.#reset.pulse();
  }

  /** A window into memory that passes every cache, as a debugger's access port does. */
  debugPort(): { read32(address: number): number; write32(address: number, value: number): void } {
    const wordOf = (address: number): number => {
      const word = this.ram.wordOf(address);
      invariant(word >= 0, `no RAM at ${address}`);
      return word;
    };
    return {
      read32: address => this.ram.readWord(wordOf(address)),
      write32: (address, value) => {
        this.ram.writeWord(wordOf(address), value);
      },
    };
  }

  /**
   * The whole silicon, at a moment at which nothing is under way: BenchError if a timer is
   * pending, for what it will do cannot be saved.
   */
  saveState(): StateValue {
    const [timer] = this.events.timers();
    invariant(timer === undefined, `a snapshot while ${timer?.name ?? 'a timer'} is pending`);
    return {
      machine: this.#description,
      now: this.events.now,
      trace: this.trace.saveState(),
      ram: this.ram.saveState(),
      complex: this.complex.saveState(),
      models: this.models().map(model => model.saveState()),
      ports: this.#ports.map(port => port.saveState()),
      snooping: this.#ports.map(({ name }) => this.snoops(name)),
      guestErrors: this.guestErrors.saveState(),
    };
  }

  /** Of a machine of the same plan, fresh or not. InputError for the state of another. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'a machine');
    expectName(reader.value('machine'), 'a machine', this.#description);
    this.events.restart(ticks(reader.number('now')));
    this.ram.restoreState(reader.value('ram'));
    this.complex.restoreState(reader.value('complex'));
    restoreAll(this.models(), reader, 'models');
    restoreAll(this.#ports, reader, 'ports');
    this.#restoreStraps(reader.value('snooping'));
    this.guestErrors.restoreState(reader.value('guestErrors'));
    this.trace.restoreState(reader.value('trace'));
  }

  /**
   * Sets whether a master's port snoops the caches, as a register of an SoC does, whatever the tree
   * says of it. UnmodelledError if these cores have no port that snoops.
   */
  strapCoherency(master: string, snoops: boolean): void {
    const port = this.#ports.find(({ name }) => name === master);
    invariant(port !== undefined, `there is no master ${master}`);
    this.#mayConnect(master, snoops);
    port.strap(this.complex.masterMemory(master, this.#io, snoops));
    this.#snooping.set(master, snoops);
  }

  /** Whether the port of a master snoops the caches; null if there is no such master. */
  snoops(master: string): boolean | null {
    return this.#snooping.get(master) ?? null;
  }

  /** All models, for snapshots. */
  models(): readonly DeviceModel[] {
    return [
      ...(this.interrupts === null ? [] : [this.interrupts.model]),
      ...(this.outerCache === null ? [] : [this.outerCache]),
      ...this.iommus.map(({ model }) => model),
      ...this.devices.map(({ model }) => model),
      ...this.masters.map(({ model }) => model),
    ];
  }

  #restoreStraps(state: StateValue): void {
    if (!Array.isArray(state) || state.length !== this.#ports.length) {
      const expected = `${this.#ports.length} masters`;
      throw new InputError({ place: 'snapshot of a machine', expected, found: 'others' });
    }
    this.#ports.forEach(({ name }, index) => {
      const snoops = state[index] === true;
      if (snoops !== this.snoops(name)) this.strapCoherency(name, snoops);
    });
  }

  #placeRam(plan: MachinePlan): void {
    plan.memory.banks.forEach(({ base, size }, index) => {
      const block = new RamBlock(`ram${index}`, Number(size));
      this.#system.add(Number(base), MemoryRegion.ram(block.name, block));
    });
  }

  /** Registers that no model answers: an access is an error with the device's name. */
  #placeUnmodelled(plan: MachinePlan): void {
    for (const { device, status } of plan.devices) {
      if (status === 'modelled') continue;
      for (const { start, size } of device.resources) {
        if (size === 0n || start + size > BigInt(SYSTEM_SIZE)) continue;
        const { path } = device.node;
        const refuse =
          (verb: string) =>
          (offset: number): never => {
            throw new UnmodelledError(`registers of ${path}`, `${verb} at offset ${offset}`);
          };
        const handler = { read: refuse('read'), write: refuse('write') };
        const region = MemoryRegion.io(path, Number(size), handler);
        this.#system.add(Number(start), region, UNDER_RAM);
      }
    }
  }

  #resolvePage(page: number): { block: RamBlock; blockPage: number } | null {
    const address = page * PAGE_SIZE;
    const range = this.space.find(address);
    if (range === null || range.region.content.kind !== 'ram') return null;
    if (range.start > address || range.start + range.size < address + PAGE_SIZE) return null;
    const { ram } = range.region.content;
    if (!(ram instanceof RamBlock)) throw new BenchError(`RAM ${ram.name} has no pages`);
    const blockPage = (range.offset + address - range.start) / PAGE_SIZE;
    return { block: ram, blockPage };
  }

  #makeComplex(plan: MachinePlan): Complex {
    const { adversary, random, versions = false } = this.#options;
    const parts: ComplexParts = {
      cpus: plan.cpus.map(({ core, hwid, cluster, l1d, l1i, l2 }) => ({
        profile: core,
        mpidr: hwid,
        l1d: l1d?.geometry ?? null,
        l1i: l1i?.geometry ?? null,
        cluster,
        l2: l2?.geometry ?? null,
      })),
      outer: plan.outer?.driven === true ? plan.outer.plan.geometry : null,
      ram: this.ram,
      io: this.#cpuBus(),
      trace: this.trace,
      time: this.#cpuTime(),
    };
    if (adversary === 'all') return new CheckedComplex(parts);
    return new CpuComplex({ ...parts, adversary, random: random.fork('complex'), versions });
  }

  /** The bus as CPUs see it: it says who is asking, as a bus's identifiers do. */
  #cpuBus(): CpuBus {
    const io = this.#io;
    return {
      read: (address, width, cpu) => {
        this.#accessingCpu = cpu;
        const value = io.read(address, width);
        this.#accessingCpu = 0;
        return value;
      },
      write: (address, width, value, cpu) => {
        this.#accessingCpu = cpu;
        const result = io.write(address, width, value);
        this.#accessingCpu = 0;
        return result;
      },
    };
  }

  #cpuTime(): CpuTime {
    const { events } = this;
    return {
      get now() {
        return events.now;
      },
      pass: nanoseconds => {
        events.advanceTo(ticks(events.now + nanoseconds));
      },
      toNextEvent: limit => {
        const next = events.nextTime();
        if (next === null || next - events.now > limit) return false;
        events.advanceTo(next);
        return true;
      },
    };
  }

  #placeController(plan: MachinePlan, controller: InterruptController): void {
    const device = plan.devices.find(candidate => candidate.device.node === controller.node);
    this.#place(controller.model, device?.device.resources ?? []);
    for (const cpu of this.complex.cpus) {
      const icc = controller.iccOf(cpu.number);
      if (icc !== null) cpu.attachIcc(icc);
      controller.lineTo(cpu.number)?.connect(level => {
        cpu.interruptPending = level;
      });
    }
  }

  /** Puts a model's windows where the `reg` entries of its node say. */
  #place(model: DeviceModel, resources: readonly OfResource[]): void {
    model.realize();
    model.regions.forEach((region, index) => {
      const resource = resources[index];
      if (resource !== undefined) this.#system.add(Number(resource.start), region, OVER_RAM);
    });
    this.#reset.addChild(model.reset);
  }

  /** The schedule that the machine follows; null if it follows none. */
  get #schedule(): ScriptAdversary | null {
    const { adversary } = this.#options;
    return adversary instanceof ScriptAdversary ? adversary : null;
  }

  #goesByKept(stale: StaleEntry): boolean {
    this.onStaleEntry?.(stale);
    return this.#schedule?.usesKept(stale.iommu, stale.older) === true;
  }

  #makeIommu(plan: DevicePlan, onGuestError: (text: string) => void): HardwareIommu[] {
    const { node, name, resources } = plan.device;
    const kind = iommuKindOf(node);
    if (kind === null) return [];
    const { coherent } = plan.effective.dma;
    this.#mayConnect(name, coherent);
    this.#snooping.set(name, coherent);
    const irqs = Array.from(
      { length: kind.interrupts(node) },
      (_, index) => new IrqLine(index === 0 ? `${name}.irq` : `${name}.irq${index}`),
    );
    const { adversary, versions = false } = this.#options;
    const model = kind.makeModel({
      node,
      name,
      memory: this.complex.masterMemory(name, this.#io, coherent),
      irqs,
      events: this.events,
      isChecked: adversary === 'all' || this.#schedule !== null,
      // In check mode a schedule is replayed, and whatever is in the table must be looked at.
      tlbEntries: versions ? 0 : IOTLB_ENTRIES,
      onGuestError,
      onStale: stale => this.#goesByKept(stale),
      onRefused: refused => this.onRefused?.(refused),
    });
    this.#place(model, resources);
    return [{ plan, model, irqs }];
  }

  #makeDevice(
    plan: DevicePlan,
    kinds: DeviceKinds,
    onGuestError: (text: string) => void,
  ): HardwareDevice[] {
    const { name, compatible, resources } = plan.device;
    const kind = kinds.of(compatible);
    if (kind === null) return [];
    const irq = new IrqLine(`${name}.irq`);
    const dma = this.#port(name, plan.effective);
    const { events } = this;
    const inside = this.#insides();
    const model = kind.makeModel({ name, dma, irq, events, onGuestError, inside });
    this.#place(model, resources);
    return [{ plan, model, irq }];
  }

  #insides(): DeviceInsides {
    const { adversary, versions = false } = this.#options;
    return {
      looksPast: adversary === 'all' || versions || this.#schedule !== null,
      onStale: stale => this.#goesByKept(stale),
      onMismatch: mismatch => this.cacheSinks?.onMismatch(mismatch),
      onHeld: line => this.cacheSinks?.onHeld(line),
    };
  }

  /** The registers of the cache outside the cores, where the kernel is to drive it. */
  #makeOuterCache(plan: MachinePlan, onGuestError: (text: string) => void): DeviceModel | null {
    const { outer: cache } = this.complex;
    const { node, registers } = plan.outer?.cache ?? {};
    if (cache === null || node === undefined || registers === undefined) return null;
    const { ram, events } = this;
    const model = new Pl310({ name: node.name, cache, ram, events, onGuestError });
    this.#place(model, [registers]);
    return model;
  }

  #makeMasters(
    plan: MachinePlan,
    masters: readonly MasterPlan[],
    onGuestError: (text: string) => void,
  ): HardwareMaster[] {
    let base = testMasterBase(plan);
    return masters.map((master, index) => {
      const name = `test-master${index}`;
      const irq = new IrqLine(`${name}.irq`);
      const dma = this.#port(name, master.facts);
      const model = new TestMaster({ name, dma, irq, events: this.events, onGuestError });
      model.realize();
      const [region] = model.regions;
      invariant(region !== undefined, 'a test master has a register window');
      this.#system.add(base, region, OVER_RAM);
      this.#reset.addChild(model.reset);
      const placed = { plan: master, model, irq, base };
      base += TEST_MASTER.size;
      return placed;
    });
  }

  #mayConnect(name: string, snoops: boolean): void {
    if (!snoops || this.#snoopPort !== 'none') return;
    throw new UnmodelledError(`${name}: dma-coherent`, 'these cores have no port that snoops');
  }

  /** A master's way to memory, as its DMA configuration says. */
  #port(name: string, facts: DmaFacts): DmaPort {
    const { dma } = facts;
    const hooks = streamsOf(facts).flatMap(({ node, cells }) => {
      const iommu = this.iommus.find(({ plan }) => plan.device.node === node)?.model;
      return iommu === undefined ? [] : [iommu.stream(cells, name)];
    });
    const windows =
      dma.map?.map(region => ({
        dma: Number(region.dma),
        cpu: Number(region.cpu),
        size: Number(region.size),
      })) ?? null;
    this.#mayConnect(name, dma.coherent);
    const hook = hookOf(hooks);
    const tell = (access: LedAccess): void => this.onLed?.(access);
    const port = new DmaPort({
      name,
      memory: this.complex.masterMemory(name, this.#io, dma.coherent),
      windows,
      iommu: this.#options.versions === true ? toldHook(hook, name, tell) : hook,
      events: this.events,
      timing: this.#options.timing,
      trace: this.trace,
    });
    this.#ports.push(port);
    this.#snooping.set(name, dma.coherent);
    return port;
  }
}
