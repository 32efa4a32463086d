import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { Isa } from '../../../drivers/base/types/isa';
import { byLine } from './cache-fns';
import type { CacheFns } from './cache-fns';

/**
 * ARMv4 and v5 with a write-back cache (cache-v4wb.S, and proc-arm926.S, which agrees): virtually
 * tagged, never filled by speculation. What is invalidated before the transfer therefore stays
 * out, and unmapping does nothing. BIDIRECTIONAL cleans and invalidates for that reason.
 */
export const cacheV4wb = (isa: Isa, line: number): CacheFns => {
  const clean = byLine(isa, line, CacheOp.CVAC);
  const flush = byLine(isa, line, CacheOp.CIVAC);
  const invalidate = (start: number, size: number): void => {
    const end = start + size;
    if (start % line !== 0) isa.cacheOp(CacheOp.CVAC, start);
    if (end % line !== 0) isa.cacheOp(CacheOp.CVAC, end);
    byLine(isa, line, CacheOp.IVAC)(start, size);
  };
  return {
    name: 'v4wb',
    dmaMapArea: (start, size, direction) => {
      if (direction === DmaDirection.ToDevice) clean(start, size);
      else if (direction === DmaDirection.FromDevice) invalidate(start, size);
      else flush(start, size);
    },
    dmaUnmapArea: () => undefined,
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
