import type { Isa } from '../../../drivers/base/types/isa';
import { CCSIDR, CLIDR, CTR, ID_AA64MMFR0, ID_MMFR0, ID_MMFR3, PA_BITS } from '../regs/sysreg';

/** Which kernel image runs: it decides how addresses and tables look. */
export type KernelImage = 'arm' | 'arm64' | 'nommu';

/** The processor functions that a kernel selects by MIDR (struct proc_info_list). */
export type ProcType = 'v4wb' | 'v6' | 'v7' | 'v8';

interface ProcInfo {
  readonly value: number;
  readonly mask: number;
  readonly type: ProcType;
}

/** First match wins. ARMv6 is matched by part number: an ARM1176 says 0xf, like an ARMv7. */
const PROC_INFO: readonly ProcInfo[] = [
  { value: 0x0007_b000, mask: 0x0007_f000, type: 'v6' },
  { value: 0x000f_0000, mask: 0x000f_0000, type: 'v7' },
  { value: 0x0000_0000, mask: 0x0000_0000, type: 'v4wb' },
];

const LPAE_PA_BITS = 40;

/** What the kernel finds out about its CPU before it does anything else. */
export interface CpuInfo {
  readonly image: KernelImage;
  readonly type: ProcType;
  /** Bytes of the smallest data cache line; 0 without a data cache. */
  readonly lineSize: number;
  /** The largest that any cache writes back at once; null: it does not say (cache_line_size). */
  readonly writebackGranule: number | null;
  /** Data cache tagged by virtual address: aliases must be flushed at a context switch. */
  readonly isVivt: boolean;
  /** Pages of one frame at addresses of different colour are different lines. */
  readonly isAliasing: boolean;
  /** Table entries must be cleaned before the walker sees them. */
  readonly mustCleanTables: boolean;
  /** Maintenance reaches the other cores: the `IS` forms exist. */
  readonly broadcasts: boolean;
  readonly hasLpae: boolean;
  /** Bits of the physical addresses that the widest tables of this core can name. */
  readonly paBits: number;
  /** Levels of data or unified cache that set/way operations must walk: sets, ways, line bytes. */
  readonly levels: readonly CacheLevel[];
}

/** What a set/way operation must know of one level; `line` in bytes. */
export interface CacheLevel {
  readonly sets: number;
  readonly ways: number;
  readonly line: number;
}

/** cpuid_init_hwcaps, cacheid_init and the probing of cache-v7.S, in one. */
export const probeCpu = (isa: Isa, image: KernelImage): CpuInfo => {
  const midr = isa.readSys('MIDR');
  const found = PROC_INFO.find(({ value, mask }) => (midr & mask) === value);
  const type: ProcType = image === 'arm64' ? 'v8' : (found?.type ?? 'v4wb');
  const ctr = isa.readSys('CTR');
  const isNew = ctr >>> CTR.formatShift === CTR.formatV7;
  const usesIds = type === 'v7' || type === 'v8';
  const hasLpae = usesIds && (isa.readSys('ID_MMFR0') & ID_MMFR0.vmsaMask) >= ID_MMFR0.lpae;
  const mmfr3 = usesIds ? isa.readSys('ID_MMFR3') : 0;
  return {
    image,
    type,
    lineSize: lineSizeOf(ctr, isNew),
    writebackGranule: isNew ? granuleOf(ctr) : null,
    isVivt: type === 'v4wb',
    isAliasing: type === 'v6' && (ctr & CTR.dColoured) !== 0,
    mustCleanTables: ((mmfr3 >>> ID_MMFR3.coherentWalkShift) & 0xf) === 0,
    broadcasts: ((mmfr3 >>> ID_MMFR3.broadcastShift) & 0xf) !== 0,
    hasLpae,
    paBits: type === 'v8' ? paBitsOf(isa) : hasLpae ? LPAE_PA_BITS : 32,
    levels: usesIds ? cacheLevels(isa) : [],
  };
};

/** Any range that is not in the table is a wider one. */
const paBitsOf = (isa: Isa): number =>
  PA_BITS[isa.readSys('ID_AA64MMFR0') & ID_AA64MMFR0.paRangeMask] ?? 48;

const granuleOf = (ctr: number): number | null => {
  const words = (ctr >>> CTR.cwgShift) & 0xf;
  return words === 0 ? null : 4 << words;
};

const lineSizeOf = (ctr: number, isNew: boolean): number => {
  if (isNew) {
    const words = (ctr >>> CTR.dMinLineShift) & 0xf;
    return words === 0 ? 0 : 4 << words;
  }
  return (ctr & CTR.separate) === 0 ? 0 : 8 << ((ctr >>> CTR.dSizeShift) & 3);
};

/** Every level that CLIDR says holds data, by CCSIDR. */
const cacheLevels = (isa: Isa): CacheLevel[] => {
  const clidr = isa.readSys('CLIDR');
  const levels: CacheLevel[] = [];
  for (let level = 0; level < 7; level++) {
    const type = (clidr >>> (level * CLIDR.typeBits)) & 7;
    if (type < CLIDR.data) break;
    isa.writeSys('CSSELR', level << 1);
    isa.isb();
    const ccsidr = isa.readSys('CCSIDR');
    levels.push({
      line: 16 << (ccsidr & 7),
      ways: ((ccsidr >>> CCSIDR.waysShift) & (2 ** CCSIDR.waysBits - 1)) + 1,
      sets: ((ccsidr >>> CCSIDR.setsShift) & (2 ** CCSIDR.setsBits - 1)) + 1,
    });
  }
  return levels;
};
