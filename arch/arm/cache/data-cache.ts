import { i32 } from '../../../drivers/base/types/arrays';
import type { Ram } from '../../../drivers/base/hw/ram';
import { colours } from '../profile';
import type { CoreProfile, L1Spec } from '../profile';
import type { Cluster, IncludedCache } from './cluster';
import { DIRTY, NONE, SHARED } from './line-cache';
import type { LineCache } from './line-cache';
import { physicalIndex } from './outer-cache';

/** The other caches of the domain, as one of them sees it. */
export interface Snooper {
  /** More than one cache is in the domain. */
  readonly isShared: boolean;
  /** See Domain.snoop. */
  snoop(requester: DataCache, base: number, own: boolean): number;
}

/**
 * The first-level data cache of one core and its place in the domain.
 *
 * A line is found by a *tag word* (whose line is the tag) and an *index word* (whose low bits
 * choose the set). Which address each comes from is the difference between VIVT, VIPT and PIPT;
 * the CPU computes both when it fills its micro-TLB.
 */
export class DataCache implements IncludedCache {
  readonly core: number;
  readonly lines: LineCache;
  readonly cluster: Cluster;
  /** The tag is a virtual address: aliases of one physical line are different lines. */
  readonly virtual: boolean;
  /** Lines that one physical line can have at once. */
  readonly colours: number;
  /** A first line was filled: until then nobody needs to look here. */
  used = false;
  fills = 0;
  writeBacks = 0;

  readonly #ram: Ram;
  readonly #domain: Snooper;
  readonly #exclusive: boolean;
  /** Virtually tagged: the physical word index of each slot's line. */
  readonly #homes: Int32Array;
  readonly #virtualFrames = new Map<number, number>();

  constructor(
    core: number,
    profile: CoreProfile,
    spec: L1Spec,
    lines: LineCache,
    cluster: Cluster,
    domain: Snooper,
    ram: Ram,
  ) {
    this.core = core;
    this.lines = lines;
    this.cluster = cluster;
    this.virtual = spec.indexing === 'vivt';
    this.colours = colours({ ...spec, ...lines.geometry });
    this.#homes = new Int32Array(this.virtual ? lines.slots : 0);
    this.#ram = ram;
    this.#domain = domain;
    this.#exclusive = profile.l2?.inclusion === 'exclusive';
  }

  /** The frame number under which a virtual page is tagged; given at its first use. */
  virtualFrame(page: number): number {
    let frame = this.#virtualFrames.get(page);
    if (frame === undefined) {
      frame = this.#virtualFrames.size;
      this.#virtualFrames.set(page, frame);
    }
    return frame;
  }

  /**
   * Brings a line in and answers its slot: exclusively owned if `own`, else shared with whoever
   * has it. `home` is the physical word index of any word of the line.
   */
  fill(tagWord: number, indexWord: number, home: number, own: boolean): number {
    const { lines } = this;
    const base = home & ~(lines.lineWords - 1);
    const flags = this.#domain.isShared ? this.#domain.snoop(this, base, own) : 0;
    const slot = lines.victim(indexWord >>> lines.shift);
    if (lines.isValid(slot)) this.evict(slot);
    this.cluster.fetch(base, lines.lineWords, lines.data, slot << lines.shift);
    lines.install(slot, tagWord >>> lines.shift, flags);
    if (this.virtual) this.#homes[slot] = base;
    this.used = true;
    this.fills++;
    return slot;
  }

  /** Before a store to a line that others may hold: takes it from them. */
  own(slot: number): void {
    if (!this.lines.isShared(slot)) return;
    this.#domain.snoop(this, this.homeOf(slot), true);
    this.lines.clearFlag(slot, SHARED);
  }

  /** Writes a dirty line to the next level, and keeps it. */
  clean(slot: number): void {
    const { lines } = this;
    if (!lines.isDirty(slot)) return;
    this.cluster.writeBack(
      this.homeOf(slot),
      lines.lineWords,
      lines.data,
      slot << lines.shift,
      true,
    );
    lines.clearFlag(slot, DIRTY);
    this.writeBacks++;
  }

  /** Takes a line out, writing it to the next level if it is dirty or that level is its victim. */
  evict(slot: number): void {
    const { lines } = this;
    if (lines.isDirty(slot)) {
      this.clean(slot);
    } else if (this.#exclusive) {
      const at = slot << lines.shift;
      this.cluster.writeBack(this.homeOf(slot), lines.lineWords, lines.data, at, false);
    }
    lines.drop(slot);
  }

  /** Takes a line out and forgets what it held. */
  discard(slot: number): void {
    this.lines.drop(slot);
  }

  /** Physical word index of the first word of a slot's line. */
  homeOf(slot: number): number {
    const { lines } = this;
    return this.virtual ? i32(this.#homes, slot) : lines.firstWord(slot);
  }

  /** The slot found by tag word and index word, or NONE. */
  find(tagWord: number, indexWord: number): number {
    const { lines } = this;
    return lines.find(tagWord >>> lines.shift, indexWord >>> lines.shift);
  }

  /** A slot that holds a physical word, under whatever address, from `after` on; or NONE. */
  findPhysical(word: number, after = NONE): number {
    const { lines } = this;
    if (!this.virtual && this.colours === 1) {
      return after === NONE ? this.find(word, physicalIndex(this.#ram, word)) : NONE;
    }
    const base = word & ~(lines.lineWords - 1);
    for (let slot = after + 1; slot < lines.slots; slot++) {
      if (lines.isValid(slot) && this.homeOf(slot) === base) return slot;
    }
    return NONE;
  }

  surrender(home: number, words: number, to: Int32Array, at: number): boolean {
    const { lines } = this;
    let merged = false;
    for (let word = home; word < home + words; word += lines.lineWords) {
      const slot = this.findPhysical(word);
      if (slot === NONE) continue;
      if (lines.isDirty(slot)) {
        const from = slot << lines.shift;
        for (let i = 0; i < lines.lineWords; i++)
          to[at + word - home + i] = i32(lines.data, from + i);
        this.writeBacks++;
        merged = true;
      }
      lines.drop(slot);
    }
    return merged;
  }
}
