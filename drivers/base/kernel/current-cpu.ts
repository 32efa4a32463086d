import type { BarrierKind, CacheOp, FaultRecord, Isa, SysReg, TlbOp, Vectors } from '../types/isa';
import { KernelOops } from './oops';

/**
 * The CPU that kernel code runs on. There is one thread of execution; `on` moves it to another
 * CPU for the length of a call, as a cross-call does (smp_call_function_single).
 */
export class CurrentCpu implements Isa {
  readonly #cpus: Isa[] = [];
  #current: Isa;
  #number = 0;
  /** Operations that software has issued so far, on any CPU. */
  cacheOps = 0;
  tlbOps = 0;
  /** Each a dsb. */
  barriers = 0;

  constructor(boot: Isa) {
    this.#current = boot;
    this.#cpus.push(boot);
  }

  /** smp_processor_id(). */
  get number(): number {
    return this.#number;
  }

  get online(): number {
    return this.#cpus.length;
  }

  /** A CPU has come up. */
  add(cpu: Isa): void {
    this.#cpus.push(cpu);
  }

  /** Runs `body` on CPU `number`. */
  on<Value>(number: number, body: () => Value): Value {
    const target = this.#cpus[number];
    if (target === undefined) throw new KernelOops(`CPU ${number} is not online`);
    const [before, beforeNumber] = [this.#current, this.#number];
    this.#current = target;
    this.#number = number;
    try {
      return body();
    } finally {
      this.#current = before;
      this.#number = beforeNumber;
    }
  }

  /** Runs `body` on each other CPU in turn (smp_call_function). */
  onOthers(body: () => void): void {
    const here = this.#number;
    for (let number = 0; number < this.online; number++) if (number !== here) this.on(number, body);
  }

  load8(address: number): number {
    return this.#current.load8(address);
  }

  load16(address: number): number {
    return this.#current.load16(address);
  }

  load32(address: number): number {
    return this.#current.load32(address);
  }

  load64(address: number): number {
    return this.#current.load64(address);
  }

  get high(): number {
    return this.#current.high;
  }

  poll32(address: number): number {
    return this.#current.poll32(address);
  }

  store8(address: number, value: number): void {
    this.#current.store8(address, value);
  }

  store16(address: number, value: number): void {
    this.#current.store16(address, value);
  }

  store32(address: number, value: number): void {
    this.#current.store32(address, value);
  }

  store64(address: number, low: number, high: number): void {
    this.#current.store64(address, low, high);
  }

  loadUser32(address: number): number {
    return this.#current.loadUser32(address);
  }

  storeUser32(address: number, value: number): void {
    this.#current.storeUser32(address, value);
  }

  dmb(kind: BarrierKind): void {
    this.#current.dmb(kind);
  }

  dsb(): void {
    this.barriers++;
    this.#current.dsb();
  }

  isb(): void {
    this.#current.isb();
  }

  cacheOp(op: CacheOp, operand: number): void {
    this.cacheOps++;
    this.#current.cacheOp(op, operand);
  }

  tlbOp(op: TlbOp, operand: number, asid: number): void {
    this.tlbOps++;
    this.#current.tlbOp(op, operand, asid);
  }

  readSys(register: SysReg): number {
    return this.#current.readSys(register);
  }

  readSysHigh(register: SysReg): number {
    return this.#current.readSysHigh(register);
  }

  writeSys(register: SysReg, low: number, high = 0): void {
    this.#current.writeSys(register, low, high);
  }

  setVectors(vectors: Vectors): void {
    this.#current.setVectors(vectors);
  }

  get fault(): FaultRecord {
    return this.#current.fault;
  }

  setInterruptsEnabled(enabled: boolean): boolean {
    return this.#current.setInterruptsEnabled(enabled);
  }

  waitForInterrupt(limit: number): boolean {
    return this.#current.waitForInterrupt(limit);
  }

  relax(nanoseconds: number): void {
    this.#current.relax(nanoseconds);
  }
}
