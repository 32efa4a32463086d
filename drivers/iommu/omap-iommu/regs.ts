import { bit, defineRegisters, field } from '../../base/types/registers';

/** The strings that a tree names it by. */
export const COMPATIBLE: readonly string[] = [
  'ti,omap2-iommu',
  'ti,omap4-iommu',
  'ti,dra7-iommu',
  'ti,dra7-dsp-iommu',
];

/** Entries of the TLB if the tree does not say: `ti,#tlb-entries`; and the most that LOCK can count. */
export const DEFAULT_TLB_ENTRIES = 32;
export const MOST_TLB_ENTRIES = 32;

/** Bytes of the window of those that have no GP_REG. */
export const SMALL_WINDOW = 0x80;

/** Values of CAM.SIZE, and the bytes that each is. */
export const PageSize = { Section: 0, Large: 1, Small: 2, Super: 3 } as const;
export const SPAN_OF: readonly number[] = [0x10_0000, 0x1_0000, 0x1000, 0x100_0000];

const FAULTS = {
  TLB_MISS: bit(0),
  TRANSLATION_FAULT: bit(1),
  EMU_MISS: bit(2),
  TABLE_WALK_FAULT: bit(3),
  MULTI_HIT: bit(4),
} as const;

const CAM = { SIZE: field(0, 2), VALID: bit(2), PRESERVED: bit(3), TAG: field(12, 20) } as const;
const RAM = {
  MIXED: bit(6),
  ELEMENT_SIZE: field(7, 2),
  BIG_ENDIAN: bit(9),
  ADDRESS: field(12, 20),
} as const;

/**
 * The MMU of OMAP's coprocessors and camera. Facts: OMAP4430 TRM (SWPU231) chapter 20; Linux
 * drivers/iommu/omap-iommu.h.
 *
 * While CNTL.ENABLE is clear, addresses pass unchanged. While it is set they are looked up in the
 * TLB, else, with CNTL.WALK, in the table at TTB (formats: drivers/iommu/regs/omap.ts), and what the
 * table has takes the place of LOCK.VICTIM, which then moves on over the entries from LOCK.BASE on;
 * those below are never replaced. LD_TLB puts CAM and RAM in the place of the victim; FLUSH_ENTRY
 * ends the entries that hold for the address in CAM, GFLUSH all but the preserved ones. READ_CAM and
 * READ_RAM show the entry of the victim. A fault sets its bit in IRQSTATUS and keeps the address in
 * FAULT_AD; the transaction ends with a bus error if GP_REG.BUS_ERROR_BACK is set, else it waits until
 * IRQSTATUS is written, and is tried again then.
 */
export const OMAP_IOMMU = defineRegisters({
  name: 'omap-iommu',
  size: 0x100,
  registers: {
    REVISION: { at: 0x00, access: 'ro', reset: 0x20, fields: { REV: field(0, 8) } },
    SYSCONFIG: {
      at: 0x10,
      fields: {
        AUTO_IDLE: bit(0),
        SOFT_RESET: bit(1),
        IDLE_MODE: field(3, 2),
        CLOCK_ACTIVITY: field(8, 2).ro(),
      },
      note: 'SOFT_RESET reads as 0: it is over at once',
    },
    SYSSTATUS: { at: 0x14, access: 'ro', reset: 1, fields: { RESET_DONE: bit(0) } },
    IRQSTATUS: {
      at: 0x18,
      fields: {
        TLB_MISS: bit(0).w1c(),
        TRANSLATION_FAULT: bit(1).w1c(),
        EMU_MISS: bit(2).w1c(),
        TABLE_WALK_FAULT: bit(3).w1c(),
        MULTI_HIT: bit(4).w1c(),
      },
    },
    IRQENABLE: { at: 0x1c, fields: FAULTS },
    WALKING_ST: { at: 0x40, access: 'ro', fields: { RUNNING: bit(0) } },
    CNTL: {
      at: 0x44,
      fields: { ENABLE: bit(1), WALK: bit(2), EMULATOR: bit(3).unimplemented() },
    },
    FAULT_AD: { at: 0x48, access: 'ro' },
    TTB: { at: 0x4c, fields: { TABLE: field(7, 25) }, note: '16 KiB, at a multiple of it' },
    LOCK: { at: 0x50, fields: { VICTIM: field(4, 5), BASE: field(10, 5) } },
    LD_TLB: { at: 0x54, access: 'wo', fields: { GO: bit(0) } },
    CAM: { at: 0x58, fields: CAM },
    RAM: { at: 0x5c, fields: RAM },
    GFLUSH: { at: 0x60, access: 'wo', fields: { GO: bit(0) } },
    FLUSH_ENTRY: { at: 0x64, access: 'wo', fields: { GO: bit(0) } },
    READ_CAM: { at: 0x68, access: 'ro', fields: CAM },
    READ_RAM: { at: 0x6c, access: 'ro', fields: RAM },
    EMU_FAULT_AD: { at: 0x70, access: 'ro' },
    GP_REG: {
      at: 0x88,
      fields: { BUS_ERROR_BACK: bit(0) },
      note: 'where the tree has `ti,iommu-bus-err-back`',
    },
  },
  notModelled: [
    'conversion of endianness and element sizes: RAM keeps the bits, nothing heeds them',
    'time that a walk takes: WALKING_ST is never seen running',
    'idle modes (SYSCONFIG), clocks, and what resets a coprocessor’s subsystem',
    'accesses of an emulator: never reported',
  ],
});
