import type { CacheGeometry } from '../../arch/arm/cache/line-cache';
import { coreNamed } from '../../arch/arm/cores';
import { ASSUMED } from '../../arch/arm/profile';
import type { CacheSpec } from '../../arch/arm/profile';
import { KIB } from '../../drivers/base/types/bits';
import { invariant } from '../../drivers/base/types/errors';

/** A figure of a table, and where it is from. */
export interface Fact<Value> {
  readonly value: Value;
  /** Where it is from; `assumed` if nobody has looked it up. */
  readonly source: string;
}

/** A cache of each core that is named: a name of the core table. */
export type ByCore = Readonly<Record<string, Fact<CacheGeometry>>>;

/** What the tables know of a SoC that its trees do not say. */
export interface Facts {
  /** Core of a tree that has no cpu node, or none that says what it is: as the table calls it. */
  readonly core?: Fact<string>;
  /** First-level data cache, where it is not the core's usual one. */
  readonly l1d?: ByCore;
  /** Second level inside the core's cluster; a core that has it as an option has none without. */
  readonly l2?: ByCore;
  /** The cache outside the cores. */
  readonly outer?: Fact<CacheGeometry>;
  /** Where DRAM starts, for a tree whose boot loader fills in the memory node. */
  readonly dram?: Fact<number>;
}

/** One entry a SoC, or a family of them. */
export interface Soc {
  /** Any of these in the root's `compatible`. */
  readonly compatible: readonly string[];
  readonly facts: Facts;
}

/** Caches by SoC, with the data sheets they are from: pytorch/cpuinfo, src/arm/cache.c. */
export const CPUINFO = 'data sheet, by way of cpuinfo src/arm/cache.c';
/** What Linux prints of a PL310 when it starts it, read from its auxiliary control register. */
export const BOOT_LOG = 'boot log: L2C-310 cache controller enabled';
/** A later tree of the same SoC says it. */
export const LINUX_6_12 = 'device tree of Linux 6.12: cache-size';
/** The SDRAM base of the SoC's boards in U-Boot. */
export const U_BOOT = 'U-Boot: CFG_SYS_SDRAM_BASE';
/** The memory nodes of all other boards of the SoC agree on it. */
export const OTHER_BOARDS = 'memory nodes of other boards of the SoC';

/** A figure; `assumed` without a source. */
export const fact = <Value>(value: Value, source: string = ASSUMED): Fact<Value> => ({
  value,
  source,
});

/** Where a SoC's RAM starts, for trees whose memory node is left to the boot loader. */
export const dram = (base: number, source: string = ASSUMED): Pick<Facts, 'dram'> => ({
  dram: fact(base, source),
});

/** A PL310, or one of its kin with its line size. */
export const pl310 = (
  kib: number,
  ways: number,
  source: string = ASSUMED,
): Pick<Facts, 'outer'> => ({ outer: fact({ size: kib * KIB, ways, line: 32 }, source) });

const sized = (core: string, spec: CacheSpec | null, kib: number, source: string): ByCore => {
  invariant(spec !== null, `${core} has such a cache`);
  return { [core]: fact({ size: kib * KIB, ways: spec.ways, line: spec.line }, source) };
};

/** The second level of a core that is in the table, with the ways and lines it has there. */
export const l2 = (core: string, kib: number, source: string = ASSUMED): ByCore =>
  sized(core, coreNamed(core).l2, kib, source);

/** Likewise its first-level data cache. */
export const l1d = (core: string, kib: number, source: string = ASSUMED): ByCore =>
  sized(core, coreNamed(core).l1d, kib, source);
