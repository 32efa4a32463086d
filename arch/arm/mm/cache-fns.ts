import type { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import type { CacheOp, Isa } from '../../../drivers/base/types/isa';
import type { CacheLevel } from './cpu-info';

/**
 * Maintenance of the caches inside the cores, by virtual address (struct cpu_cache_fns). Ranges
 * are [start, start + size); every routine completes its work before it returns.
 */
export interface CacheFns {
  readonly name: string;
  /** Before a device is given the buffer. */
  readonly dmaMapArea: (start: number, size: number, direction: DmaDirection) => void;
  /** After the device is done with it. */
  readonly dmaUnmapArea: (start: number, size: number, direction: DmaDirection) => void;
  /** Dirty lines go to the point of coherency. */
  readonly dmaCleanRange: (start: number, size: number) => void;
  /** Lines are dropped; a line that the range covers only in part is cleaned first. */
  readonly dmaInvRange: (start: number, size: number) => void;
  /** Cleaned and dropped. */
  readonly dmaFlushRange: (start: number, size: number) => void;
  /** Cleaned and dropped, whole pages of the kernel's map (flush_kern_dcache_area). */
  readonly flushKernDcacheArea: (start: number, size: number) => void;
  /** Everything in the caches of this core. */
  readonly flushKernAll: () => void;
  /**
   * The core has just come up and what its own first level holds is garbage: it is dropped. No
   * further level is touched: another core may have put data there already.
   */
  readonly invalidateL1: () => void;
  /** A table entry is made visible to the walker. */
  readonly cleanTableEntry: (address: number, size: number) => void;
}

/** Calls `each` with the address of every line that [start, start + size) touches. */
export const forEachLine = (
  start: number,
  size: number,
  line: number,
  each: (address: number) => void,
): void => {
  const end = start + size;
  for (let address = start - (start % line); address < end; address += line) each(address);
};

/** One operation on every line of a range, completed by a `dsb`. */
export const byLine =
  (isa: Isa, line: number, op: CacheOp) =>
  (start: number, size: number): void => {
    forEachLine(start, size, line, address => {
      isa.cacheOp(op, address);
    });
    isa.dsb();
  };

/** One operation on every line of these levels, the first on, by set and way (way in the top bits). */
export const bySetWay = (isa: Isa, levels: readonly CacheLevel[], op: CacheOp) => (): void => {
  isa.dmb('sy');
  levels.forEach(({ sets, ways, line }, level) => {
    const wayShift = 32 - Math.ceil(Math.log2(ways));
    const setShift = Math.log2(line);
    for (let way = 0; way < ways; way++) {
      for (let set = 0; set < sets; set++) {
        isa.cacheOp(op, (ways === 1 ? 0 : way << wayShift) | (set << setShift) | (level << 1));
      }
    }
  });
  isa.dsb();
  isa.isb();
};
