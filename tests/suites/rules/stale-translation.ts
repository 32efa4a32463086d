import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_KERNEL } from '../../../mm/pgprot';
import type { DriverBench } from '../driver-bench';
import { hasMmu } from './conditions';
import type { RuleExample } from './example';

const remap = ({ kernel, cpu }: DriverBench, va: CpuAddr, page: Page): void => {
  const { tables, root, info } = kernel.mm;
  const request = { va, pa: pageToPhys(page), size: PAGE_SIZE, prot: PAGE_KERNEL, blocks: false };
  tables.map(root, request);
  if (info.type !== 'v4wb') cpu.isb();
};

/** A live entry is overwritten with another: until the TLB is told, either page may be reached. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, kernel } = bench;
  const [before, after] = [bench.allocPages(), bench.allocPages()];
  const window = bench.vmap(before);
  cpu.load32(window);
  kernel.mm.cache.dmaFlushRange(window, PAGE_SIZE);
  remap(bench, window, after);
  cpu.load32(window);
  kernel.mm.tlb.flushKernelRange(window, PAGE_SIZE);
  bench.vunmap(window);
  for (const page of [before, after]) bench.freePages(page);
};

/** Break before make: the old entry goes, the TLB is told, and then there is the new one. */
export const right = (bench: DriverBench): void => {
  const { cpu, kernel } = bench;
  const { tables, root, tlb } = kernel.mm;
  const [before, after] = [bench.allocPages(), bench.allocPages()];
  const window = bench.vmap(before);
  cpu.load32(window);
  kernel.mm.cache.dmaFlushRange(window, PAGE_SIZE);
  tables.unmap(root, window, PAGE_SIZE);
  tlb.flushKernelRange(window, PAGE_SIZE);
  remap(bench, window, after);
  cpu.load32(window);
  bench.vunmap(window);
  for (const page of [before, after]) bench.freePages(page);
};

export const example: RuleExample = {
  rule: 'stale-translation',
  applies: hasMmu,
  consequences: ['stale-cpu-read'],
  wrong,
  right,
};
