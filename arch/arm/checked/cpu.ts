import { f64, i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { NEVER } from '../../../drivers/base/hw/pulse';
import type { Ram } from '../../../drivers/base/hw/ram';
import type { LineStates } from '../coherence/line-states';
import { Cpu } from '../cpu';
import type { CpuParts } from '../cpu';
import { FAST_READ, FAST_WRITE, FLAGS, HASH_FACTOR, HASH_SHIFT } from '../micro-tlb';
import type { CheckedMemory } from './memory';
import type { Checker } from './checker';

export interface CheckedCpuParts extends CpuParts {
  readonly memory: CheckedMemory;
  readonly checker: Checker;
  readonly ram: Ram;
}

/**
 * One CPU of the checked machine. What is here is the hot path: a hash, two compares, the lookup
 * of the line's states and the word in RAM, nothing allocated. It is for accesses that change
 * nothing in the states of their line and with which nothing can be wrong; all others, and pages
 * that it does not know, are for the front and the memory model.
 */
export class CheckedCpu extends Cpu {
  declare readonly memory: CheckedMemory;
  readonly #lines: LineStates;
  readonly #ram: Ram;
  readonly #lineShift: number;
  readonly #lineMask: number;

  constructor(parts: CheckedCpuParts) {
    super(parts);
    const { checker, ram } = parts;
    this.#lines = checker.lines;
    this.#ram = ram;
    this.#lineShift = checker.lineShift;
    this.#lineMask = checker.lineBytes - 1;
  }

  load32(address: number): number {
    const at = (address & 3) === 0 ? this.#readable(address) : -1;
    return at >= 0 ? i32(this.#ram.words, at) : this.slowLoad(address, 4);
  }

  load16(address: number): number {
    const at = (address & 1) === 0 ? this.#readable(address) : -1;
    if (at < 0) return this.slowLoad(address, 2);
    return (i32(this.#ram.words, at) >>> ((address & 2) * 8)) & 0xffff;
  }

  load8(address: number): number {
    const at = this.#readable(address);
    if (at < 0) return this.slowLoad(address, 1);
    return (i32(this.#ram.words, at) >>> ((address & 3) * 8)) & 0xff;
  }

  load64(address: number): number {
    const at = (address & 7) === 0 ? this.#readable(address) : -1;
    if (at < 0) return this.slowLoad64(address);
    this.highHalf = i32(this.#ram.words, at + 1);
    return i32(this.#ram.words, at);
  }

  /** One event, as a load, always by the slow path. */
  poll32(address: number): number {
    if ((address & 3) === 0 && --this.pulse.countdown < 0) this.whim();
    this.memory.isPoll = true;
    const value = this.slowLoad(address, 4);
    this.memory.isPoll = false;
    return value;
  }

  store32(address: number, value: number): void {
    const at = (address & 3) === 0 ? this.#writable(address, 0xf) : -1;
    if (at >= 0) this.#ram.words[at] = value;
    else this.slowStore(address, 4, value);
  }

  store16(address: number, value: number): void {
    const at = (address & 1) === 0 ? this.#writable(address, 3) : -1;
    if (at >= 0) this.#merge(at, value, 0xffff, (address & 2) * 8);
    else this.slowStore(address, 2, value);
  }

  store8(address: number, value: number): void {
    const at = this.#writable(address, 1);
    if (at >= 0) this.#merge(at, value, 0xff, (address & 3) * 8);
    else this.slowStore(address, 1, value);
  }

  store64(address: number, low: number, high: number): void {
    const at = (address & 7) === 0 ? this.#writable(address, 0xff) : -1;
    if (at >= 0) {
      const { words } = this.#ram;
      words[at] = low;
      words[at + 1] = high;
    } else {
      this.front.store64(this.unsigned(address), low, high);
    }
  }

  /** Nothing happens by itself here: all that might happen is in the states. */
  protected whim(): void {
    this.pulse.arm(NEVER);
  }

  protected attend(): void {
    return;
  }

  /** One event. Where in RAM's pool the word of an address is; -1 for the slow path. */
  #readable(address: number): number {
    if (--this.pulse.countdown < 0) this.whim();
    const { micro } = this;
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    const offset = address & (PAGE_SIZE - 1);
    if (f64(micro.va, slot) !== address - offset) return -1;
    const tag = i32(micro.tag, slot);
    if ((tag & FAST_READ) === 0) return -1;
    const inPage = offset >>> 2;
    const line = (i32(micro.home, slot) + inPage) >>> this.#lineShift;
    if (!this.#lines.loadsCalmly(line, i32(micro.index, slot))) return -1;
    return (tag & ~FLAGS) + inPage;
  }

  /** As #readable, for a store of bytes that are a mask from the address on. */
  #writable(address: number, bytes: number): number {
    if (--this.pulse.countdown < 0) this.whim();
    const { micro } = this;
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    const offset = address & (PAGE_SIZE - 1);
    if (f64(micro.va, slot) !== address - offset) return -1;
    const tag = i32(micro.tag, slot);
    if ((tag & FAST_WRITE) === 0) return -1;
    const inPage = offset >>> 2;
    const line = (i32(micro.home, slot) + inPage) >>> this.#lineShift;
    const inLine = offset & this.#lineMask;
    const mask = bytes << (inLine & 31);
    const isLow = inLine < 32;
    const low = isLow ? mask : 0;
    const high = isLow ? 0 : mask;
    const isCalm = this.#lines.storesCalmly(line, low, high, i32(micro.index, slot), this.number);
    return isCalm ? (tag & ~FLAGS) + inPage : -1;
  }

  #merge(at: number, value: number, mask: number, shift: number): void {
    const { words } = this.#ram;
    words[at] = (i32(words, at) & ~(mask << shift)) | ((value & mask) << shift);
  }
}
