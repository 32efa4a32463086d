/*
 * What every model of an IOMMU tells of the transactions that pass it.
 */

/** Where a transaction is, and whose it is. */
export interface IommuAccess {
  /** Name of the IOMMU. */
  readonly iommu: string;
  readonly master: string;
  /** As the IOMMU numbers what it can tell apart. */
  readonly stream: number;
  readonly address: number;
  readonly write: boolean;
}

/**
 * What an IOMMU kept and memory has no more: a translation, a step of a table walk, or what it is
 * told of a stream in tables of its own.
 */
export type KeptKind = 'translation' | 'walk' | 'configuration';

/** A transaction that might have used something that the IOMMU kept and should have forgotten. */
export interface StaleEntry extends IommuAccess {
  readonly what: KeptKind;
  /** Where the transaction goes by what was kept, and by what memory has; null: nowhere. */
  readonly older: number | null;
  readonly newer: number | null;
}

/**
 * Told before a transaction goes its way. True: it goes by what was kept; only whoever replays a
 * schedule wants that.
 */
export type StaleEntrySink = (stale: StaleEntry) => boolean;

/**
 * By what a walk may begin or go on in a table: what the IOMMU is told of where tables are, or a step
 * that it kept.
 */
export type TableUse = 'root' | 'step';

/** Why a transaction was not let through. */
export type RefusalCause =
  /** The stream is set to abort, or is none that the IOMMU knows. */
  | 'abort'
  /** Beyond what the table covers. */
  | 'aperture'
  /** No valid entry. */
  | 'translation'
  /** The entry does not permit it. */
  | 'permission'
  | 'access-flag'
  /** The entry leads further than the IOMMU has address bits. */
  | 'address-size'
  /** Nobody answers where a table should be. */
  | 'walk'
  /** What the IOMMU is told of the stream in memory makes no sense. */
  | 'configuration'
  /** It waited for the software, which terminated it. */
  | 'stalled-terminated';

/** A transaction that was not let through. */
export interface RefusedAccess extends IommuAccess {
  readonly cause: RefusalCause;
}
