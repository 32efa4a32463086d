import { bit, defineRegisters, field } from '../../base/types/registers';

/** The string that a tree names it by. */
export const COMPATIBLE: readonly string[] = ['arm,smmu-v3'];

/** Values of IDR0.TTF, TTENDIAN, STALL_MODEL and ST_LEVEL that the model has. */
export const TTF_AARCH64 = 2;
export const TTENDIAN_LITTLE = 2;
export const STALL_MODEL = { Both: 0, TerminateOnly: 1, ForceStall: 2 } as const;
export const ST_LEVEL_TWO = 1;

/** Bits of output addresses by IDR5.OAS, as in ID_AA64MMFR0_EL1.PARange. */
export const OAS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52];

/** Values of STRTAB_BASE_CFG.FMT. */
export const STRTAB_FORMAT = { Linear: 0, TwoLevel: 1 } as const;

/** Values of CMDQ_CONS.ERR. */
export const CommandError = {
  None: 0,
  /** An opcode that does not exist, or a field with a value that does not. */
  Illegal: 1,
  /** The bus answered no when the command was fetched. */
  Abort: 2,
} as const;
export type CommandError = (typeof CommandError)[keyof typeof CommandError];

/** An index of a queue: below 2^20 with the wrap bit, which is the one above the index. */
const QUEUE_INDEX_BITS = 20;

/** Interrupts by their names in a tree (`interrupt-names`), in no order. */
export const IRQ_NAMES = ['combined', 'eventq', 'gerror', 'cmdq-sync', 'priq'] as const;
export type IrqName = (typeof IRQ_NAMES)[number];

const ADDRESS_LOW = field(2, 30);
/** MSIs go to addresses of 52 bits: ADDR[51:32]. */
const ADDRESS_HIGH = field(0, 20);

/**
 * Arm SMMUv3, the programming interface of the non-secure state (Arm IHI 0070, chapter 6): page 0,
 * and page 1 from 0x10000 on. A register of 64 bits is two of 32, LO and HI.
 */
export const SMMU_V3 = defineRegisters({
  name: 'smmu-v3',
  size: 0x2_0000,
  registers: {
    IDR0: {
      at: 0x00,
      access: 'ro',
      fields: {
        S2P: bit(0),
        S1P: bit(1),
        TTF: field(2, 2),
        COHACC: bit(4),
        BTM: bit(5),
        HTTU: field(6, 2),
        DORMHINT: bit(8),
        HYP: bit(9),
        ATS: bit(10),
        NS1ATS: bit(11),
        ASID16: bit(12),
        MSI: bit(13),
        SEV: bit(14),
        ATOS: bit(15),
        PRI: bit(16),
        VMW: bit(17),
        VMID16: bit(18),
        CD2L: bit(19),
        VATOS: bit(20),
        TTENDIAN: field(21, 2),
        ATSRECERR: bit(23),
        STALL_MODEL: field(24, 2),
        TERM_MODEL: bit(26),
        ST_LEVEL: field(27, 2),
      },
      note: 'as the board has it',
    },
    IDR1: {
      at: 0x04,
      access: 'ro',
      fields: {
        SIDSIZE: field(0, 6),
        SSIDSIZE: field(6, 5),
        PRIQS: field(11, 5),
        EVENTQS: field(16, 5),
        CMDQS: field(21, 5),
        ATTR_PERMS_OVR: bit(26),
        ATTR_TYPES_OVR: bit(27),
        REL: bit(28),
        QUEUES_PRESET: bit(29),
        TABLES_PRESET: bit(30),
        ECMDQ: bit(31),
      },
      note: 'as the board has it',
    },
    IDR2: { at: 0x08, access: 'ro' },
    IDR3: {
      at: 0x0c,
      access: 'ro',
      fields: {
        HAD: bit(2),
        XNX: bit(4),
        FWB: bit(8),
        STT: bit(9),
        RIL: bit(10),
        BBML: field(11, 2),
      },
    },
    IDR4: { at: 0x10, access: 'ro' },
    IDR5: {
      at: 0x14,
      access: 'ro',
      fields: {
        OAS: field(0, 3),
        GRAN4K: bit(4),
        GRAN16K: bit(5),
        GRAN64K: bit(6),
        VAX: field(10, 2),
        STALL_MAX: field(16, 16),
      },
      note: 'as the board has it',
    },
    IIDR: { at: 0x18, access: 'ro', reset: 0x0000_043b, note: 'Arm' },
    AIDR: { at: 0x1c, access: 'ro', reset: 0x01, note: 'SMMUv3.1' },
    CR0: {
      at: 0x20,
      fields: {
        SMMUEN: bit(0),
        PRIQEN: bit(1).unimplemented(),
        EVENTQEN: bit(2),
        CMDQEN: bit(3),
        ATSCHK: bit(4).unimplemented(),
        VMW: field(6, 3).unimplemented(),
      },
    },
    CR0ACK: {
      at: 0x24,
      access: 'ro',
      fields: { SMMUEN: bit(0), PRIQEN: bit(1), EVENTQEN: bit(2), CMDQEN: bit(3), ATSCHK: bit(4) },
    },
    CR1: {
      at: 0x28,
      fields: {
        QUEUE_IC: field(0, 2),
        QUEUE_OC: field(2, 2),
        QUEUE_SH: field(4, 2),
        TABLE_IC: field(6, 2),
        TABLE_OC: field(8, 2),
        TABLE_SH: field(10, 2),
      },
    },
    CR2: { at: 0x2c, fields: { E2H: bit(0).unimplemented(), RECINVSID: bit(1), PTM: bit(2) } },
    STATUSR: { at: 0x40, access: 'ro', fields: { DORMANT: bit(0) } },
    GBPA: {
      at: 0x44,
      reset: 0x1000,
      fields: {
        MEMATTR: field(0, 4),
        MTCFG: bit(4),
        ALLOCCFG: field(8, 4),
        SHCFG: field(12, 2),
        PRIVCFG: field(16, 2),
        INSTCFG: field(18, 2),
        ABORT: bit(20),
        UPDATE: bit(31),
      },
      note: 'what transactions meet while SMMUEN is 0',
    },
    IRQ_CTRL: {
      at: 0x50,
      fields: { GERROR_IRQEN: bit(0), PRIQ_IRQEN: bit(1).unimplemented(), EVENTQ_IRQEN: bit(2) },
    },
    IRQ_CTRLACK: {
      at: 0x54,
      access: 'ro',
      fields: { GERROR_IRQEN: bit(0), PRIQ_IRQEN: bit(1), EVENTQ_IRQEN: bit(2) },
    },
    GERROR: {
      at: 0x60,
      access: 'ro',
      fields: {
        CMDQ_ERR: bit(0),
        EVENTQ_ABT_ERR: bit(2),
        PRIQ_ABT_ERR: bit(3),
        MSI_CMDQ_ABT_ERR: bit(4),
        MSI_EVENTQ_ABT_ERR: bit(5),
        MSI_PRIQ_ABT_ERR: bit(6),
        MSI_GERROR_ABT_ERR: bit(7),
        SFM_ERR: bit(8),
      },
      note: 'an error is active where it differs from GERRORN',
    },
    GERRORN: {
      at: 0x64,
      fields: {
        CMDQ_ERR: bit(0),
        EVENTQ_ABT_ERR: bit(2),
        PRIQ_ABT_ERR: bit(3),
        MSI_CMDQ_ABT_ERR: bit(4),
        MSI_EVENTQ_ABT_ERR: bit(5),
        MSI_PRIQ_ABT_ERR: bit(6),
        MSI_GERROR_ABT_ERR: bit(7),
        SFM_ERR: bit(8),
      },
    },
    GERROR_IRQ_CFG0_LO: { at: 0x68, fields: { ADDR: ADDRESS_LOW } },
    GERROR_IRQ_CFG0_HI: { at: 0x6c, fields: { ADDR: ADDRESS_HIGH } },
    GERROR_IRQ_CFG1: { at: 0x70, note: 'data of the MSI' },
    GERROR_IRQ_CFG2: { at: 0x74, fields: { MEMATTR: field(0, 4), SH: field(4, 2) } },
    STRTAB_BASE_LO: { at: 0x80, fields: { ADDR: field(6, 26) } },
    STRTAB_BASE_HI: { at: 0x84, fields: { ADDR: field(0, 20), RA: bit(30) } },
    STRTAB_BASE_CFG: {
      at: 0x88,
      fields: { LOG2SIZE: field(0, 6), SPLIT: field(6, 5), FMT: field(16, 2) },
    },
    CMDQ_BASE_LO: { at: 0x90, fields: { LOG2SIZE: field(0, 5), ADDR: field(5, 27) } },
    CMDQ_BASE_HI: { at: 0x94, fields: { ADDR: field(0, 20), RA: bit(30) } },
    CMDQ_PROD: { at: 0x98, fields: { WR: field(0, QUEUE_INDEX_BITS) } },
    CMDQ_CONS: { at: 0x9c, fields: { RD: field(0, QUEUE_INDEX_BITS), ERR: field(24, 7) } },
    EVENTQ_BASE_LO: { at: 0xa0, fields: { LOG2SIZE: field(0, 5), ADDR: field(5, 27) } },
    EVENTQ_BASE_HI: { at: 0xa4, fields: { ADDR: field(0, 20), WA: bit(30) } },
    EVENTQ_IRQ_CFG0_LO: { at: 0xb0, fields: { ADDR: ADDRESS_LOW } },
    EVENTQ_IRQ_CFG0_HI: { at: 0xb4, fields: { ADDR: ADDRESS_HIGH } },
    EVENTQ_IRQ_CFG1: { at: 0xb8, note: 'data of the MSI' },
    EVENTQ_IRQ_CFG2: { at: 0xbc, fields: { MEMATTR: field(0, 4), SH: field(4, 2) } },
    EVENTQ_PROD: { at: 0x1_00a8, fields: { WR: field(0, QUEUE_INDEX_BITS), OVFLG: bit(31) } },
    EVENTQ_CONS: { at: 0x1_00ac, fields: { RD: field(0, QUEUE_INDEX_BITS), OVACKFLG: bit(31) } },
  },
  notModelled: [
    'secure state, EL2 and EL3 stream worlds, ATS, PRI, ATOS, HTTU, BTM, MPAM, ECMDQ, RAS: IDR0 and IDR1 say that they are not there',
    'what entries, context descriptors and commands ask for and is not there (regs/absent.ts), a guest error each: substreams (S1CDMAX, SSID), stage 1 behind stage 2 (STE.Config 7), ATS (EATS), other worlds (STRW), HTTU (HA, HD), big-endian tables, invalidation of ranges, commands of ATS, PRI and EL2',
    'TTB1 (CD.EPD1 0), tagged addresses, tables of AArch32: loud errors',
    'attributes of memory: whether a master snoops is what the tree says of it',
    'privilege: all transactions are privileged unless STE.PRIVCFG makes them not',
    'global translations are kept as those of one ASID',
    'merging of records (STE.MEV)',
    'anything that is fetched ahead of the transaction that needs it, but what was just invalidated',
    'time that a walk takes',
  ],
});
