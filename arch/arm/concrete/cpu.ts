import { f64, i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { takeWhim } from '../adversary/adversary';
import type { Adversary } from '../adversary/adversary';
import type { LineCache } from '../cache/line-cache';
import { DIRTY, FLAG_BITS, KEY_MASK, SHARED } from '../cache/line-cache';
import { Cpu } from '../cpu';
import type { CpuParts } from '../cpu';
import { FAST_READ, FAST_WRITE, FLAGS, HASH_FACTOR, HASH_SHIFT } from '../micro-tlb';
import type { ConcreteMemory } from './concrete-memory';
import type { Whims } from './whims';

export interface ConcreteCpuParts extends CpuParts {
  readonly memory: ConcreteMemory;
  readonly lines: LineCache;
  readonly whims: Whims;
  readonly adversary: Adversary;
}

/**
 * One CPU of the concrete machine. What is here is the hot path: a hash, two compares and a tag
 * search for a hit, nothing allocated.
 */
export class ConcreteCpu extends Cpu {
  declare readonly memory: ConcreteMemory;
  readonly #lines: LineCache;
  readonly #whims: Whims;
  readonly #adversary: Adversary;

  constructor(parts: ConcreteCpuParts) {
    super(parts);
    this.#lines = parts.lines;
    this.#whims = parts.whims;
    this.#adversary = parts.adversary;
  }

  load32(address: number): number {
    const at = (address & 3) === 0 ? this.#readable(address) : -1;
    return at >= 0 ? i32(this.#lines.data, at) : this.slowLoad(address, 4);
  }

  /** What a poll reads, the caches decide: it is a load. */
  poll32(address: number): number {
    return this.load32(address);
  }

  load16(address: number): number {
    const at = (address & 1) === 0 ? this.#readable(address) : -1;
    if (at < 0) return this.slowLoad(address, 2);
    return (i32(this.#lines.data, at) >>> ((address & 2) * 8)) & 0xffff;
  }

  load8(address: number): number {
    const at = this.#readable(address);
    if (at < 0) return this.slowLoad(address, 1);
    return (i32(this.#lines.data, at) >>> ((address & 3) * 8)) & 0xff;
  }

  load64(address: number): number {
    const at = (address & 7) === 0 ? this.#readable(address) : -1;
    if (at >= 0) {
      this.highHalf = i32(this.#lines.data, at + 1);
      return i32(this.#lines.data, at);
    }
    return this.slowLoad64(address);
  }

  store32(address: number, value: number): void {
    const at = (address & 3) === 0 ? this.#writable(address) : -1;
    if (at >= 0) this.#lines.data[at] = value;
    else this.slowStore(address, 4, value);
  }

  store16(address: number, value: number): void {
    const at = (address & 1) === 0 ? this.#writable(address) : -1;
    if (at >= 0) this.#merge(at, value, 0xffff, (address & 2) * 8);
    else this.slowStore(address, 2, value);
  }

  store8(address: number, value: number): void {
    const at = this.#writable(address);
    if (at >= 0) this.#merge(at, value, 0xff, (address & 3) * 8);
    else this.slowStore(address, 1, value);
  }

  store64(address: number, low: number, high: number): void {
    const at = (address & 7) === 0 ? this.#writable(address) : -1;
    if (at >= 0) {
      this.#lines.data[at] = low;
      this.#lines.data[at + 1] = high;
    } else {
      this.front.store64(this.unsigned(address), low, high);
    }
  }

  protected whim(): void {
    takeWhim(this.pulse, this.#adversary, this.#whims);
  }

  protected attend(): void {
    const countdown = this.#adversary.attend(this.pulse.countdown);
    if (countdown < this.pulse.countdown) this.pulse.arm(countdown);
  }

  /** Where in the cache's data the word of a cached, readable address is; -1 for the slow path. */
  #readable(address: number): number {
    if (--this.pulse.countdown < 0) this.whim();
    const micro = this.micro;
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    const offset = address & (PAGE_SIZE - 1);
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
    if (--this.pulse.countdown < 0) this.whim();
    const micro = this.micro;
    const slot = Math.imul(address >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
    const offset = address & (PAGE_SIZE - 1);
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
}
