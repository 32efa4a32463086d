import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import { withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { aliasIsHarmful, all } from './conditions';
import type { RuleExample } from './example';

/** dma_alloc_coherent() of 2011: flushed once, mapped uncached; the linear map still has it cached. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, kernel } = bench;
  const page = bench.allocPages();
  kernel.mm.cache.dmaFlushRange(bench.addressOf(page), PAGE_SIZE);
  kernel.mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
  const uncached = bench.vmap(page, 'dmacoherent');
  cpu.store32(uncached, 1);
  cpu.load32(uncached);
  bench.vunmap(uncached);
  bench.freePages(page);
};

/** Memory that has no cacheable mapping: no line of it can come back. */
export const right = (bench: DriverBench): void => {
  const shared = bench.allocShared();
  bench.cpu.store32(shared.cpuAddress, 1);
  bench.cpu.load32(shared.cpuAddress);
  bench.freeShared(shared);
};

export const example: RuleExample = {
  rule: 'cacheability-mismatch',
  applies: all(aliasIsHarmful, withoutSharedPages),
  consequences: ['stale-cpu-read', 'lost-cpu-write'],
  wrong,
  right,
};
