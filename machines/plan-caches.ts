import type { CacheGeometry as Geometry } from '../arch/arm/cache/line-cache';
import { ASSUMED, figureSource } from '../arch/arm/profile';
import type { CacheSpec, CoreProfile, Indexing } from '../arch/arm/profile';
import { KIB, MIB, isPowerOfTwo } from '../drivers/base/types/bits';
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
  readonly indexing: Indexing;
  readonly from: string;
}

/** A cache that is in the tree and not in the machine: what its node says of it, null for nothing. */
export interface UnmodelledCache {
  readonly level: number;
  readonly size: number | null;
  readonly ways: number | null;
  readonly line: number | null;
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
    indexing: indexingOf(core, which),
    from:
      fact === undefined ? `core table: ${tableSource(core, which)}` : `SoC table: ${fact.source}`,
  };
};

const indexingOf = (core: CoreProfile, which: CoreCache): Indexing => {
  if (which === 'l1d') return core.l1d?.indexing ?? 'pipt';
  return which === 'l1i' ? core.l1iIndexing : 'pipt';
};

/** The source of a row; an instruction cache's indexing has one of its own. */
const tableSource = (core: CoreProfile, which: CoreCache): string => {
  const source = figureSource(core, which);
  const isIndexingAssumed = which === 'l1i' && figureSource(core, 'l1iIndexing') === ASSUMED;
  return isIndexingAssumed && source !== ASSUMED ? `${source}, indexing ${ASSUMED}` : source;
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
 */
export const planL2 = (
  [next]: readonly OfCache[],
  core: CoreProfile,
  facts: Facts,
  notes: string[],
): CachePlan | null => {
  const plan = defaultCache(core, 'l2', facts);
  if (plan === null) return null;
  const isNamed = next !== undefined || facts.l2?.[core.name] !== undefined;
  if (core.l2?.optional === true && !isNamed) return null;
  if (next === undefined || next.geometry.size === null) return plan;
  return takeWritten(plan, next.geometry, core, 'l2', `${next.node.path}: cache-size`, notes);
};

/** The caches that a CPU's chain leads to beyond those that the machine has. */
export const planUnmodelled = (
  chain: readonly OfCache[],
  l2: CachePlan | null,
  outer: OuterPlan | null,
  notes: string[],
): UnmodelledCache[] =>
  chain.flatMap((cache, index) => {
    if ((index === 0 && l2 !== null) || cache.node === outer?.cache.node) return [];
    const plan = unmodelled(cache, index + 2);
    notes.push(`${cache.node.path}: not modelled: a cache of level ${plan.level}`);
    return [plan];
  });

const unmodelled = ({ node, level, geometry }: OfCache, position: number): UnmodelledCache => {
  const { size, lineSize: line, sets } = geometry;
  const all = size !== null && line !== null && sets !== null;
  const ways = all ? size.value / (sets.value * line.value) : 0;
  const read = [level, size, sets, line].filter(value => value !== null);
  const properties = read.map(({ from }) => from.property).join(', ');
  return {
    level: level?.value ?? position,
    size: size?.value ?? null,
    ways: Number.isInteger(ways) && ways > 0 ? ways : null,
    line: line?.value ?? null,
    from: `${node.path}: ${properties === '' ? 'no property' : properties}`,
  };
};

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
  const isTrusted = figureSource(core, which) !== ASSUMED;
  const judged = judge(written, spec, plan.geometry, isTrusted, LARGEST[which]);
  if (judged.problem !== null) notes.push(`${place}: ${judged.problem}`);
  return {
    ...plan,
    geometry: judged.geometry,
    from: judged.whole ? place : `${place}, ${plan.from}`,
  };
};

/** More than any core has, in bytes: a tree cannot make the bench allocate more. */
const LARGEST: Readonly<Record<CoreCache, number>> = { l1d: 4 * MIB, l1i: 4 * MIB, l2: 64 * MIB };

/** What CCSIDR can say of a cache (ARM DDI 0406C B4.1.19). */
const MOST_SETS = 2 ** 15;
const MOST_WAYS = 2 ** 10;
/** Linux aligns DMA memory to no more (arm64's ARCH_DMA_MINALIGN). */
const LONGEST_LINE = 128;

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
  largest: number,
): Judged => {
  const size = written.size?.value ?? usual.size;
  const line = written.lineSize?.value ?? spec.line;
  const [least, most] = spec.sizes;
  const table = (problem: string | null): Judged => {
    const fits = size >= least && size <= most && isPowerOfTwo(size / (usual.ways * usual.line));
    return { geometry: fits ? { ...usual, size } : usual, whole: false, problem };
  };
  if (size > largest || (isTrusted && (size < least || size > most))) {
    return table(`${size} bytes, which this core does not come with; the table is used`);
  }
  if (isTrusted && line !== spec.line) {
    return table(`lines of ${line} bytes, where the core has ${spec.line}; the table is used`);
  }
  if (written.sets === null || written.sets.value === 0) return table(null);
  const { value: sets } = written.sets;
  const ways = size / (sets * line);
  const isPossible = isGeometry(sets, line, ways);
  if (!isPossible) return table(`${sets} sets of ${line}-byte lines do not make ${size} bytes`);
  if (isTrusted && ways !== spec.ways) {
    return table(`${ways} ways, where the core has ${spec.ways}; the table is used`);
  }
  return { geometry: { size, ways, line }, whole: true, problem: null };
};

const isGeometry = (sets: number, line: number, ways: number): boolean =>
  isPowerOfTwo(sets) &&
  sets <= MOST_SETS &&
  isPowerOfTwo(line) &&
  line >= 16 &&
  line <= LONGEST_LINE &&
  Number.isInteger(ways) &&
  ways >= 1 &&
  ways <= MOST_WAYS;

const OUTER_DEFAULT: Geometry = { size: 0x8_0000, ways: 8, line: 32 };

/** The cache outside the cores: as its node says, else the SoC's. Of several Linux drives one. */
export const planOuter = (tree: DeviceTree, facts: Facts): OuterPlan | null => {
  const [cache] = ofExternalCaches(tree);
  if (cache === undefined) return null;
  const isPl310 = PL310_COMPATIBLE.includes(cache.kind);
  const written = writtenOuter(cache);
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

/** Bytes of one way of a PL310: what AUX_CTRL can say (ARM DDI 0246). */
const PL310_WAY_SIZES = [16 * KIB, 512 * KIB] as const;

/**
 * Size and sets are both needed, as the controller's own idea of its ways is not in the tree. A
 * PL310 has 8 or 16 ways and lines of 32 bytes: InputError for ways of a size that it has not.
 * Linux: l2x0_cache_size_of_parse().
 */
const writtenOuter = ({ node, geometry, kind }: ExternalCache): Geometry | null => {
  const { size, sets, lineSize } = geometry;
  const isPl310 = PL310_COMPATIBLE.includes(kind);
  if (size === null || sets === null) return null;
  const line = isPl310 ? 32 : (lineSize?.value ?? 32);
  const ways = size.value / (sets.value * line);
  const isPossible =
    isPowerOfTwo(sets.value) &&
    isPowerOfTwo(line) &&
    (isPl310 ? ways === 8 || ways === 16 : Number.isInteger(ways) && ways >= 1);
  if (!isPossible) return null;
  const [least, most] = PL310_WAY_SIZES;
  const way = size.value / ways;
  if (isPl310 && (way < least || way > most)) {
    const expected = `${ways} ways of ${least / KIB} to ${most / KIB} KiB`;
    throw node.problem(size.from.property, expected, `ways of ${way / KIB} KiB`);
  }
  return { size: size.value, ways, line };
};
