import { i32 } from '../../../drivers/base/types/arrays';
import { restoreInt32 } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { Cacheability } from '../mmu/attributes';
import type { Inclusion } from '../profile';
import { DIRTY, NONE } from './line-cache';
import type { LineCache } from './line-cache';
import { NO_ORDER, physicalIndex } from './outer-cache';
import type { SystemMemory } from './system-memory';

/** Lines of one first-level cache that a second level which includes it must take back. */
export interface IncludedCache {
  /** Takes the physical line of `words` from `home` out, merging dirty words into `to`. */
  surrender(home: number, words: number, to: Int32Array, at: number): boolean;
}

/**
 * Cores that share a second-level cache, or one core with none. Between the first level of its
 * cores and the system's memory; by physical word index.
 */
export class Cluster implements Stateful {
  readonly l2: LineCache | null;
  readonly memory: SystemMemory;
  readonly inclusion: Inclusion;
  readonly members: IncludedCache[] = [];
  fills = 0;
  /** Dirty lines of the second level that were written to memory, asked for or not. */
  writeBacks = 0;
  /** Words that have a dirty bit of their own: the whole line, unless it is sectored. */
  readonly #sectorWords: number;
  /** By slot, a bit for each dirty sector. */
  readonly #dirtySectors: Int32Array;

  constructor(
    l2: LineCache | null,
    inclusion: Inclusion,
    memory: SystemMemory,
    sectorWords = l2?.lineWords ?? 0,
  ) {
    this.l2 = l2;
    this.inclusion = inclusion;
    this.memory = memory;
    this.#sectorWords = sectorWords;
    this.#dirtySectors = new Int32Array(l2?.slots ?? 0);
  }

  /** The second-level slot that holds a physical word, or NONE. */
  find(word: number): number {
    const { l2 } = this;
    return l2 === null ? NONE : l2.find(word >>> l2.shift, this.#indexOf(word, l2));
  }

  /** A line for a first-level cache. */
  fetch(home: number, words: number, to: Int32Array, at: number): void {
    const { l2 } = this;
    if (l2 === null) {
      this.memory.fetch(home, words, to, at);
      return;
    }
    let slot = this.find(home);
    if (slot === NONE) {
      if (this.inclusion === 'exclusive') {
        this.memory.fetch(home, words, to, at);
        return;
      }
      slot = this.fill(home);
    } else {
      l2.touch(slot);
    }
    const from = l2.dataIndex(slot, home);
    for (let i = 0; i < words; i++) to[at + i] = i32(l2.data, from + i);
    if (l2.shadow !== null) l2.shadow.copy(l2.data, from, to, at, words);
    if (this.inclusion === 'exclusive') this.evict(slot);
  }

  /** A first-level cache gives up a line: dirty, or clean where the second level is its victim. */
  writeBack(home: number, words: number, from: Int32Array, at: number, dirty: boolean): void {
    const { l2 } = this;
    if (l2 === null) {
      if (dirty) this.memory.writeBack(home, words, from, at);
      return;
    }
    if (!dirty && this.inclusion !== 'exclusive') return;
    let slot = this.find(home);
    if (slot === NONE) slot = this.fill(home);
    else l2.touch(slot);
    const to = l2.dataIndex(slot, home);
    for (let i = 0; i < words; i++) l2.data[to + i] = i32(from, at + i);
    if (l2.shadow !== null) l2.shadow.copy(from, at, l2.data, to, words);
    if (dirty) this.markDirty(slot, home);
  }

  /** Brings a line into the second level and answers its slot. */
  fill(word: number): number {
    const l2 = this.l2;
    if (l2 === null) return NONE;
    const slot = l2.victim(this.#indexOf(word, l2));
    if (l2.isValid(slot)) this.evict(slot);
    this.memory.fetch(word & ~(l2.lineWords - 1), l2.lineWords, l2.data, slot << l2.shift);
    l2.install(slot, word >>> l2.shift, 0);
    this.#dirtySectors[slot] = 0;
    this.fills++;
    return slot;
  }

  /**
   * Some bits of one word that no first-level cache keeps (a store that does not allocate, a
   * write-through, a non-cacheable store), under the outer cacheability of the access. `fresh` is
   * for the shadow, `order` for a buffer outside.
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
    const { l2 } = this;
    let slot = policy === Cacheability.none ? NONE : this.find(word);
    const allocates = policy === Cacheability.writeBackAllocate && this.inclusion !== 'exclusive';
    if (l2 !== null && slot === NONE && allocates) slot = this.fill(word);
    if (l2 !== null && slot !== NONE) {
      l2.merge(slot, word, value, mask, fresh);
      if (policy >= Cacheability.writeBack) {
        this.markDirty(slot, word);
        return;
      }
    }
    this.memory.mergeWord(word, value, mask, policy, shareable, fresh, order);
  }

  /** One word for an access that allocates in no first-level cache. */
  readWord(word: number, policy: Cacheability, shareable: boolean): number {
    const { l2 } = this;
    const slot = policy === Cacheability.none ? NONE : this.find(word);
    if (l2 !== null && slot !== NONE) return l2.word(slot, word);
    return this.memory.readWord(word, policy, shareable);
  }

  /** A word of a second-level line has been written. */
  markDirty(slot: number, word: number): void {
    const { l2 } = this;
    if (l2 === null) return;
    l2.setFlag(slot, DIRTY);
    const sector = Math.floor((word & (l2.lineWords - 1)) / this.#sectorWords);
    this.#dirtySectors[slot] = i32(this.#dirtySectors, slot) | (1 << sector);
  }

  /** Writes a second-level line back if it is dirty, and keeps it. */
  clean(slot: number): void {
    const l2 = this.l2;
    if (l2 === null || !l2.isDirty(slot)) return;
    const sectors = i32(this.#dirtySectors, slot);
    const words = this.#sectorWords;
    for (let at = 0; at < l2.lineWords; at += words) {
      if (((sectors >>> (at / words)) & 1) === 0) continue;
      this.memory.writeBack(l2.firstWord(slot) + at, words, l2.data, (slot << l2.shift) + at);
    }
    l2.clearFlag(slot, DIRTY);
    this.#dirtySectors[slot] = 0;
    this.writeBacks++;
  }

  /** Writes a second-level line back if it is dirty, and drops it. */
  evict(slot: number): void {
    const l2 = this.l2;
    if (l2 === null) return;
    if (this.inclusion === 'inclusive') this.#takeBack(slot, l2);
    this.clean(slot);
    l2.drop(slot);
  }

  /** Drops a second-level line whatever it holds, and what the first level keeps of it. */
  discard(slot: number): void {
    const l2 = this.l2;
    if (l2 === null) return;
    if (this.inclusion === 'inclusive') this.#takeBack(slot, l2);
    l2.drop(slot);
  }

  saveState(): StateValue {
    const { fills, writeBacks } = this;
    const sectors = this.#dirtySectors.slice();
    return { l2: this.l2?.saveState() ?? null, sectors, fills, writeBacks };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.l2?.name ?? 'a cluster');
    this.l2?.restoreState(reader.value('l2'));
    restoreInt32(this.#dirtySectors, reader.value('sectors'), 'a cluster.sectors');
    this.fills = reader.number('fills');
    this.writeBacks = reader.number('writeBacks');
  }

  #takeBack(slot: number, l2: LineCache): void {
    const home = l2.firstWord(slot);
    const words = this.#sectorWords;
    for (const member of this.members) {
      for (let at = 0; at < l2.lineWords; at += words) {
        const merged = member.surrender(home + at, words, l2.data, (slot << l2.shift) + at);
        if (merged) this.markDirty(slot, home + at);
      }
    }
  }

  #indexOf(word: number, l2: LineCache): number {
    return physicalIndex(this.memory.ram, word) >>> l2.shift;
  }
}
