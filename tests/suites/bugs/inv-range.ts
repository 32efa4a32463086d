import { CacheOp } from '../../../drivers/base/types/isa';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { byteAt } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';

/*
 * Routines that invalidate a range, and whom they hit beside it.
 */

const HEADER = 8;

/** An invalidation routine: of [start, end). */
type InvRange = (bench: DriverBench, start: CpuAddr, end: number) => void;

/** v7_dma_inv_range of 2.6.35: the loop looks for the end when it has dropped a line already. */
const doWhile: InvRange = ({ cpu, line }, start, end) => {
  let at = start - (start % line);
  if (at !== start) cpu.cacheOp(CacheOp.CIVAC, at);
  if (end % line !== 0) cpu.cacheOp(CacheOp.CIVAC, end - (end % line));
  do {
    cpu.cacheOp(CacheOp.IVAC, at);
    at += line;
  } while (at < end);
  cpu.dsb();
};

/** The same since: nothing to do, nothing done. */
const whileDo: InvRange = ({ kernel }, start, end) => {
  kernel.mm.cache.dmaInvRange(start, end - start);
};

/** An answer of no bytes: what the buffer held before must still be there. */
const completeEmpty = (bench: DriverBench, invRange: InvRange): number => {
  const buffer = bench.kmalloc(bench.line);
  bench.fill(buffer, bench.line, 31);
  invRange(bench, buffer, buffer);
  const wrong = bench.wrongBytes(buffer, bench.line, 31);
  bench.kfree(buffer);
  return wrong;
};

export const empty: Bug = {
  name: 'an_empty_range_costs_a_line',
  title: 'v7_dma_inv_range: a range of no bytes invalidates a line that nobody cleaned',
  source: 'cache-v7.S of 2.6.35',
  rules: ['invalidate-of-dirty-bytes', 'lost-cpu-write'],
  consequences: ['stale-cpu-read'],
  unfit: hasCache,
  shows: ({ core }) => (core.l1d === null ? 'never' : 'must'),
  buggy: bench => completeEmpty(bench, doWhile),
  fixed: bench => completeEmpty(bench, whileDo),
};

/** Every line that the range touches, as if it were its own. */
const everyLine: InvRange = ({ cpu, line }, start, end) => {
  for (let at = start - (start % line); at < end; at += line) cpu.cacheOp(CacheOp.IVAC, at);
  cpu.dsb();
};

/** The header of a packet is the driver's, and the device never sees it. */
const receiveBehindHeader = (bench: DriverBench, invRange: InvRange): number => {
  const { line } = bench;
  const packet = bench.kmalloc(2 * line);
  bench.fill(packet, HEADER, 31);
  invRange(bench, byteAt(packet, HEADER), packet + 2 * line);
  const wrong = bench.wrongBytes(packet, HEADER, 31);
  bench.kfree(packet);
  return wrong;
};

export const edges: Bug = {
  name: 'the_edges_of_a_range_are_invalidated_uncleaned',
  title: 'an invalidation that takes the lines at its edges with all that is in them',
  source: 'cache-v7.S cleans them',
  rules: ['invalidate-of-dirty-bytes', 'lost-cpu-write'],
  consequences: ['stale-cpu-read'],
  unfit: hasCache,
  shows: ({ core }) => (core.l1d === null ? 'never' : 'must'),
  buggy: bench => receiveBehindHeader(bench, everyLine),
  fixed: bench => receiveBehindHeader(bench, whileDo),
};
