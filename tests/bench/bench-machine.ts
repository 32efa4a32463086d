import type { Adversary } from '../../arch/arm/adversary/adversary';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import type { CheckedCpu } from '../../arch/arm/checked/cpu';
import { CheckedComplex } from '../../arch/arm/checked/complex';
import { CpuComplex } from '../../arch/arm/complex';
import type { Complex, ComplexParts } from '../../arch/arm/complex-parts';
import type { ConcreteCpu } from '../../arch/arm/concrete/cpu';
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
  readonly cpu: ConcreteCpu;
  readonly complex: CpuComplex;
  readonly ram: Ram;
}

/** The same silicon, checked: every behaviour of those caches at once. */
export interface CheckedBenchMachine {
  readonly cpu: CheckedCpu;
  readonly complex: CheckedComplex;
  readonly ram: Ram;
}

/** A Cortex-A9 with 32 KiB of L1 and, if asked for, an outer cache of 512 KiB. */
const silicon = (hasOuter = true): ComplexParts => {
  const block = new RamBlock('ram', DEVICES);
  return {
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
    outer: hasOuter ? { size: 0x8_0000, ways: 8, line: 32 } : null,
    ram: new Ram(page => (page * 4096 < DEVICES ? { block, blockPage: page } : null)),
    io: { read: () => -2, write: () => 2 },
    trace: new Trace(),
    time: { now: 0, pass: () => undefined, toNextEvent: () => false },
  };
};

/** Caches are LRU. */
export const makeBenchMachine = (
  pages: readonly number[],
  adversary: Adversary = new LruAdversary(),
): BenchMachine => {
  const parts = silicon();
  const complex = new CpuComplex({ ...parts, adversary, random: new Random(1) });
  const { ram } = parts;
  return { cpu: started(complex, complex.cpus[0], ram, pages), complex, ram };
};

/** As makeBenchMachine, under `all`. */
export const makeCheckedBenchMachine = (
  pages: readonly number[],
  hasOuter = true,
): CheckedBenchMachine => {
  const parts = silicon(hasOuter);
  const complex = new CheckedComplex(parts);
  const { ram } = parts;
  return { cpu: started(complex, complex.cpus[0], ram, pages), complex, ram };
};

/** The CPU with caches and MMU on, and RAM as the traces want it. */
const started = <Kind extends Cpu>(
  { outer }: Complex,
  cpu: Kind | undefined,
  ram: Ram,
  pages: readonly number[],
): Kind => {
  const free = freePageRun(pages);
  invariant(free !== null, 'the pages leave room for a page table');
  invariant(cpu !== undefined, 'the bench machine has a CPU');
  const table = free * 4096;
  if (outer !== null) outer.enabled = true;
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
  return cpu;
};
