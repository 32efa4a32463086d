import { bit, defineRegisters, field } from '../../base/types/registers';
import { bankedInterruptRegisters, sharedInterruptRegisters } from '../gic/regs';

/*
 * Arm Generic Interrupt Controller, version 3 (IHI 0069). The distributor has the shared
 * interrupts; each CPU has a redistributor of two frames (RD_base, SGI_base) with its own
 * interrupts, and a CPU interface that is system registers.
 */

export const COMPATIBLE = ['arm,gic-v3', 'qcom,msm8996-gic-v3'] as const;

/** Bytes of one frame; a redistributor is RD_base and, one frame on, SGI_base. */
export const FRAME_SIZE = 0x1_0000;
export const REDISTRIBUTOR_SIZE = 2 * FRAME_SIZE;

/** Most CPUs that the bench gives one GICv3. */
export const MAX_CPUS = 64;

/** PIDR2.ARCH */
export const ARCH_GICV3 = 3;

const PIDR2 = {
  at: 0xffe8,
  access: 'ro',
  reset: ARCH_GICV3 << 4,
  fields: { REST: field(0, 4), ARCH: field(4, 4) },
} as const;

/** Distributor; affinity routing only. */
export const GICD = defineRegisters({
  name: 'gicv3-gicd',
  size: FRAME_SIZE,
  registers: {
    CTLR: {
      at: 0x0000,
      reset: 0x40,
      fields: {
        ENABLE_GRP0: bit(0),
        ENABLE_GRP1: bit(1),
        ARE: bit(4),
        DS: bit(6).ro(),
        E1NWF: bit(7).unimplemented(),
        RWP: bit(31).ro(),
      },
    },
    TYPER: {
      at: 0x0004,
      access: 'ro',
      fields: {
        IT_LINES: field(0, 5),
        CPUS: field(5, 3),
        ESPI: bit(8),
        SECURITY: bit(10),
        LPIS: bit(17),
        ID_BITS: field(19, 5),
        A3V: bit(24),
      },
      note: 'as integrated',
    },
    IIDR: { at: 0x0008, access: 'ro', reset: 0x0000_043b },
    TYPER2: { at: 0x000c, access: 'ro' },
    ...sharedInterruptRegisters,
    PIDR2,
  },
  arrays: {
    IROUTER: {
      at: 0x6100,
      stride: 8,
      count: 988,
      registers: {
        LO: {
          at: 0,
          fields: {
            AFF0: field(0, 8),
            AFF1: field(8, 8),
            AFF2: field(16, 8),
            ANY: bit(31).unimplemented(),
          },
        },
        HI: { at: 4, fields: { AFF3: field(0, 8) } },
      },
    },
  },
  notModelled: [
    'two security states: GICD_CTLR.DS is one',
    'FIQs: an interrupt of Group 0 is never signalled',
    'operation without affinity routing: with ARE zero nothing is signalled',
    'LPIs, the ITS, extended SPIs and PPIs',
    'message-based SPIs and GICD_IROUTER.Interrupt_Routing_Mode',
    'virtualization (ICH_ and ICV_ registers)',
    'affinity level 3, the range selector of SGIs and the active priority registers (ICC_AP1Rn)',
  ],
});

/** Redistributor, first frame. */
export const GICR_RD = defineRegisters({
  name: 'gicr-rd',
  size: FRAME_SIZE,
  registers: {
    CTLR: { at: 0x00, fields: { ENABLE_LPIS: bit(0).unimplemented(), RWP: bit(3).ro() } },
    IIDR: { at: 0x04, access: 'ro', reset: 0x0000_043b },
    TYPER_LO: {
      at: 0x08,
      access: 'ro',
      fields: { PLPIS: bit(0), VLPIS: bit(1), LAST: bit(4), PROCESSOR: field(8, 16) },
      note: 'as integrated',
    },
    TYPER_HI: { at: 0x0c, access: 'ro', note: 'affinity of the CPU' },
    WAKER: {
      at: 0x14,
      reset: 0x6,
      fields: { PROCESSOR_SLEEP: bit(1), CHILDREN_ASLEEP: bit(2).ro() },
    },
    PIDR2,
  },
});

/** Redistributor, second frame: the CPU's own interrupts. */
export const GICR_SGI = defineRegisters({
  name: 'gicr-sgi',
  size: FRAME_SIZE,
  registers: bankedInterruptRegisters,
});

/*
 * The CPU interface's system registers are those of IccReg; what is not listed there is not
 * modelled.
 */

/** ICC_CTLR_EL1 */
export const ICC_CTLR = {
  EOI_MODE: bit(1),
  PRI_BITS: field(8, 3),
  ID_BITS: field(11, 3),
  A3V: bit(15),
} as const;

/** ICC_SGI1R_EL1, low word; bits 40 and 32 to 39, 48 to 55 are mode and upper affinities. */
export const ICC_SGI1R = {
  TARGETS: field(0, 16),
  AFF1: field(16, 8),
  INT_ID: field(24, 4),
} as const;
/** ICC_SGI1R_EL1.IRM: to all but oneself. */
export const ICC_SGI1R_IRM = 2 ** 40;
