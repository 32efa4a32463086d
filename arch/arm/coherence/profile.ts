import { UnmodelledError, invariant } from '../../../drivers/base/types/errors';
import { Cacheability } from '../mmu/attributes';
import { colours } from '../profile';
import type { CoreProfile } from '../profile';

/** How memory is mapped, as far as a line can tell: what each level makes of an access. */
export interface MemoryKind {
  readonly name: string;
  readonly inner: Cacheability;
  readonly outer: Cacheability;
  /** A non-cacheable access that the outer cache treats as cacheable without allocation. */
  readonly hitsOuter: boolean;
}

/** Where a store that waits is bound for: memory of a kind, through an alias of the line. */
export interface StoreTarget {
  readonly kind: MemoryKind;
  readonly alias: number;
  /** One bit if the store can make its line dirty, which other bytes of the line notice; else 0. */
  readonly dirties: number;
}

/** What an access finds of a present inner line that it does not allocate in. */
export type InnerLookup = 'misses' | 'hits' | 'either';

/** The flags of a core, its caches and its buffers that the state of a byte depends on. */
export interface CheckerProfile {
  /** Inner copies that one physical line can have at once; above 1 with virtual caches only. */
  readonly aliases: number;
  readonly hasCache: boolean;
  readonly speculativeFill: boolean;
  readonly storeBuffer: boolean;
  readonly outer: 'none' | 'inclusive' | 'exclusive';
  readonly ncLookup: CoreProfile['ncLookup'];
  /** The inner copy stands for the first levels of several CPUs, of which one looks into its own. */
  readonly severalCpus: boolean;
  /** The inner copy stands for a first and a second level, which some accesses tell apart. */
  readonly twoInnerLevels: boolean;
  readonly invalidateMayWriteBack: boolean;
  /** Maintenance by address completes some time after its issue, at `dsb` at the latest. */
  readonly pendingMaintenance: boolean;
  /** Set/way operations of the last level do what they say: one core, nobody to migrate lines to. */
  readonly setWayCounts: boolean;
  readonly walker: CoreProfile['walker'];
  /** A load of what is not cached may be performed before older ones. */
  readonly earlyLoads: boolean;
  /** What a snooped write leaves in the inner level; `none`: no master snoops. */
  readonly snoopedWrite: 'none' | 'invalidates' | 'updates';
  /** A device has a cache of its own in front of memory. */
  readonly deviceCache: boolean;
  /** Lines, a power of two, of which one that is written back may take the others along: LineShape. */
  readonly neighbours: number;
  readonly kinds: readonly MemoryKind[];
  readonly targets: readonly StoreTarget[];
}

export interface CheckerOptions {
  /** The machine has more than one CPU. */
  readonly severalCpus?: boolean;
  readonly outer?: CheckerProfile['outer'];
  readonly deviceCache?: boolean;
  readonly neighbours?: number;
  /** Aliases to tell apart in a virtual cache; what is beyond shares the last one. */
  readonly aliases?: number;
}

/** Most aliases of a line that are told apart. */
export const MAX_ALIASES = 3;

/**
 * The checker's profile of a core on a machine with this outer cache. No core has a virtual first level
 * and a physical second one that the same operations maintain.
 */
export const checkerProfile = (core: CoreProfile, options: CheckerOptions = {}): CheckerProfile => {
  const { outer = 'none', deviceCache = false, severalCpus = false } = options;
  const { neighbours = 1 } = options;
  const l1 = core.l1d;
  const isVirtual = l1 !== null && (l1.indexing === 'vivt' || colours(l1) > 1);
  const aliases = isVirtual ? (options.aliases ?? MAX_ALIASES) : 1;
  invariant(aliases >= 1 && aliases <= MAX_ALIASES, `${aliases} aliases of a line`);
  invariant(aliases === 1 || !core.speculativeFill, `${core.name}: speculation by aliases`);
  invariant(core.speculativeFill || neighbours === 1, `${core.name}: fills of wider lines`);
  const twoInnerLevels = core.l2 !== null;
  invariant(!isVirtual || !twoInnerLevels, `${core.name}: aliases meet in a second level`);
  const kinds = kindsOf(core, outer !== 'none');
  return {
    aliases,
    hasCache: l1 !== null,
    speculativeFill: core.speculativeFill && l1 !== null,
    storeBuffer: core.storeBuffer > 0,
    outer,
    ncLookup: core.ncLookup,
    severalCpus: severalCpus && core.ncLookup !== 'ignores',
    twoInnerLevels,
    invalidateMayWriteBack: core.invalidateMayWriteBack,
    pendingMaintenance: !['v4', 'v5'].includes(core.architecture),
    setWayCounts: !core.multiprocessor,
    walker: core.walker,
    earlyLoads: core.earlyLoads,
    snoopedWrite: snoopedWriteOf(core),
    deviceCache,
    neighbours,
    kinds,
    targets: targetsOf(kinds, aliases),
  };
};

/** How the lines that the checker follows lie in those of a machine. */
export interface LineShape {
  /** Bytes of a line. */
  readonly bytes: number;
  /** Lines that one write-back may take along, and so which depend on each other: 1 for none. */
  readonly neighbours: number;
}

const UNCACHED_LINE = 64;

/** What a write-back of the second level overwrites, if only one byte was written. */
const granuleOf = ({ l1d, l2 }: CoreProfile): number => {
  const own = l1d?.line ?? 0;
  return l2 === null || l2.sectored ? own : Math.max(own, l2.line);
};

/**
 * The lines of a machine with these cores: those of the first level. A second level with wider ones
 * fills and drops several together, which on a core that speculates each of them may do anyway, and
 * an operation by address cleans all of a wider line. Throws an UnmodelledError where that is
 * not so, and for first levels with lines of two lengths, which no known machine keeps coherent.
 */
export const checkedLines = (cores: readonly CoreProfile[], outer: number | null): LineShape => {
  const firsts = new Set(cores.flatMap(({ l1d }) => (l1d === null ? [] : [l1d.line])));
  const [bytes = UNCACHED_LINE] = firsts;
  if (firsts.size > 1) {
    const detail = `lines of ${[...firsts].join(' and ')} bytes in first levels of one machine`;
    throw new UnmodelledError('checking lines of two lengths', detail);
  }
  if (firsts.size > 0 && outer !== null && outer > bytes) {
    const detail = `${outer} bytes behind a first level with ${bytes}: use another adversary`;
    throw new UnmodelledError('checking wider outer lines', detail);
  }
  for (const { name, l2, speculativeFill, invalidateMayWriteBack } of cores) {
    if (l2 === null || l2.line <= bytes || (speculativeFill && invalidateMayWriteBack)) continue;
    const detail = `${name}: ${l2.line} bytes behind ${bytes}, on a core that fills nothing unasked`;
    throw new UnmodelledError('checking wider second-level lines', detail);
  }
  return { bytes, neighbours: Math.max(bytes, ...cores.map(granuleOf)) / bytes };
};

const snoopedWriteOf = ({
  snoopPort,
  snoopedWrite,
}: CoreProfile): CheckerProfile['snoopedWrite'] => {
  if (snoopPort === 'none') return 'none';
  return snoopedWrite === 'updates' ? 'updates' : 'invalidates';
};

const { none, writeThrough, writeBack, writeBackAllocate } = Cacheability;

/** The kinds of memory that a line of this core can meet. */
const kindsOf = (core: CoreProfile, hasOuter: boolean): readonly MemoryKind[] => {
  const kinds: MemoryKind[] = [];
  const add = (name: string, inner: Cacheability, outer: Cacheability, hitsOuter = false): void => {
    kinds.push({ name, inner, outer, hitsOuter });
  };
  const hasL2 = core.l2 !== null;
  if (core.l1d !== null) {
    if (core.writeAllocate !== 'never') add('allocating', writeBackAllocate, writeBackAllocate);
    else if (hasOuter) add('outer allocating', writeBack, writeBackAllocate);
    add('write-back', writeBack, writeBack);
    if (core.writeThrough === 'supported') add('write-through', writeThrough, writeThrough);
    else if (hasOuter || hasL2) add('outer write-through', none, writeThrough);
  }
  add('uncached', none, none);
  if (hasOuter) {
    add('uncached shared', none, none, true);
    if (!hasL2) add('outer only', none, writeBackAllocate);
  }
  return kinds;
};

/**
 * The number of the kind that an access is of, by the cacheability that the core makes of it;
 * -1 if lines of this profile are never mapped so. `hitsOuter` matters where nothing is cacheable.
 */
export const kindOf = (
  profile: CheckerProfile,
  inner: Cacheability,
  outer: Cacheability,
  hitsOuter: boolean,
): number => {
  const { kinds } = profile;
  const hits = profile.outer !== 'none' && hitsOuter && inner === none && outer === none;
  const exact = kinds.findIndex(
    kind => kind.inner === inner && kind.outer === outer && kind.hitsOuter === hits,
  );
  if (exact >= 0 || profile.outer !== 'none') return exact;
  // Nothing outside the core looks at the outer attribute, unless the core's second level does.
  if (inner === none && profile.twoInnerLevels) return -1;
  return kinds.findIndex(kind => kind.inner === inner);
};

const targetsOf = (kinds: readonly MemoryKind[], aliases: number): readonly StoreTarget[] => {
  const targets: StoreTarget[] = [];
  let dirties = 1;
  for (const kind of kinds) {
    const through = kind.inner === none ? 1 : aliases;
    for (let alias = 0; alias < through; alias++) {
      const isDirtying = kind.inner >= writeBack || kind.outer >= writeBack;
      targets.push({ kind, alias, dirties: isDirtying ? dirties : 0 });
      if (isDirtying) dirties *= 2;
    }
  }
  return targets;
};

/** What a load or a store of a kind that no first level keeps finds of a present inner line. */
export const innerLookup = (
  profile: CheckerProfile,
  kind: MemoryKind,
  isStore: boolean,
): InnerLookup => {
  const { ncLookup, severalCpus, twoInnerLevels } = profile;
  const atFirst = isStore ? ncLookup === 'hits' : ncLookup !== 'ignores';
  const atSecond = twoInnerLevels && kind.outer !== none;
  if (!atFirst && !atSecond) return 'misses';
  const isSure = atFirst && atSecond === twoInnerLevels && !severalCpus;
  return isSure ? 'hits' : 'either';
};
