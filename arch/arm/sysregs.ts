import type { IccPort, IccReg, SysReg } from '../../drivers/base/types/isa';
import { hex } from '../../drivers/base/types/address';
import { join64 } from '../../drivers/base/types/bits';
import { BenchError, UnmodelledError } from '../../drivers/base/types/errors';
import { StateReader } from '../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../drivers/base/types/state';
import type { CacheGeometry } from './cache/line-cache';
import { systemRegistersOf } from './instructions';
import type { Mmu } from './mmu/mmu';
import {
  ACTLR,
  CCSIDR,
  CLIDR,
  CTR,
  ID_MMFR0,
  ID_MMFR3,
  MPIDR,
  PA_BITS,
  SCTLR_NOT_MODELLED,
  TCR,
  TCR_HIGH,
  TTBCR,
} from './regs/sysreg';
import { colours, is64Bit } from './profile';
import type { CoreProfile } from './profile';

/** Read-only. */
const IDENTIFICATION: ReadonlySet<SysReg> = new Set([
  'MIDR',
  'MPIDR',
  'CTR',
  'CLIDR',
  'CCSIDR',
  'ID_MMFR0',
  'ID_MMFR3',
  'ID_AA64MMFR0',
]);

/** True for a register that is not the CPU's own: to read it may change something. */
export const isIcc = (register: SysReg): register is IccReg => register.startsWith('ICC_');

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
export class SystemRegisters implements Stateful {
  readonly #profile: CoreProfile;
  readonly #caches: ReportedCaches;
  readonly #mmu: Mmu;
  readonly #mpidr: number;
  readonly #present: ReadonlySet<SysReg>;
  /** Null where no GICv3 serves this CPU: its registers are then undefined instructions. */
  icc: IccPort | null = null;
  #csselr = 0;

  /** `mpidr`: the affinity bits of MPIDR, Aff3 in bits 39:32. */
  constructor(profile: CoreProfile, caches: ReportedCaches, mmu: Mmu, mpidr: number) {
    this.#profile = profile;
    this.#caches = caches;
    this.#mmu = mmu;
    this.#mpidr = mpidr;
    this.#present = systemRegistersOf(profile);
  }

  /** False: to access it is an undefined instruction on this core. */
  has(register: SysReg): boolean {
    return isIcc(register) ? this.icc !== null : this.#present.has(register);
  }

  /** The low half, signed. */
  read(register: SysReg): number {
    return isIcc(register) ? (this.icc?.read(register) ?? 0) : this.#own(register);
  }

  #own(register: Exclude<SysReg, IccReg>): number {
    const { registers } = this.#mmu;
    switch (register) {
      case 'MIDR':
        return this.#profile.midr | 0;
      case 'MPIDR':
        return this.#lowMpidr();
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
      case 'ID_AA64MMFR0':
        return paRangeOf(this.#profile.paBits);
      case 'SCTLR':
        return registers.sctlr;
      case 'ACTLR':
        return registers.actlr;
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
      case 'MPIDR':
        return Math.floor(this.#mpidr / 2 ** 32) & MPIDR.aff3Mask;
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

  /** False: to write it is an undefined instruction on this core. */
  isWritable(register: SysReg): boolean {
    return this.has(register) && !IDENTIFICATION.has(register);
  }

  /**
   * Writes a writable register. True if translation may have changed: the micro-TLB must go.
   * UnmodelledError for bits that are not modelled and would change what an access does.
   */
  write(register: SysReg, low: number, high: number): boolean {
    if (isIcc(register)) {
      this.icc?.write(register, join64(low >>> 0, high >>> 0));
      return false;
    }
    const { registers } = this.#mmu;
    this.#checkModelled(register, low, high);
    switch (register) {
      case 'CSSELR':
        this.#csselr = low;
        return false;
      case 'ACTLR':
        registers.actlr = low;
        return true;
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
        throw new BenchError(`${register} is read-only`);
    }
  }

  saveState(): StateValue {
    return { csselr: this.#csselr };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'system registers');
    this.#csselr = reader.number('csselr');
  }

  #checkModelled(register: SysReg, low: number, high: number): void {
    if (register === 'SCTLR') {
      for (const [name, bit] of Object.entries(SCTLR_NOT_MODELLED)) {
        if ((low & bit) !== 0) throw new UnmodelledError(`SCTLR.${name}`, hex(low >>> 0));
      }
    }
    if (register === 'ACTLR' && (low & ~(ACTLR.SMP | ACTLR.FW)) !== 0) {
      throw new UnmodelledError('ACTLR', `bits other than SMP and FW: ${hex(low >>> 0)}`);
    }
    if (register === 'TCR') this.#checkTcr(low, high);
  }

  #checkTcr(low: number, high: number): void {
    const is64 = is64Bit(this.#profile);
    if (!is64 && (low & TTBCR.eae) === 0) return;
    if ((low & TCR.a1) !== 0) throw new UnmodelledError('TCR.A1', 'the ASID of TTBR1');
    if (!is64) return;
    const granule0 = (low >>> TCR.tg0Shift) & 3;
    const granule1 = (low >>> TCR.tg1Shift) & 3;
    if (granule0 !== TCR.tg0Granule4K || granule1 !== TCR.tg1Granule4K) {
      throw new UnmodelledError('TCR.TG0, TG1', `granules ${granule0} and ${granule1}, not 4 KiB`);
    }
    if ((high & ~TCR_HIGH.ipsMask) !== 0) {
      throw new UnmodelledError('TCR', `bits ${hex(high >>> 0)} of the high half`);
    }
  }

  #lowMpidr(): number {
    const affinity = this.#mpidr % 2 ** MPIDR.lowAffinityBits;
    return this.#profile.multiprocessor ? MPIDR.mp | affinity : 0;
  }

  #ctr(): number {
    const { architecture, l1d, l2: spec } = this.#profile;
    const geometry = this.#caches.l1d;
    if (geometry === null || l1d === null) {
      return architecture === 'v7m' ? CTR.formatV7 << CTR.formatShift : 0;
    }
    if (architecture !== 'v4' && architecture !== 'v5' && architecture !== 'v6') {
      const { l1i, l2 } = this.#caches;
      const granule = Math.max(geometry.line, spec?.sectored === true ? 0 : (l2?.line ?? 0));
      return (
        (CTR.formatV7 << CTR.formatShift) |
        (lineField(l1i?.line ?? geometry.line) << CTR.iMinLineShift) |
        (lineField(geometry.line) << CTR.dMinLineShift) |
        (lineField(granule) << CTR.cwgShift)
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

/** A length in bytes as CTR has it from ARMv7 on: log2 of its words. */
const lineField = (bytes: number): number => Math.log2(bytes / 4);

/** The widest range of the encoding that the core has all of. */
const paRangeOf = (paBits: number): number => PA_BITS.findLastIndex(bits => bits <= paBits);

/** Size, associativity and line length as ARMv5 and v6 encode them in a half of CTR. */
const oldSizeField = ({ size, ways, line }: CacheGeometry): number =>
  (Math.log2(size / 512) << 6) | (Math.ceil(Math.log2(ways)) << 3) | Math.log2(line / 8);
