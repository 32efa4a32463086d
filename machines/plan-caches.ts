import type { CacheGeometry as Geometry } from '../arch/arm/cache/line-cache';
import { ASSUMED, figureSource } from '../arch/arm/profile';
import type { CacheSpec, CoreProfile } from '../arch/arm/profile';
import { isPowerOfTwo } from '../drivers/base/types/bits';
import type { CacheGeometry as OfGeometry, ExternalCache, OfCache } from '../drivers/of/cache';
import { ofExternalCaches } from '../drivers/of/cache';
import type { OfCpu } from '../drivers/of/cpu';
import type { DeviceTree } from '../drivers/of/tree';
import { PL310_COMPATIBLE } from './models';
import type { Facts } from './soc-facts';

/** A cache of a machine: its geometry and where that is from. */
export interface CachePlan {
  readonly level: number;
  readonly type: 'data' | 'instruction' | 'unified';
  readonly geometry: Geometry;
  readonly indexing: 'vivt' | 'vipt' | 'pipt';
  readonly from: string;
}

/** The cache outside the cores; `driven` if dmabench models its controller. */
export interface OuterPlan {
  readonly cache: ExternalCache;
  readonly plan: CachePlan;
  readonly driven: boolean;
}

export type CoreCache = 'l1d' | 'l1i' | 'l2';

const LEVEL = { l1d: 1, l1i: 1, l2: 2 } as const;
const TYPE = { l1d: 'data', l1i: 'instruction', l2: 'unified' } as const;

/** A core's cache where the tree says nothing: the SoC's, else the core's usual. */
export const defaultCache = (
  core: CoreProfile,
  which: CoreCache,
  facts: Facts,
): CachePlan | null => {
  const spec = core[which];
  if (spec === null) return null;
  const fact = which === 'l1i' ? undefined : facts[which]?.[core.name];
  const { size, ways, line } = spec;
  return {
    level: LEVEL[which],
    type: TYPE[which],
    geometry: fact?.value ?? { size, ways, line },
    indexing: which === 'l1d' ? (core.l1d?.indexing ?? 'pipt') : 'pipt',
    from:
      fact === undefined ? `core table: ${figureSource(core, which)}` : `SoC table: ${fact.source}`,
  };
};

/** A first-level cache, as the cpu node says. */
export const planL1 = (
  cpu: OfCpu,
  core: CoreProfile,
  which: 'l1d' | 'l1i',
  facts: Facts,
  notes: string[],
): CachePlan | null => {
  const written = which === 'l1d' ? cpu.l1.data : cpu.l1.instruction;
  const source = written.size ?? cpu.l1.unified.size;
  const plan = defaultCache(core, which, facts);
  if (source === null || plan === null) return plan;
  const shape = written.size === null ? cpu.l1.unified : written;
  return takeWritten(plan, shape, core, which, `${cpu.node.path}: ${source.from.property}`, notes);
};

/**
 * The second level of a cluster, of the caches beyond its cores the nearest: as its node says,
 * else the SoC's, else the core's usual. A core that is also sold without one, in a tree and a
 * SoC that name none, has none.
 *
 * Not modelled: the levels beyond.
 */
export const planL2 = (
  [next, beyond]: readonly OfCache[],
  core: CoreProfile,
  facts: Facts,
  notes: string[],
): CachePlan | null => {
  const plan = defaultCache(core, 'l2', facts);
  if (plan === null) return null;
  const isNamed = next !== undefined || facts.l2?.[core.name] !== undefined;
  if (core.l2?.optional === true && !isNamed) return null;
  if (beyond !== undefined) notes.push(`${beyond.node.path}: not modelled: ${levelOf(beyond)}`);
  if (next === undefined || next.geometry.size === null) return plan;
  return takeWritten(plan, next.geometry, core, 'l2', `${next.node.path}: cache-size`, notes);
};

const levelOf = ({ level }: OfCache): string =>
  level === null ? 'a cache beyond the second level' : `a cache of level ${level.value}`;

const takeWritten = (
  plan: CachePlan,
  written: OfGeometry,
  core: CoreProfile,
  which: CoreCache,
  place: string,
  notes: string[],
): CachePlan => {
  const spec = core[which];
  if (spec === null) return plan;
  const judged = judge(written, spec, plan.geometry, figureSource(core, which) !== ASSUMED);
  if (judged.problem !== null) notes.push(`${place}: ${judged.problem}`);
  return {
    ...plan,
    geometry: judged.geometry,
    from: judged.whole ? place : `${place}, ${plan.from}`,
  };
};

interface Judged {
  readonly geometry: Geometry;
  /** All of it is the tree's. */
  readonly whole: boolean;
  readonly problem: string | null;
}

/**
 * The tree's geometry where it can be the core's. Where they contradict, a row of the core table
 * that has a source wins over the tree; one that is assumed does not.
 */
const judge = (
  written: OfGeometry,
  spec: CacheSpec,
  usual: Geometry,
  isTrusted: boolean,
): Judged => {
  const size = written.size?.value ?? usual.size;
  const line = written.lineSize?.value ?? spec.line;
  const [least, most] = spec.sizes;
  const table = (problem: string | null): Judged => {
    const fits = size >= least && size <= most && isPowerOfTwo(size / (usual.ways * usual.line));
    return { geometry: fits ? { ...usual, size } : usual, whole: false, problem };
  };
  if (isTrusted && (size < least || size > most)) {
    return table(`${size} bytes, which this core does not come with; the table is used`);
  }
  if (isTrusted && line !== spec.line) {
    return table(`lines of ${line} bytes, where the core has ${spec.line}; the table is used`);
  }
  if (written.sets === null || written.sets.value === 0) return table(null);
  const { value: sets } = written.sets;
  const ways = size / (sets * line);
  const isPossible =
    isPowerOfTwo(sets) && isPowerOfTwo(line) && line >= 16 && Number.isInteger(ways) && ways >= 1;
  if (!isPossible) return table(`${sets} sets of ${line}-byte lines do not make ${size} bytes`);
  if (isTrusted && ways !== spec.ways) {
    return table(`${ways} ways, where the core has ${spec.ways}; the table is used`);
  }
  return { geometry: { size, ways, line }, whole: true, problem: null };
};

const OUTER_DEFAULT: Geometry = { size: 0x8_0000, ways: 8, line: 32 };

/** The cache outside the cores: as its node says, else the SoC's. Of several Linux drives one. */
export const planOuter = (tree: DeviceTree, facts: Facts): OuterPlan | null => {
  const [cache] = ofExternalCaches(tree);
  if (cache === undefined) return null;
  const isPl310 = PL310_COMPATIBLE.includes(cache.kind);
  const written = writtenOuter(cache.geometry, isPl310);
  const source = facts.outer === undefined ? ASSUMED : `SoC table: ${facts.outer.source}`;
  return {
    cache,
    driven: isPl310 && cache.registers !== undefined,
    plan: {
      level: cache.level?.value ?? 2,
      type: 'unified',
      geometry: written ?? facts.outer?.value ?? OUTER_DEFAULT,
      indexing: 'pipt',
      from: written === null ? source : `${cache.node.path}: cache-size`,
    },
  };
};

/**
 * Size and sets are both needed, as the controller's own idea of its ways is not in the tree. A
 * PL310 has 8 or 16 ways and lines of 32 bytes. Linux: l2x0_cache_size_of_parse().
 */
const writtenOuter = ({ size, sets, lineSize }: OfGeometry, isPl310: boolean): Geometry | null => {
  if (size === null || sets === null) return null;
  const line = isPl310 ? 32 : (lineSize?.value ?? 32);
  const ways = size.value / (sets.value * line);
  const isPossible =
    isPowerOfTwo(sets.value) &&
    isPowerOfTwo(line) &&
    (isPl310 ? ways === 8 || ways === 16 : Number.isInteger(ways) && ways >= 1);
  return isPossible ? { size: size.value, ways, line } : null;
};
