import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import type { Trace } from '../../../drivers/base/hw/trace';
import { restoreInt32 } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { colours } from '../profile';
import type { CoreProfile, L1Spec } from '../profile';
import type { Cluster, IncludedCache } from './cluster';
import { DIRTY, NONE, SHARED } from './line-cache';
import type { LineCache } from './line-cache';
import { physicalIndex } from './outer-cache';

/** Keeps the CPU's number apart from the lower bits of the word, which a line's first has clear. */
const FILL_SHIFT = 27;

/** The set is chosen by fewer bits than those of a page number below this and of a word in it. */
const INDEX_PAGES = 2 ** 20;

/** The other caches of the domain, as one of them sees it. */
export interface Snooper {
  /** More than one cache is in the domain. */
  readonly isShared: boolean;
  /** See Domain.snoop. */
  snoop(requester: DataCache, base: number, own: boolean): number;
}

const NO_SLOTS: readonly number[] = [];

/**
 * The first-level data cache of one core and its place in the domain.
 *
 * A line is found by a *tag word* (whose line is the tag) and an *index word* (whose low bits
 * choose the set). Which address each comes from is the difference between VIVT, VIPT and PIPT;
 * the CPU computes both when it fills its micro-TLB.
 */
export class DataCache implements IncludedCache, Stateful {
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
  /** Dirty lines that were written to the next level, asked for or not. */
  writeBacks = 0;

  readonly #ram: Ram;
  readonly #domain: Snooper;
  readonly #trace: Trace;
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
    trace: Trace,
  ) {
    this.core = core;
    this.lines = lines;
    this.cluster = cluster;
    this.virtual = spec.indexing === 'vivt';
    this.colours = colours({ ...spec, ...lines.geometry });
    this.#homes = new Int32Array(this.virtual ? lines.slots : 0);
    this.#ram = ram;
    this.#domain = domain;
    this.#trace = trace;
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
   * The tag word of the first word of a page: of its virtual number, or of the frame of RAM that is
   * behind it. A virtually tagged cache asks for no frame.
   */
  tagWordOf(page: number, frame: number): number {
    return (this.virtual ? this.virtualFrame(page) : frame) * PAGE_WORDS;
  }

  /** The index word of the first word of a page, as tagWordOf. */
  indexWordOf(page: number, frame: number): number {
    return this.virtual || this.colours > 1
      ? (page % INDEX_PAGES) << PAGE_WORDS_SHIFT
      : physicalIndex(this.#ram, frame * PAGE_WORDS);
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
    this.#trace.foldWord(base ^ (this.core << FILL_SHIFT));
    return slot;
  }

  /**
   * Takes the line of a physical word from the cache of another core of the cluster, which has it,
   * as it is and as dirty as it is: neither the second level nor memory hears of it. False where this
   * cache has it already, or the two are not looked up alike. Source: migratory lines, Cortex-A9
   * MPCore TRM (DDI 0407) 2.2.
   */
  adopt(holder: DataCache, word: number): boolean {
    const { lines } = this;
    const { lineWords } = lines;
    const isAlike = holder.cluster === this.cluster && holder.lines.lineWords === lineWords;
    if (!isAlike || this.virtual || this.colours > 1 || this.findPhysical(word) !== NONE) {
      return false;
    }
    const from = holder.findPhysical(word);
    const slot = lines.victim(physicalIndex(this.#ram, word) >>> lines.shift);
    if (lines.isValid(slot)) this.evict(slot);
    const dirty = holder.lines.isDirty(from) ? DIRTY : 0;
    const shared = holder.lines.isShared(from) ? SHARED : 0;
    const [source, target] = [from << lines.shift, slot << lines.shift];
    for (let i = 0; i < lineWords; i++) lines.data[target + i] = i32(holder.lines.data, source + i);
    lines.shadow?.copy(holder.lines.data, source, lines.data, target, lineWords);
    lines.install(slot, word >>> lines.shift, dirty | shared);
    holder.lines.drop(from);
    this.used = true;
    return true;
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
      const home = this.homeOf(slot);
      // A wider line of the second level takes in from memory what others may hold dirty.
      if (this.#domain.isShared) this.#domain.snoop(this, home, false);
      this.cluster.writeBack(home, lines.lineWords, lines.data, slot << lines.shift, false);
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

  /** The first slot that holds a physical word, under whatever address; or NONE. */
  findPhysical(word: number): number {
    const { lines } = this;
    if (!this.virtual && this.colours === 1) return this.find(word, physicalIndex(this.#ram, word));
    const base = word & ~(lines.lineWords - 1);
    for (let slot = 0; slot < lines.slots; slot++) {
      if (lines.isValid(slot) && this.homeOf(slot) === base) return slot;
    }
    return NONE;
  }

  /** All slots that hold a physical word: several, where aliases of it are different lines. */
  slotsOf(word: number): readonly number[] {
    if (!this.used) return NO_SLOTS;
    const { lines } = this;
    if (!this.virtual && this.colours === 1) {
      const slot = this.findPhysical(word);
      return slot === NONE ? NO_SLOTS : [slot];
    }
    const base = word & ~(lines.lineWords - 1);
    const slots: number[] = [];
    for (let slot = 0; slot < lines.slots; slot++) {
      if (lines.isValid(slot) && this.homeOf(slot) === base) slots.push(slot);
    }
    return slots;
  }

  saveState(): StateValue {
    return {
      lines: this.lines.saveState(),
      homes: this.#homes.slice(),
      virtualPages: Float64Array.from(this.#virtualFrames.keys()),
      used: this.used,
      fills: this.fills,
      writeBacks: this.writeBacks,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.lines.name);
    this.lines.restoreState(reader.value('lines'));
    restoreInt32(this.#homes, reader.value('homes'), `${this.lines.name}.homes`);
    this.#virtualFrames.clear();
    for (const page of reader.numbers('virtualPages')) this.virtualFrame(page);
    this.used = reader.boolean('used');
    this.fills = reader.number('fills');
    this.writeBacks = reader.number('writeBacks');
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
        lines.shadow?.copy(lines.data, from, to, at + word - home, lines.lineWords);
        merged = true;
      }
      lines.drop(slot);
    }
    return merged;
  }
}
