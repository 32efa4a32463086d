import { BareKernel } from './kernel';
import { mmuOver } from '../mmu/oracle';
import type { TranslationRegisters } from '../../../../arch/arm/mmu/registers';
import type { Mmu } from '../../../../arch/arm/mmu/mmu';
import { Cacheability } from '../../../../arch/arm/mmu/attributes';
import { coreNamed } from '../../../../arch/arm/cores';
import type { KernelImage } from '../../../../arch/arm/mm/cpu-info';

/** A core, the kernel on it, and the format of its tables. */
export interface KernelCase {
  readonly format: 'v5' | 'v6' | 'v7' | 'lpae' | 'v8';
  readonly core: string;
  readonly image: KernelImage;
  readonly lpae: boolean;
}

/** One of every format of table; ARMv7 on a core that walks beside its caches, and on one that does not. */
export const KERNELS: readonly KernelCase[] = [
  { format: 'v5', core: 'arm926ej-s', image: 'arm', lpae: false },
  { format: 'v6', core: 'arm1176jzf-s', image: 'arm', lpae: false },
  { format: 'v7', core: 'cortex-a8', image: 'arm', lpae: false },
  { format: 'v7', core: 'cortex-a9', image: 'arm', lpae: false },
  { format: 'lpae', core: 'cortex-a15', image: 'arm', lpae: true },
  { format: 'v8', core: 'cortex-a53', image: 'arm64', lpae: true },
];

export const bootCase = ({ core, image, lpae }: KernelCase): BareKernel =>
  new BareKernel({ core }, image, lpae);

/** The walker finds entries in the first level: nothing need be cleaned for it. */
export const walksInCache = ({ core }: KernelCase): boolean => coreNamed(core).walker === 'l1';

/**
 * An MMU with an empty TLB that walks the tables of a running kernel as its CPU would: the same
 * registers, through the same walker's port.
 */
export const walkerOf = ({ machine, mm }: BareKernel): Mmu => {
  const { cpu, ram, profile } = machine;
  const read = (name: 'SCTLR' | 'CONTEXTIDR' | (typeof mm.tables.registers)[number]): number =>
    name === 'SCTLR' || mm.tables.registers.includes(name) ? cpu.readSys(name) : 0;
  const high = (name: 'TTBR0' | 'TTBR1' | 'TCR' | 'MAIR'): number =>
    mm.tables.registers.includes(name) ? cpu.readSysHigh(name) : 0;
  const registers: Partial<TranslationRegisters> = {
    sctlr: read('SCTLR'),
    ttbr0: read('TTBR0'),
    ttbr0High: high('TTBR0'),
    ttbr1: read('TTBR1'),
    ttbr1High: high('TTBR1'),
    tcr: read('TCR'),
    tcrHigh: high('TCR'),
    dacr: read('DACR'),
    prrr: read('PRRR'),
    nmrr: read('NMRR'),
    mair0: read('MAIR'),
    mair1: high('MAIR'),
    contextidr:
      mm.tables.registers.includes('DACR') && mm.info.type !== 'v4wb'
        ? cpu.readSys('CONTEXTIDR')
        : 0,
  };
  const { writeBackAllocate } = Cacheability;
  const words = {
    word: (address: number) => {
      const word = ram.wordOf(address);
      return word < 0 ? null : cpu.memory.readTableWord(word, writeBackAllocate, writeBackAllocate);
    },
  };
  return mmuOver(profile, words, registers);
};
