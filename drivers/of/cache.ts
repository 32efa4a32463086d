import type { Phandles } from './phandle';
import { ofParsePhandle } from './phandle';
import type { OfResource } from './address';
import { ofResources } from './address';
import type { From } from './property';
import { from, ofDeviceIsCompatible } from './property';
import type { DeviceTree, DtNode } from './tree';

/*
 * Caches as a tree describes them: raw values, each with where it stands. Whether they make sense
 * is judged where they are used. Linux 6.1: drivers/base/cacheinfo.c, arch/arm/mm/cache-l2x0.c.
 */

/** A value, and the property it was read from. */
export interface Sourced<T> {
  readonly value: T;
  readonly from: From;
}

/** In bytes and sets, as written; null: not said. The associativity follows. */
export interface CacheGeometry {
  readonly size: Sourced<number> | null;
  readonly lineSize: Sourced<number> | null;
  readonly sets: Sourced<number> | null;
}

/** The caches described in a cpu node itself. */
export interface L1Caches {
  readonly instruction: CacheGeometry;
  readonly data: CacheGeometry;
  /** `cache-size` and its kin, for a level that is not split. */
  readonly unified: CacheGeometry;
  readonly isUnified: Sourced<true> | null;
}

/** A cache with a node of its own. */
export interface OfCache {
  readonly node: DtNode;
  readonly level: Sourced<number> | null;
  readonly isUnified: Sourced<true> | null;
  readonly geometry: CacheGeometry;
}

/** Prefixes of cache_type_info[]. */
type CachePrefix = '' | 'i-' | 'd-';

/** A property's first cell and where it stands, from the first of the names that is there. */
const sourcedU32 = (node: DtNode, ...names: string[]): Sourced<number> | null => {
  for (const name of names) {
    const value = node.u32(name);
    if (value !== undefined) return { value, from: from(node, name) };
  }
  return null;
};

const sourcedFlag = (node: DtNode, name: string): Sourced<true> | null =>
  node.has(name) ? { value: true, from: from(node, name) } : null;

/** `-line-size` comes before `-block-size`. Linux: cache_of_set_props(). */
const geometryOf = (node: DtNode, prefix: CachePrefix): CacheGeometry => ({
  size: sourcedU32(node, `${prefix}cache-size`),
  lineSize: sourcedU32(node, `${prefix}cache-line-size`, `${prefix}cache-block-size`),
  sets: sourcedU32(node, `${prefix}cache-sets`),
});

/**
 * What a cpu node says of its own caches; null where it does not. InputError for a property of the
 * wrong shape. Linux: cache_of_set_props() of drivers/base/cacheinfo.c.
 */
export const ofL1Caches = (cpu: DtNode): L1Caches => ({
  instruction: geometryOf(cpu, 'i-'),
  data: geometryOf(cpu, 'd-'),
  unified: geometryOf(cpu, ''),
  isUnified: sourcedFlag(cpu, 'cache-unified'),
});

/** The next level of a cpu or cache node: `l2-cache`, else `next-level-cache`.
 *  Linux: of_find_next_cache_node(). */
export const ofFindNextCacheNode = (node: DtNode, phandles: Phandles): DtNode | undefined =>
  ofParsePhandle(node, 'l2-cache', 0, phandles) ??
  ofParsePhandle(node, 'next-level-cache', 0, phandles);

/** CLIDR has room for seven levels in all; a longer chain is one that leads in a circle. */
const MOST_LEVELS = 7;

/** The caches beyond a cpu's own, nearest first. InputError if they lead in a circle, in which
 *  Linux would stay. */
export const ofCacheChain = (cpu: DtNode, phandles: Phandles): OfCache[] => {
  const chain: OfCache[] = [];
  let node = ofFindNextCacheNode(cpu, phandles);
  while (node !== undefined) {
    if (chain.length === MOST_LEVELS) {
      throw node.problem('next-level-cache', `at most ${MOST_LEVELS} levels`, 'a circle or more');
    }
    chain.push(ofCache(node));
    node = ofFindNextCacheNode(node, phandles);
  }
  return chain;
};

const ofCache = (node: DtNode): OfCache => ({
  node,
  level: sourcedU32(node, 'cache-level'),
  isUnified: sourcedFlag(node, 'cache-unified'),
  geometry: geometryOf(node, ''),
});

/** Cache controllers that stand outside the core and are driven by their registers. */
const EXTERNAL_CACHES = [
  'arm,l210-cache',
  'arm,l220-cache',
  'arm,pl310-cache',
  'brcm,bcm11351-a2-pl310-cache',
  'bcm,bcm11351-a2-pl310-cache',
  'marvell,aurora-outer-cache',
  'marvell,aurora-system-cache',
  'marvell,tauros3-cache',
  'marvell,tauros2-cache',
  'marvell,feroceon-cache',
  'marvell,kirkwood-cache',
  'socionext,uniphier-system-cache',
] as const;

export type ExternalCacheKind = (typeof EXTERNAL_CACHES)[number];

/** Properties of these controllers' bindings that say how they behave; values are cells. */
const CONTROL_PROPERTIES = [
  'arm,data-latency',
  'arm,tag-latency',
  'arm,dirty-latency',
  'arm,filter-ranges',
  'arm,io-coherent',
  'arm,outer-sync-disable',
  'arm,shared-override',
  'arm,parity-enable',
  'arm,parity-disable',
  'arm,early-bresp-disable',
  'arm,full-line-zero-disable',
  'arm,double-linefill',
  'arm,double-linefill-incr',
  'arm,double-linefill-wrap',
  'arm,prefetch-drop',
  'arm,prefetch-offset',
  'arm,dynamic-clock-gating',
  'arm,standby-mode',
  'prefetch-data',
  'prefetch-instr',
  'cache-id-part',
  'wt-override',
  'marvell,ecc-enable',
  'marvell,tauros2-cache-features',
] as const;

export type CacheControlProperty = (typeof CONTROL_PROPERTIES)[number];

/** A cache outside the cores that has registers of its own, such as a PL310. */
export interface ExternalCache extends OfCache {
  /** The compatible string that matched. */
  readonly kind: ExternalCacheKind;
  /** Its registers in CPU addresses; undefined if they do not translate, and then Linux leaves
   *  the cache alone. */
  readonly registers: OfResource | undefined;
  /** Cells of each property that is there; a flag has none. */
  readonly control: ReadonlyMap<CacheControlProperty, Sourced<readonly number[]>>;
}

/**
 * The cache controllers of a tree in tree order, whatever their status, which their drivers do
 * not ask for. Of several, Linux drives the first. Linux: l2x0_of_init() and its like.
 */
export const ofExternalCaches = (tree: DeviceTree): ExternalCache[] => {
  const caches: ExternalCache[] = [];
  for (const node of tree.root.walk()) {
    const kind = EXTERNAL_CACHES.find(name => ofDeviceIsCompatible(node, name));
    if (kind === undefined) continue;
    const control = new Map<CacheControlProperty, Sourced<readonly number[]>>();
    for (const name of CONTROL_PROPERTIES) {
      const value = node.cells(name);
      if (value !== undefined) control.set(name, { value, from: from(node, name) });
    }
    caches.push({ ...ofCache(node), kind, registers: ofResources(node)[0], control });
  }
  return caches;
};
