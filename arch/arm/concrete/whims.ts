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
] as const;
export type Step = (typeof STEPS)[number];

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

  /** Takes a step on the line of a physical word; `n` chooses among stores or operations. */
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
        return this.#leaveInner(word, step === 'evict-inner');
      case 'fill-l2':
      case 'evict-l2':
      case 'write-back-l2':
        return this.#secondLevel(step, word);
      case 'fill-outer':
      case 'evict-outer':
      case 'write-back-outer':
      case 'drain-outer':
        return this.#outer(step, word);
      case 'drain-store':
      case 'complete-maintenance':
        return this.#complete(step, n);
      case 'fill-tlb':
        return this.#fillTlb(word, n);
      case 'drop-tlb':
        return this.#parts.mmu.tlb.dropNth(n);
      case 'read-early':
        return this.#parts.memory.readEarly(word);
    }
  }

  /** A virtual page through which a cacheable, live translation reaches the word, or null. */
  #livePage(word: number, n: number): number | null {
    const { mmu, domain, sightings } = this.#parts;
    const pageAt = domain.memory.ram.addressOf(word & ~(PAGE_WORDS - 1));
    const va = sightings.pageOf(word >>> PAGE_WORDS_SHIFT, n) ?? mmu.tlb.addressOf(pageAt);
    const entry = va === undefined ? null : mmu.peek(va);
    if (va === undefined || entry === null) return null;
    const frame = domain.memory.ram.frameOf((entry.pa + (va - entry.va)) / PAGE_SIZE);
    const attributes = mmu.effectiveAttributes(entry);
    const isCached = isNormal(attributes) && innerOf(attributes) !== Cacheability.none;
    return frame === word >>> PAGE_WORDS_SHIFT && isCached ? va : null;
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

  #leaveInner(word: number, drop: boolean): boolean {
    const { cache } = this.#parts;
    const slot = cache.used ? cache.findPhysical(word) : NONE;
    if (slot === NONE || (!drop && !cache.lines.isDirty(slot))) return false;
    if (drop) cache.evict(slot);
    else cache.clean(slot);
    return true;
  }

  #secondLevel(step: Step, word: number): boolean {
    const { cache, domain, profile } = this.#parts;
    const { cluster } = cache;
    if (cluster.l2 === null) return false;
    const slot = cluster.find(word);
    if (step === 'fill-l2') {
      const speculates = profile.speculativeFill && cluster.inclusion !== 'exclusive';
      if (slot !== NONE || !speculates || this.#livePage(word, 0) === null) return false;
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

  #outer(step: Step, word: number): boolean {
    const { outer } = this.#parts.domain.memory;
    if (outer === null || !outer.enabled) return false;
    if (step === 'drain-outer') return outer.drainLine(word);
    const slot = outer.find(word);
    if (step === 'fill-outer') {
      if (slot !== NONE || !this.#outerMayFill(word)) return false;
      outer.fill(word);
      return true;
    }
    if (slot === NONE || (step === 'write-back-outer' && !outer.lines.isDirty(slot))) return false;
    if (step === 'evict-outer') outer.evict(slot);
    else outer.clean(slot);
    return true;
  }

  /** The outer cache prefetches only what a live translation makes outer cacheable. */
  #outerMayFill(word: number): boolean {
    const va = this.#parts.profile.speculativeFill ? this.#livePage(word, 0) : null;
    if (va === null) return false;
    const entry = this.#parts.mmu.peek(va);
    return entry !== null && outerOf(entry.attributes) >= Cacheability.writeBack;
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
