import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { CacheOp } from '../../../drivers/base/types/isa';
import type { Isa } from '../../../drivers/base/types/isa';
import { byLine, bySetWay } from './cache-fns';
import type { CacheFns } from './cache-fns';
import type { CacheLevel } from './cpu-info';

/**
 * ARMv7 (cache-v7.S). The core may speculate into the buffer while the device owns it, so a
 * buffer from the device is invalidated twice: before, that no dirty line be evicted over the
 * data; after, that no prefetched line hide it.
 */
export const cacheV7 = (isa: Isa, line: number, levels: readonly CacheLevel[]): CacheFns => {
  const clean = byLine(isa, line, CacheOp.CVAC);
  const flush = byLine(isa, line, CacheOp.CIVAC);
  const invalidate = (start: number, size: number): void => {
    const end = start + size;
    const first = start - (start % line);
    const last = end - (end % line);
    if (first !== start) isa.cacheOp(CacheOp.CIVAC, first);
    if (last !== end) isa.cacheOp(CacheOp.CIVAC, last);
    const whole = first === start ? first : first + line;
    for (let address = whole; address < last; address += line) isa.cacheOp(CacheOp.IVAC, address);
    isa.dsb();
  };
  return {
    name: 'v7',
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
    flushKernAll: bySetWay(isa, levels, CacheOp.CISW),
    invalidateL1: bySetWay(isa, levels.slice(0, 1), CacheOp.ISW),
    cleanTableEntry: clean,
  };
};
