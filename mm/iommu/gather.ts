/**
 * What was unmapped and has not been invalidated yet (struct iommu_iotlb_gather): addresses from
 * `start` to `end`, both included, in pages of one size.
 */
export interface IotlbGather {
  start: number;
  end: number;
  /** Bytes; 0: nothing was gathered. */
  pageSize: number;
  /** The invalidation is somebody else's, later, of everything: none need be made now. */
  readonly isQueued: boolean;
}

/** An empty one (iommu_iotlb_gather_init). */
export const newGather = (isQueued = false): IotlbGather => ({
  start: Infinity,
  end: -1,
  pageSize: 0,
  isQueued,
});

/** Nothing is gathered any more. */
export const resetGather = (gather: IotlbGather): void => {
  gather.start = Infinity;
  gather.end = -1;
  gather.pageSize = 0;
};

/** Adds addresses (iommu_iotlb_gather_add_range). */
export const gatherAddRange = (gather: IotlbGather, iova: number, size: number): void => {
  gather.start = Math.min(gather.start, iova);
  gather.end = Math.max(gather.end, iova + size - 1);
};

/** True if something lies between these addresses and the others (iommu_iotlb_gather_is_disjoint). */
export const gatherIsDisjoint = (gather: IotlbGather, iova: number, size: number): boolean =>
  gather.end >= 0 && (iova + size < gather.start || iova > gather.end + 1);

/** True if a page cannot be added before what was gathered is invalidated: no one command covers both. */
export const gatherMustSync = (
  gather: IotlbGather,
  iova: number,
  pageSize: number,
  size = pageSize,
): boolean =>
  (gather.pageSize !== 0 && gather.pageSize !== pageSize) || gatherIsDisjoint(gather, iova, size);

/**
 * Adds a page, or pages, of one size: what was gathered is invalidated first if it is of another
 * size or not next to it, as then no one command covers both (iommu_iotlb_gather_add_page).
 */
export const gatherAddPage = (
  ops: { sync(gathered: IotlbGather): void },
  gather: IotlbGather,
  iova: number,
  pageSize: number,
  count = 1,
): void => {
  const size = pageSize * count;
  if (gatherMustSync(gather, iova, pageSize, size)) {
    ops.sync(gather);
    resetGather(gather);
  }
  gather.pageSize = pageSize;
  gatherAddRange(gather, iova, size);
};
