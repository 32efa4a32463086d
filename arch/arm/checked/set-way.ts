import { UnmodelledError } from '../../../drivers/base/types/errors';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { CacheGeometry } from '../cache/line-cache';

/** A set of one level under one operation: the ways that were named so far. */
interface Named {
  readonly op: CacheOp;
  readonly level: number;
  readonly set: number;
  readonly ways: Set<number>;
}

/** Sets of a level of which all ways were named: an operation on all lines that map to them. */
export interface WholeSets {
  readonly op: CacheOp;
  readonly level: number;
  /** Of `setCount` sets. */
  readonly sets: ReadonlySet<number>;
  readonly setCount: number;
}

/**
 * Maintenance by set and way, gathered until the barrier that completes it. A machine without cache
 * arrays knows no ways: what counts is whether every way of a set was named. Cleaning some ways is
 * nothing that the cache might not have done by itself. Stores between the operations and the
 * barrier count as done before them.
 */
export class SetWays {
  readonly #geometries: readonly (CacheGeometry | null)[];
  readonly #named = new Map<number, Named>();

  /** By level: the first, and the second inside the core. */
  constructor(geometries: readonly (CacheGeometry | null)[]) {
    this.#geometries = geometries;
  }

  /** Operand as in DCISW: level in bits 3:1, set from log2(line bytes) up, way in the top bits. */
  issue(op: CacheOp, operand: number): void {
    const level = (operand >>> 1) & 7;
    const geometry = this.#geometries[level] ?? null;
    if (geometry === null) return;
    const { ways, line } = geometry;
    const set = (operand >>> Math.log2(line)) & (setsOf(geometry) - 1);
    const way = ways === 1 ? 0 : operand >>> (32 - Math.ceil(Math.log2(ways)));
    if (way >= ways) return;
    const key = (set * 8 + level) * 16 + op;
    const named = this.#named.get(key) ?? { op, level, set, ways: new Set<number>() };
    this.#named.set(key, named);
    named.ways.add(way);
  }

  /** All that was issued since the last call, by operation and level. */
  take(): readonly WholeSets[] {
    if (this.#named.size === 0) return [];
    const whole = new Map<number, { op: CacheOp; level: number; sets: Set<number> }>();
    for (const { op, level, set, ways } of this.#named.values()) {
      if (ways.size < (this.#geometries[level]?.ways ?? 0)) {
        refuseSome(op);
        continue;
      }
      const key = level * 16 + op;
      const gathered = whole.get(key) ?? { op, level, sets: new Set<number>() };
      whole.set(key, gathered);
      gathered.sets.add(set);
    }
    this.#named.clear();
    return [...whole.values()].map(each => {
      const geometry = this.#geometries[each.level] ?? null;
      return { ...each, setCount: geometry === null ? 0 : setsOf(geometry) };
    });
  }
}

const setsOf = ({ size, ways, line }: CacheGeometry): number => size / ways / line;

const refuseSome = (op: CacheOp): void => {
  if (op !== CacheOp.ISW) return;
  throw new UnmodelledError(
    'invalidation of some ways of a set',
    'a checked machine has no ways: which lines they hold is not known',
  );
};
