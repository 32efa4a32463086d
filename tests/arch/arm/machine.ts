import type { Adversary } from '../../../arch/arm/adversary/adversary';
import { LruAdversary } from '../../../arch/arm/adversary/lru';
import type { CacheGeometry } from '../../../arch/arm/cache/line-cache';
import { Pl310 } from '../../../arch/arm/cache/pl310/model';
import { PL310 } from '../../../arch/arm/cache/pl310/regs';
import { CpuComplex } from '../../../arch/arm/complex';
import type { CheckerProfile } from '../../../arch/arm/coherence/profile';
import { StateSets } from '../../../arch/arm/coherence/sets';
import { coreNamed } from '../../../arch/arm/cores';
import { CheckedComplex } from '../../../arch/arm/checked/complex';
import { NO_WRITER } from '../../../arch/arm/checked/translation-hooks';
import type { Complex, ComplexParts } from '../../../arch/arm/complex-parts';
import type { Cpu } from '../../../arch/arm/cpu';
import type { CacheSpec, CoreProfile } from '../../../arch/arm/profile';
import { ACTLR, SCTLR } from '../../../arch/arm/regs/sysreg';
import { AddressSpace } from '../../../drivers/base/hw/address-space';
import { DmaPort } from '../../../drivers/base/hw/dma-port';
import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { EventQueue } from '../../../drivers/base/hw/event-queue';
import { IoBus } from '../../../drivers/base/hw/io-bus';
import { MemoryRegion } from '../../../drivers/base/hw/memory-region';
import type { MmioHandler } from '../../../drivers/base/hw/mmio';
import { Ram, RamBlock } from '../../../drivers/base/hw/ram';
import { Trace } from '../../../drivers/base/hw/trace';
import { ticks } from '../../../drivers/base/types/address';
import { invariant } from '../../../drivers/base/types/errors';
import { Random } from '../../../drivers/base/types/random';
import { TableWriter, tableRegisters } from './tables';
import type { Memory } from './tables';

/** Physical map: RAM from RAM_BASE to DEVICES, then the doorbell and the PL310. */
export const RAM_BASE = 0x8000_0000;
export const DEVICES = 0xf000_0000;
export const PL310_AT = DEVICES + 0x1_0000;
/** Where `page` maps things, and where the page tables are. */
const PAGES_VA = 0x4000_0000;
const PAGES_PA = RAM_BASE + 0x10_0000;
/** The page of the doorbell. */
export const DEVICE_VA = PAGES_VA + 0x8_0000;

export interface ArmMachineOptions {
  readonly core: string | CoreProfile;
  readonly cpus?: number;
  /** A PL310 of 16 KiB a way, switched on. */
  readonly outer?: boolean;
  /** Caches of a few sets, where a handful of pages fights for room. */
  readonly tiny?: boolean;
  readonly adversary?: Adversary;
  readonly seed?: number;
  /** Check mode: see Versions. */
  readonly versions?: boolean;
  /** SCTLR is left as it is after reset: MMU and caches off. */
  readonly off?: boolean;
}

/** A machine without a kernel: CPUs, caches, RAM, perhaps a PL310, and a doorbell to ring. */
export class MachineOf<C extends Complex> {
  readonly profile: CoreProfile;
  readonly ram: Ram;
  readonly trace = new Trace();
  readonly events = new EventQueue();
  readonly complex: C;
  readonly cpus: C['cpus'];
  readonly cpu: C['cpus'][number];
  readonly pl310: Pl310 | null;
  readonly tables: TableWriter;
  readonly guestErrors: string[] = [];
  /** What the device does when its doorbell is rung. */
  onDoorbell: (value: number) => void = () => undefined;
  readonly #io: IoBus;
  #devices: { readonly doorbell: number; readonly outer: number } | null = null;

  constructor(options: ArmMachineOptions, make: (parts: ComplexParts) => C) {
    const { core, cpus = 1, outer = false, off = false } = options;
    this.profile = typeof core === 'string' ? coreNamed(core) : core;
    const block = new RamBlock('ram', DEVICES - RAM_BASE);
    const first = RAM_BASE / 4096;
    this.ram = new Ram(page =>
      page >= first && page < DEVICES / 4096 ? { block, blockPage: page - first } : null,
    );
    const root = MemoryRegion.container('system', 2 ** 48);
    this.#io = new IoBus(new AddressSpace('system', root));
    this.complex = make(this.#parts(options, cpus, outer));
    this.pl310 = this.#makePl310(root);
    root.add(DEVICES, MemoryRegion.io('doorbell', 0x1000, this.#doorbell()));
    this.tables = new TableWriter(this.ram, this.profile, RAM_BASE, cpus > 1, address => {
      this.wroteTable(address);
    });
    for (let number = 1; number < cpus; number++) this.complex.bringUp(number);
    this.cpus = this.complex.cpus;
    const [cpu] = this.cpus;
    invariant(cpu !== undefined, 'a machine has a CPU');
    this.cpu = cpu;
    if (!off) for (const each of this.cpus) this.#switchOn(each);
  }

  /** The physical address of the n-th page of RAM that tests use. */
  pageAt(n: number): number {
    return PAGES_PA + n * 4096;
  }

  /** Maps the n-th page (below 128) and answers its virtual address; without an MMU it is itself. */
  page(n: number, memory: Memory): number {
    if (this.profile.tables.length === 0) return this.pageAt(n);
    const va = PAGES_VA + n * 4096;
    this.tables.map(va, this.pageAt(n), memory);
    return va;
  }

  /** A store that rings the device's doorbell. */
  ring(cpu: Cpu, value: number): void {
    cpu.store32(this.#deviceWindows().doorbell, value);
  }

  /** A store to a register of the PL310. */
  outerWrite(cpu: Cpu, register: keyof typeof PL310.registers, value: number): void {
    cpu.store32(this.#deviceWindows().outer + PL310.registers[register].at, value);
  }

  /** A port of a device, snooping or not, with the physical addresses on its bus. */
  port(coherent: boolean, timing: DmaTiming = 'latest'): DmaPort {
    const memory = this.complex.masterMemory('device', this.#io, coherent);
    const { events, trace } = this;
    return new DmaPort({
      name: 'device',
      memory,
      windows: null,
      iommu: null,
      events,
      timing,
      trace,
    });
  }

  /** A word of RAM itself, whatever the caches hold. */
  memoryWord(address: number): number {
    return this.ram.readWord(this.ram.wordOf(address));
  }

  setMemoryWord(address: number, value: number): void {
    this.ram.writeWord(this.ram.wordOf(address), value);
  }

  /** A word of the tables was written, by no CPU. */
  protected wroteTable(address: number): void {
    invariant(address >= RAM_BASE, 'tables are in RAM');
  }

  #parts({ tiny = false }: ArmMachineOptions, cpus: number, outer: boolean): ComplexParts {
    const { profile, ram, trace, events } = this;
    const geometry = (spec: CacheSpec | null, sets: number): CacheGeometry | null => {
      if (spec === null) return null;
      const { ways, line, size } = spec;
      return { ways, line, size: tiny && !isColoured(profile) ? ways * line * sets : size };
    };
    return {
      cpus: Array.from({ length: cpus }, (_, number) => ({
        profile,
        mpidr: number,
        l1d: geometry(profile.l1d, 4),
        l1i: geometry(profile.l1i, 4),
        // The first two share a second level, the third has its own.
        cluster: number >> 1,
        l2: geometry(profile.l2, 8),
      })),
      outer: outer ? { size: 8 * 16 * 1024, ways: 8, line: 32 } : null,
      ram,
      io: this.#io,
      trace,
      time: {
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
      },
    };
  }

  #makePl310(root: MemoryRegion): Pl310 | null {
    const { complex, ram, events, guestErrors } = this;
    if (complex.outer === null) return null;
    const onGuestError = (text: string): void => {
      guestErrors.push(text);
    };
    const model = new Pl310({ name: 'l2', cache: complex.outer, ram, events, onGuestError });
    model.realize();
    model.reset.pulse();
    const [region] = model.regions;
    invariant(region !== undefined, 'a PL310 has a window');
    root.add(PL310_AT, region);
    model.registers.write(PL310.registers.CTRL.at, 4, 1);
    return model;
  }

  #doorbell(): MmioHandler {
    return {
      read: () => 0,
      write: (_offset, _width, value) => {
        this.onDoorbell(value);
        return 0;
      },
    };
  }

  #deviceWindows(): { readonly doorbell: number; readonly outer: number } {
    if (this.#devices === null) {
      const hasMmu = this.profile.tables.length > 0;
      if (hasMmu) {
        this.tables.map(DEVICE_VA, DEVICES, 'device');
        this.tables.map(DEVICE_VA + 4096, PL310_AT, 'device');
      }
      this.#devices = hasMmu
        ? { doorbell: DEVICE_VA, outer: DEVICE_VA + 4096 }
        : { doorbell: DEVICES, outer: PL310_AT };
    }
    return this.#devices;
  }

  /** As the tables want it, with caches on and, where there is such a thing, in the domain. */
  #switchOn(cpu: Cpu): void {
    const { architecture, tables, multiprocessor } = this.profile;
    for (const [register, low, high] of tableRegisters(this.profile, RAM_BASE)) {
      cpu.writeSys(register, low, high);
    }
    if (architecture === 'v7' && multiprocessor) cpu.writeSys('ACTLR', ACTLR.SMP | ACTLR.FW);
    const old = architecture === 'v6' ? SCTLR.XP | SCTLR.U : 0;
    cpu.writeSys('SCTLR', SCTLR.C | old | (tables.length > 0 ? SCTLR.M : 0));
  }
}

/** A cache whose index takes bits above the page keeps its size: that is what makes it so. */
const isColoured = ({ l1d }: CoreProfile): boolean => l1d?.indexing === 'vipt';

/** The concrete machine. */
export class ArmMachine extends MachineOf<CpuComplex> {
  constructor(options: ArmMachineOptions) {
    const { adversary = new LruAdversary(), seed = 1, versions = false } = options;
    const random = new Random(seed);
    super(options, parts => new CpuComplex({ ...parts, adversary, versions, random }));
  }
}

/** The checked machine: what is said of an adversary, of versions and of a seed is not for it. */
export class CheckedArmMachine extends MachineOf<CheckedComplex> {
  constructor(options: ArmMachineOptions, setsOf = (of: CheckerProfile) => StateSets.of(of)) {
    super(options, parts => new CheckedComplex(parts, setsOf));
  }

  protected override wroteTable(address: number): void {
    this.complex.checker.translations?.tableStored(NO_WRITER, address);
  }
}
