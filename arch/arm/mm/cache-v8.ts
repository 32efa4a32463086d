import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { Isa } from '../../../drivers/base/types/isa';
import { byLine, bySetWay } from './cache-fns';
import type { CacheFns } from './cache-fns';
import type { CacheLevel } from './cpu-info';

/**
 * arm64 (arch/arm64/mm/cache.S and dma-mapping.c, from 5.19 on): mapping cleans whatever the
 * direction, so that a short transfer leaves old data and not somebody else's; unmapping
 * invalidates unless the device only read.
 */
export const cacheV8 = (isa: Isa, line: number, levels: readonly CacheLevel[]): CacheFns => {
  const clean = byLine(isa, line, CacheOp.CVAC);
  const flush = byLine(isa, line, CacheOp.CIVAC);
  const invalidate = (start: number, size: number): void => {
    const end = start + size;
    const first = start - (start % line);
    const last = end - (end % line);
    if (last !== end) isa.cacheOp(CacheOp.CIVAC, last);
    if (first !== start) isa.cacheOp(CacheOp.CIVAC, first);
    const whole = first === start ? first : first + line;
    for (let address = whole; address < last; address += line) isa.cacheOp(CacheOp.IVAC, address);
    isa.dsb();
  };
  return {
    name: 'v8',
    dmaMapArea: clean,
    dmaUnmapArea: (start, size, direction) => {
      if (direction !== DmaDirection.ToDevice) invalidate(start, size);
    },
    dmaCleanRange: clean,
    dmaInvRange: invalidate,
    dmaFlushRange: flush,
    flushKernDcacheArea: flush,
    flushKernAll: bySetWay(isa, levels, CacheOp.CISW),
    // Caches are clean at reset; set and way mean nothing to software here (head.S has no such loop).
    invalidateL1: () => undefined,
    cleanTableEntry: clean,
  };
};
