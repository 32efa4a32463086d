import { NONE } from '../cache/line-cache';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import { Cacheability, innerOf, isNormal, outerOf } from '../mmu/attributes';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { TraceKind, ofCpu } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import type { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';
import type { ConcreteMemory } from './concrete-memory';
import type { Interest } from './interest';
import { pagesLeadingTo } from './reach';
import type { RecentAccesses } from './recent';
import type { Sightings } from './sightings';

/** The spontaneous steps that a machine may take. */
export const STEPS = [
  'fill-inner',
  'evict-inner',
  'write-back-inner',
  'fill-l2',
  'evict-l2',
  'write-back-l2',
  'fill-outer',
  'evict-outer',
  'write-back-outer',
  'drain-store',
  'drain-outer',
  'complete-maintenance',
  'fill-tlb',
  'drop-tlb',
  'read-early',
  'migrate-inner',
] as const;
export type Step = (typeof STEPS)[number];

/**
 * In place of `n`: every store, or operation, of the line that is named; any alias of it that will
 * do.
 */
export const OF_LINE = -1;

export interface WhimsParts {
  readonly profile: CoreProfile;
  readonly memory: ConcreteMemory;
  readonly cache: DataCache;
  readonly domain: Domain;
  readonly mmu: Mmu;
  readonly interest: Interest;
  readonly sightings: Sightings;
  readonly trace: Trace;
}

/**
 * Carries out spontaneous steps on one CPU and what lies behind it. A step that the profile or
 * the state of the line does not permit is refused: `take` answers whether it happened.
 */
export class Whims {
  readonly interest: Interest;
  readonly #taken = new Map<Step, number>();
  readonly #parts: WhimsParts;

  constructor(parts: WhimsParts) {
    this.#parts = parts;
    this.interest = parts.interest;
  }

  /** The word index of a physical address, -1 where there is no RAM. */
  wordOf(address: number): number {
    return this.#parts.domain.memory.ram.wordOf(address);
  }

  /** How many stores wait, maintenance is pending, outer writes are buffered. */
  get waitingStores(): number {
    return this.#parts.memory.stores.count;
  }

  get pendingMaintenance(): number {
    return this.#parts.memory.maintenance.pending.count;
  }

  get bufferedOuterWrites(): readonly number[] {
    return this.#parts.domain.memory.outer?.bufferedWords() ?? [];
  }

  /** What a load before its time may read. */
  get recent(): RecentAccesses {
    return this.#parts.memory.recent;
  }

  /** How often a step was taken, since the machine was made. */
  taken(step: Step): number {
    return this.#taken.get(step) ?? 0;
  }

  /** Writes that leave the outer cache for the line of a word wait until it is drained. */
  holdOuter(word: number): boolean {
    const { outer } = this.#parts.domain.memory;
    if (outer === null || !outer.enabled) return false;
    outer.holdLine(word);
    return true;
  }

  /** Two words are in one line of this CPU's first level. */
  areOfOneLine(a: number, b: number): boolean {
    const { shift } = this.#parts.cache.lines;
    return a >>> shift === b >>> shift;
  }

  /**
   * Takes a step on the line of a physical word. `n` chooses among aliases of the line, or among
   * waiting stores or pending operations wherever they are, unless it is OF_LINE.
   */
  take(step: Step, word: number, n: number): boolean {
    const isTaken = this.#take(step, word, n);
    if (isTaken) {
      const kind = ofCpu(TraceKind.Whim, this.#parts.cache.core);
      this.#parts.trace.fold(kind, word, STEPS.indexOf(step) | (n << 8));
      this.#taken.set(step, this.taken(step) + 1);
    }
    return isTaken;
  }

  #take(step: Step, word: number, n: number): boolean {
    switch (step) {
      case 'fill-inner':
        return this.#fillInner(word, n);
      case 'evict-inner':
      case 'write-back-inner':
        return this.#leaveInner(word, step === 'evict-inner', n);
      case 'fill-l2':
      case 'evict-l2':
      case 'write-back-l2':
        return this.#secondLevel(step, word, n);
      case 'fill-outer':
      case 'evict-outer':
      case 'write-back-outer':
      case 'drain-outer':
        return this.#outer(step, word, n);
      case 'drain-store':
      case 'complete-maintenance':
        return n === OF_LINE ? this.#completeLine(step, word) : this.#complete(step, n);
      case 'fill-tlb':
        return this.#fillTlb(word, n);
      case 'drop-tlb':
        return this.#parts.mmu.tlb.dropNth(n);
      case 'read-early':
        return this.#readEarly(word, n);
      case 'migrate-inner':
        return this.#migrateInner(word, n);
    }
  }

  /** A virtual page through which a cacheable, live translation reaches the word, or null. */
  #livePage(word: number, n: number, permits = isCached): number | null {
    const { mmu, sightings } = this.#parts;
    const frame = word >>> PAGE_WORDS_SHIFT;
    if (n !== OF_LINE) {
      const va = sightings.pageOf(frame, n) ?? mmu.tlb.addressOf(this.#pageAt(word));
      return va !== undefined && permits(this.#liveAttributes(word, va)) ? va : null;
    }
    for (const va of [...sightings.pagesOf(frame), ...mmu.tlb.addressesOf(this.#pageAt(word))]) {
      if (permits(this.#liveAttributes(word, va))) return va;
    }
    return this.#walkedPage(word, permits);
  }

  /** As #livePage, of a page that nobody has used yet. */
  #walkedPage(word: number, permits: (attributes: number) => boolean): number | null {
    const { mmu, domain } = this.#parts;
    const { ram } = domain.memory;
    const read = (address: number): number | null => {
      const entry = ram.wordOf(address);
      return entry < 0 ? null : domain.coherentRead(entry);
    };
    for (const va of pagesLeadingTo(mmu, this.#pageAt(word), read)) {
      if (permits(this.#liveAttributes(word, va))) return va;
    }
    return null;
  }

  /** The physical address of a word's page. */
  #pageAt(word: number): number {
    return this.#parts.domain.memory.ram.addressOf(word & ~(PAGE_WORDS - 1));
  }

  /** What a live translation of a virtual page makes of the word; -1 if it leads elsewhere. */
  #liveAttributes(word: number, va: number): number {
    const { mmu, domain } = this.#parts;
    const entry = mmu.peek(va);
    if (entry === null) return -1;
    const frame = domain.memory.ram.frameOf((entry.pa + (va - entry.va)) / PAGE_SIZE);
    return frame === word >>> PAGE_WORDS_SHIFT ? mmu.effectiveAttributes(entry) : -1;
  }

  /** Of a word that this CPU accessed lately; by line, of any that it can through a translation. */
  #readEarly(word: number, n: number): boolean {
    const { memory, mmu } = this.#parts;
    if (memory.readEarly(word, memory.recent.attributesOf(word))) return true;
    if (n !== OF_LINE) return false;
    for (const va of mmu.tlb.addressesOf(this.#pageAt(word))) {
      const attributes = this.#liveAttributes(word, va);
      if (isUncached(attributes) && memory.readEarly(word, attributes)) return true;
    }
    const va = this.#walkedPage(word, isUncached);
    return va !== null && memory.readEarly(word, this.#liveAttributes(word, va));
  }

  #fillInner(word: number, n: number): boolean {
    const { profile, cache } = this.#parts;
    if (!profile.speculativeFill) return false;
    const va = this.#livePage(word, n);
    if (va === null) return false;
    const page = va / PAGE_SIZE;
    const frame = word >>> PAGE_WORDS_SHIFT;
    const inPage = word & (PAGE_WORDS - 1);
    const tagWord = cache.tagWordOf(page, frame) + inPage;
    const indexWord = cache.indexWordOf(page, frame) + inPage;
    if (cache.find(tagWord, indexWord) !== NONE) return false;
    cache.fill(tagWord, indexWord, word, false);
    return true;
  }

  /** From the first level that has the line, to this CPU's. */
  #migrateInner(word: number, n: number): boolean {
    const { profile, cache, domain } = this.#parts;
    const holder = domain.holderOf(word);
    if (holder === null || !profile.speculativeFill || this.#livePage(word, n) === null) {
      return false;
    }
    return cache.adopt(holder, word);
  }

  /** Of several aliases that are present, the n-th in the order in which their pages were met. */
  #leaveInner(word: number, drop: boolean, n: number): boolean {
    const { cache } = this.#parts;
    const slots = cache.slotsOf(word).filter(slot => drop || cache.lines.isDirty(slot));
    slots.sort((a, b) => cache.lines.firstWord(a) - cache.lines.firstWord(b));
    const slot = slots[Math.max(0, n) % slots.length];
    if (slot === undefined) return false;
    if (drop) cache.evict(slot);
    else cache.clean(slot);
    return true;
  }

  #secondLevel(step: Step, word: number, n: number): boolean {
    const { cache, domain, profile } = this.#parts;
    const { cluster } = cache;
    if (cluster.l2 === null) return false;
    const slot = cluster.find(word);
    if (step === 'fill-l2') {
      const speculates = profile.speculativeFill && cluster.inclusion !== 'exclusive';
      if (slot !== NONE || !speculates || this.#livePage(word, n) === null) return false;
      // The other caches learn of the copy, as of any other; what they write back may be it.
      if (domain.isShared) domain.snoop(cache, word, false);
      if (cluster.find(word) === NONE) cluster.fill(word);
      return true;
    }
    if (slot === NONE || (step === 'write-back-l2' && !cluster.l2.isDirty(slot))) return false;
    if (step === 'evict-l2') cluster.evict(slot);
    else cluster.clean(slot);
    return true;
  }

  #outer(step: Step, word: number, n: number): boolean {
    const { outer } = this.#parts.domain.memory;
    if (outer === null || !outer.enabled) return false;
    if (step === 'drain-outer') return outer.drainLine(word);
    const slot = outer.find(word);
    if (step === 'fill-outer') {
      if (slot !== NONE || !this.#outerMayFill(word, n)) return false;
      outer.fill(word);
      return true;
    }
    if (slot === NONE || (step === 'write-back-outer' && !outer.lines.isDirty(slot))) return false;
    if (step === 'evict-outer') outer.evict(slot);
    else outer.clean(slot);
    return true;
  }

  /** The outer cache prefetches only what a live translation makes outer cacheable. */
  #outerMayFill(word: number, n: number): boolean {
    const { profile } = this.#parts;
    return profile.speculativeFill && this.#livePage(word, n, isOuterCached) !== null;
  }

  #complete(step: Step, n: number): boolean {
    const { memory } = this.#parts;
    if (step === 'drain-store') {
      if (n >= memory.stores.count) return false;
      memory.stores.drain(n);
    } else {
      if (n >= memory.maintenance.pending.count) return false;
      memory.maintenance.pending.complete(n);
    }
    memory.refreshHeld();
    return true;
  }

  /** All stores to a line, or all operations on it. */
  #completeLine(step: Step, word: number): boolean {
    const { memory, cache } = this.#parts;
    const { stores } = memory;
    const { pending } = memory.maintenance;
    const before = stores.count + pending.count;
    const first = word & ~(cache.lines.lineWords - 1);
    if (step === 'drain-store') stores.drainRange(first, first + cache.lines.lineWords - 1);
    else pending.completeHome(first, cache.lines.lineWords);
    memory.refreshHeld();
    return stores.count + pending.count < before;
  }

  #fillTlb(word: number, n: number): boolean {
    const va = this.#parts.sightings.pageOf(word >>> PAGE_WORDS_SHIFT, n);
    if (va === undefined || !this.#parts.profile.speculativeFill) return false;
    const { mmu } = this.#parts;
    if (!mmu.isOn || mmu.tlb.find(va, mmu.asid) !== null) return false;
    const walked = mmu.walk(va);
    if (walked.ok) mmu.tlb.insert(walked.entry);
    return walked.ok;
  }
}

const isCached = (attributes: number): boolean =>
  attributes >= 0 && isNormal(attributes) && innerOf(attributes) !== Cacheability.none;

const isOuterCached = (attributes: number): boolean =>
  attributes >= 0 && isNormal(attributes) && outerOf(attributes) !== Cacheability.none;

const isUncached = (attributes: number): boolean =>
  attributes >= 0 && isNormal(attributes) && !isCached(attributes);
