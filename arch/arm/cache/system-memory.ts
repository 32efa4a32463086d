import { i32 } from '../../../drivers/base/types/arrays';
import type { Ram } from '../../../drivers/base/hw/ram';
import { Cacheability } from '../mmu/attributes';
import { DIRTY, NONE } from './line-cache';
import { NO_ORDER } from './outer-cache';
import type { OuterCache } from './outer-cache';

/**
 * What all clusters of cores share: the outer cache, if the SoC has one and software has switched
 * it on, and RAM. Everything here is by physical word index.
 */
export class SystemMemory {
  readonly ram: Ram;
  readonly outer: OuterCache | null;

  constructor(ram: Ram, outer: OuterCache | null) {
    this.ram = ram;
    this.outer = outer;
  }

  /** A line for an inner cache. It is allocated outside too if the outer cache is on. */
  fetch(home: number, words: number, to: Int32Array, at: number): void {
    const outer = this.#active();
    if (outer === null) {
      this.ram.readLine(home, words, to, at);
      return;
    }
    const slot = outer.access(home);
    const from = outer.lines.dataIndex(slot, home);
    const { data } = outer.lines;
    for (let i = 0; i < words; i++) to[at + i] = i32(data, from + i);
    if (outer.lines.shadow !== null) outer.lines.shadow.copy(data, from, to, at, words);
  }

  /** A dirty line leaves an inner cache. The outer cache, if on, takes it and keeps it dirty. */
  writeBack(home: number, words: number, from: Int32Array, at: number): void {
    const outer = this.#active();
    if (outer === null) {
      this.ram.writeLine(home, words, from, at);
      return;
    }
    const slot = outer.access(home);
    const to = outer.lines.dataIndex(slot, home);
    const { data } = outer.lines;
    for (let i = 0; i < words; i++) data[to + i] = i32(from, at + i);
    if (outer.lines.shadow !== null) outer.lines.shadow.copy(from, at, data, to, words);
    outer.lines.setFlag(slot, DIRTY);
  }

  /** One word, under the outer cacheability of the access. */
  readWord(word: number, policy: Cacheability, shareable: boolean): number {
    const outer = this.#active();
    if (outer === null) return this.ram.readWord(word);
    let slot = outer.find(word);
    if (policy === Cacheability.none) {
      const hits = slot !== NONE && shareable && outer.ncHits;
      return hits ? outer.lines.word(slot, word) : outer.readMemory(word);
    }
    if (slot === NONE) slot = outer.fill(word);
    return outer.lines.word(slot, word);
  }

  /**
   * Some bits of one word, under the outer cacheability of the access; `fresh` as in Ram, `order` as
   * in OuterCache.writeMemory.
   */
  mergeWord(
    word: number,
    value: number,
    mask: number,
    policy: Cacheability,
    shareable: boolean,
    fresh = -1,
    order = NO_ORDER,
  ): void {
    const outer = this.#active();
    if (outer === null) {
      this.ram.mergeWord(word, value, mask, fresh);
      return;
    }
    let slot = outer.find(word);
    if (slot === NONE && policy === Cacheability.writeBackAllocate) slot = outer.fill(word);
    const writesBack = policy >= Cacheability.writeBack;
    const hits = slot !== NONE && (policy !== Cacheability.none || (shareable && outer.ncHits));
    if (hits) {
      outer.lines.merge(slot, word, value, mask, fresh);
      if (writesBack) outer.lines.setFlag(slot, DIRTY);
    }
    if (!hits || !writesBack) outer.writeMemory(word, value, mask, fresh, order);
  }

  /** What a master on the coherent port reads here: a line that is present, else memory. */
  snoopRead(word: number): number {
    const outer = this.#active();
    if (outer === null) return this.ram.readWord(word);
    const slot = outer.find(word);
    return slot === NONE ? outer.readMemory(word) : outer.lines.word(slot, word);
  }

  /** A write by a master on the coherent port: into a present line, else to memory. */
  snoopWrite(word: number, value: number, mask: number): void {
    this.mergeWord(word, value, mask, Cacheability.writeBack, true);
  }

  #active(): OuterCache | null {
    return this.outer !== null && this.outer.enabled ? this.outer : null;
  }
}
