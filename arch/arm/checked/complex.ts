import type { DmaMemory } from '../../../drivers/base/hw/dma-memory';
import type { IoBus } from '../../../drivers/base/hw/io-bus';
import { NEVER, Pulse } from '../../../drivers/base/hw/pulse';
import { at } from '../../../drivers/base/types/arrays';
import { UnmodelledError, invariant } from '../../../drivers/base/types/errors';
import type {
  AccessKind,
  HardwareObserver,
  MemoryWatch,
} from '../../../drivers/base/types/observer';
import type { StateValue } from '../../../drivers/base/types/state';
import type { OuterLevel } from '../cache/outer-level';
import type { CheckerProfile } from '../coherence/profile';
import { StateSets } from '../coherence/sets';
import type { LineStates } from '../coherence/line-states';
import { invalidateTlbs, transferPiece, walkMemory } from '../complex-parts';
import type { Complex, ComplexParts, CpuConfig } from '../complex-parts';
import { Front } from '../front';
import type { CpuBus } from '../front';
import { ANY_RIGHT, USER_WRITE, WRITE } from '../mmu/attributes';
import { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';
import { SystemRegisters } from '../sysregs';
import { Accesses } from './accesses';
import { Aliases } from './aliases';
import { Checker } from './checker';
import { CheckedCpu } from './cpu';
import { CheckedDmaMemory } from './dma-memory';
import { CheckedMemory } from './memory';
import { CheckedOuter } from './outer';
import { Polls } from './polls';
import { checkedSilicon } from './silicon';
import { Translations } from './translations';

/** As many as a quiet concrete machine has: what a TLB keeps is told by the translations. */
const TLB_ENTRIES = 512;

/**
 * All CPUs of a machine whose every cache behaviour is checked at once: no cache arrays, RAM holds
 * the latest bytes, and one LineStates for the machine knows what may be where. Its events have
 * the numbers that they have on the concrete machine. It has no snapshots: run it again.
 */
export class CheckedComplex implements Complex {
  readonly cpus: readonly CheckedCpu[];
  readonly outer: OuterLevel | null;
  readonly pulse = new Pulse();
  readonly checker: Checker;

  readonly #config: ComplexParts;
  readonly #io: CpuBus;
  readonly #mmus: Mmu[] = [];
  readonly #accesses: Accesses[] = [];
  readonly #aliases: Aliases;
  readonly #polls: Polls;
  #online = 0;

  /** `setsOf`: tables other than those that all machines of a profile share. */
  constructor(config: ComplexParts, setsOf = (of: CheckerProfile) => StateSets.of(of)) {
    this.#config = config;
    this.#polls = new Polls();
    const { profile, lineBytes, isVirtual, colours } = checkedSilicon(config);
    const sets = setsOf(profile);
    this.checker = new Checker(sets, lineBytes, config.cpus.length, config.ram, this.pulse);
    this.checker.pollers.push(this.#polls);
    this.#aliases = new Aliases(isVirtual, colours, profile.aliases);
    this.#io = this.#noteAccessing(config.io);
    this.outer = config.outer === null ? null : this.#makeOuter(config.outer);
    this.cpus = config.cpus.map((cpu, number) => this.#makeCpu(cpu, number));
    this.checker.translations = this.#makeTranslations();
    this.pulse.arm(NEVER);
    this.bringUp(0);
  }

  get online(): number {
    return this.#online;
  }

  /** The possible states of the machine's lines. */
  get lines(): LineStates {
    return this.checker.lines;
  }

  get watch(): MemoryWatch {
    return this.checker;
  }

  /** Who is told of verdicts and of what is watched; with null nothing changes but that. */
  get observer(): HardwareObserver | null {
    return this.checker.observer;
  }

  set observer(observer: HardwareObserver | null) {
    this.checker.observer = observer;
  }

  /** Each CPU walks again: translations have changed. */
  flushTlbs(): void {
    this.cpus.forEach((cpu, number) => {
      at(this.#mmus, number).tlb.invalidateAll();
      cpu.front.micro.flush();
    });
  }

  bringUp(number: number): CheckedCpu {
    invariant(number === this.#online, `CPU ${number} comes after CPU ${this.#online}`);
    const cpu = this.cpus[number];
    invariant(cpu !== undefined, `there is no CPU ${number}`);
    this.#online++;
    return cpu;
  }

  masterMemory(name: string, io: IoBus, snoops: boolean): DmaMemory {
    const observe = (): void => {
      if (this.pulse.tick()) this.pulse.arm(NEVER);
    };
    const { ram } = this.#config;
    const piece = transferPiece(this.#config);
    return new CheckedDmaMemory({ ram, io, observe, piece, checker: this.checker, name, snoops });
  }

  unasked(): number {
    throw new UnmodelledError('counts of steps nobody asked for', 'on a checked machine');
  }

  saveState(): StateValue {
    throw new UnmodelledError('snapshot', 'of a checked machine: run it again instead');
  }

  restoreState(): void {
    throw new UnmodelledError('snapshot', 'on a checked machine: run it again instead');
  }

  #makeOuter(geometry: NonNullable<ComplexParts['outer']>): CheckedOuter {
    return new CheckedOuter(geometry, this.checker, ncHits => {
      for (const accesses of this.#accesses) accesses.ncHits = ncHits;
      this.flushTlbs();
    });
  }

  #makeTranslations(): Translations {
    const { checker, pulse } = this;
    return new Translations({
      cpus: this.#config.cpus.map(({ profile }, n) => ({ profile, mmu: at(this.#mmus, n) })),
      ram: this.#config.ram,
      listener: {
        liveChanged: (frame, live) => {
          checker.liveChanged(frame, live);
        },
        tableChanged: (frame, isTable) => {
          checker.setTable(frame, isTable);
        },
        translationsChanged: () => {
          this.flushTlbs();
        },
      },
      observer: () => checker.observer,
      now: () => pulse.now,
    });
  }

  #makeCpu(config: CpuConfig, number: number): CheckedCpu {
    const { profile, l1d, l1i, l2, mpidr } = config;
    const { ram, trace, time } = this.#config;
    const { checker, pulse } = this;
    const mmu = new Mmu(profile, TLB_ENTRIES);
    this.#mmus.push(mmu);
    const accesses = new Accesses(profile, checker.lines);
    this.#accesses.push(accesses);
    const front = this.#makeFront(number, profile, mmu);
    const memory = new CheckedMemory({
      number,
      profile,
      micro: front.micro,
      ram,
      trace,
      checker,
      accesses,
      aliases: this.#aliases,
      polls: this.#polls,
      levels: [l1d, l2],
      invalidateTlbs: (op, operand, asid) => {
        invalidateTlbs(this.cpus, this.#mmus, number, op, operand, asid);
      },
    });
    front.attach(memory);
    mmu.attach(walkMemory(this.#config, number, memory));
    const registers = new SystemRegisters(profile, { l1d, l1i, l2 }, mmu, mpidr);
    const onRegister = (): void => {
      checker.translations?.registerWritten(number);
    };
    const parts = { number, profile, front, memory, registers, pulse, trace, time, onRegister };
    return new CheckedCpu({ ...parts, checker, ram });
  }

  #makeFront(number: number, profile: CoreProfile, mmu: Mmu): Front {
    const { ram, trace } = this.#config;
    return new Front({
      number,
      profile,
      mmu,
      cache: null,
      ram,
      io: this.#io,
      trace,
      onPage: (slot, frame, va) => {
        at(this.cpus, number).memory.fill(slot, frame, va);
      },
      onUse: (va, right) => this.checker.translations?.used(number, va, kindOf(right)) ?? false,
      fastStores: true,
    });
  }

  /** The bus, with a note of who is on it: the registers of an outer cache do not say. */
  #noteAccessing(io: CpuBus): CpuBus {
    return {
      read: (address, width, cpu) => io.read(address, width, cpu),
      write: (address, width, value, cpu) => {
        this.checker.accessingCpu = cpu;
        return io.write(address, width, value, cpu);
      },
    };
  }
}

/** What an access is, by the rights that it asks for: maintenance is content with any. */
const kindOf = (right: number): AccessKind => {
  if (right === ANY_RIGHT) return 'clean';
  return (right & (WRITE | USER_WRITE)) !== 0 ? 'store' : 'load';
};
