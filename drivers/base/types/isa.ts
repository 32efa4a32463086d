/*
 * What software can make a CPU do: the one door from the software side to the hardware side.
 * Plain integers in and out, no allocation: C code compiled to WebAssembly uses it unchanged.
 */

import type { CpuAddr } from './address';

/** Why an access did not happen. 0 is no fault. */
export const FaultKind = {
  None: 0,
  Alignment: 1,
  Translation: 2,
  AccessFlag: 3,
  Domain: 4,
  Permission: 5,
  /** The bus answered with an error: nothing there, or the device refused. */
  External: 6,
  /** This core has no such instruction. */
  Undefined: 7,
  /** A table names a physical address beyond TCR.IPS or beyond what the core has. */
  AddressSize: 8,
} as const;
export type FaultKind = (typeof FaultKind)[keyof typeof FaultKind];

/** The kind in lower case, as messages have it; a number that is none as it is. */
export const faultName = (kind: FaultKind): string =>
  Object.entries(FaultKind)
    .find(([, value]) => value === kind)?.[0]
    .toLowerCase() ?? `${kind}`;

/** The fault registers: written by the CPU before it takes the abort vector. */
export interface FaultRecord {
  kind: FaultKind;
  address: CpuAddr;
  write: boolean;
  /** Level of the table walk that failed, 0 where it does not apply. */
  level: number;
}

/** Where exceptions go. Installed by software, as a vector table is. */
export interface Vectors {
  /** Data abort: true to run the access again, false to skip it (a load then gives 0). */
  abort(fault: Readonly<FaultRecord>): boolean;
  /** An enabled interrupt is pending at this CPU. */
  interrupt(): void;
}

/**
 * Cache maintenance by address and by set/way, in the names of ARMv8 (ARMv7 spells them DCIMVAC,
 * DCCMVAC, DCCMVAU, DCCIMVAC, DCISW …; ARMv5 and v6 are the same operations of CP15 c7).
 * The `…ALL` operations exist on ARMv5 and v6 only.
 */
export const CacheOp = {
  IVAC: 0,
  CVAC: 1,
  CVAU: 2,
  CIVAC: 3,
  ISW: 4,
  CSW: 5,
  CISW: 6,
  IALL: 7,
  CALL: 8,
  CIALL: 9,
  ZVA: 10,
} as const;
export type CacheOp = (typeof CacheOp)[keyof typeof CacheOp];

/** The operation by its name in ARMv8; a number that is none as it is. */
export const cacheOpName = (op: CacheOp): string =>
  Object.entries(CacheOp).find(([, value]) => value === op)?.[0] ?? `${op}`;

/** TLB maintenance. `IS` forms reach every CPU of the inner-shareable domain. */
export const TlbOp = {
  All: 0,
  Address: 1,
  AddressAllAsid: 2,
  Asid: 3,
  AllIS: 4,
  AddressIS: 5,
  AddressAllAsidIS: 6,
  AsidIS: 7,
} as const;
export type TlbOp = (typeof TlbOp)[keyof typeof TlbOp];

/** Which accesses a `dmb` orders: all, stores only, or loads against what follows. */
export type BarrierKind = 'sy' | 'st' | 'ld';

/** GICv3's interface of a CPU: registers of the CPU, wired to the interrupt controller. */
export type IccReg =
  | 'ICC_PMR'
  | 'ICC_DIR'
  | 'ICC_RPR'
  | 'ICC_SGI1R'
  | 'ICC_IAR1'
  | 'ICC_EOIR1'
  | 'ICC_HPPIR1'
  | 'ICC_BPR1'
  | 'ICC_CTLR'
  | 'ICC_SRE'
  | 'ICC_IGRPEN1';

/**
 * The system registers of one CPU's interface, as a CPU reaches them. Values of 64 bits are plain
 * numbers: all fields used are below bit 52.
 */
export interface IccPort {
  read(register: IccReg): number;
  write(register: IccReg, value: number): void;
}

/**
 * System registers by ARM's names without the `_EL1`/`CP15` dress; those of 64 bits are read and
 * written as two halves.
 */
export type SysReg =
  | IccReg
  | 'MIDR'
  | 'MPIDR'
  | 'CTR'
  | 'CLIDR'
  | 'CSSELR'
  | 'CCSIDR'
  | 'ID_MMFR0'
  | 'ID_MMFR3'
  | 'ID_AA64MMFR0'
  | 'SCTLR'
  | 'ACTLR'
  | 'TTBR0'
  | 'TTBR1'
  | 'TCR'
  | 'DACR'
  | 'PRRR'
  | 'NMRR'
  | 'MAIR'
  | 'CONTEXTIDR';

/**
 * One CPU as its software uses it: loads and stores, barriers, maintenance, system registers,
 * sleep.
 *
 * Addresses are CpuAddr, and an access that faults has called Vectors.abort before it returns. What
 * the core has no instruction for is an Undefined fault, never ignored.
 */
export interface Isa {
  /** Loads answer unsigned 8 and 16 bits, signed 32 bits; a faulting load answers 0. */
  load8(address: number): number;
  load16(address: number): number;
  load32(address: number): number;
  /** The low half is the answer, the high half is `high` until the next 64-bit load. */
  load64(address: number): number;
  readonly high: number;
  /**
   * As load32, of a word that the software waits for: it may see the old value late, not for ever.
   */
  poll32(address: number): number;

  store8(address: number, value: number): void;
  store16(address: number, value: number): void;
  store32(address: number, value: number): void;
  /** Both halves in one single-copy atomic store. */
  store64(address: number, low: number, high: number): void;

  /** LDRT and STRT: with the permissions of user mode. */
  loadUser32(address: number): number;
  storeUser32(address: number, value: number): void;

  dmb(kind: BarrierKind): void;
  dsb(): void;
  isb(): void;

  /** Operand: an address, or set/way/level as the architecture packs them. */
  cacheOp(op: CacheOp, operand: number): void;
  /** Operand: an address (page part) or an ASID; `asid` goes with an address. */
  tlbOp(op: TlbOp, operand: number, asid: number): void;

  readSys(register: SysReg): number;
  /** The high half of a 64-bit system register. */
  readSysHigh(register: SysReg): number;
  writeSys(register: SysReg, low: number, high?: number): void;

  setVectors(vectors: Vectors): void;
  /** The last fault; its kind stays until software writes it back to None. */
  readonly fault: FaultRecord;

  /** Unmask or mask interrupts; answers whether they were enabled before. */
  setInterruptsEnabled(enabled: boolean): boolean;
  /** Sleep until an interrupt is pending, at most `limit` simulated ns; false if none came. */
  waitForInterrupt(limit: number): boolean;
  /** A busy-wait's breath: lets `nanoseconds` of simulated time pass. */
  relax(nanoseconds: number): void;
}
