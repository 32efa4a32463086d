import { NONE } from '../cache/line-cache';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import { Cacheability, innerOf, isNormal, outerOf } from '../mmu/attributes';
import type { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';
import { SCTLR } from '../regs/sysreg';
import type { ConcreteMemory } from './concrete-memory';
import type { Interest } from './interest';

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
}

const ALIASES = 4;

/**
 * Carries out spontaneous steps on one CPU and what lies behind it. A step that the profile or
 * the state of the line does not permit is refused: `take` answers whether it happened.
 */
export class Whims {
  readonly interest: Interest;
  readonly #parts: WhimsParts;
  /** Frame to the virtual pages by which this CPU reaches it cached, the youngest last. */
  readonly #pages = new Map<number, number[]>();

  constructor(parts: WhimsParts) {
    this.#parts = parts;
    this.interest = parts.interest;
  }

  /** Cached RAM became reachable through a page: a speculative fill may come through it. */
  sighted(frame: number, va: number): void {
    const pages = this.#pages.get(frame);
    if (pages === undefined) {
      this.#pages.set(frame, [va]);
      return;
    }
    const known = pages.indexOf(va);
    if (known >= 0) pages.splice(known, 1);
    else if (pages.length >= ALIASES) pages.shift();
    pages.push(va);
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

  get recentNc(): readonly number[] {
    return this.#parts.memory.recentNc;
  }

  /** Takes a step on the line of a physical word; `n` chooses among stores or operations. */
  take(step: Step, word: number, n: number): boolean {
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
        this.#parts.mmu.tlb.dropNth(n);
        return true;
      case 'read-early':
        return this.#parts.memory.readEarly(word);
    }
  }

  /** A virtual page through which a cacheable, live translation reaches the word, or null. */
  #livePage(word: number, n: number): number | null {
    const pages = this.#pages.get(word >>> 10);
    if (pages === undefined) return null;
    const va = pages[n % pages.length];
    if (va === undefined) return null;
    const { mmu, domain } = this.#parts;
    const entry = mmu.peek(va);
    if (entry === null || (mmu.registers.sctlr & SCTLR.C) === 0) return null;
    const frame = domain.memory.ram.frameOf((entry.pa + (va - entry.va)) / 4096);
    const { attributes } = entry;
    const cached = isNormal(attributes) && innerOf(attributes) >= Cacheability.writeBack;
    return frame === word >>> 10 && cached ? va : null;
  }

  #fillInner(word: number, n: number): boolean {
    const { profile, cache, domain } = this.#parts;
    if (!profile.speculativeFill) return false;
    const va = this.#livePage(word, n);
    if (va === null) return false;
    const page = va / 4096;
    const inPage = word & 1023;
    const tagWord = cache.virtual ? cache.virtualFrame(page) * 1024 + inPage : word;
    const virtuallyIndexed = cache.virtual || cache.colours > 1;
    const low = virtuallyIndexed ? page % 2 ** 20 : (domain.memory.ram.frameLow[word >>> 10] ?? 0);
    const indexWord = (low << 10) | inPage;
    if (cache.find(tagWord, indexWord) !== NONE) return false;
    cache.fill(tagWord, indexWord, word, false);
    return true;
  }

  #leaveInner(word: number, drop: boolean): boolean {
    const { cache } = this.#parts;
    const slot = cache.used ? cache.findPhysical(word) : NONE;
    if (slot === NONE) return false;
    if (drop) cache.evict(slot);
    else cache.clean(slot);
    return true;
  }

  #secondLevel(step: Step, word: number): boolean {
    const { cluster } = this.#parts.cache;
    if (cluster.l2 === null) return false;
    const slot = cluster.find(word);
    if (step === 'fill-l2') {
      const speculates = this.#parts.profile.speculativeFill && cluster.inclusion !== 'exclusive';
      if (slot !== NONE || !speculates || this.#livePage(word, 0) === null) return false;
      cluster.fill(word);
      return true;
    }
    if (slot === NONE) return false;
    if (step === 'evict-l2') cluster.evict(slot);
    else cluster.clean(slot);
    return true;
  }

  #outer(step: Step, word: number): boolean {
    const { outer } = this.#parts.domain.memory;
    if (outer === null || !outer.enabled) return false;
    if (step === 'drain-outer') {
      outer.drainLine(word);
      return true;
    }
    const slot = outer.find(word);
    if (step === 'fill-outer') {
      if (slot !== NONE || !this.#outerMayFill(word)) return false;
      outer.fill(word);
      return true;
    }
    if (slot === NONE) return false;
    if (step === 'evict-outer') outer.evict(slot);
    else outer.clean(slot);
    return true;
  }

  /** The outer cache prefetches only what a live translation makes outer cacheable. */
  #outerMayFill(word: number): boolean {
    const va = this.#livePage(word, 0);
    if (va === null || !this.#parts.profile.speculativeFill) return false;
    const entry = this.#parts.mmu.peek(va);
    return entry !== null && outerOf(entry.attributes) >= Cacheability.writeBack;
  }

  #complete(step: Step, n: number): boolean {
    const { memory } = this.#parts;
    if (step === 'drain-store') {
      if (n >= memory.stores.count) return false;
      memory.stores.drain(n);
      memory.refreshHeld();
      return true;
    }
    if (n >= memory.maintenance.pending.count) return false;
    memory.maintenance.pending.complete(n);
    return true;
  }

  #fillTlb(word: number, n: number): boolean {
    const pages = this.#pages.get(word >>> 10);
    const va = pages?.[n % pages.length];
    if (va === undefined || !this.#parts.profile.speculativeFill) return false;
    const { mmu } = this.#parts;
    if (!mmu.isOn || mmu.tlb.find(va, mmu.asid) !== null) return false;
    const walked = mmu.walk(va);
    if (walked.ok) mmu.tlb.insert(walked.entry);
    return walked.ok;
  }
}
