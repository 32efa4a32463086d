import type { SysReg } from '../../drivers/base/types/isa';
import { UnmodelledError } from '../../drivers/base/types/errors';
import type { CacheGeometry } from './cache/line-cache';
import type { Mmu } from './mmu/mmu';
import { ACTLR_SMP, CCSIDR, CLIDR, CTR, ID_MMFR0, ID_MMFR3, MPIDR } from './regs/sysreg';
import { colours } from './profile';
import type { CoreProfile } from './profile';

/** The caches that a CPU reports in its identification registers. */
export interface ReportedCaches {
  readonly l1d: CacheGeometry | null;
  readonly l1i: CacheGeometry | null;
  readonly l2: CacheGeometry | null;
}

/**
 * The system registers of one CPU. Identification is computed from the profile and the caches
 * this machine gave it, as software would probe them; translation registers live in the MMU.
 */
export class SystemRegisters {
  readonly #profile: CoreProfile;
  readonly #caches: ReportedCaches;
  readonly #mmu: Mmu;
  readonly #mpidr: number;
  #csselr = 0;
  #actlr = 0;

  constructor(profile: CoreProfile, caches: ReportedCaches, mmu: Mmu, mpidr: number) {
    this.#profile = profile;
    this.#caches = caches;
    this.#mmu = mmu;
    this.#mpidr = mpidr;
  }

  /** The low half, signed. */
  read(register: SysReg): number {
    const { registers } = this.#mmu;
    switch (register) {
      case 'MIDR':
        return this.#profile.midr | 0;
      case 'MPIDR':
        return this.#profile.multiprocessor ? MPIDR.mp | this.#mpidr : 0;
      case 'CTR':
        return this.#ctr();
      case 'CLIDR':
        return this.#clidr();
      case 'CSSELR':
        return this.#csselr;
      case 'CCSIDR':
        return this.#ccsidr();
      case 'ID_MMFR0':
        return this.#vmsa();
      case 'ID_MMFR3':
        return this.#mmfr3();
      case 'SCTLR':
        return registers.sctlr;
      case 'ACTLR':
        return this.#actlr;
      case 'TTBR0':
        return registers.ttbr0;
      case 'TTBR1':
        return registers.ttbr1;
      case 'TCR':
        return registers.tcr;
      case 'DACR':
        return registers.dacr;
      case 'PRRR':
        return registers.prrr;
      case 'NMRR':
        return registers.nmrr;
      case 'MAIR':
        return registers.mair0;
      case 'CONTEXTIDR':
        return registers.contextidr;
    }
  }

  readHigh(register: SysReg): number {
    const { registers } = this.#mmu;
    switch (register) {
      case 'TTBR0':
        return registers.ttbr0High;
      case 'TTBR1':
        return registers.ttbr1High;
      case 'TCR':
        return registers.tcrHigh;
      case 'MAIR':
        return registers.mair1;
      default:
        return 0;
    }
  }

  /** Answers true if translation may have changed: the micro-TLB must go. */
  write(register: SysReg, low: number, high: number): boolean {
    const { registers } = this.#mmu;
    switch (register) {
      case 'CSSELR':
        this.#csselr = low;
        return false;
      case 'ACTLR':
        this.#actlr = low & ACTLR_SMP;
        return false;
      case 'SCTLR':
        registers.sctlr = low;
        return true;
      case 'TTBR0':
        registers.ttbr0 = low;
        registers.ttbr0High = high;
        return true;
      case 'TTBR1':
        registers.ttbr1 = low;
        registers.ttbr1High = high;
        return true;
      case 'TCR':
        registers.tcr = low;
        registers.tcrHigh = high;
        return true;
      case 'DACR':
        registers.dacr = low;
        return true;
      case 'PRRR':
        registers.prrr = low;
        return true;
      case 'NMRR':
        registers.nmrr = low;
        return true;
      case 'MAIR':
        registers.mair0 = low;
        registers.mair1 = high;
        return true;
      case 'CONTEXTIDR':
        registers.contextidr = low;
        return true;
      default:
        throw new UnmodelledError('system register', `${register} is read-only`);
    }
  }

  /** True if this core takes part in coherency: software has set ACTLR.SMP, or need not. */
  get isCoherent(): boolean {
    return this.#profile.architecture === 'v8' || (this.#actlr & ACTLR_SMP) !== 0;
  }

  #ctr(): number {
    const { architecture, l1d } = this.#profile;
    const geometry = this.#caches.l1d;
    if (geometry === null || l1d === null) {
      return architecture === 'v7m' ? CTR.formatV7 << CTR.formatShift : 0;
    }
    const lineWordsLog2 = Math.log2(geometry.line / 4);
    if (architecture !== 'v4' && architecture !== 'v5' && architecture !== 'v6') {
      const granule = Math.max(geometry.line, this.#caches.l2?.line ?? 0);
      return (
        (CTR.formatV7 << CTR.formatShift) |
        (lineWordsLog2 << CTR.dMinLineShift) |
        (Math.log2(granule / 4) << CTR.cwgShift)
      );
    }
    const coloured = colours({ ...l1d, ...geometry }) > 1 && architecture === 'v6';
    return (
      CTR.separate |
      (oldSizeField(geometry) << CTR.dSizeShift) |
      oldSizeField(this.#caches.l1i ?? geometry) |
      (coloured ? CTR.dColoured : 0)
    );
  }

  #clidr(): number {
    const { l1d, l2 } = this.#caches;
    if (l1d === null) return 0;
    const levels = CLIDR.separate | (l2 === null ? 0 : CLIDR.unified << CLIDR.typeBits);
    const coherency = l2 === null ? 1 : 2;
    return (
      levels | (coherency << CLIDR.locShift) | (1 << CLIDR.louisShift) | (1 << CLIDR.louuShift)
    );
  }

  #ccsidr(): number {
    const level = (this.#csselr >>> 1) & 7;
    const instruction = (this.#csselr & 1) !== 0;
    const { l1d, l1i, l2 } = this.#caches;
    const geometry = level === 0 ? (instruction ? l1i : l1d) : level === 1 ? l2 : null;
    if (geometry === null) return 0;
    const sets = geometry.size / (geometry.ways * geometry.line);
    return (
      (Math.log2(geometry.line / 16) << CCSIDR.lineShift) |
      ((geometry.ways - 1) << CCSIDR.waysShift) |
      ((sets - 1) << CCSIDR.setsShift)
    );
  }

  #mmfr3(): number {
    const { maintenanceBroadcast, walker } = this.#profile;
    return (
      (maintenanceBroadcast ? 2 << ID_MMFR3.broadcastShift : 0) |
      (walker === 'l1' ? 1 << ID_MMFR3.coherentWalkShift : 0)
    );
  }

  #vmsa(): number {
    const { tables, architecture } = this.#profile;
    if (tables.length === 0) return 3 << ID_MMFR0.pmsaShift;
    if (architecture === 'v4' || architecture === 'v5') return 0;
    return tables.includes('lpae') || tables.includes('v8') ? ID_MMFR0.lpae : 3;
  }
}

/** Size, associativity and line length as ARMv5 and v6 encode them in a half of CTR. */
const oldSizeField = ({ size, ways, line }: CacheGeometry): number =>
  (Math.log2(size / 512) << 6) | (Math.ceil(Math.log2(ways)) << 3) | Math.log2(line / 8);
