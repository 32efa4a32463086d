import { f64, i32 } from '../../drivers/base/types/arrays';
import { UnmodelledError } from '../../drivers/base/types/errors';
import { CacheOp, cacheOpName } from '../../drivers/base/types/isa';
import type {
  BarrierKind,
  FaultRecord,
  Isa,
  SysReg,
  Vectors,
  TlbOp,
} from '../../drivers/base/types/isa';
import type { Pulse } from '../../drivers/base/hw/pulse';
import { TraceKind } from '../../drivers/base/hw/trace';
import type { Trace } from '../../drivers/base/hw/trace';
import { NEVER } from './adversary/adversary';
import type { Adversary } from './adversary/adversary';
import type { LineCache } from './cache/line-cache';
import { DIRTY, FLAG_BITS, KEY_MASK, SHARED } from './cache/line-cache';
import type { ConcreteMemory } from './concrete/concrete-memory';
import type { Whims } from './concrete/whims';
import type { Front } from './front';
import { FAST_READ, FAST_WRITE, FLAGS, HASH_SHIFT, IS_RAM } from './micro-tlb';
import type { MicroTlb } from './micro-tlb';
import { ANY_RIGHT } from './mmu/attributes';
import type { CoreProfile } from './profile';
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
  readonly memory: ConcreteMemory;
  readonly lines: LineCache;
  readonly whims: Whims;
  readonly adversary: Adversary;
  readonly registers: SystemRegisters;
  readonly pulse: Pulse;
  readonly trace: Trace;
  readonly time: CpuTime;
}

/** What an access to a device costs: time must pass, or a polling loop would never end. */
const IO_NANOSECONDS = 50;

/**
 * One CPU of the concrete machine. The methods at the top are the hot path: a hash, two compares
 * and a tag search for a hit, nothing allocated. Everything else is in the front (translation,
 * devices, faults) and the memory model (misses, buffers, maintenance).
 */
export class Cpu implements Isa {
  readonly number: number;
  readonly profile: CoreProfile;
  readonly front: Front;
  readonly memory: ConcreteMemory;
  /** The level of the interrupt input. */
  interruptPending = false;

  readonly #micro: MicroTlb;
  readonly #lines: LineCache;
  readonly #whims: Whims;
  readonly #adversary: Adversary;
  readonly #registers: SystemRegisters;
  readonly #pulse: Pulse;
  readonly #trace: Trace;
  readonly #time: CpuTime;
  #interruptsEnabled = false;
  #highHalf = 0;

  constructor(parts: CpuParts) {
    this.number = parts.number;
    this.profile = parts.profile;
    this.front = parts.front;
    this.memory = parts.memory;
    this.#micro = parts.front.micro;
    this.#lines = parts.lines;
    this.#whims = parts.whims;
    this.#adversary = parts.adversary;
    this.#registers = parts.registers;
    this.#pulse = parts.pulse;
    this.#trace = parts.trace;
    this.#time = parts.time;
  }

  load32(address: number): number {
    const at = (address & 3) === 0 ? this.#readable(address) : -1;
    return at >= 0 ? i32(this.#lines.data, at) : this.#slowLoad(address, 4);
  }

  load16(address: number): number {
    const at = (address & 1) === 0 ? this.#readable(address) : -1;
    if (at < 0) return this.#slowLoad(address, 2);
    return (i32(this.#lines.data, at) >>> ((address & 2) * 8)) & 0xffff;
  }

  load8(address: number): number {
    const at = this.#readable(address);
    if (at < 0) return this.#slowLoad(address, 1);
    return (i32(this.#lines.data, at) >>> ((address & 3) * 8)) & 0xff;
  }

  load64(address: number): number {
    const at = (address & 7) === 0 ? this.#readable(address) : -1;
    if (at >= 0) {
      this.#highHalf = i32(this.#lines.data, at + 1);
      return i32(this.#lines.data, at);
    }
    const low = this.front.load64(address);
    this.#highHalf = this.memory.high;
    return low;
  }

  get high(): number {
    return this.#highHalf;
  }

  store32(address: number, value: number): void {
    const at = (address & 3) === 0 ? this.#writable(address) : -1;
    if (at >= 0) this.#lines.data[at] = value;
    else this.#slowStore(address, 4, value);
  }

  store16(address: number, value: number): void {
    const at = (address & 1) === 0 ? this.#writable(address) : -1;
    if (at >= 0) this.#merge(at, value, 0xffff, (address & 2) * 8);
    else this.#slowStore(address, 2, value);
  }

  store8(address: number, value: number): void {
    const at = this.#writable(address);
    if (at >= 0) this.#merge(at, value, 0xff, (address & 3) * 8);
    else this.#slowStore(address, 1, value);
  }

  store64(address: number, low: number, high: number): void {
    const at = (address & 7) === 0 ? this.#writable(address) : -1;
    if (at >= 0) {
      this.#lines.data[at] = low;
      this.#lines.data[at + 1] = high;
    } else {
      this.front.store64(address, low, high);
    }
  }

  /** Where in the cache's data the word of a cached, readable address is; -1 for the slow path. */
  #readable(address: number): number {
    if (--this.#pulse.countdown < 0) this.#whim();
    const micro = this.#micro;
    const slot = Math.imul(address >>> 12, 0x9e3779b1) >>> HASH_SHIFT;
    const offset = address & 0xfff;
    if (f64(micro.va, slot) !== address - offset) return -1;
    const tag = i32(micro.tag, slot);
    if ((tag & FAST_READ) === 0 || this.memory.held !== 0) return -1;
    const lines = this.#lines;
    const { state } = lines;
    const inPage = offset >>> 2;
    const key = ((tag & ~FLAGS) + inPage) >>> lines.shift;
    const entry = key << FLAG_BITS;
    const set = ((i32(micro.index, slot) + inPage) >>> lines.shift) & lines.setMask;
    const end = (set + 1) * lines.ways;
    for (let line = end - lines.ways; line < end; line++) {
      if ((i32(state, 2 * line) & KEY_MASK) !== entry) continue;
      state[2 * line + 1] = ++lines.clock;
      return (line << lines.shift) + (inPage & (lines.lineWords - 1));
    }
    return this.memory.miss(slot, inPage, false);
  }

  /** As #readable, for a store: the line is owned and marked dirty. */
  #writable(address: number): number {
    if (--this.#pulse.countdown < 0) this.#whim();
    const micro = this.#micro;
    const slot = Math.imul(address >>> 12, 0x9e3779b1) >>> HASH_SHIFT;
    const offset = address & 0xfff;
    if (f64(micro.va, slot) !== address - offset) return -1;
    const tag = i32(micro.tag, slot);
    if ((tag & FAST_WRITE) === 0 || this.memory.held !== 0) return -1;
    const lines = this.#lines;
    const { state } = lines;
    const inPage = offset >>> 2;
    const key = ((tag & ~FLAGS) + inPage) >>> lines.shift;
    const entry = key << FLAG_BITS;
    const set = ((i32(micro.index, slot) + inPage) >>> lines.shift) & lines.setMask;
    const end = (set + 1) * lines.ways;
    for (let line = end - lines.ways; line < end; line++) {
      const found = i32(state, 2 * line);
      if ((found & KEY_MASK) !== entry) continue;
      if ((found & SHARED) !== 0) return -1;
      state[2 * line] = found | DIRTY;
      state[2 * line + 1] = ++lines.clock;
      return (line << lines.shift) + (inPage & (lines.lineWords - 1));
    }
    return this.memory.miss(slot, inPage, true);
  }

  #merge(at: number, value: number, mask: number, shift: number): void {
    const { data } = this.#lines;
    data[at] = (i32(data, at) & ~(mask << shift)) | ((value & mask) << shift);
  }

  #slowLoad(address: number, width: 1 | 2 | 4): number {
    const before = this.front.ioAccesses;
    const value = this.front.load(address, width);
    if (this.front.ioAccesses !== before) this.#afterIo();
    return value;
  }

  #slowStore(address: number, width: 1 | 2 | 4, value: number): void {
    const before = this.front.ioAccesses;
    this.front.store(address, width, value);
    if (this.front.ioAccesses !== before) this.#afterIo();
  }

  /** A device was reached: time passes, the adversary takes note, interrupts are looked at. */
  #afterIo(): void {
    this.#attend();
    this.#time.pass(IO_NANOSECONDS);
    this.#takeInterrupt();
  }

  loadUser32(address: number): number {
    this.#tick();
    return this.front.userLoad(address);
  }

  storeUser32(address: number, value: number): void {
    this.#tick();
    this.front.userStore(address, value);
  }

  dmb(kind: BarrierKind): void {
    this.#tick();
    this.memory.dmb(kind);
  }

  dsb(): void {
    this.#tick();
    this.memory.dsb();
    this.#takeInterrupt();
  }

  /** Context synchronisation: register writes of this model take effect at once. */
  isb(): void {
    this.#trace.fold(TraceKind.Barrier, 3, 0);
  }

  cacheOp(op: CacheOp, operand: number): void {
    this.#attend();
    this.#tick();
    switch (op) {
      case CacheOp.IVAC:
      case CacheOp.CVAC:
      case CacheOp.CVAU:
      case CacheOp.CIVAC:
        this.#maintainLine(op, operand);
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
        this.#zeroLine(operand);
        break;
    }
  }

  tlbOp(op: TlbOp, operand: number, asid: number): void {
    this.#tick();
    this.memory.tlbMaintenance(op, operand, asid);
  }

  readSys(register: SysReg): number {
    return this.#registers.read(register);
  }

  readSysHigh(register: SysReg): number {
    return this.#registers.readHigh(register);
  }

  writeSys(register: SysReg, low: number, high = 0): void {
    if (this.#registers.write(register, low, high)) this.#micro.flush();
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
      this.#attend();
    }
    this.#takeInterrupt();
    return true;
  }

  relax(nanoseconds: number): void {
    this.#tick();
    this.#attend();
    this.#time.pass(nanoseconds);
    this.#takeInterrupt();
  }

  /** Something telling happened elsewhere (DMA): the next whim may come sooner. */
  #attend(): void {
    const countdown = this.#adversary.attend(this.#pulse.countdown);
    if (countdown < this.#pulse.countdown) this.#pulse.arm(countdown);
  }

  #tick(): void {
    if (this.#pulse.tick()) this.#whim();
  }

  #whim(): void {
    this.#pulse.arm(NEVER);
    this.#pulse.arm(this.#adversary.whim(this.#whims));
    this.memory.refreshHeld();
  }

  #takeInterrupt(): void {
    const { vectors } = this.front;
    if (!this.interruptPending || !this.#interruptsEnabled || vectors === null) return;
    this.#interruptsEnabled = false;
    this.#trace.fold(TraceKind.Interrupt, this.number, 0);
    vectors.interrupt();
    this.#interruptsEnabled = true;
  }

  #maintainLine(op: CacheOp, address: number): void {
    if (this.profile.l1d === null) return;
    // A virtually tagged cache takes the address as it is; the others translate it and may fault.
    if (this.profile.l1d.indexing === 'vivt') {
      this.memory.maintainLine(op, address, this.front.peek(address));
      return;
    }
    let slot = this.front.resolve(address, ANY_RIGHT);
    while (slot < 0) {
      if (!this.front.takeAbort()) return;
      slot = this.front.resolve(address, ANY_RIGHT);
    }
    const isRam = (i32(this.#micro.tag, slot) & IS_RAM) !== 0;
    if (isRam) this.memory.maintainLine(op, address, slot);
  }

  /** DC ZVA: zeroes the line, as sixteen words of stores. */
  #zeroLine(address: number): void {
    if (this.profile.architecture !== 'v8') {
      throw new UnmodelledError('cache operation', `${cacheOpName(CacheOp.ZVA)} before ARMv8`);
    }
    const line = this.profile.l1d?.line ?? 64;
    const base = address - (address % line);
    for (let offset = 0; offset < line; offset += 8) this.store64(base + offset, 0, 0);
  }
}
