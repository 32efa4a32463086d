import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { AccessKind } from '../../../drivers/base/types/observer';
import { PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import type { CacheGeometry } from '../cache/line-cache';
import type { LineStates } from '../coherence/line-states';
import { CLEAN, CLEAN_INVALIDATE, INVALIDATE } from '../coherence/state';
import { WATCHED } from '../coherence/verdicts';
import type { MicroTlb } from '../micro-tlb';
import type { CoreProfile } from '../profile';
import type { Aliases } from './aliases';
import type { Checker } from './checker';
import { SetWays } from './set-way';

export interface MaintenanceParts {
  readonly number: number;
  readonly profile: CoreProfile;
  readonly micro: MicroTlb;
  readonly ram: Ram;
  readonly checker: Checker;
  readonly aliases: Aliases;
  /** Caches of the core by level, for maintenance by set and way. */
  readonly levels: readonly (CacheGeometry | null)[];
}

/** Those to the point of coherency; to that of unification, nothing changes that others can tell. */
const ACCESS_OF: Readonly<Partial<Record<CacheOp, AccessKind>>> = {
  [CacheOp.IVAC]: 'invalidate',
  [CacheOp.CVAC]: 'clean',
  [CacheOp.CIVAC]: 'clean+invalidate',
};

/** Cache maintenance of one CPU of a checked machine: what it does to the states of lines. */
export class CheckedMaintenance {
  readonly #parts: MaintenanceParts;
  readonly #lines: LineStates;
  readonly #setWays: SetWays;
  /** This CPU has reached memory through its caches: until then there is nothing in them. */
  #hasCached = false;
  /** On a core that fills nothing unasked: frames of which a first level may hold lines. */
  readonly #cachedFrames = new Set<number>();

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
    this.#lines = parts.checker.lines;
    this.#setWays = new SetWays(parts.levels);
  }

  /** The CPU is about to reach a frame through its caches. */
  noteCached(frame: number): void {
    this.#hasCached = true;
    if (!this.#lines.sets.profile.speculativeFill) this.#cachedFrames.add(frame);
  }

  /** By address; `slot` is negative where a virtual tag needs no translation. */
  line(op: CacheOp, va: number, slot: number): void {
    const { micro, aliases, profile, checker } = this.#parts;
    const access = ACCESS_OF[op];
    if (access === undefined) return;
    const page = Math.floor(va / PAGE_SIZE);
    const inPage = Math.floor((va % PAGE_SIZE) / 4);
    if (profile.l1d?.indexing === 'vivt') {
      // Whatever a line with this tag is of: the page may have been mapped elsewhere before.
      for (const { frame, alias } of aliases.namedBy(page)) {
        this.#maintain(op, access, (frame << PAGE_WORDS_SHIFT) + inPage, alias);
      }
      return;
    }
    const home = i32(micro.home, slot) + inPage;
    const alias = aliases.find(home >>> PAGE_WORDS_SHIFT, page);
    if (alias >= 0) this.#maintain(op, access, home, alias);
    else checker.touch(home >>> PAGE_WORDS_SHIFT);
  }

  setWay(op: CacheOp, operand: number): void {
    // What a `dmb` put before it is in the cache when the operation is performed.
    this.#lines.barriers.deviceStore(this.#parts.number);
    if (this.#hasCached) this.#setWays.issue(op, operand);
  }

  /** The whole first level, after all stores before it: ARMv5 and ARMv6 only. */
  all(op: CacheOp): void {
    const { checker, number, micro } = this.#parts;
    this.#lines.barriers.orderStores(number);
    this.#lines.barriers.deviceStore(number);
    if (!this.#hasCached) return;
    const visit = (line: number): void => {
      this.#bySetWay(op, line);
    };
    if (this.#lines.sets.profile.speculativeFill) {
      checker.eachLine(visit);
      return;
    }
    for (const frame of this.#cachedFrames) checker.eachLineOf(frame, visit);
    if (op === CacheOp.CALL) return;
    // Whatever is used from now on is noted again.
    this.#cachedFrames.clear();
    micro.flush();
  }

  /** The barrier that completes operations by set and way. */
  complete(): void {
    const { levels, checker, ram } = this.#parts;
    for (const { op, level, sets, setCount } of this.#setWays.take()) {
      // What leaves the first of two levels is still in the core.
      const isLast = levels[level + 1] === undefined || levels[level + 1] === null;
      if (!isLast && op !== CacheOp.ISW) continue;
      const bytes = levels[level]?.line ?? checker.lineBytes;
      checker.eachLine(line => {
        const set = Math.floor(ram.addressOf(line << checker.lineShift) / bytes) % setCount;
        if (sets.size === setCount || sets.has(set)) this.#bySetWay(op, line);
      });
    }
  }

  #maintain(op: CacheOp, access: AccessKind, home: number, alias: number): void {
    const { checker, number } = this.#parts;
    checker.touch(home >>> PAGE_WORDS_SHIFT);
    const line = checker.lineOf(home);
    checker.beforeOuter(line);
    checker.maintained(line);
    const verdict = this.#lines.maintain(line, operationOf(op), alias, number);
    if (verdict !== 0) {
      checker.told(verdict, number, access, line << checker.lineShift, 0, checker.lineBytes);
    }
  }

  #bySetWay(op: CacheOp, line: number): void {
    const { checker, number } = this.#parts;
    checker.maintained(line);
    // Not of any range that somebody watches: it is of all there is.
    const verdict = this.#lines.maintainSetWay(line, operationOf(op)) & ~WATCHED;
    if (verdict === 0) return;
    const access = operationOf(op) === INVALIDATE ? 'invalidate' : 'clean+invalidate';
    checker.told(verdict, number, access, line << checker.lineShift, 0, checker.lineBytes);
  }
}

/** What an operation does to a line, as LineStates has it. */
const operationOf = (op: CacheOp): number => {
  switch (op) {
    case CacheOp.IVAC:
    case CacheOp.ISW:
    case CacheOp.IALL:
      return INVALIDATE;
    case CacheOp.CVAC:
    case CacheOp.CVAU:
    case CacheOp.CSW:
    case CacheOp.CALL:
      return CLEAN;
    default:
      return CLEAN_INVALIDATE;
  }
};
