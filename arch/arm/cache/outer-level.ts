import type { CacheGeometry } from './line-cache';

/** What maintenance does to a line: writes it back if it is dirty, drops it, or both in that order. */
export type LineMaintenance = 'invalidate' | 'clean' | 'clean-invalidate';

/** A cache outside the cores as its controller drives it. */
export interface OuterLevel {
  readonly geometry: CacheGeometry;
  /** It is looked up. */
  enabled: boolean;
  /** Non-cacheable shared accesses hit in lines that are present. */
  ncHits: boolean;
  /** Maintenance of the line of a physical word. */
  maintainLine(operation: LineMaintenance, word: number): void;
  /** Maintenance of all lines in the ways of a mask. */
  maintainWays(operation: LineMaintenance, ways: number): void;
  /** Cache sync: no write waits in the buffers when it returns. */
  drainAll(): void;
}
