import { KIB } from '../../../drivers/base/types/bits';
import type {
  CacheSpec,
  CoreProfile,
  Indexing,
  Inclusion,
  L1Spec,
  L2Spec,
  ProfileFigure,
} from '../profile';

/** What the cores of one architecture have in common; a core's row states what differs. */
export type Family = Omit<CoreProfile, 'name' | 'compatible' | 'midr' | 'l1d' | 'l1i'>;

/** A cache of `kib` KiB; lines in bytes, `range` the smallest and the largest size in KiB. */
export const cache = (
  kib: number,
  ways: number,
  line: number,
  range?: [number, number],
): CacheSpec => ({
  size: kib * KIB,
  sizes: range === undefined ? [kib * KIB, kib * KIB] : [range[0] * KIB, range[1] * KIB],
  ways,
  line,
});

/** As cache(), for a first-level data cache. */
export const l1 = (
  indexing: Indexing,
  kib: number,
  ways: number,
  line: number,
  range?: [number, number],
): L1Spec => ({ ...cache(kib, ways, line, range), indexing });

/** As cache(), for a second level inside the core's cluster. */
export const l2 = (
  inclusion: Inclusion,
  kib: number,
  ways: number,
  line: number,
  range?: [number, number],
  optional = false,
): L2Spec => ({ ...cache(kib, ways, line, range), inclusion, optional, sectored: false });

const LINUX_CACHEID = 'Linux arch/arm/kernel/setup.c, cacheid_init()';
const LINUX_SPECULATION = 'Linux arch/arm: streaming DMA assumes that v7 cores prefetch';

/** The sources of a family without those of figures that a core overrides: they say nothing of it. */
export const sourcesBut = (
  { sources }: Family,
  ...overridden: readonly ProfileFigure[]
): CoreProfile['sources'] => {
  const names: readonly string[] = overridden;
  return Object.fromEntries(Object.entries(sources).filter(([name]) => !names.includes(name)));
};

/** ARMv4 and v5: virtually tagged, fills only on its own misses, write-back on command. */
export const V5: Family = {
  architecture: 'v5',
  l1iIndexing: 'vivt',
  l2: null,
  tables: ['v5'],
  paBits: 32,
  multiprocessor: false,
  maintenanceBroadcast: false,
  speculativeFill: false,
  replacement: 'round-robin',
  writeAllocate: 'never',
  writeThrough: 'supported',
  ncLookup: 'ignores',
  invalidateMayWriteBack: false,
  storeBuffer: 4,
  earlyLoads: false,
  walker: 'memory',
  snoopPort: 'none',
  snoopedWrite: 'invalidates',
  sources: {
    l1iIndexing: `${LINUX_CACHEID}: VIVT before ARMv6`,
    tables: 'ARM DDI 0100I B4',
    paBits: 'ARM DDI 0100I B4.7',
    multiprocessor: 'ARM DDI 0100I',
    earlyLoads: 'ARM DDI 0100I B2: an order other than that of the program is new in ARMv6',
  },
};

/** ARMv6: virtually indexed, physically tagged; may prefetch by the book, does not in fact. */
export const V6: Family = {
  ...V5,
  architecture: 'v6',
  l1iIndexing: 'vipt',
  tables: ['v6'],
  replacement: 'round-robin',
  earlyLoads: true,
  sources: {
    l1iIndexing: `${LINUX_CACHEID}: VIPT`,
    tables: 'ARM DDI 0100I B4',
    paBits: 'ARM DDI 0100I B4.7; supersections beyond 4 GiB are not modelled',
    earlyLoads: 'ARM DDI 0100I B2',
    speculativeFill: 'Linux Kconfig ARM_DMA_MEM_BUFFERABLE: no aggressive speculative prefetch',
  },
};

export const V7: Family = {
  architecture: 'v7',
  l1iIndexing: 'vipt',
  l2: null,
  tables: ['v7'],
  paBits: 32,
  multiprocessor: true,
  maintenanceBroadcast: true,
  speculativeFill: true,
  replacement: 'random',
  writeAllocate: 'by-attribute',
  writeThrough: 'non-cacheable',
  ncLookup: 'read-hits',
  invalidateMayWriteBack: true,
  storeBuffer: 4,
  earlyLoads: true,
  walker: 'l1',
  snoopPort: 'acp',
  snoopedWrite: 'invalidates',
  sources: {
    tables: 'ARM DDI 0406C B3.5',
    paBits: 'ARM DDI 0406C B3.5; supersections beyond 4 GiB are not modelled',
    maintenanceBroadcast: 'ARM DDI 0406C B2.2.5',
    invalidateMayWriteBack: 'ARM DDI 0406C B2.2.6',
    speculativeFill: LINUX_SPECULATION,
    earlyLoads: 'ARM DDI 0406C A3.8',
  },
};

/** ARMv7 with the Large Physical Address Extension. */
export const V7_LPAE: Family = {
  ...V7,
  tables: ['lpae', 'v7'],
  paBits: 40,
  sources: { ...V7.sources, tables: 'ARM DDI 0406C B3.6', paBits: 'ARM DDI 0406C B3.6' },
};

export const V8: Family = {
  ...V7,
  architecture: 'v8',
  tables: ['v8'],
  paBits: 48,
  ncLookup: 'ignores',
  snoopPort: 'ace',
  storeBuffer: 8,
  sources: {
    tables: 'ARM DDI 0487 D8',
    paBits: 'ARM DDI 0487 D8.1: the most without FEAT_LPA',
    maintenanceBroadcast: 'ARM DDI 0487 D7.5',
    multiprocessor: 'ARM DDI 0487',
    speculativeFill: 'ARM DDI 0487 B2.3',
    earlyLoads: 'ARM DDI 0487 B2.3',
    invalidateMayWriteBack: 'ARM DDI 0487 D7.5.8',
    ncLookup: 'arm64 Linux keeps a clean cacheable alias of coherent buffers and relies on it',
  },
};

/** ARMv7-M with caches: an MPU, memory one to one. */
export const V7M: Family = {
  ...V7,
  architecture: 'v7m',
  l1iIndexing: 'pipt',
  tables: [],
  paBits: 32,
  multiprocessor: false,
  maintenanceBroadcast: false,
  walker: 'memory',
  snoopPort: 'none',
  writeThrough: 'supported',
  sources: {
    l1iIndexing: 'ARM DDI 0403: addresses are not translated',
    tables: 'ARM DDI 0403 B3.5: PMSAv7',
    paBits: 'ARM DDI 0403 B3.1',
    earlyLoads: 'ARM DDI 0403 A3.7',
  },
};
