import { CacheOp, TlbOp } from '../../drivers/base/types/isa';
import type { SysReg } from '../../drivers/base/types/isa';
import type { Architecture, CoreProfile } from './profile';

/*
 * Which operations a core has. Any other is an undefined instruction: the abort vector is taken,
 * nothing is done. Sources: ARM DDI 0100I B6 and ARM926EJ-S TRM (v5), DDI 0100I B6 and ARM1176 TRM
 * (v6), DDI 0406C B4.2 (v7), DDI 0403 B2.2 (v7-M), DDI 0487 C5 (v8).
 */

/** A set of operations as bits: one shift and one mask at each use. */
export type OpSet = number;

const setOf = (ops: readonly number[]): OpSet => ops.reduce((set, op) => set | (1 << op), 0);

/** Whether the operation is in the set. */
export const hasOp = (set: OpSet, op: number): boolean => ((set >>> op) & 1) === 1;

const BY_LINE = [CacheOp.IVAC, CacheOp.CVAC, CacheOp.CIVAC];
const BY_SET_WAY = [CacheOp.ISW, CacheOp.CSW, CacheOp.CISW];
const WHOLE = [CacheOp.IALL, CacheOp.CALL, CacheOp.CIALL];

const CLASSIC_CACHE_OPS = setOf([...BY_LINE, ...BY_SET_WAY, ...WHOLE]);
const V7_CACHE_OPS = setOf([...BY_LINE, CacheOp.CVAU, ...BY_SET_WAY]);
const V8_CACHE_OPS = V7_CACHE_OPS | setOf([CacheOp.ZVA]);

const CACHE_OPS: Readonly<Record<Architecture, OpSet>> = {
  v4: CLASSIC_CACHE_OPS,
  v5: CLASSIC_CACHE_OPS,
  v6: CLASSIC_CACHE_OPS,
  v7: V7_CACHE_OPS,
  v7m: V7_CACHE_OPS,
  v8: V8_CACHE_OPS,
};

/** The CacheOps of a core, which its architecture decides. */
export const cacheOpsOf = ({ architecture }: CoreProfile): OpSet => CACHE_OPS[architecture];

const V5_TLB_OPS = setOf([TlbOp.All, TlbOp.Address]);
const ASID_TLB_OPS = V5_TLB_OPS | setOf([TlbOp.Asid]);
/** The multiprocessing extensions: addresses under all ASIDs, and everything on all cores. */
const MP_TLB_OPS = setOf([
  TlbOp.AddressAllAsid,
  TlbOp.AllIS,
  TlbOp.AddressIS,
  TlbOp.AddressAllAsidIS,
  TlbOp.AsidIS,
]);

/**
 * The TlbOps of a core, none with an MPU; the broadcast forms only where maintenance is broadcast.
 */
export const tlbOpsOf = ({ architecture, maintenanceBroadcast, tables }: CoreProfile): OpSet => {
  if (tables.length === 0) return 0;
  if (architecture === 'v4' || architecture === 'v5') return V5_TLB_OPS;
  return ASID_TLB_OPS | (maintenanceBroadcast ? MP_TLB_OPS : 0);
};

/** `dmb` and `isb`; `dsb` is on all, as the drain of the write buffer. */
export const hasBarriers = ({ architecture }: CoreProfile): boolean =>
  architecture !== 'v4' && architecture !== 'v5';

const EVERYWHERE: readonly SysReg[] = ['MIDR', 'CTR', 'SCTLR'];
const SHORT_TABLES: readonly SysReg[] = ['TTBR0', 'DACR'];
const V6_TABLES: readonly SysReg[] = ['TTBR1', 'TCR', 'CONTEXTIDR', 'PRRR', 'NMRR'];
const MMFR: readonly SysReg[] = ['ID_MMFR0', 'ID_MMFR3'];
const CACHE_IDS: readonly SysReg[] = ['CLIDR', 'CSSELR', 'CCSIDR'];

const SYSTEM_REGISTERS: Readonly<Record<Architecture, readonly SysReg[]>> = {
  v4: SHORT_TABLES,
  v5: SHORT_TABLES,
  v6: [...SHORT_TABLES, ...V6_TABLES, ...MMFR, 'ACTLR'],
  v7: [...SHORT_TABLES, ...V6_TABLES, ...MMFR, ...CACHE_IDS, 'ACTLR', 'MPIDR'],
  v7m: [...MMFR, ...CACHE_IDS, 'ACTLR'],
  v8: [
    ...MMFR,
    'ID_AA64MMFR0',
    ...CACHE_IDS,
    'MPIDR',
    'TTBR0',
    'TTBR1',
    'TCR',
    'MAIR',
    'CONTEXTIDR',
  ],
};

/** The system registers that a core has; on ARMv7-M they are at addresses instead of in CP15. */
export const systemRegistersOf = ({ architecture, tables }: CoreProfile): ReadonlySet<SysReg> =>
  new Set<SysReg>([
    ...EVERYWHERE,
    ...SYSTEM_REGISTERS[architecture],
    ...(tables.includes('lpae') ? (['MAIR'] as const) : []),
  ]);
