import { i32 } from '../../../drivers/base/types/arrays';
import type { BarrierKind, CacheOp, TlbOp } from '../../../drivers/base/types/isa';
import { rowsOf, rowsState } from '../../../drivers/base/hw/state-arrays';
import { BarrierCode, TraceKind, ofCpu } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import type { Shadow } from '../../../drivers/base/hw/shadow';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import { DIRTY, NONE } from '../cache/line-cache';
import { storeOrder } from '../cache/outer-cache';
import type { MemoryModel } from '../memory-model';
import { IS_CACHED, tagWordOf } from '../micro-tlb';
import type { MicroTlb } from '../micro-tlb';
import { Cacheability, innerOf, isNormal, isShareable, outerOf } from '../mmu/attributes';
import type { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';
import type { Interest } from './interest';
import type { Leeway } from './leeway';
import { Maintenance } from './maintenance';
import { RecentAccesses } from './recent';
import { StoreBuffer } from './store-buffer';
import type { Versions } from './versions';

/** What one CPU's memory model is built from. */
export interface ConcreteParts {
  readonly profile: CoreProfile;
  readonly micro: MicroTlb;
  readonly mmu: Mmu;
  readonly cache: DataCache;
  readonly domain: Domain;
  readonly adversary: Leeway;
  /** The store buffer has so many times the entries of the core's: 1, unless for a script. */
  readonly extraStores: number;
  readonly trace: Trace;
  readonly interest: Interest;
  /** Other CPUs' TLBs, for broadcast maintenance; this CPU's own first. */
  readonly invalidateTlbs: (op: TlbOp, operand: number, asid: number) => void;
}

/** Whether a store waits in the buffer: by whim, or behind another that does. */
const Wait = { none: 0, chosen: 1, follows: 2 } as const;
type Wait = (typeof Wait)[keyof typeof Wait];

/**
 * RAM as one CPU of the concrete machine reaches it: caches with their data, non-cacheable and
 * write-through accesses, the store buffer, reads before their time, pending maintenance.
 */
export class ConcreteMemory implements MemoryModel, Stateful {
  readonly stores: StoreBuffer;
  readonly maintenance: Maintenance;
  /** Values that were read early, by physical word: a load takes one, a barrier drops all. */
  readonly early = new Map<number, number>();
  /**
   * Non-zero while an access must look at waiting stores, early reads or maintenance first, and
   * always in check mode.
   */
  held = 0;
  high = 0;
  readonly recent = new RecentAccesses();

  readonly #parts: ConcreteParts;
  /** Check mode, else null. */
  #versions: Versions | null = null;
  #shadow: Shadow | null = null;
  /** As `early`, which bytes of the value are of the latest version. */
  readonly #earlyFresh = new Map<number, number>();

  constructor(parts: ConcreteParts) {
    this.#parts = parts;
    this.stores = new StoreBuffer(parts.profile.storeBuffer * parts.extraStores, entry => {
      this.#drained(entry);
    });
    this.maintenance = new Maintenance(parts, this.stores);
  }

  /** Check mode begins: see Versions. */
  attachVersions(versions: Versions, shadow: Shadow): void {
    this.#versions = versions;
    this.#shadow = shadow;
    this.#countHeld();
  }

  /** Bytes of a word that was read early are, or are no more, of the latest version. */
  markEarly(word: number, mask: number, fresh: number): void {
    const before = this.#earlyFresh.get(word);
    if (before !== undefined) this.#earlyFresh.set(word, (before & ~mask) | (fresh & mask));
  }

  loadWord(slot: number, word: number, mask = -1): number {
    this.#awaitMaintenance(slot, word);
    const { micro } = this.#parts;
    const home = i32(micro.home, slot) + word;
    const mayBeEarly =
      this.early.size > 0 &&
      (i32(micro.tag, slot) & IS_CACHED) === 0 &&
      isNormal(i32(micro.attributes, slot));
    const early = mayBeEarly ? this.early.get(home) : undefined;
    if (early !== undefined) {
      this.early.delete(home);
      if (this.#shadow !== null) this.#shadow.last = this.#earlyFresh.get(home) ?? -1;
      this.#countHeld();
    }
    const value = early ?? this.#currentWord(slot, word, home);
    const seen = this.stores.count === 0 ? value : this.stores.forward(home, value);
    this.#versions?.read('cpu', this.#parts.cache.core, home, seen, mask);
    return seen;
  }

  storeWord(slot: number, word: number, value: number, mask: number): void {
    this.#awaitMaintenance(slot, word);
    const group = this.stores.nextGroup();
    this.#issue(slot, word, value, mask, group, this.#wait(slot, word));
  }

  storeUnaligned(slot: number, offset: number, width: number, value: number): void {
    for (let i = 0; i < width; i++) {
      const shift = ((offset + i) & 3) * 8;
      const byte = ((value >>> (8 * i)) & 0xff) << shift;
      this.storeWord(slot, (offset + i) >>> 2, byte, 0xff << shift);
    }
  }

  loadPair(slot: number, word: number): number {
    this.high = this.loadWord(slot, word + 1);
    return this.loadWord(slot, word);
  }

  storePair(slot: number, word: number, low: number, high: number): void {
    this.#awaitMaintenance(slot, word);
    const group = this.stores.nextGroup();
    // Single-copy atomic: both halves wait, or neither does.
    const first = this.#wait(slot, word);
    const second = this.#holds(slot, word + 1) ? Wait.follows : Wait.none;
    const wait = first === Wait.none ? second : first;
    this.#issue(slot, word, low, -1, group, wait);
    this.#issue(slot, word + 1, high, -1, group, wait);
  }

  beforeDeviceStore(): void {
    if (this.stores.count > 0) this.stores.drainBefore(this.stores.epoch);
    this.#countHeld();
  }

  dmb(kind: BarrierKind): void {
    this.#fold(TraceKind.Barrier, BarrierCode.Dmb, 0);
    if (kind !== 'ld') this.stores.epoch++;
    if (kind !== 'st') this.early.clear();
    this.#countHeld();
  }

  dsb(): void {
    this.#fold(TraceKind.Barrier, BarrierCode.Dsb, 0);
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
    this.#countHeld();
  }

  maintainAll(op: CacheOp): void {
    this.maintenance.all(op);
    this.#countHeld();
  }

  tlbMaintenance(op: TlbOp, operand: number, asid: number): void {
    this.maintenance.tlb(op, operand, asid);
    this.#countHeld();
  }

  readTableWord(word: number, inner: Cacheability, outer: Cacheability): number {
    const value = this.#walk(word, inner, outer);
    this.#versions?.read('walker', this.#parts.cache.core, word, value, -1);
    return value;
  }

  #walk(word: number, inner: Cacheability, outer: Cacheability): number {
    const { profile, cache, domain } = this.#parts;
    if (profile.walker === 'memory') {
      return domain.memory.readWord(word, Cacheability.none, false);
    }
    let { cluster } = cache;
    // A walk that looks into the first level is coherent: it finds the line in any cluster.
    if (profile.walker === 'l1' && inner !== Cacheability.none) {
      const holder = domain.holderOf(word);
      if (holder !== null) return holder.lines.word(holder.findPhysical(word), word);
      cluster = domain.clusterOf(word) ?? cluster;
    }
    return cluster.readWord(word, outer, true);
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
  readEarly(home: number, attributes = this.recent.attributesOf(home)): boolean {
    const isCandidate = attributes >= 0 && !this.early.has(home);
    if (!this.#parts.profile.earlyLoads || !isCandidate || this.stores.holds(home)) return false;
    // As the load would: the second level is asked first if the page is outer cacheable.
    const { cluster } = this.#parts.cache;
    this.early.set(home, cluster.readWord(home, outerOf(attributes), isShareable(attributes)));
    if (this.#shadow !== null) this.#earlyFresh.set(home, this.#shadow.last);
    this.#countHeld();
    return true;
  }

  /** A store was drained, or maintenance completed, that this CPU did not ask for (a whim). */
  refreshHeld(): void {
    this.#countHeld();
  }

  saveState(): StateValue {
    return {
      stores: this.stores.saveState(),
      maintenance: this.maintenance.saveState(),
      early: rowsState([...this.early]),
      recent: this.recent.saveState(),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the memory of a CPU');
    this.stores.restoreState(reader.value('stores'));
    this.maintenance.restoreState(reader.value('maintenance'));
    this.early.clear();
    for (const [word = 0, value = 0] of rowsOf(reader.numbers('early'), 2, 'early loads')) {
      this.early.set(word, value);
    }
    this.recent.restoreState(reader.value('recent'));
    this.#countHeld();
  }

  #countHeld(): void {
    const checks = this.#versions === null ? 0 : 1;
    this.held = this.stores.count + this.early.size + this.maintenance.pending.lines + checks;
  }

  /**
   * An access to cached memory follows this CPU's earlier maintenance of its line. Source: ARMv8 ARM
   * (DDI 0487), ordering of data cache instructions by address.
   */
  #awaitMaintenance(slot: number, word: number): void {
    const { pending } = this.maintenance;
    const { micro, cache } = this.#parts;
    if (pending.lines === 0 || (i32(micro.tag, slot) & IS_CACHED) === 0) return;
    pending.completeLine((tagWordOf(i32(micro.tag, slot)) + word) & ~(cache.lines.lineWords - 1));
    this.#countHeld();
  }

  #currentWord(slot: number, word: number, home: number): number {
    const { micro, cache } = this.#parts;
    if ((i32(micro.tag, slot) & IS_CACHED) !== 0) {
      const index = this.#cachedIndex(slot, word);
      this.#shadow?.read(cache.lines.data, index);
      return i32(cache.lines.data, index);
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
    const { profile, cache } = this.#parts;
    this.#noteNc(attributes, home);
    const present =
      profile.ncLookup === 'ignores' || !cache.used || !isNormal(attributes)
        ? NONE
        : cache.findPhysical(home);
    const value =
      present === NONE
        ? cache.cluster.readWord(home, outerOf(attributes), isShareable(attributes))
        : cache.lines.word(present, home);
    this.#fold(TraceKind.NcLoad, home, value);
    return value;
  }

  /** Whether a store is to wait: by whim, or because an older one to its word does. */
  #wait(slot: number, word: number): Wait {
    const { micro, adversary } = this.#parts;
    const { stores } = this;
    if (stores.capacity === 0 || !isNormal(i32(micro.attributes, slot))) return Wait.none;
    const cached = (i32(micro.tag, slot) & IS_CACHED) !== 0;
    if (adversary.delaysStore(cached, i32(micro.home, slot) + word)) return Wait.chosen;
    const mustFollow = adversary.storesFollow && stores.holdsEarlier;
    return mustFollow || this.#holds(slot, word) ? Wait.follows : Wait.none;
  }

  #holds(slot: number, word: number): boolean {
    return this.stores.count > 0 && this.stores.holds(i32(this.#parts.micro.home, slot) + word);
  }

  #issue(slot: number, word: number, value: number, mask: number, group: number, wait: Wait): void {
    const { micro } = this.#parts;
    const { stores } = this;
    const home = i32(micro.home, slot) + word;
    const tag = i32(micro.tag, slot);
    const attributes = i32(micro.attributes, slot);
    const cached = (tag & IS_CACHED) !== 0;
    this.#versions?.stored(home, value, mask);
    if (this.early.size > 0) this.early.delete(home);
    if (!cached) this.#noteNc(attributes, home);
    if (wait === Wait.none && stores.count > 0) {
      // Whoever sees this store sees all stores of earlier epochs, and the older ones to its word.
      stores.drainBefore(stores.epoch);
      stores.drainRange(home, home);
    }
    const indexWord = i32(micro.index, slot) + word;
    const tagWord = tagWordOf(tag) + word;
    const entry = stores.write(home, tagWord, indexWord, attributes, cached, value, mask);
    if (wait === Wait.none) this.#drained(entry);
    else stores.push(group, wait === Wait.follows && this.#parts.adversary.storesFollow);
    this.#countHeld();
  }

  /** The store of a slot of the buffer reaches what it is bound for. */
  #drained(entry: number): void {
    const { stores } = this;
    if (i32(stores.cached, entry) === 0) this.#storeUncached(entry);
    else if (innerOf(i32(stores.attributes, entry)) >= Cacheability.writeBack) {
      this.#storeCached(entry);
    } else this.#storeThrough(entry);
  }

  #storeCached(entry: number): void {
    const { cache } = this.#parts;
    const { lines } = cache;
    let line = this.#lineOf(entry);
    if (line === NONE) {
      const { stores } = this;
      if (innerOf(i32(stores.attributes, entry)) !== Cacheability.writeBackAllocate) {
        this.#storeBeyond(entry);
        return;
      }
      const tagWord = i32(stores.tagWord, entry);
      const indexWord = i32(stores.indexWord, entry);
      line = cache.fill(tagWord, indexWord, i32(stores.word, entry), true);
    } else {
      cache.own(line);
      lines.touch(line);
    }
    this.#mergeInto(line, entry);
    lines.setFlag(line, DIRTY);
  }

  /** Write-through: a present line is updated and stays clean, the next level gets the word. */
  #storeThrough(entry: number): void {
    const line = this.#lineOf(entry);
    if (line !== NONE) this.#mergeInto(line, entry);
    this.#storeBeyond(entry);
  }

  #storeBeyond(entry: number): void {
    const { cache, domain } = this.#parts;
    if (domain.isShared) domain.snoop(cache, i32(this.stores.word, entry), true);
    this.#passOn(entry);
  }

  #storeUncached(entry: number): void {
    const { profile, cache } = this.#parts;
    const word = i32(this.stores.word, entry);
    if (profile.ncLookup === 'hits' && cache.used) {
      const line = cache.findPhysical(word);
      if (line !== NONE) this.#mergeInto(line, entry);
    }
    this.#passOn(entry);
    this.#fold(TraceKind.NcStore, word, i32(this.stores.value, entry));
  }

  /** The line of the first level that a cached store hits, or NONE. */
  #lineOf(entry: number): number {
    const { tagWord, indexWord } = this.stores;
    return this.#parts.cache.find(i32(tagWord, entry), i32(indexWord, entry));
  }

  #mergeInto(line: number, entry: number): void {
    const { word, value, mask } = this.stores;
    const { lines } = this.#parts.cache;
    const fresh = this.#shadow === null ? -1 : this.#shadow.read(value, entry);
    lines.merge(line, i32(word, entry), i32(value, entry), i32(mask, entry), fresh);
  }

  /** To the next level, under the outer cacheability of the page. */
  #passOn(entry: number): void {
    const { word, value, mask, attributes } = this.stores;
    const page = i32(attributes, entry);
    this.#parts.cache.cluster.mergeWord(
      i32(word, entry),
      i32(value, entry),
      i32(mask, entry),
      outerOf(page),
      isShareable(page),
      this.#shadow === null ? -1 : this.#shadow.read(value, entry),
      storeOrder(this.#parts.cache.core, this.stores.epochOf(entry)),
    );
  }

  #fold(kind: number, a: number, b: number): void {
    this.#parts.trace.fold(ofCpu(kind, this.#parts.cache.core), a, b);
  }

  /** Remembers an access that no first level kept for loads before their time. */
  #noteNc(attributes: number, home: number): void {
    if (isNormal(attributes)) this.recent.note(home, attributes);
  }
}
