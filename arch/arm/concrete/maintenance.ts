import { i32 } from '../../../drivers/base/types/arrays';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import { CacheOp, cacheOpName } from '../../../drivers/base/types/isa';
import type { TlbOp } from '../../../drivers/base/types/isa';
import { TraceKind } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import type { Adversary } from '../adversary/adversary';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import { NONE } from '../cache/line-cache';
import type { LineCache } from '../cache/line-cache';
import { tagWordOf } from '../micro-tlb';
import type { MicroTlb } from '../micro-tlb';
import type { CoreProfile } from '../profile';
import type { Interest } from './interest';
import { PendingOps } from './pending';
import type { PendingOp } from './pending';
import type { StoreBuffer } from './store-buffer';

export interface MaintenanceParts {
  readonly profile: CoreProfile;
  readonly micro: MicroTlb;
  readonly cache: DataCache;
  readonly domain: Domain;
  readonly adversary: Adversary;
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
 * set and way are local and complete at once.
 */
export class Maintenance {
  readonly pending: PendingOps;
  operations = 0;

  readonly #parts: MaintenanceParts;
  readonly #stores: StoreBuffer;

  constructor(parts: MaintenanceParts, stores: StoreBuffer) {
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
    const offset = Math.floor((va % 4096) / 4) & ~(cache.lines.lineWords - 1);
    const tagWord =
      slot >= 0
        ? tagWordOf(i32(micro.tag, slot)) + offset
        : cache.virtualFrame(Math.floor(va / 4096)) * 1024 + offset;
    const indexWord =
      slot >= 0
        ? i32(micro.index, slot) + offset
        : ((Math.floor(va / 4096) % 2 ** 20) << 10) + offset;
    const home = slot >= 0 ? i32(micro.home, slot) + offset : -1;
    this.operations++;
    trace.fold(TraceKind.Maintenance, op, tagWord);
    if (home >= 0) interest.note(home);
    // Maintenance of a line follows this CPU's earlier stores to it.
    if (this.#stores.count > 0 && home >= 0) {
      this.#stores.drainRange(home, home + cache.lines.lineWords - 1);
    }
    const pendingOp: CachePending = { kind: 'cache', op, tagWord, indexWord, home };
    if (adversary.delaysMaintenance()) {
      this.pending.issue(pendingOp);
    } else {
      this.pending.completeLine(pendingOp);
      this.#perform(pendingOp);
    }
  }

  tlb(op: TlbOp, operand: number, asid: number): void {
    this.operations++;
    this.#parts.trace.foldAddress(TraceKind.Tlb, operand, op);
    const pendingOp: PendingOp = { kind: 'tlb', op, operand, asid };
    if (this.#parts.adversary.delaysMaintenance()) this.pending.issue(pendingOp);
    else this.#perform(pendingOp);
  }

  /**
   * By set and way, of this core's first level (level 0) or its cluster's second level (1).
   * Operand as in DCISW: level in bits 3:1, set from log2(line bytes) up, way in the top bits.
   */
  setWay(op: CacheOp, operand: number): void {
    const { cache, trace } = this.#parts;
    this.operations++;
    trace.fold(TraceKind.Maintenance, op, operand);
    const level = (operand >>> 1) & 7;
    if (level === 0) {
      for (const slot of slotsOfSetWay(cache.lines, operand)) this.#atFirstLevel(op, cache, slot);
      return;
    }
    const { l2 } = cache.cluster;
    if (level !== 1 || l2 === null) return;
    for (const slot of slotsOfSetWay(l2, operand)) this.#atSecondLevel(op, slot);
  }

  /** The whole first level: ARMv5 and ARMv6 only. */
  all(op: CacheOp): void {
    const { cache, profile, trace } = this.#parts;
    if (profile.architecture === 'v7' || profile.architecture === 'v8') {
      throw new UnmodelledError('whole-cache operation', `${cacheOpName(op)} on ${profile.name}`);
    }
    this.operations++;
    trace.fold(TraceKind.Maintenance, op, 0);
    for (const slot of cache.lines.occupied()) this.#atFirstLevel(op, cache, slot);
  }

  completeAll(): void {
    this.pending.completeAll();
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
    const { cache, domain, profile } = this.#parts;
    if (cache.virtual || cache.colours > 1) {
      const slot = cache.find(pending.tagWord, pending.indexWord);
      if (slot !== NONE) this.#atFirstLevel(pending.op, cache, slot);
      return;
    }
    const reached = profile.maintenanceBroadcast ? domain.caches : [cache];
    for (const member of reached) {
      const slot = member.used ? member.findPhysical(pending.home) : NONE;
      if (slot !== NONE) this.#atFirstLevel(pending.op, member, slot);
    }
  }

  #secondLevel(pending: CachePending): void {
    const { cache, domain, profile } = this.#parts;
    if (pending.home < 0) return;
    const reached = profile.maintenanceBroadcast ? domain.clusters : [cache.cluster];
    for (const cluster of reached) {
      const slot = cluster.find(pending.home);
      if (slot === NONE) continue;
      // A second-level line wider than the first level's also holds a neighbour's bytes.
      const wider = cluster.l2 !== null && cluster.l2.lineWords > cache.lines.lineWords;
      if (wider || this.#writesBack(pending.op)) cluster.clean(slot);
      if (drops(pending.op)) cluster.discard(slot);
    }
  }

  #atFirstLevel(op: CacheOp, cache: DataCache, slot: number): void {
    if (cache.lines.isDirty(slot) && this.#writesBack(op)) cache.clean(slot);
    if (drops(op)) cache.discard(slot);
  }

  #atSecondLevel(op: CacheOp, slot: number): void {
    const { cluster } = this.#parts.cache;
    if (this.#writesBack(op)) cluster.clean(slot);
    if (drops(op)) cluster.discard(slot);
  }

  #writesBack(op: CacheOp): boolean {
    return (
      cleans(op) ||
      (this.#parts.profile.invalidateMayWriteBack && this.#parts.adversary.writesBackOnInvalidate())
    );
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
