import { i32 } from '../../../drivers/base/types/arrays';
import type { BarrierKind, CacheOp, TlbOp } from '../../../drivers/base/types/isa';
import { TraceKind } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import type { Adversary } from '../adversary/adversary';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import { DIRTY, NONE } from '../cache/line-cache';
import type { MemoryModel } from '../memory-model';
import { IS_CACHED, tagWordOf } from '../micro-tlb';
import type { MicroTlb } from '../micro-tlb';
import { Cacheability, innerOf, isNormal, isShareable, outerOf } from '../mmu/attributes';
import type { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';
import type { Interest } from './interest';
import { Maintenance } from './maintenance';
import { StoreBuffer } from './store-buffer';
import type { BufferedStore } from './store-buffer';

const RECENT = 16;

/** What one CPU's memory model is built from. */
export interface ConcreteParts {
  readonly profile: CoreProfile;
  readonly micro: MicroTlb;
  readonly mmu: Mmu;
  readonly cache: DataCache;
  readonly domain: Domain;
  readonly adversary: Adversary;
  readonly trace: Trace;
  readonly interest: Interest;
  /** Other CPUs' TLBs, for broadcast maintenance; this CPU's own first. */
  readonly invalidateTlbs: (op: TlbOp, operand: number, asid: number) => void;
}

/**
 * RAM as one CPU of the concrete machine reaches it: caches with their data, non-cacheable and
 * write-through accesses, the store buffer, reads before their time, pending maintenance.
 */
export class ConcreteMemory implements MemoryModel {
  readonly stores: StoreBuffer;
  readonly maintenance: Maintenance;
  /** Values that were read early, by physical word: a load takes one, a barrier drops all. */
  readonly early = new Map<number, number>();
  /** Non-zero while a load must look at waiting stores or early reads first. */
  held = 0;
  high = 0;
  ncAccesses = 0;

  readonly #parts: ConcreteParts;
  readonly #recentNc: number[] = [];

  constructor(parts: ConcreteParts) {
    this.#parts = parts;
    this.stores = new StoreBuffer(parts.profile.storeBuffer, store => {
      this.#drained(store);
    });
    this.maintenance = new Maintenance(parts, this.stores);
  }

  /** Physical words that were lately accessed without caching. */
  get recentNc(): readonly number[] {
    return this.#recentNc;
  }

  loadWord(slot: number, word: number): number {
    const home = i32(this.#parts.micro.home, slot) + word;
    const isCached = (i32(this.#parts.micro.tag, slot) & IS_CACHED) !== 0;
    const early = this.early.size > 0 && !isCached ? this.early.get(home) : undefined;
    if (early !== undefined) {
      this.early.delete(home);
      this.#countHeld();
    }
    const value = early ?? this.#currentWord(slot, word, home);
    return this.stores.count === 0 ? value : this.stores.forward(home, value);
  }

  storeWord(slot: number, word: number, value: number, mask: number): void {
    const group = this.stores.nextGroup();
    this.#issue(this.#storeOf(slot, word, value, mask, group), this.#waits(slot, word));
  }

  loadPair(slot: number, word: number): number {
    this.high = this.loadWord(slot, word + 1);
    return this.loadWord(slot, word);
  }

  storePair(slot: number, word: number, low: number, high: number): void {
    const group = this.stores.nextGroup();
    // Single-copy atomic: both halves wait, or neither does.
    const waits = this.#waits(slot, word) || this.#holds(slot, word + 1);
    this.#issue(this.#storeOf(slot, word, low, -1, group), waits);
    this.#issue(this.#storeOf(slot, word + 1, high, -1, group), waits);
  }

  beforeDeviceStore(): void {
    if (this.stores.count > 0) this.stores.drainBefore(this.stores.epoch);
    this.#countHeld();
  }

  dmb(kind: BarrierKind): void {
    this.#parts.trace.fold(TraceKind.Barrier, 1, 0);
    if (kind !== 'ld') this.stores.epoch++;
    if (kind !== 'st') this.early.clear();
    this.#countHeld();
  }

  dsb(): void {
    this.#parts.trace.fold(TraceKind.Barrier, 2, 0);
    this.stores.drainAll();
    this.stores.epoch++;
    this.early.clear();
    this.maintenance.completeAll();
    this.#countHeld();
  }

  maintainLine(op: CacheOp, va: number, slot: number): void {
    this.maintenance.line(op, va, slot);
    this.#countHeld();
  }

  maintainSetWay(op: CacheOp, operand: number): void {
    this.maintenance.setWay(op, operand);
  }

  maintainAll(op: CacheOp): void {
    this.maintenance.all(op);
  }

  tlbMaintenance(op: TlbOp, operand: number, asid: number): void {
    this.maintenance.tlb(op, operand, asid);
  }

  readTableWord(word: number, inner: Cacheability, outer: Cacheability): number {
    const { profile, cache, domain } = this.#parts;
    const looksInL1 = profile.walker === 'l1' && inner !== Cacheability.none;
    if (looksInL1) {
      for (const member of domain.caches) {
        const slot = member.used ? member.findPhysical(word) : NONE;
        if (slot !== NONE) return lineWord(member, slot, word);
      }
    }
    if (profile.walker === 'memory') {
      return domain.memory.readWord(word, Cacheability.none, false);
    }
    return cache.cluster.readWord(word, outer, true);
  }

  /**
   * A fast access missed: brings the line in and answers where in the cache's data the word is,
   * or -1 for a store to a page that does not allocate on writes.
   */
  miss(slot: number, word: number, store: boolean): number {
    const { micro, cache } = this.#parts;
    if (store && innerOf(i32(micro.attributes, slot)) !== Cacheability.writeBackAllocate) return -1;
    const tagWord = tagWordOf(i32(micro.tag, slot)) + word;
    const line = cache.fill(
      tagWord,
      i32(micro.index, slot) + word,
      i32(micro.home, slot) + word,
      store,
    );
    if (store) cache.lines.setFlag(line, DIRTY);
    return cache.lines.dataIndex(line, tagWord);
  }

  /** A value is read before the load that asks for it, as a load without a barrier may be. */
  readEarly(home: number): boolean {
    const isCandidate = this.#recentNc.includes(home) && !this.early.has(home);
    if (!isCandidate || this.stores.holds(home)) return false;
    this.early.set(home, this.#parts.domain.memory.readWord(home, Cacheability.none, true));
    this.#countHeld();
    return true;
  }

  /** Stores drained or early reads went away behind the model's back (a whim). */
  refreshHeld(): void {
    this.#countHeld();
  }

  #countHeld(): void {
    this.held = this.stores.count + this.early.size;
  }

  #currentWord(slot: number, word: number, home: number): number {
    const { micro, cache } = this.#parts;
    if ((i32(micro.tag, slot) & IS_CACHED) !== 0) {
      return i32(cache.lines.data, this.#cachedIndex(slot, word));
    }
    return this.#loadUncached(i32(micro.attributes, slot), home);
  }

  /** Where in the cache's data a word of a cached page is, filled by a load if need be. */
  #cachedIndex(slot: number, word: number): number {
    const { micro, cache } = this.#parts;
    const tagWord = tagWordOf(i32(micro.tag, slot)) + word;
    const indexWord = i32(micro.index, slot) + word;
    let line = cache.find(tagWord, indexWord);
    if (line === NONE) line = cache.fill(tagWord, indexWord, i32(micro.home, slot) + word, false);
    else cache.lines.touch(line);
    return cache.lines.dataIndex(line, tagWord);
  }

  #loadUncached(attributes: number, home: number): number {
    const { profile, cache, trace } = this.#parts;
    this.#noteNc(home);
    const present =
      profile.ncLookup === 'ignores' || !cache.used || !isNormal(attributes)
        ? NONE
        : cache.findPhysical(home);
    const value =
      present === NONE
        ? cache.cluster.readWord(home, outerOf(attributes), isShareable(attributes))
        : lineWord(cache, present, home);
    trace.fold(TraceKind.NcLoad, home, value);
    return value;
  }

  /** True if a store is to wait: by whim, or because an older one to its word does. */
  #waits(slot: number, word: number): boolean {
    const { micro, adversary } = this.#parts;
    if (this.stores.capacity === 0 || !isNormal(i32(micro.attributes, slot))) return false;
    const cached = (i32(micro.tag, slot) & IS_CACHED) !== 0;
    return adversary.delaysStore(cached) || this.#holds(slot, word);
  }

  #holds(slot: number, word: number): boolean {
    return this.stores.count > 0 && this.stores.holds(i32(this.#parts.micro.home, slot) + word);
  }

  #storeOf(slot: number, word: number, value: number, mask: number, group: number): BufferedStore {
    const { micro } = this.#parts;
    return {
      word: i32(micro.home, slot) + word,
      tagWord: tagWordOf(i32(micro.tag, slot)) + word,
      indexWord: i32(micro.index, slot) + word,
      attributes: i32(micro.attributes, slot),
      cached: (i32(micro.tag, slot) & IS_CACHED) !== 0,
      mask,
      value,
      epoch: this.stores.epoch,
      group,
    };
  }

  #issue(store: BufferedStore, waits: boolean): void {
    this.early.delete(store.word);
    if (!store.cached) this.#noteNc(store.word);
    if (waits) {
      this.stores.push(store);
    } else {
      // Whoever sees this store sees all stores of earlier epochs.
      this.stores.drainBefore(store.epoch);
      this.#drained(store);
    }
    this.#countHeld();
  }

  /** A store reaches what it is bound for. */
  #drained(store: BufferedStore): void {
    if (!store.cached) this.#storeUncached(store);
    else if (innerOf(store.attributes) >= Cacheability.writeBack) this.#storeCached(store);
    else this.#storeThrough(store);
  }

  #storeCached(store: BufferedStore): void {
    const { cache } = this.#parts;
    let line = cache.find(store.tagWord, store.indexWord);
    if (line === NONE) {
      if (innerOf(store.attributes) !== Cacheability.writeBackAllocate) {
        this.#storeBeyond(store);
        return;
      }
      line = cache.fill(store.tagWord, store.indexWord, store.word, true);
    } else {
      cache.own(line);
      cache.lines.touch(line);
    }
    mergeLineWord(cache, line, store);
    cache.lines.setFlag(line, DIRTY);
  }

  /** Write-through: a present line is updated and stays clean, the next level gets the word. */
  #storeThrough(store: BufferedStore): void {
    const { cache } = this.#parts;
    const line = cache.find(store.tagWord, store.indexWord);
    if (line !== NONE) mergeLineWord(cache, line, store);
    this.#storeBeyond(store);
  }

  #storeBeyond(store: BufferedStore): void {
    const { cache, domain } = this.#parts;
    if (domain.isShared) domain.snoop(cache, lineBase(cache, store.word), true);
    cache.cluster.mergeWord(
      store.word,
      store.value,
      store.mask,
      outerOf(store.attributes),
      isShareable(store.attributes),
    );
  }

  #storeUncached(store: BufferedStore): void {
    const { profile, cache, trace } = this.#parts;
    if (profile.ncLookup === 'hits' && cache.used) {
      const line = cache.findPhysical(store.word);
      if (line !== NONE) mergeLineWord(cache, line, store);
    }
    cache.cluster.mergeWord(
      store.word,
      store.value,
      store.mask,
      outerOf(store.attributes),
      isShareable(store.attributes),
    );
    trace.fold(TraceKind.NcStore, store.word, store.value);
  }

  #noteNc(home: number): void {
    this.ncAccesses++;
    if (this.#recentNc.length >= RECENT) this.#recentNc.shift();
    this.#recentNc.push(home);
  }
}

const lineBase = (cache: DataCache, word: number): number => word & ~(cache.lines.lineWords - 1);

const lineWord = (cache: DataCache, slot: number, word: number): number =>
  i32(cache.lines.data, cache.lines.dataIndex(slot, word));

const mergeLineWord = (cache: DataCache, slot: number, store: BufferedStore): void => {
  const index = cache.lines.dataIndex(slot, store.word);
  const { data } = cache.lines;
  data[index] = (i32(data, index) & ~store.mask) | (store.value & store.mask);
};
