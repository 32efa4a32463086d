import type { Adversary } from '../../arch/arm/adversary/adversary';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { CpuComplex } from '../../arch/arm/complex';
import { coreNamed } from '../../arch/arm/cores';
import type { Cpu } from '../../arch/arm/cpu';
import { SCTLR } from '../../arch/arm/regs/sysreg';
import { DOMAIN, AP, L1_TYPE, SECTION } from '../../arch/arm/regs/short-descriptor';
import { Ram, RamBlock } from '../../drivers/base/hw/ram';
import { Trace } from '../../drivers/base/hw/trace';
import { invariant } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { initialWord } from './traces';

/** RAM ends here. */
export const DEVICES = 0xf000_0000;
/** The page table: 4096 sections, in pages of its own. */
const TABLE_PAGES = 4;
const PREFERRED = 0x8000_0000 / 4096;

/**
 * The first of four pages in a row, at a multiple of four, that none of `pages` is among: from
 * 2 GiB on, then from 0 on; null if there are none.
 */
export const freePageRun = (pages: readonly number[]): number | null => {
  const taken = new Set(pages.map(page => Math.floor(page / TABLE_PAGES)));
  const end = DEVICES / 4096 / TABLE_PAGES;
  const first = PREFERRED / TABLE_PAGES;
  for (let i = 0; i < end; i++) {
    const run = (first + i) % end;
    if (!taken.has(run)) return run * TABLE_PAGES;
  }
  return null;
};

/** A CPU with the caches of the traces, its MMU on, memory mapped one to one in sections. */
export interface BenchMachine {
  readonly cpu: Cpu;
  readonly complex: CpuComplex;
  readonly ram: Ram;
}

/** A Cortex-A9 with 32 KiB of L1 and an outer cache of 512 KiB, both LRU, behind its whole path. */
export const makeBenchMachine = (
  pages: readonly number[],
  adversary: Adversary = new LruAdversary(),
): BenchMachine => {
  const free = freePageRun(pages);
  invariant(free !== null, 'the pages leave room for a page table');
  const table = free * 4096;
  const block = new RamBlock('ram', DEVICES);
  const ram = new Ram(page => (page * 4096 < DEVICES ? { block, blockPage: page } : null));
  const complex = new CpuComplex({
    cpus: [
      {
        profile: coreNamed('cortex-a9'),
        mpidr: 0,
        l1d: { size: 0x8000, ways: 4, line: 32 },
        l1i: null,
        cluster: 0,
        l2: null,
      },
    ],
    outer: { size: 0x8_0000, ways: 8, line: 32 },
    adversary,
    random: new Random(1),
    ram,
    io: { read: () => -2, write: () => 2 },
    trace: new Trace(),
    time: { now: 0, pass: () => undefined, toNextEvent: () => false },
  });
  const [cpu] = complex.cpus;
  invariant(cpu !== undefined && complex.outer !== null, 'the bench machine has a CPU and an L2');
  complex.outer.enabled = true;
  const cached = SECTION.cacheable | SECTION.bufferable | (1 << SECTION.texShift);
  for (let i = 0; i < 4096; i++) {
    const entry = (i << 20) | L1_TYPE.section | (AP.full << SECTION.apShift) | cached;
    ram.writeWord(ram.wordOf(table + i * 4), entry);
  }
  cpu.writeSys('TTBR0', table | 0);
  cpu.writeSys('DACR', DOMAIN.client);
  cpu.writeSys('ACTLR', 1 << 6);
  cpu.writeSys('SCTLR', SCTLR.M | SCTLR.C);
  pages.forEach((page, n) => {
    const first = ram.wordOf(page * 4096);
    for (let i = 0; i < 1024; i++) ram.writeWord(first + i, initialWord(n * 1024 + i));
  });
  return { cpu, complex, ram };
};
