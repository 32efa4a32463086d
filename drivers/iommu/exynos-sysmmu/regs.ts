import { bit, defineRegisters, field } from '../../base/types/registers';

/** The string that a tree names it by. */
export const COMPATIBLE: readonly string[] = ['samsung,exynos-sysmmu'];

/** A version as `VERSION` has it, to be compared: major above minor. */
export const sysmmuVersion = (major: number, minor: number): number => major * 0x80 + minor;
export const majorOf = (version: number): number => Math.floor(version / 0x80);

/** What the first SYSMMUs, of version 1.0, read as. */
export const OLDEST_VERSION = 0x8000_0001;

/** VERSION.RAW begins here: 4 bits major, 7 bits minor. */
const RAW = { MINOR: field(21, 7), MAJOR: field(28, 4) } as const;

const CTRL = {
  at: 0x000,
  fields: { ENABLE: bit(0), BLOCK: bit(1), INTERRUPT: bit(2) },
} as const;

const CFG = {
  at: 0x004,
  fields: {
    LRU: bit(0),
    ACCESS_PROTECTION: bit(2),
    QOS: field(7, 4),
    QOS_OVERRIDE: bit(11),
    FLPD_CACHE: bit(20),
    SYSSEL: bit(22),
    AUTO_CLOCK_GATING: bit(24),
  },
  note: 'bits 24:20 as the version has them',
} as const;

const STATUS = { at: 0x008, access: 'ro', fields: { BLOCKED: bit(0) } } as const;
const VERSION = { at: 0x034, access: 'ro', fields: { ...RAW, REST: field(0, 21) } } as const;

/** Bits of INT_STATUS, versions 1 to 3. */
export const FAULTS = {
  PAGE_FAULT: bit(0),
  AR_MULTI_HIT: bit(1),
  AW_MULTI_HIT: bit(2),
  BUS_ERROR: bit(3),
  AR_SECURITY: bit(4),
  AR_ACCESS: bit(5),
  AW_SECURITY: bit(6),
  AW_ACCESS: bit(7),
} as const;

/** Bits of INT_STATUS, version 5. */
export const V5_FAULTS = {
  AR_PTW: bit(0),
  AR_PAGE: bit(1),
  AR_MULTI_HIT: bit(2),
  AR_ACCESS: bit(3),
  AR_SECURITY: bit(4),
  AW_PTW: bit(16),
  AW_PAGE: bit(17),
  AW_MULTI_HIT: bit(18),
  AW_ACCESS: bit(19),
  AW_SECURITY: bit(20),
} as const;

const GAPS = [
  'time that walks and blocking take: a poll sees the outcome at once',
  'requests that wait for INT_CLEAR after a fault: the one that faults is answered with a bus error',
  'first-level entries are kept whatever CFG.FLPD_CACHE says',
  'quality of service, clock gating and the choice of what to replace (CFG): kept, without effect',
  'clocks and power domains, its own and its master’s: it always runs',
  'several entries for one page (MULTI_HIT) and the secure world (SECURITY): never reported',
];

/**
 * A SYSMMU of version 1 to 3. Facts: Linux drivers/iommu/exynos-iommu.c; Exynos 5 Dual user's manual.
 *
 * While CTRL.ENABLE is clear, addresses pass unchanged. While it is set they are looked up in the
 * table at PT_BASE (formats: drivers/iommu/regs/exynos.ts); while BLOCK is set as well whoever
 * comes waits, and STATUS.BLOCKED follows. Entries that lead somewhere may be kept until FLUSH_ENTRY of an
 * address they hold for, or FLUSH_ALL; from 3.2 on first-level entries too, as if CFG.FLPD_CACHE were
 * always set.
 * TLBs are only to be flushed, and PT_BASE only to be written, while BLOCKED is set. A fault sets its
 * bit in INT_STATUS, which INT_CLEAR clears, and, with CTRL.INTERRUPT, raises the interrupt.
 */
export const SYSMMU = defineRegisters({
  name: 'sysmmu',
  size: 0x1000,
  registers: {
    CTRL,
    CFG,
    STATUS,
    FLUSH_ALL: { at: 0x00c, access: 'wo', fields: { GO: bit(0) } },
    FLUSH_ENTRY: { at: 0x010, access: 'wo', fields: { GO: bit(0), PAGE: field(12, 20) } },
    PT_BASE: { at: 0x014, fields: { TABLE: field(10, 22) }, note: '16 KiB, at a multiple of it' },
    INT_STATUS: { at: 0x018, access: 'ro', fields: FAULTS },
    INT_CLEAR: { at: 0x01c, access: 'wo', fields: FAULTS },
    PAGE_FAULT_ADDR: { at: 0x024, access: 'ro' },
    AW_FAULT_ADDR: { at: 0x028, access: 'ro' },
    AR_FAULT_ADDR: { at: 0x02c, access: 'ro' },
    DEFAULT_SLAVE_ADDR: { at: 0x030, access: 'ro' },
    VERSION,
  },
  notModelled: GAPS,
});

/**
 * A SYSMMU of version 5: as before, with PT_BASE in pages, entries whose addresses have 36 bits, a
 * flush of a range, and faults by channel.
 */
export const SYSMMU_V5 = defineRegisters({
  name: 'sysmmu-v5',
  size: 0x1000,
  registers: {
    CTRL,
    CFG,
    STATUS,
    PT_BASE: { at: 0x00c, fields: { FRAME: field(0, 24) }, note: 'its number of pages' },
    FLUSH_ALL: { at: 0x010, access: 'wo', fields: { GO: bit(0) } },
    FLUSH_ENTRY: { at: 0x014, access: 'wo', fields: { GO: bit(0), PAGE: field(12, 20) } },
    FLUSH_RANGE: { at: 0x018, access: 'wo', fields: { GO: bit(0) } },
    FLUSH_START: { at: 0x020, fields: { PAGE: field(12, 20) } },
    FLUSH_END: { at: 0x024, fields: { PAGE: field(12, 20) }, note: 'the last page' },
    VERSION,
    INT_STATUS: { at: 0x060, access: 'ro', fields: V5_FAULTS },
    INT_CLEAR: { at: 0x064, access: 'wo', fields: V5_FAULTS },
    FAULT_AR_VA: { at: 0x070, access: 'ro' },
    FAULT_AW_VA: { at: 0x080, access: 'ro' },
  },
  notModelled: ['version 7, its virtual machines and translation by register'],
});
