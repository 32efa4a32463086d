import { f64, i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { NEVER } from '../../../drivers/base/hw/pulse';
import type { Ram } from '../../../drivers/base/hw/ram';
import { GRANULE_SHIFT } from '../coherence/line-store';
import type { LineStore } from '../coherence/line-store';
import { Cpu } from '../cpu';
import type { CpuParts } from '../cpu';
import { HASH_FACTOR, HASH_SHIFT } from '../micro-tlb';
import { FAST_SHIFT, GRANULE, LOADS, POOL, STORES } from './fast-pages';
import type { CheckedMemory } from './memory';
import type { Checker } from './checker';

const OFFSET = PAGE_SIZE - 1;
/** A page of the fast path, of which a line is to change. */
const CHANGES = -2;

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
  // Not private by `#`: the compiler of the host knows the types of these, and does not ask each time.
  protected readonly lines: LineStore;
  protected readonly va: Float64Array;
  protected readonly pages: Int32Array;
  protected readonly stamps: Int32Array;
  protected readonly ram: Ram;

  constructor(parts: CheckedCpuParts) {
    super(parts);
    const { checker, ram } = parts;
    this.lines = checker.lines.lineStore;
    this.va = this.micro.va;
    this.pages = parts.memory.pages;
    this.stamps = checker.lines.barriers.stamp;
    this.ram = ram;
  }

  load32(address: number): number {
    const at = (address & 3) === 0 ? this.#readable(address) : -1;
    return at >= 0 ? i32(this.ram.words, at) : this.slowLoad(address, 4) | 0;
  }

  load16(address: number): number {
    const at = (address & 1) === 0 ? this.#readable(address) : -1;
    if (at < 0) return this.slowLoad(address, 2);
    return (i32(this.ram.words, at) >>> ((address & 2) * 8)) & 0xffff;
  }

  load8(address: number): number {
    const at = this.#readable(address);
    if (at < 0) return this.slowLoad(address, 1);
    return (i32(this.ram.words, at) >>> ((address & 3) * 8)) & 0xff;
  }

  load64(address: number): number {
    const at = (address & 7) === 0 ? this.#readable(address) : -1;
    if (at < 0) return this.slowLoad64(address);
    this.highHalf = i32(this.ram.words, at + 1);
    return i32(this.ram.words, at);
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
    if (at >= 0) this.ram.words[at] = value;
    else if (at === CHANGES) this.#storeChanging(address, value);
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
      const { words } = this.ram;
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
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    const offset = address & OFFSET;
    if (f64(this.va, slot) !== address - offset) return -1;
    const { pages } = this;
    const at = slot << FAST_SHIFT;
    const granule = i32(pages, at + GRANULE) + (offset >>> GRANULE_SHIFT);
    if (!this.lines.loadsCalmly(granule, i32(pages, at + LOADS))) return -1;
    return i32(pages, at + POOL) + (offset >>> 2);
  }

  /** A store that changes the states of its line, of a page that nothing else is to be asked of. */
  #storeChanging(address: number, value: number): void {
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    this.memory.storeFast(slot, (address & OFFSET) >>> 2, value);
  }

  /** As #readable, for a store of bytes that are a mask from the address on; or CHANGES. */
  #writable(address: number, bytes: number): number {
    if (--this.pulse.countdown < 0) this.whim();
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    const offset = address & OFFSET;
    if (f64(this.va, slot) !== address - offset) return -1;
    const { pages } = this;
    const at = slot << FAST_SHIFT;
    const granule = i32(pages, at + GRANULE) + (offset >>> GRANULE_SHIFT);
    const stamp = i32(this.stamps, this.number);
    const access = i32(pages, at + STORES);
    if (this.lines.storesCalmly(granule, access, stamp, bytes, offset)) {
      return i32(pages, at + POOL) + (offset >>> 2);
    }
    return access === 0 ? -1 : CHANGES;
  }

  #merge(at: number, value: number, mask: number, shift: number): void {
    const { words } = this.ram;
    words[at] = (i32(words, at) & ~(mask << shift)) | ((value & mask) << shift);
  }
}
