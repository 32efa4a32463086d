import { bit, defineRegisters, field } from '../../base/types/registers';

/*
 * Arm Generic Interrupt Controller, versions 1 and 2 (IHI 0048B.b; GIC-400: DDI 0471).
 *
 * Registers with an element for each interrupt are declared twice: those of interrupts 0 to 31
 * exist once for each CPU at one address (banked), those from 32 on once (shared). Together the
 * two sheets are the distributor. GICv3 has the same registers in its redistributors and its
 * distributor.
 */

/** What Linux's irq-gic drives; each is also what boards of this bench say. */
export const COMPATIBLE = [
  'arm,gic-400',
  'arm,cortex-a15-gic',
  'arm,cortex-a9-gic',
  'arm,cortex-a7-gic',
  'arm,cortex-a5-gic',
  'arm,pl390',
  'qcom,msm-8660-qgic',
  'qcom,msm-qgic2',
] as const;

export const FIRST_PPI = 16;
export const FIRST_SPI = 32;
/** Interrupt numbers from here on are not interrupts. */
export const FIRST_SPECIAL = 1020;
/** What an acknowledge register says when nothing is pending. */
export const SPURIOUS = 1023;

/** Most CPUs that one GICv2 serves, and most shared interrupts that any GIC has. */
export const MAX_CPUS = 8;
export const MAX_SPIS = 31 * 32;

/** ICFGR of the SGIs, which are edge-triggered by nature. */
export const SGI_CONFIG = 0xaaaa_aaaa;

/** Words of one bit for each shared interrupt, 32 to 1023. */
const SHARED_WORDS = 31;

/** The distributor's registers of shared interrupts; element 0 is that of interrupt 32. */
export const sharedInterruptRegisters = {
  IGROUPR: { at: 0x084, count: SHARED_WORDS },
  ISENABLER: { at: 0x104, count: SHARED_WORDS, access: 'w1s' },
  ICENABLER: { at: 0x184, count: SHARED_WORDS, access: 'w1c', shares: 'ISENABLER' },
  ISPENDR: { at: 0x204, count: SHARED_WORDS, access: 'w1s' },
  ICPENDR: { at: 0x284, count: SHARED_WORDS, access: 'w1c', shares: 'ISPENDR' },
  ISACTIVER: { at: 0x304, count: SHARED_WORDS, access: 'w1s' },
  ICACTIVER: { at: 0x384, count: SHARED_WORDS, access: 'w1c', shares: 'ISACTIVER' },
  IPRIORITYR: { at: 0x420, count: 8 * SHARED_WORDS, partial: true },
  ICFGR: { at: 0xc08, count: 2 * SHARED_WORDS },
} as const;

/** The same of the interrupts that every CPU has of its own. */
export const bankedInterruptRegisters = {
  IGROUPR: { at: 0x080, count: 1 },
  ISENABLER: { at: 0x100, count: 1, access: 'w1s' },
  ICENABLER: { at: 0x180, count: 1, access: 'w1c', shares: 'ISENABLER' },
  ISPENDR: { at: 0x200, count: 1, access: 'w1s' },
  ICPENDR: { at: 0x280, count: 1, access: 'w1c', shares: 'ISPENDR' },
  ISACTIVER: { at: 0x300, count: 1, access: 'w1s' },
  ICACTIVER: { at: 0x380, count: 1, access: 'w1c', shares: 'ISACTIVER' },
  IPRIORITYR: { at: 0x400, count: 8, partial: true },
  ICFGR: { at: 0xc00, count: 2 },
} as const;

const NO_GROUPS = { unimplemented: true, note: 'one security state, Group 0 only' } as const;

/** Distributor, shared part. */
export const GICD = defineRegisters({
  name: 'gicd',
  size: 0x1000,
  registers: {
    CTLR: { at: 0x000, fields: { ENABLE: bit(0), ENABLE_GRP1: bit(1).unimplemented() } },
    TYPER: {
      at: 0x004,
      access: 'ro',
      fields: { IT_LINES: field(0, 5), CPUS: field(5, 3), SECURITY: bit(10), LSPI: field(11, 5) },
      note: 'as integrated',
    },
    IIDR: { at: 0x008, access: 'ro', note: 'as integrated' },
    ...sharedInterruptRegisters,
    IGROUPR: { ...sharedInterruptRegisters.IGROUPR, ...NO_GROUPS },
    ITARGETSR: { at: 0x820, count: 8 * SHARED_WORDS, partial: true },
    SGIR: {
      at: 0xf00,
      access: 'wo',
      fields: {
        INT_ID: field(0, 4),
        NSATT: bit(15).unimplemented(),
        TARGETS: field(16, 8),
        FILTER: field(24, 2),
      },
    },
    ICPIDR2: { at: 0xfe8, access: 'ro', fields: { REST: field(0, 4), ARCH: field(4, 4) } },
  },
  notModelled: [
    'Security Extensions, interrupt groups and FIQs: every interrupt is an IRQ of Group 0',
    'Virtualization Extensions: the GICH and GICV windows are not there',
    'GICD_NSACR, GICD_PPISR and GICD_SPISR',
    'bypass of the controller while it is disabled',
  ],
});

/** Distributor, what each CPU sees of its own interrupts. */
export const GICD_BANKED = defineRegisters({
  name: 'gicd-banked',
  size: 0x1000,
  registers: {
    ...bankedInterruptRegisters,
    IGROUPR: { ...bankedInterruptRegisters.IGROUPR, ...NO_GROUPS },
    ITARGETSR: { at: 0x800, count: 8, access: 'ro', partial: true, note: 'this CPU, in each byte' },
    SPENDSGIR: {
      at: 0xf20,
      count: 4,
      access: 'w1s',
      partial: true,
      note: 'a byte of sources each',
    },
    CPENDSGIR: { at: 0xf10, count: 4, access: 'w1c', partial: true, shares: 'SPENDSGIR' },
  },
});

/** CPU interface; each CPU sees its own. */
export const GICC = defineRegisters({
  name: 'gicc',
  size: 0x2000,
  registers: {
    CTLR: {
      at: 0x00,
      fields: {
        ENABLE: bit(0),
        ENABLE_GRP1: bit(1).unimplemented(),
        ACK_CTL: bit(2).unimplemented(),
        FIQ_EN: bit(3).unimplemented(),
        CBPR: bit(4).unimplemented(),
        BYPASS_DISABLE: field(5, 4).unimplemented(),
        EOI_MODE: bit(9).unimplemented(),
      },
    },
    PMR: { at: 0x04, fields: { PRIORITY: field(0, 8) } },
    BPR: { at: 0x08, fields: { BINARY_POINT: field(0, 3) } },
    IAR: { at: 0x0c, access: 'ro', fields: { INT_ID: field(0, 10), CPU_ID: field(10, 3) } },
    EOIR: { at: 0x10, access: 'wo', fields: { INT_ID: field(0, 10), CPU_ID: field(10, 3) } },
    RPR: { at: 0x14, access: 'ro', fields: { PRIORITY: field(0, 8) } },
    HPPIR: { at: 0x18, access: 'ro', fields: { INT_ID: field(0, 10), CPU_ID: field(10, 3) } },
    ABPR: { at: 0x1c, unimplemented: true },
    AIAR: { at: 0x20, unimplemented: true },
    AEOIR: { at: 0x24, unimplemented: true },
    AHPPIR: { at: 0x28, unimplemented: true },
    APR: { at: 0xd0, count: 4, unimplemented: true },
    IIDR: { at: 0xfc, access: 'ro', note: 'as integrated' },
    DIR: { at: 0x1000, unimplemented: true },
  },
});
