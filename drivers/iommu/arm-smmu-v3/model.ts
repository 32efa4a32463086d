import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaMemory } from '../../base/hw/dma-memory';
import type { IommuHook } from '../../base/hw/dma-port';
import type { EventQueue, Timer } from '../../base/hw/event-queue';
import type { RefusedAccess, StaleEntrySink, TableUse } from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { TxResult } from '../../base/hw/mmio';
import { registerFile } from '../../base/hw/register-file';
import type { RegisterFile, WriteHook } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { hex } from '../../base/types/address';
import { join64 } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { CommandQueue } from './model/command-queue';
import { streamTableOf } from './model/configuration';
import { EventRecorder } from './model/event-queue';
import { identification } from './model/features';
import type { Features } from './model/features';
import type { Ring } from './model/ring';
import { tellAbsent } from './model/tell-absent';
import { TranslationUnit } from './model/unit';
import { CommandError, SMMU_V3, STRTAB_FORMAT } from './regs';
import type { IrqName } from './regs';
import { ABSENT_COMMANDS, ABSENT_IN_COMMAND } from './regs/absent';
import { COMMAND, Opcode, SyncSignal } from './regs/commands';
import type { Words } from './regs/words';

/** From a write of CR0, IRQ_CTRL or GBPA to its taking effect. */
const UPDATE_NANOSECONDS = 100;

/** What an SMMUv3 is wired to. */
export interface SmmuV3Ports {
  readonly name: string;
  readonly features: Features;
  /** Its way to tables and queues. */
  readonly memory: DmaMemory;
  /** Wires that the board has; what they carry is an edge. */
  readonly irqs: Readonly<Partial<Record<IrqName, IrqLine>>>;
  readonly events: EventQueue;
  readonly isChecked: boolean;
  /** Translations that it keeps; 0: it keeps nothing at all. */
  readonly tlbEntries: number;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: StaleEntrySink;
  readonly onRefused: (refused: RefusedAccess) => void;
}

type GlobalError = 'CMDQ_ERR' | 'EVENTQ_ABT_ERR' | `MSI_${'CMDQ' | 'EVENTQ' | 'GERROR'}_ABT_ERR`;
type Enable = 'SMMUEN' | 'EVENTQEN' | 'CMDQEN';

/** An Arm SMMUv3. Registers: regs.ts; structures in memory: regs/. */
export class SmmuV3 extends Device {
  readonly reset: ResetNode;
  readonly #ports: SmmuV3Ports;
  readonly #regs: RegisterFile<typeof SMMU_V3>;
  readonly #unit: TranslationUnit;
  readonly #commands: CommandQueue;
  /** By register, what has not taken effect. */
  readonly #updates = new Map<string, Timer>();

  constructor(ports: SmmuV3Ports) {
    super(ports.name);
    this.#ports = ports;
    this.#regs = this.#makeRegisters();
    this.#unit = new TranslationUnit({ ...ports, recorder: this.#makeRecorder() });
    this.#commands = this.#makeCommands();
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      hold: () => {
        for (const irq of Object.values(ports.irqs)) irq.set(false);
      },
      exit: () => {
        this.#cancel();
        this.#regs.reset();
        this.#unit.clear();
        this.#derive();
      },
    });
  }

  /** What the transactions of a master pass on their way that come with this StreamID. */
  stream([sid]: readonly number[], master: string): IommuHook {
    const { sidBits } = this.#ports.features;
    invariant(sid !== undefined && sid < 2 ** sidBits, `${this.name} has no stream ${sid}`);
    return this.#unit.stream(sid, master);
  }

  /** By what a walk may come to a table that begins in these bytes; null: by nothing. */
  walksInto(start: number, size: number): TableUse | null {
    return this.#unit.walksInto(start, size);
  }

  /** BenchError while a command is under way or a transaction waits: that cannot be saved. */
  saveState(): StateValue {
    const isIdle = this.#commands.isIdle && this.#updates.size === 0 && this.#unit.stalls.isEmpty;
    invariant(isIdle, `${this.name}: a snapshot while something is under way`);
    return { registers: this.#regs.saveState(), unit: this.#unit.saveState() };
  }

  /** What was under way is given up. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    const registers = reader.value('registers');
    const unit = reader.value('unit');
    this.#cancel();
    this.#regs.restoreState(registers);
    this.#unit.restoreState(unit);
    this.#derive();
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, SMMU_V3.size, this.#regs)];
  }

  #makeRegisters(): RegisterFile<typeof SMMU_V3> {
    const { features, onGuestError } = this.#ports;
    const streamTable = this.#fixedWhile('SMMUEN');
    const commandQueue = this.#fixedWhile('CMDQEN');
    const eventQueue = this.#fixedWhile('EVENTQEN');
    return registerFile(SMMU_V3, {
      onGuestError,
      resets: identification(features),
      onWrite: {
        CR0: () => {
          this.#update('CR0', () => {
            this.#enable();
          });
        },
        CR2: () => {
          this.#derive();
        },
        IRQ_CTRL: () => {
          this.#update('IRQ_CTRL', () => {
            this.#regs.IRQ_CTRLACK.value = this.#regs.IRQ_CTRL.value;
          });
        },
        GBPA: (written, previous) => {
          this.#writeGbpa(written, previous);
        },
        GERRORN: () => {
          this.#commands.kick();
        },
        CMDQ_PROD: () => {
          this.#commands.kick();
        },
        EVENTQ_CONS: () => {
          this.#unit.stalls.record();
        },
        STRTAB_BASE_LO: streamTable('STRTAB_BASE_LO'),
        STRTAB_BASE_HI: streamTable('STRTAB_BASE_HI'),
        STRTAB_BASE_CFG: streamTable('STRTAB_BASE_CFG'),
        CMDQ_BASE_LO: commandQueue('CMDQ_BASE_LO'),
        CMDQ_BASE_HI: commandQueue('CMDQ_BASE_HI'),
        CMDQ_CONS: commandQueue('CMDQ_CONS'),
        EVENTQ_BASE_LO: eventQueue('EVENTQ_BASE_LO'),
        EVENTQ_BASE_HI: eventQueue('EVENTQ_BASE_HI'),
        EVENTQ_PROD: eventQueue('EVENTQ_PROD'),
      },
    });
  }

  /** Registers that may not be written while something is on: a write is ignored. */
  #fixedWhile(
    enable: Enable,
  ): (
    name:
      | `STRTAB_BASE_${'LO' | 'HI' | 'CFG'}`
      | `CMDQ_${'BASE_LO' | 'BASE_HI' | 'CONS'}`
      | `EVENTQ_${'BASE_LO' | 'BASE_HI' | 'PROD'}`,
  ) => WriteHook {
    return name => (_written, previous) => {
      const { CR0, CR0ACK } = this.#regs;
      if (CR0[enable] === 1 || CR0ACK[enable] === 1) {
        this.#ports.onGuestError(`${this.name}.${name}: a write while CR0.${enable} is set`);
        this.#regs[name].value = previous;
      }
      this.#derive();
    };
  }

  #makeRecorder(): EventRecorder {
    const { EVENTQ_BASE_LO, EVENTQ_BASE_HI, EVENTQ_PROD, EVENTQ_CONS, CR0ACK } = this.#regs;
    return new EventRecorder({
      memory: this.#ports.memory,
      isEnabled: () => CR0ACK.EVENTQEN === 1,
      ring: () =>
        ringOf(EVENTQ_BASE_LO, EVENTQ_BASE_HI, {
          producer: EVENTQ_PROD.WR,
          consumer: EVENTQ_CONS.RD,
          most: this.#ports.features.eventsShift,
        }),
      produced: index => {
        EVENTQ_PROD.WR = index;
      },
      overflowed: () => {
        // Once: until software has acknowledged, more of them change nothing.
        if (EVENTQ_PROD.OVFLG === EVENTQ_CONS.OVACKFLG) EVENTQ_PROD.OVFLG ^= 1;
      },
      aborted: () => {
        this.#raise('EVENTQ_ABT_ERR');
      },
      filled: () => {
        if (this.#regs.IRQ_CTRLACK.EVENTQ_IRQEN === 1) this.#interrupt('eventq');
      },
    });
  }

  #makeCommands(): CommandQueue {
    const { CMDQ_BASE_LO, CMDQ_BASE_HI, CMDQ_PROD, CMDQ_CONS, CR0ACK, GERROR, GERRORN } =
      this.#regs;
    return new CommandQueue({
      name: this.name,
      memory: this.#ports.memory,
      events: this.#ports.events,
      ring: () =>
        ringOf(CMDQ_BASE_LO, CMDQ_BASE_HI, {
          producer: CMDQ_PROD.WR,
          consumer: CMDQ_CONS.RD,
          most: this.#ports.features.commandsShift,
        }),
      isRunning: () => CR0ACK.CMDQEN === 1 && GERROR.CMDQ_ERR === GERRORN.CMDQ_ERR,
      carryOut: command => this.#carryOut(command),
      consumed: index => {
        CMDQ_CONS.RD = index;
      },
      failed: error => {
        CMDQ_CONS.ERR = error;
        this.#raise('CMDQ_ERR');
      },
    });
  }

  #carryOut(command: Words): CommandError {
    const { stalls } = this.#unit;
    const code = COMMAND.OP.of(command);
    tellAbsent(ABSENT_IN_COMMAND, command, code, this.#tell);
    switch (code) {
      case Opcode.PrefetchConfig:
        this.#unit.prefetch(COMMAND.SID.of(command));
        return CommandError.None;
      case Opcode.PrefetchAddr:
        return CommandError.None;
      case Opcode.Resume: {
        const how = COMMAND.RESUME_AC.of(command) === 1 ? 'retry' : 'abort';
        stalls.resume(COMMAND.SID.of(command), COMMAND.STAG.of(command), how);
        return CommandError.None;
      }
      case Opcode.StallTerm:
        stalls.terminate(COMMAND.SID.of(command));
        return CommandError.None;
      case Opcode.Sync:
        return this.#sync(command);
      default:
        return this.#invalidate(command, code);
    }
  }

  #invalidate(command: Words, code: number): CommandError {
    const error = this.#unit.invalidations.command(command);
    if (error !== CommandError.None) {
      const name = ABSENT_COMMANDS.get(code) ?? 'no command';
      this.#tell(`COMMAND.OP ${hex(code)}: ${name}, which the SMMU has not`);
    }
    return error;
  }

  readonly #tell: GuestErrorSink = text => {
    this.#ports.onGuestError(`${this.name}: ${text}`);
  };

  #sync(command: Words): CommandError {
    const signal = COMMAND.CS.of(command);
    if (signal > SyncSignal.Sev) return CommandError.Illegal;
    this.#unit.invalidations.sync();
    if (signal !== SyncSignal.Irq) return CommandError.None;
    const address = COMMAND.MSIADDRESS.of(command);
    if (address === 0) this.#pulse('cmdq-sync');
    else this.#message(address, COMMAND.MSIDATA.of(command), 'MSI_CMDQ_ABT_ERR');
    return CommandError.None;
  }

  /** CR0 takes effect. */
  #enable(): void {
    const { CR0, CR0ACK } = this.#regs;
    const wasTranslating = CR0ACK.SMMUEN === 1;
    CR0ACK.value = CR0.value;
    if (wasTranslating && CR0ACK.SMMUEN === 0) this.#unit.stalls.terminate(null);
    this.#derive();
    this.#commands.kick();
    this.#unit.stalls.record();
  }

  #writeGbpa(written: number, previous: number): void {
    const { GBPA } = this.#regs;
    const { UPDATE } = SMMU_V3.registers.GBPA.fields;
    if (UPDATE.of(written) === 0 || UPDATE.of(previous) === 1) {
      this.#ports.onGuestError(`${this.name}.GBPA: a write that is no update, or during one`);
      GBPA.value = previous;
      return;
    }
    this.#update('GBPA', () => {
      GBPA.UPDATE = 0;
      this.#derive();
    });
  }

  /** What each transaction needs of the registers. */
  #derive(): void {
    const { CR0ACK, CR2, GBPA, STRTAB_BASE_LO, STRTAB_BASE_HI, STRTAB_BASE_CFG } = this.#regs;
    const { LOG2SIZE, SPLIT, FMT } = STRTAB_BASE_CFG;
    const { state } = this.#unit;
    state.isTranslating = CR0ACK.SMMUEN === 1;
    state.aborts = GBPA.ABORT === 1;
    state.recordsBadStreams = CR2.RECINVSID === 1;
    const isTwoLevel = this.#ports.features.twoLevel && FMT === STRTAB_FORMAT.TwoLevel;
    const base = join64(
      SMMU_V3.registers.STRTAB_BASE_LO.fields.ADDR.mask & STRTAB_BASE_LO.value,
      STRTAB_BASE_HI.ADDR,
    );
    const log2Size = Math.min(LOG2SIZE, this.#ports.features.sidBits);
    state.table = streamTableOf(base, log2Size, isTwoLevel ? SPLIT : null);
  }

  /** An error is active from now on, unless it is already. */
  #raise(error: GlobalError): void {
    const { GERROR, GERRORN, IRQ_CTRLACK } = this.#regs;
    if (GERROR[error] !== GERRORN[error]) return;
    GERROR[error] ^= 1;
    if (IRQ_CTRLACK.GERROR_IRQEN === 1) this.#interrupt('gerror');
  }

  /** By a message where one was set up, else by wire. */
  #interrupt(name: 'eventq' | 'gerror'): void {
    const regs = this.#regs;
    const [low, high, data, error] =
      name === 'eventq'
        ? ([
            regs.EVENTQ_IRQ_CFG0_LO,
            regs.EVENTQ_IRQ_CFG0_HI,
            regs.EVENTQ_IRQ_CFG1,
            'MSI_EVENTQ_ABT_ERR',
          ] as const)
        : ([
            regs.GERROR_IRQ_CFG0_LO,
            regs.GERROR_IRQ_CFG0_HI,
            regs.GERROR_IRQ_CFG1,
            'MSI_GERROR_ABT_ERR',
          ] as const);
    const address = join64(low.value, high.value);
    if (address === 0) this.#pulse(name);
    else this.#message(address, data.value, error);
  }

  #message(address: number, data: number, error: GlobalError): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, data, true);
    if (this.#ports.memory.write(address, 4, bytes, 0) !== TxResult.Ok) this.#raise(error);
  }

  #pulse(name: IrqName): void {
    const irq = this.#ports.irqs[name] ?? this.#ports.irqs.combined;
    irq?.set(true);
    irq?.set(false);
  }

  /** A register that takes effect later; a write of it meanwhile takes effect with it. */
  #update(register: string, take: () => void): void {
    if (this.#updates.has(register)) return;
    const timer = this.#ports.events.after(
      UPDATE_NANOSECONDS,
      `${this.name}.${register} update`,
      () => {
        this.#updates.delete(register);
        take();
      },
    );
    this.#updates.set(register, timer);
  }

  #cancel(): void {
    for (const timer of this.#updates.values()) this.#ports.events.cancel(timer);
    this.#updates.clear();
    this.#commands.stop();
  }
}

/** A queue by its registers, no larger than the hardware has. */
const ringOf = (
  low: { readonly value: number; readonly LOG2SIZE: number },
  high: { readonly ADDR: number },
  at: { readonly producer: number; readonly consumer: number; readonly most: number },
): Ring => ({
  base: join64(low.value - low.LOG2SIZE, high.ADDR),
  log2Size: Math.min(low.LOG2SIZE, at.most),
  producer: at.producer,
  consumer: at.consumer,
});
