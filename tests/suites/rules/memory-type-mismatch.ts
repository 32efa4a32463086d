import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { DriverBench } from '../driver-bench';
import { all, hasMmu, typesMatter } from './conditions';
import type { RuleExample } from './example';

/** RAM as registers: an uncached window on memory that the linear map has as normal memory. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, kernel } = bench;
  const page = bench.allocPages();
  kernel.mm.cache.dmaFlushRange(bench.addressOf(page), PAGE_SIZE);
  const window = bench.vmap(page, 'device');
  cpu.store32(window, 1);
  bench.vunmap(window);
  bench.freePages(page);
};

/** Memory stays memory, wherever it is mapped. */
export const right = (bench: DriverBench): void => {
  const { cpu } = bench;
  const page = bench.allocPages();
  const window = bench.vmap(page, 'cached');
  cpu.store32(window, 1);
  bench.vunmap(window);
  bench.freePages(page);
};

export const example: RuleExample = {
  rule: 'memory-type-mismatch',
  applies: all(hasMmu, typesMatter),
  consequences: ['cacheability-mismatch'],
  wrong,
  right,
};
