import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { TlbOp } from '../../../drivers/base/types/isa';
import { TraceKind, ofCpu } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import type { Cluster } from '../cache/cluster';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import { NONE } from '../cache/line-cache';
import type { LineCache } from '../cache/line-cache';
import { tagWordOf } from '../micro-tlb';
import type { MicroTlb } from '../micro-tlb';
import type { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';
import type { Interest } from './interest';
import type { Leeway } from './leeway';
import { PendingOps } from './pending';
import type { PendingOp } from './pending';
import type { StoreBuffer } from './store-buffer';

export interface MaintenanceParts {
  readonly profile: CoreProfile;
  readonly micro: MicroTlb;
  readonly mmu: Mmu;
  readonly cache: DataCache;
  readonly domain: Domain;
  readonly adversary: Leeway;
  readonly trace: Trace;
  readonly interest: Interest;
  readonly invalidateTlbs: (op: TlbOp, operand: number, asid: number) => void;
}

type CachePending = Extract<PendingOp, { kind: 'cache' }>;

/** Cleans, invalidates, both: what an operation does to a line. */
const cleans = (op: CacheOp): boolean =>
  op !== CacheOp.IVAC && op !== CacheOp.ISW && op !== CacheOp.IALL;
const drops = (op: CacheOp): boolean =>
  op !== CacheOp.CVAC && op !== CacheOp.CVAU && op !== CacheOp.CSW && op !== CacheOp.CALL;

/**
 * Cache and TLB maintenance of one CPU. Operations by address reach every cache of the domain
 * where the core broadcasts them, its own cluster otherwise; to the point of coherency they go
 * through the internal second level, to the point of unification they stop before it. Those by
 * set and way are local, complete at once, and may miss a line where several cores share it.
 */
export class Maintenance implements Stateful {
  readonly pending: PendingOps;

  readonly #parts: MaintenanceParts;
  readonly #stores: StoreBuffer;
  /** Before ARMv6 an operation on a line has completed when the next instruction begins. */
  readonly #isImmediate: boolean;

  constructor(parts: MaintenanceParts, stores: StoreBuffer) {
    this.#isImmediate = ['v4', 'v5'].includes(parts.profile.architecture);
    this.#parts = parts;
    this.#stores = stores;
    this.pending = new PendingOps(op => {
      this.#perform(op);
    });
  }

  /** By address. `slot` is the micro-TLB slot of `va`, negative for an untranslated VIVT address. */
  line(op: CacheOp, va: number, slot: number): void {
    const { micro, cache, adversary, trace, interest } = this.#parts;
    // The line, not the word: two operations on one line must be recognised as such.
    const offset = Math.floor((va % PAGE_SIZE) / 4) & ~(cache.lines.lineWords - 1);
    const page = Math.floor(va / PAGE_SIZE);
    const isMapped = slot >= 0;
    const tagWord =
      offset + (isMapped ? tagWordOf(i32(micro.tag, slot)) : cache.tagWordOf(page, NONE));
    const indexWord = offset + (isMapped ? i32(micro.index, slot) : cache.indexWordOf(page, NONE));
    const home = isMapped ? offset + i32(micro.home, slot) : -1;
    trace.fold(ofCpu(TraceKind.Maintenance, cache.core), op, tagWord);
    if (home >= 0) interest.note(home);
    // Maintenance of a line follows this CPU's earlier stores to it.
    if (this.#stores.count > 0) {
      if (home < 0) this.#stores.drainAll();
      else this.#stores.drainRange(home, home + cache.lines.lineWords - 1);
    }
    const pendingOp: CachePending = { kind: 'cache', op, tagWord, indexWord, home };
    if (!this.#isImmediate && adversary.delaysMaintenance(home)) {
      this.pending.issue(pendingOp);
    } else {
      this.pending.completeLine(tagWord);
      this.#perform(pendingOp);
    }
  }

  tlb(op: TlbOp, operand: number, asid: number): void {
    const { cache, trace } = this.#parts;
    trace.foldAddress(ofCpu(TraceKind.Tlb, cache.core), operand, op | (asid << 8));
    const pendingOp: PendingOp = { kind: 'tlb', op, operand, asid };
    if (this.#parts.adversary.delaysMaintenance(-1)) this.pending.issue(pendingOp);
    else this.#perform(pendingOp);
  }

  /**
   * By set and way, of this core's first level (level 0) or its cluster's second level (1).
   * Operand as in DCISW: level in bits 3:1, set from log2(line bytes) up, way in the top bits.
   */
  setWay(op: CacheOp, operand: number): void {
    const { cache, trace } = this.#parts;
    trace.fold(ofCpu(TraceKind.Maintenance, cache.core), op, operand);
    // What a `dmb` put before it is in the cache when the operation is performed.
    this.#stores.drainBefore(this.#stores.epoch);
    const level = (operand >>> 1) & 7;
    if (level === 0) {
      for (const slot of slotsOfSetWay(cache.lines, operand)) {
        if (this.#reaches(cache.homeOf(slot), cache.lines)) this.#atFirstLevel(op, cache, slot);
      }
      return;
    }
    const { l2 } = cache.cluster;
    if (level !== 1 || l2 === null) return;
    for (const slot of slotsOfSetWay(l2, operand)) {
      if (this.#reaches(l2.firstWord(slot), l2))
        this.#atSecondLevel(op, cache.cluster, slot, false);
    }
  }

  /** The whole first level, after all stores before it: ARMv5 and ARMv6 only. */
  all(op: CacheOp): void {
    const { cache, trace } = this.#parts;
    this.#stores.drainAll();
    trace.fold(ofCpu(TraceKind.Maintenance, cache.core), op, 0);
    for (const slot of cache.lines.occupied()) this.#atFirstLevel(op, cache, slot);
  }

  completeAll(): void {
    this.pending.completeAll();
  }

  saveState(): StateValue {
    return this.pending.saveState();
  }

  restoreState(state: StateValue): void {
    this.pending.restoreState(state);
  }

  #perform(op: PendingOp): void {
    if (op.kind === 'tlb') {
      this.#parts.invalidateTlbs(op.op, op.operand, op.asid);
      return;
    }
    this.#firstLevel(op);
    if (op.op !== CacheOp.CVAU) this.#secondLevel(op);
  }

  #firstLevel(pending: CachePending): void {
    const { cache, domain, mmu } = this.#parts;
    if (cache.virtual || cache.colours > 1) {
      const slot = cache.find(pending.tagWord, pending.indexWord);
      if (slot !== NONE) this.#atFirstLevel(pending.op, cache, slot);
      return;
    }
    const reached = mmu.isBroadcast ? domain.caches : [cache];
    for (const member of reached) {
      const slot = member.used ? member.findPhysical(pending.home) : NONE;
      if (slot !== NONE) this.#atFirstLevel(pending.op, member, slot);
    }
  }

  #secondLevel(pending: CachePending): void {
    const { cache, domain, mmu } = this.#parts;
    if (pending.home < 0) return;
    const reached = mmu.isBroadcast ? domain.clusters : [cache.cluster];
    for (const cluster of reached) {
      const slot = cluster.find(pending.home);
      if (slot === NONE) continue;
      // A second-level line wider than the first level's also holds a neighbour's bytes.
      const isWider = cluster.l2 !== null && cluster.l2.lineWords > cache.lines.lineWords;
      this.#atSecondLevel(pending.op, cluster, slot, isWider);
    }
  }

  /** An operation by set and way meets the line that begins with a word: no part of it moves away. */
  #reaches(first: number, { lineWords }: LineCache): boolean {
    const { profile, cache, adversary } = this.#parts;
    if (!profile.multiprocessor) return true;
    for (let word = first; word < first + lineWords; word += cache.lines.lineWords) {
      if (adversary.passesBy(word, cache.core)) return false;
    }
    return true;
  }

  #atFirstLevel(op: CacheOp, cache: DataCache, slot: number): void {
    if (cache.lines.isDirty(slot) && this.#writesBack(op, cache.homeOf(slot))) cache.clean(slot);
    if (drops(op)) cache.discard(slot);
  }

  #atSecondLevel(op: CacheOp, cluster: Cluster, slot: number, mustKeep: boolean): void {
    const writesBack = mustKeep || this.#writesBack(op, cluster.l2?.firstWord(slot) ?? NONE);
    if (!drops(op)) cluster.clean(slot);
    else if (writesBack) cluster.evict(slot);
    else cluster.discard(slot);
  }

  #writesBack(op: CacheOp, word: number): boolean {
    const { profile, adversary } = this.#parts;
    return cleans(op) || (profile.invalidateMayWriteBack && adversary.writesBackOnInvalidate(word));
  }
}

/**
 * The slots with a line that a set/way operand names: one, or several in a cache that was given
 * more ways than it reports.
 */
function* slotsOfSetWay(lines: LineCache, operand: number): Generator<number> {
  const { ways } = lines.geometry;
  const set = (operand >>> (lines.shift + 2)) & lines.setMask;
  const named = ways === 1 ? 0 : operand >>> (32 - Math.ceil(Math.log2(ways)));
  if (named >= ways) return;
  for (let way = named; way < lines.ways; way += ways) {
    const slot = set * lines.ways + way;
    if (lines.isValid(slot)) yield slot;
  }
}
