/*
 * What a core, its caches and its buffers may do: a row of flags per core, each with its source.
 * DESIGN terms: the profile of a core is what a run may do spontaneously, and what software must
 * therefore be prepared for.
 */

import type { Replacement } from './cache/line-cache';

export type Architecture = 'v4' | 'v5' | 'v6' | 'v7' | 'v7m' | 'v8';

/** How a cache is looked up: by virtual or physical index, virtual or physical tag. */
export type Indexing = 'vivt' | 'vipt' | 'pipt';

/** The geometry of a cache, in bytes and ways. */
export interface CacheSpec {
  /** Bytes; what a board without better knowledge gets. */
  readonly size: number;
  /** The sizes that the core was sold with: the smallest and the largest. */
  readonly sizes: readonly [number, number];
  readonly ways: number;
  readonly line: number;
}

/** A first-level data cache. */
export interface L1Spec extends CacheSpec {
  readonly indexing: Indexing;
}

/** What the second level keeps of the first: all of it, none of it, or whatever happens. */
export type Inclusion = 'inclusive' | 'exclusive' | 'neither';

/** A second level inside the core's cluster. */
export interface L2Spec extends CacheSpec {
  readonly inclusion: Inclusion;
  /** Some cores are sold without. */
  readonly optional: boolean;
  /**
   * Of lines wider than the first level's, each part of the first level's width has a dirty bit of its
   * own: a write-back overwrites no more than was written (CTR.CWG).
   */
  readonly sectored: boolean;
}

/** Formats of translation table that the core walks. */
export type TableFormat = 'v5' | 'v6' | 'v7' | 'lpae' | 'v8';

/** One core: what it has, and what its caches, buffers and walker may do. */
export interface CoreProfile {
  readonly name: string;
  /** Compatible strings of device trees that mean this core. */
  readonly compatible: readonly string[];
  readonly architecture: Architecture;
  readonly midr: number;
  /** Null: no data cache at all. */
  readonly l1d: L1Spec | null;
  readonly l1i: CacheSpec | null;
  /** How the instruction cache is looked up: what CTR.L1Ip says, where there is one. */
  readonly l1iIndexing: Indexing;
  /** Internal second level, null for a core whose second level, if any, is the SoC's. */
  readonly l2: L2Spec | null;
  /** First is the one its kernel uses; empty: an MPU, memory is mapped one to one. */
  readonly tables: readonly TableFormat[];
  /** Bits of a physical address: PARange on ARMv8, what its tables can name before. */
  readonly paBits: number;
  /** Several of it can be kept coherent in one inner-shareable domain. */
  readonly multiprocessor: boolean;
  /** Maintenance and TLB operations reach the other cores. */
  readonly maintenanceBroadcast: boolean;
  /** May fill a line of any cacheable live translation at any time. */
  readonly speculativeFill: boolean;
  readonly replacement: Replacement;
  /** A store that misses: allocates as the attribute says, or never. */
  readonly writeAllocate: 'by-attribute' | 'never';
  readonly writeThrough: 'supported' | 'non-cacheable';
  /** What a non-cacheable access does when it meets a present line. */
  readonly ncLookup: 'ignores' | 'read-hits' | 'hits';
  /** An invalidate of a dirty line may write it back first. */
  readonly invalidateMayWriteBack: boolean;
  /** Entries; stores wait there until they drain or a barrier drains them. */
  readonly storeBuffer: number;
  /** A load of normal memory may see what was there before an older load was performed. */
  readonly earlyLoads: boolean;
  /** The nearest cache that the table walker looks into, if the walk is cacheable. */
  readonly walker: 'memory' | 'l2' | 'l1';
  /** What the domain offers to masters that want to be coherent. */
  readonly snoopPort: 'none' | 'acp' | 'ace';
  /** What a snooped write leaves of a line in a first-level cache. */
  readonly snoopedWrite: 'invalidates' | 'cleans-invalidates' | 'updates';
  /** Source of each figure above; a figure without one is *assumed*. */
  readonly sources: Partial<Record<ProfileFigure, string>>;
}

export type ProfileFigure = Exclude<
  keyof CoreProfile,
  'name' | 'compatible' | 'architecture' | 'sources'
>;

/** What stands in the place of a source that nobody has looked up. */
export const ASSUMED = 'assumed';

/** Where a figure comes from: the source, or ASSUMED. */
export const figureSource = (core: CoreProfile, figure: ProfileFigure): string =>
  core.sources[figure] ?? ASSUMED;

/** Addresses are 64 bits wide. */
export const is64Bit = (core: CoreProfile): boolean => core.architecture === 'v8';

/**
 * Cache colours of the data cache: how many lines one physical line can have at once because the
 * index takes bits of the virtual address above the page. 1 means that aliases cannot differ.
 */
export const colours = (l1: L1Spec): number =>
  l1.indexing === 'pipt' ? 1 : Math.max(1, l1.size / l1.ways / 4096);
