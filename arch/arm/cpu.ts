import { i32 } from '../../drivers/base/types/arrays';
import { invariant } from '../../drivers/base/types/errors';
import { CacheOp } from '../../drivers/base/types/isa';
import type {
  BarrierKind,
  FaultRecord,
  IccPort,
  Isa,
  SysReg,
  Vectors,
  TlbOp,
} from '../../drivers/base/types/isa';
import type { AccessWidth } from '../../drivers/base/hw/mmio';
import type { Pulse } from '../../drivers/base/hw/pulse';
import { BarrierCode, TraceKind, ofCpu } from '../../drivers/base/hw/trace';
import type { Trace } from '../../drivers/base/hw/trace';
import { StateReader } from '../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../drivers/base/types/state';
import type { Front } from './front';
import { cacheOpsOf, hasBarriers, hasOp, tlbOpsOf } from './instructions';
import type { OpSet } from './instructions';
import type { MemoryModel } from './memory-model';
import { IS_RAM } from './micro-tlb';
import type { MicroTlb } from './micro-tlb';
import { ANY_RIGHT, WRITE } from './mmu/attributes';
import { is64Bit } from './profile';
import type { CoreProfile } from './profile';
import { isIcc } from './sysregs';
import type { SystemRegisters } from './sysregs';

/** Simulated time, as a CPU can spend it. */
export interface CpuTime {
  /** Lets time pass; what falls due on the way happens. */
  pass(nanoseconds: number): void;
  /** Goes to the next event that is due within the limit; false if there is none. */
  toNextEvent(limit: number): boolean;
  readonly now: number;
}

export interface CpuParts {
  readonly number: number;
  readonly profile: CoreProfile;
  readonly front: Front;
  readonly memory: MemoryModel & Stateful;
  readonly registers: SystemRegisters;
  readonly pulse: Pulse;
  readonly trace: Trace;
  readonly time: CpuTime;
  /** Told when a system register was written; null: nobody asks. */
  readonly onRegister: (() => void) | null;
}

/** What an access to a device costs: time must pass, or a polling loop would never end. */
const IO_NANOSECONDS = 50;

/**
 * One CPU, but for the hot path of its loads and stores: that is the subclass's, concrete or
 * checked, so that it stays monomorphic. What is here goes through the front (translation,
 * devices, faults) and the memory model.
 */
export abstract class Cpu implements Isa, Stateful {
  readonly number: number;
  readonly profile: CoreProfile;
  readonly front: Front;
  readonly memory: MemoryModel & Stateful;
  /** The level of the interrupt input. */
  interruptPending = false;

  protected readonly micro: MicroTlb;
  protected readonly pulse: Pulse;
  /** The high half of the last 64-bit load. */
  protected highHalf = 0;
  readonly #registers: SystemRegisters;
  readonly #trace: Trace;
  readonly #time: CpuTime;
  readonly #onRegister: (() => void) | null;
  readonly #cacheOps: OpSet;
  readonly #tlbOps: OpSet;
  readonly #hasBarriers: boolean;
  #interruptsEnabled = false;

  constructor(parts: CpuParts) {
    this.number = parts.number;
    this.profile = parts.profile;
    this.front = parts.front;
    this.memory = parts.memory;
    this.micro = parts.front.micro;
    this.pulse = parts.pulse;
    this.#registers = parts.registers;
    this.#trace = parts.trace;
    this.#time = parts.time;
    this.#onRegister = parts.onRegister;
    this.#cacheOps = cacheOpsOf(parts.profile);
    this.#tlbOps = tlbOpsOf(parts.profile);
    this.#hasBarriers = hasBarriers(parts.profile);
  }

  /** Wires the CPU to a GICv3: from now on it has the ICC_ registers. */
  attachIcc(icc: IccPort): void {
    this.#registers.icc = icc;
  }

  abstract load8(address: number): number;
  abstract load16(address: number): number;
  abstract load32(address: number): number;
  abstract load64(address: number): number;
  abstract poll32(address: number): number;
  abstract store8(address: number, value: number): void;
  abstract store16(address: number, value: number): void;
  abstract store32(address: number, value: number): void;
  abstract store64(address: number, low: number, high: number): void;

  /** The countdown of events ran out. */
  protected abstract whim(): void;
  /** Something telling happened (see Adversary.attend): the next whim may come sooner. */
  protected abstract attend(): void;

  get high(): number {
    return this.highHalf;
  }

  /** The slow path of a 64-bit load. */
  protected slowLoad64(address: number): number {
    const low = this.front.load64(this.unsigned(address));
    this.highHalf = this.front.high;
    return low;
  }

  /**
   * A 32-bit address may come signed, as an integer of WebAssembly does: the fast path misses it,
   * and here it is made what it stands for.
   */
  protected unsigned(address: number): number {
    if (address >= 0) return address;
    invariant(!is64Bit(this.profile) && address >= -(2 ** 31), `an address of ${address}`);
    return address >>> 0;
  }

  protected slowLoad(address: number, width: AccessWidth): number {
    const before = this.front.ioAccesses;
    const value = this.front.load(this.unsigned(address), width);
    if (this.front.ioAccesses !== before) this.#afterIo();
    return value;
  }

  protected slowStore(address: number, width: AccessWidth, value: number): void {
    const before = this.front.ioAccesses;
    this.front.store(this.unsigned(address), width, value);
    if (this.front.ioAccesses !== before) this.#afterIo();
  }

  /** A device was reached: time passes, the adversary takes note, interrupts are looked at. */
  #afterIo(): void {
    this.attend();
    this.#time.pass(IO_NANOSECONDS);
    this.#takeInterrupt();
  }

  loadUser32(address: number): number {
    this.#tick();
    const before = this.front.ioAccesses;
    const value = this.front.userLoad(this.unsigned(address));
    if (this.front.ioAccesses !== before) this.#afterIo();
    return value;
  }

  storeUser32(address: number, value: number): void {
    this.#tick();
    const before = this.front.ioAccesses;
    this.front.userStore(this.unsigned(address), value);
    if (this.front.ioAccesses !== before) this.#afterIo();
  }

  /** `ld` is new in ARMv8, `st` in ARMv7: before, each is a barrier of everything. */
  dmb(kind: BarrierKind): void {
    if (!this.#hasBarriers) {
      this.front.undefinedInstruction();
      return;
    }
    const { architecture } = this.profile;
    const isFull = architecture === 'v6' || (kind === 'ld' && !is64Bit(this.profile));
    this.#tick();
    this.memory.dmb(isFull ? 'sy' : kind);
  }

  dsb(): void {
    this.#tick();
    this.memory.dsb();
    this.#takeInterrupt();
  }

  /** Context synchronisation: register writes of this model take effect at once. */
  isb(): void {
    if (this.#hasBarriers)
      this.#trace.fold(ofCpu(TraceKind.Barrier, this.number), BarrierCode.Isb, 0);
    else this.front.undefinedInstruction();
  }

  cacheOp(op: CacheOp, operand: number): void {
    if (!hasOp(this.#cacheOps, op)) {
      this.front.undefinedInstruction();
      return;
    }
    this.attend();
    this.#tick();
    switch (op) {
      case CacheOp.IVAC:
      case CacheOp.CVAC:
      case CacheOp.CVAU:
      case CacheOp.CIVAC:
        this.#maintainLine(op, this.unsigned(operand));
        break;
      case CacheOp.ISW:
      case CacheOp.CSW:
      case CacheOp.CISW:
        this.memory.maintainSetWay(op, operand);
        break;
      case CacheOp.IALL:
      case CacheOp.CALL:
      case CacheOp.CIALL:
        this.memory.maintainAll(op);
        break;
      case CacheOp.ZVA:
        this.#zeroLine(this.unsigned(operand));
        break;
    }
  }

  tlbOp(op: TlbOp, operand: number, asid: number): void {
    if (!hasOp(this.#tlbOps, op)) {
      this.front.undefinedInstruction();
      return;
    }
    this.#tick();
    this.memory.tlbMaintenance(op, operand, asid);
  }

  readSys(register: SysReg): number {
    if (!this.#registers.has(register)) {
      this.front.undefinedInstruction();
      return 0;
    }
    if (!isIcc(register)) return this.#registers.read(register);
    this.#tick();
    const value = this.#registers.read(register);
    this.#trace.fold(ofCpu(TraceKind.Register, this.number), value, 0);
    return value;
  }

  readSysHigh(register: SysReg): number {
    if (this.#registers.has(register)) return this.#registers.readHigh(register);
    this.front.undefinedInstruction();
    return 0;
  }

  writeSys(register: SysReg, low: number, high = 0): void {
    if (!this.#registers.isWritable(register)) {
      this.front.undefinedInstruction();
      return;
    }
    // An event: what a core does unasked may come between two writes that belong together.
    this.#tick();
    this.#trace.fold(ofCpu(TraceKind.Register, this.number), low, high);
    if (this.#registers.write(register, low, high)) this.micro.flush();
    this.#onRegister?.();
    if (isIcc(register)) this.#takeInterrupt();
  }

  setVectors(vectors: Vectors): void {
    this.front.vectors = vectors;
  }

  get fault(): FaultRecord {
    return this.front.fault;
  }

  setInterruptsEnabled(enabled: boolean): boolean {
    const before = this.#interruptsEnabled;
    this.#interruptsEnabled = enabled;
    this.#takeInterrupt();
    return before;
  }

  waitForInterrupt(limit: number): boolean {
    const end = this.#time.now + limit;
    while (!this.interruptPending) {
      if (!this.#time.toNextEvent(end - this.#time.now)) return false;
      this.attend();
    }
    this.#takeInterrupt();
    return true;
  }

  relax(nanoseconds: number): void {
    this.#tick();
    this.attend();
    this.#time.pass(nanoseconds);
    this.#takeInterrupt();
  }

  saveState(): StateValue {
    return {
      front: this.front.saveState(),
      memory: this.memory.saveState(),
      registers: this.#registers.saveState(),
      interruptPending: this.interruptPending,
      interruptsEnabled: this.#interruptsEnabled,
      highHalf: this.highHalf,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, `CPU ${this.number}`);
    this.front.restoreState(reader.value('front'));
    this.memory.restoreState(reader.value('memory'));
    this.#registers.restoreState(reader.value('registers'));
    this.interruptPending = reader.boolean('interruptPending');
    this.#interruptsEnabled = reader.boolean('interruptsEnabled');
    this.highHalf = reader.number('highHalf');
  }

  #tick(): void {
    if (this.pulse.tick()) this.whim();
  }

  #takeInterrupt(): void {
    const { vectors } = this.front;
    if (!this.interruptPending || !this.#interruptsEnabled || vectors === null) return;
    this.#interruptsEnabled = false;
    this.#trace.fold(ofCpu(TraceKind.Interrupt, this.number), 0, 0);
    vectors.interrupt();
    this.#interruptsEnabled = true;
  }

  #maintainLine(op: CacheOp, address: number): void {
    if (this.profile.l1d === null) return;
    // A virtually tagged cache takes the address as it is; the others translate it and may fault.
    // In ARMv8 who discards what was written needs the right to write: ARM DDI 0487 D7.5.8.
    if (this.profile.l1d.indexing === 'vivt') {
      const page = this.front.peek(address);
      const isMemory = page >= 0 && (i32(this.micro.tag, page) & IS_RAM) !== 0;
      this.memory.maintainLine(op, address, isMemory ? page : -1);
      return;
    }
    const discards = op === CacheOp.IVAC && is64Bit(this.profile);
    const slot = this.front.reach(address, discards ? WRITE : ANY_RIGHT);
    const isRam = slot >= 0 && (i32(this.micro.tag, slot) & IS_RAM) !== 0;
    if (isRam) this.memory.maintainLine(op, address, slot);
  }

  /** DC ZVA: zeroes the line, by stores of eight bytes. */
  #zeroLine(address: number): void {
    const line = this.profile.l1d?.line ?? 64;
    const base = address - (address % line);
    if (this.front.reach(base, WRITE) < 0) return;
    for (let offset = 0; offset < line; offset += 8) this.store64(base + offset, 0, 0);
  }
}
