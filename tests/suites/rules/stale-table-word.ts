import { PAGE, SECTION, TABLE } from '../../../arch/arm/regs/short-descriptor';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import { offsetBy, physAddr } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import type { DriverBench } from '../driver-bench';
import { all, hasMmu, tablesAreCleaned } from './conditions';
import type { RuleExample } from './example';

/** Where the linear map has the second-level entry of a kernel address. */
const entryOf = (bench: DriverBench, va: CpuAddr): CpuAddr => {
  const { cpu, kernel } = bench;
  const { layout, root } = kernel.mm;
  const first = layout.physToVirt(offsetBy(root, 4 * Math.floor(va / SECTION.size)));
  const table = (cpu.load32(first ?? 0) & TABLE.baseMask) >>> 0;
  const index = Math.floor(va / PAGE_SIZE) % TABLE.entries;
  return layout.physToVirt(physAddr(table + 4 * index)) ?? va;
};

/** The entry with another page. */
const movedTo = (entry: number, page: Page): number =>
  (entry & ~PAGE.small.baseMask) | pageToPhys(page);

/** An entry is written like any other word. The walker of this core does not look into the cache. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, kernel } = bench;
  const [before, after] = [bench.allocPages(), bench.allocPages()];
  const window = bench.vmap(before);
  const pte = entryOf(bench, window);
  cpu.store32(pte, movedTo(cpu.load32(pte), after));
  kernel.mm.tlb.flushKernelRange(window, PAGE_SIZE);
  cpu.load32(window);
  kernel.mm.cache.cleanTableEntry(pte, 4);
  bench.vunmap(window);
  for (const page of [before, after]) bench.freePages(page);
};

/** The entry is cleaned to where the walker reads it, and only then the TLB is told. */
export const right = (bench: DriverBench): void => {
  const { cpu, kernel } = bench;
  const [before, after] = [bench.allocPages(), bench.allocPages()];
  const window = bench.vmap(before);
  const pte = entryOf(bench, window);
  cpu.store32(pte, movedTo(cpu.load32(pte), after));
  kernel.mm.cache.cleanTableEntry(pte, 4);
  kernel.mm.tlb.flushKernelRange(window, PAGE_SIZE);
  cpu.load32(window);
  bench.vunmap(window);
  for (const page of [before, after]) bench.freePages(page);
};

export const example: RuleExample = {
  rule: 'stale-table-word',
  applies: all(hasMmu, tablesAreCleaned),
  consequences: ['stale-translation', 'stale-cpu-read'],
  wrong,
  right,
};
