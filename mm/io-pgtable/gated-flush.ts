import { gatherMustSync, resetGather } from '../iommu/gather';
import type { TableMemory } from '../iommu/types';
import type { PgtableFlush } from './types';

/**
 * The same, each invalidation that somebody waits for told to the core first, which counts it and
 * may have it left out: those that a table makes by itself, as those that the core asks for.
 */
export const gatedFlush = (
  flush: PgtableFlush,
  { mayInvalidate }: Pick<TableMemory, 'mayInvalidate'>,
): PgtableFlush => {
  if (mayInvalidate === undefined) return flush;
  return {
    flushAll: () => {
      if (mayInvalidate('flush all')) flush.flushAll();
    },
    flushWalk: (iova, size, granule) => {
      if (mayInvalidate('flush walk')) flush.flushWalk(iova, size, granule);
    },
    addPage: (gather, iova, granule) => {
      const isLeftOut = gatherMustSync(gather, iova, granule) && !mayInvalidate('flush');
      if (isLeftOut) resetGather(gather);
      flush.addPage(gather, iova, granule);
    },
  };
};
