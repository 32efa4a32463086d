import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { Isa } from '../../../drivers/base/types/isa';
import { byLine, forEachLine } from './cache-fns';
import type { CacheFns } from './cache-fns';

/** ARMv6 without DMA_CACHE_RWFO (cache-v6.S): ARM1136 and ARM1176, uniprocessors. */
export const cacheV6 = (isa: Isa, line: number): CacheFns => {
  const clean = byLine(isa, line, CacheOp.CVAC);
  const flush = byLine(isa, line, CacheOp.CIVAC);
  /** The line at the start is cleaned, the one at the end cleaned and invalidated. */
  const invalidate = (start: number, size: number): void => {
    const end = start + size;
    if (start % line !== 0) isa.cacheOp(CacheOp.CVAC, start);
    if (end % line !== 0) isa.cacheOp(CacheOp.CIVAC, end);
    const wholeEnd = end - (end % line);
    forEachLine(start, Math.max(0, wholeEnd - start), line, address => {
      isa.cacheOp(CacheOp.IVAC, address);
    });
    isa.dsb();
  };
  return {
    name: 'v6',
    dmaMapArea: (start, size, direction) => {
      if (direction === DmaDirection.FromDevice) invalidate(start, size);
      else clean(start, size);
    },
    dmaUnmapArea: (start, size, direction) => {
      if (direction !== DmaDirection.ToDevice) invalidate(start, size);
    },
    dmaCleanRange: clean,
    dmaInvRange: invalidate,
    dmaFlushRange: flush,
    flushKernDcacheArea: flush,
    flushKernAll: () => {
      isa.cacheOp(CacheOp.CIALL, 0);
      isa.dsb();
    },
    invalidateL1: () => {
      isa.cacheOp(CacheOp.IALL, 0);
    },
    cleanTableEntry: clean,
  };
};
