/**
 * How DMA gets its addresses: `direct`, `strict` and `lazy` map each piece for itself; `list` and
 * `batched` all in one go, as a scatterlist and in two steps, strictly.
 */
export type IommuWay = 'direct' | 'strict' | 'lazy' | 'list' | 'batched';

/** What one mapping and its end take, behind one IOMMU. */
export interface IommuRow {
  /** `non-coherent, behind iommu@50000000` */
  readonly master: string;
  /** What it answers to. */
  readonly iommu: string;
  readonly way: IommuWay;
  /** `2 MiB in 512 pieces` */
  readonly buffer: string;
  /** What the device is programmed with. */
  readonly segments: number;
  /** Entries that a TLB needs for all of it. */
  readonly entries: number;
  readonly tableWrites: number;
  /** Invalidations that somebody waited for; not a whole number where several share one. */
  readonly flushes: number;
  /** Bytes of addresses. */
  readonly iova: number;
}

/** One buffer, mapped in the largest pages that fit and in the smallest alone. */
export interface PageSizeRow {
  readonly iommu: string;
  readonly buffer: string;
  readonly pages: 'all sizes' | 'the smallest';
  readonly entries: number;
  readonly tableWrites: number;
}

/** Who gets addresses of a small aperture, and who does not. */
export interface ExhaustionRow {
  readonly policy: string;
  readonly device: string;
  readonly asked: number;
  /** Mappings that were refused (-ENOSPC). */
  readonly refused: number;
  /** The most that were refused in a row. */
  readonly longest: number;
  readonly flushes: number;
  /** Pages that are mapped at the end and that nobody uses. */
  readonly idle: number;
}

/** What `experiment iommu --format json` prints. */
export interface IommuReport {
  readonly board: string;
  readonly model: string;
  readonly rows: readonly IommuRow[];
  readonly pageSizes: readonly PageSizeRow[];
  readonly exhaustion: readonly ExhaustionRow[];
  readonly notes: readonly string[];
}
