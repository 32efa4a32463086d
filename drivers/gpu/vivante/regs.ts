import { bit, defineRegisters, field } from '../../base/types/registers';

export { GC_STATES } from './regs/states';

/** What a tree names it by: with an MMU of version 2. */
export const COMPATIBLE = 'dmabench,gc-lite';

/** Events that have an interrupt bit; the two above are the MMU's and the bus's. */
export const EVENTS = 30;
/** Bits of INTR_ACKNOWLEDGE and INTR_ENBL. */
export const Interrupt = { MMU_EXCEPTION: 2 ** 30, AXI_BUS_ERROR: 2 ** 31 } as const;

/** Bits of IDLE_STATE of the units there are. */
export const IdleBit = { FE: 0, DE: 1, PE: 2, SH: 3, PA: 4, SE: 5, RA: 6, TX: 7, BL: 12 } as const;

/** MMUs of STATUS and EXCEPTION_ADDR: whose access it was. */
export const MMUS = 4;
/** Values of the fields of STATUS. */
export const MmuException = { SlaveNotPresent: 1, PageNotPresent: 2, WriteViolation: 3 } as const;
export type MmuException = (typeof MmuException)[keyof typeof MmuException];

/** Values of DMA_DEBUG_STATE.CMD_STATE. */
export const CmdState = {
  IDLE: 0,
  DEC: 1,
  LOAD0: 3,
  DRAW: 12,
  WAITFIFO: 17,
  WAIT: 18,
  LINK: 19,
  END: 20,
  STALL: 21,
} as const;
export type CmdState = (typeof CmdState)[keyof typeof CmdState];

/** Values of X_FE_STOP.CAUSE. */
export const StopCause = {
  None: 0,
  /** An opcode that there is not, or not on this chip. */
  IllegalOpcode: 1,
  /** LOAD_STATE of what is no state, or a value that it does not take. */
  IllegalState: 2,
  /** The words that were fetched are used up, and the last command does not lead on. */
  Starved: 3,
  /** Its own fetch is refused by the MMU. */
  Fault: 4,
  /** Its own fetch ends with a bus error. */
  BusError: 5,
} as const;
export type StopCause = (typeof StopCause)[keyof typeof StopCause];

/** Address spaces of the X- extensions. */
export const ADDRESS_SPACES = 4;

/** Values of X_AS.FAULT_CTRL.MODE. */
export const FaultMode = {
  /** As MMUv2 does it: the entry says whether there is an exception or the safe address. */
  Native: 0,
  /** F1: an exception; the engine stops for good. */
  Terminate: 1,
  /** F2: the safe address. */
  SafePage: 2,
  /** F3: the engine waits; software looks, then says how it ends by COMMAND. */
  Stall: 3,
  /** F4: as Replay within the heap, as Terminate outside. */
  Grow: 4,
  /** F5: the engine waits, the fault goes to the queue; X_REPLAY has all that wait tried again. */
  Replay: 5,
} as const;
export type FaultMode = (typeof FaultMode)[keyof typeof FaultMode];

/** Values of X_AS.COMMAND.CODE. */
export const AsCommand = {
  Nop: 0,
  /** TABLE is taken, and what was kept of the address space is forgotten. */
  Update: 1,
  /** Accesses to the region in LOCKADDR wait. */
  Lock: 2,
  Unlock: 3,
  /** What was kept of the locked region, or of all if none is locked, is forgotten. */
  FlushPt: 4,
  /** As FlushPt; the caches of the engines are written back and emptied, too. */
  FlushMem: 5,
  /** F3: what waits is tried again, or ends as a fault. */
  ResumeRetry: 6,
  ResumeTerminate: 7,
} as const;

/**
 * An entry of the fault queue: four little-endian words at these offsets, one every SIZE bytes. The GPU
 * writes FLAGS, with VALID, after the rest; software clears VALID before it moves GET on.
 */
export const FAULT_ENTRY = { SIZE: 16, FLAGS: 0, ADDRESS: 4, UNIT: 8, SEQUENCE: 12 } as const;
/** Fields of FAULT_ENTRY.FLAGS. CODE: an MmuException. */
export const FAULT_FLAGS = {
  VALID: bit(31),
  WRITE: bit(0),
  AS: field(4, 2),
  CODE: field(8, 3),
} as const;
/** Most entries of the fault queue. */
export const MOST_FAULTS = 256;

const MMU_CODES = {
  EXCEPTION0: field(0, 4),
  EXCEPTION1: field(4, 4),
  EXCEPTION2: field(8, 4),
  EXCEPTION3: field(12, 4),
} as const;

/**
 * GC-lite: the registers of a Vivante GC, as the CPU sees them. A strict part of the real ones, with their
 * offsets; those that begin with X_ are extensions of dmabench's. Facts: etna_viv rnndb/state_hi.xml and state.xml; Linux
 * drivers/gpu/drm/etnaviv.
 *
 * Writing COMMAND_CONTROL with ENABLE starts the front end at COMMAND_ADDRESS, with PREFETCH 64-bit words;
 * what it does then only memory says, see regs/command-stream.ts. Before the MMU is enabled its addresses are the
 * bus's. The MMU cannot be switched off again but by SOFT_RESET, which stops all and resets everything but
 * CLOCK_CONTROL. Reading INTR_ACKNOWLEDGE clears it, also what is not enabled. An exception of the MMU is
 * kept until then: the first of each MMU in STATUS and EXCEPTION_ADDR, until the reset. The MMUs are: 0 the
 * front end, 1 all engines.
 *
 * What the front end cannot make sense of stops it where it is: DMA_ADDRESS, DMA_LOW and DMA_HIGH say
 * where and what it was, X_FE_STOP why. There is no interrupt for that.
 *
 * X_AS(n): an address space of its own each; X_AS(0).TABLE is what the state MMUV2_CONFIGURATION writes while
 * X_AS_SELECT is 0, and so on. LOCKADDR: the base, and in its low 6 bits the log2 of the size, at least 12.
 * A fault that is to be serviced goes to the queue at X_FAULTQ_ADDRESS and raises X_INTR.FAULT; while the queue is
 * full faults are lost, which raises X_INTR.OVERFLOW: they come again after the next X_REPLAY.
 */
export const GC_LITE = defineRegisters({
  name: 'gc-lite',
  size: 0x4000,
  registers: {
    CLOCK_CONTROL: {
      at: 0x000,
      reset: 0x900,
      fields: {
        CLK3D_DIS: bit(0),
        CLK2D_DIS: bit(1),
        FSCALE_VAL: field(2, 7),
        FSCALE_CMD_LOAD: bit(9),
        DISABLE_RAM_CLK_GATING: bit(10),
        DISABLE_DEBUG_REGISTERS: bit(11),
        SOFT_RESET: bit(12),
        IDLE_3D: bit(16).ro(),
        IDLE_2D: bit(17).ro(),
        IDLE_VG: bit(18).ro(),
        ISOLATE_GPU: bit(19),
        DEBUG_PIXEL_PIPE: field(20, 4),
      },
    },
    IDLE_STATE: { at: 0x004, access: 'ro', note: 'a bit for each unit: IdleBit' },
    AXI_CONFIG: { at: 0x008, note: 'stored' },
    AXI_STATUS: {
      at: 0x00c,
      access: 'ro',
      fields: {
        WR_ERR_ID: field(0, 4),
        RD_ERR_ID: field(4, 4),
        DET_WR_ERR: bit(8),
        DET_RD_ERR: bit(9),
      },
    },
    INTR_ACKNOWLEDGE: {
      at: 0x010,
      access: 'rc',
      fields: { INTR_VEC: field(0, 30), MMU_EXCEPTION: bit(30), AXI_BUS_ERROR: bit(31) },
    },
    INTR_ENBL: { at: 0x014 },
    CHIP_IDENTITY: { at: 0x018, access: 'ro' },
    CHIP_FEATURE: { at: 0x01c, access: 'ro', note: 'PIPE_3D, DEBUG_MODE, PIPE_2D, MEM32, FE20' },
    CHIP_MODEL: { at: 0x020, access: 'ro', note: '0x3000, with an MMU of version 1 0x2000' },
    CHIP_REV: { at: 0x024, access: 'ro', reset: 0x5450 },
    CHIP_DATE: { at: 0x028, access: 'ro' },
    CHIP_TIME: { at: 0x02c, access: 'ro' },
    CHIP_CUSTOMER_ID: { at: 0x030, access: 'ro', reset: 0x444d_4142, note: 'DMAB' },
    CHIP_MINOR_FEATURE_0: { at: 0x034, access: 'ro' },
    CHIP_SPECS: { at: 0x048, access: 'ro' },
    CHIP_MINOR_FEATURE_1: { at: 0x074, access: 'ro', note: 'bit 28: an MMU of version 2' },
    CHIP_SPECS_2: { at: 0x080, access: 'ro' },
    CHIP_MINOR_FEATURE_2: { at: 0x084, access: 'ro' },
    CHIP_MINOR_FEATURE_3: { at: 0x088, access: 'ro' },
    CHIP_SPECS_3: { at: 0x08c, access: 'ro' },
    CHIP_MINOR_FEATURE_4: { at: 0x094, access: 'ro' },
    CHIP_SPECS_4: { at: 0x09c, access: 'ro' },
    CHIP_MINOR_FEATURE_5: { at: 0x0a0, access: 'ro' },
    CHIP_PRODUCT_ID: { at: 0x0a8, access: 'ro' },
    CHIP_ECO_ID: { at: 0x0e8, access: 'ro' },
    POWER_CONTROLS: { at: 0x100, note: 'stored' },
    MODULE_CONTROLS: { at: 0x104, note: 'stored' },
    MODULE_STATUS: { at: 0x108, access: 'ro' },
    PULSE_EATER: { at: 0x10c, note: 'stored' },
    MMU_SAFE_ADDRESS: { at: 0x180, access: 'ro', note: 'a state' },
    MMU_CONFIGURATION: { at: 0x184, access: 'ro', note: 'a state; of X_AS_SELECT' },
    MMU_STATUS: { at: 0x188, access: 'ro', fields: MMU_CODES },
    MMU_CONTROL: { at: 0x18c, fields: { ENABLE: bit(0).w1s() } },
    MMU_EXCEPTION_ADDR: { at: 0x190, access: 'ro', count: MMUS },
    MMU_FE_PAGE_TABLE: { at: 0x400, note: 'MMUv1' },
    MMU_TX_PAGE_TABLE: { at: 0x404, note: 'MMUv1' },
    MMU_PE_PAGE_TABLE: { at: 0x408, note: 'MMUv1' },
    MMU_PEZ_PAGE_TABLE: { at: 0x40c, note: 'MMUv1' },
    MMU_RA_PAGE_TABLE: { at: 0x410, note: 'MMUv1' },
    DEBUG_MEMORY: { at: 0x414, note: 'stored' },
    MEMORY_BASE_ADDR_RA: { at: 0x418, note: 'MMUv1' },
    MEMORY_BASE_ADDR_FE: { at: 0x41c, note: 'MMUv1' },
    MEMORY_BASE_ADDR_TX: { at: 0x420, note: 'MMUv1' },
    MEMORY_BASE_ADDR_PEZ: { at: 0x424, note: 'MMUv1' },
    MEMORY_BASE_ADDR_PE: { at: 0x428, note: 'MMUv1' },
    COMMAND_ADDRESS: { at: 0x654, access: 'wo' },
    COMMAND_CONTROL: {
      at: 0x658,
      access: 'wo',
      fields: { PREFETCH: field(0, 16), ENABLE: bit(16) },
    },
    DMA_STATUS: { at: 0x65c, access: 'ro' },
    DMA_DEBUG_STATE: {
      at: 0x660,
      access: 'ro',
      fields: { CMD_STATE: field(0, 5), CMD_DMA_STATE: field(8, 2), CMD_FETCH_STATE: field(10, 2) },
    },
    DMA_ADDRESS: { at: 0x664, access: 'ro', note: 'of the command that is decoded' },
    DMA_LOW: { at: 0x668, access: 'ro' },
    DMA_HIGH: { at: 0x66c, access: 'ro' },
    X_VERSION: { at: 0x2000, access: 'ro', reset: 1 },
    X_FE_STOP: {
      at: 0x2004,
      access: 'ro',
      fields: { CAUSE: field(0, 4), OPCODE: field(8, 5) },
      note: 'CAUSE: a StopCause',
    },
    X_FAULTQ_ADDRESS: { at: 0x2010, note: 'of the bus' },
    X_FAULTQ_ENTRIES: { at: 0x2014, fields: { COUNT: field(0, 9) }, note: '0: no queue' },
    X_FAULTQ_GET: { at: 0x2018, fields: { INDEX: field(0, 8) }, note: 'the next for software' },
    X_FAULTQ_PUT: { at: 0x201c, access: 'ro', note: 'the next for the GPU' },
    X_INTR: {
      at: 0x2020,
      access: 'w1c',
      fields: { FAULT: bit(0), OVERFLOW: bit(1), STALLED: bit(2) },
    },
    X_INTR_ENBL: {
      at: 0x2024,
      fields: { FAULT: bit(0), OVERFLOW: bit(1), STALLED: bit(2) },
    },
    X_REPLAY: {
      at: 0x2028,
      access: 'wo',
      fields: { RETRY: field(0, ADDRESS_SPACES), CANCEL: field(8, ADDRESS_SPACES) },
      note: 'a bit for each address space',
    },
    X_FAULTS_LOST: { at: 0x202c, access: 'ro' },
  },
  arrays: {
    X_AS: {
      at: 0x2100,
      stride: 0x40,
      count: ADDRESS_SPACES,
      registers: {
        TABLE: { at: 0x00, fields: { ADDRESS: field(10, 22) }, note: 'taken by Update' },
        FAULT_CTRL: { at: 0x04, fields: { MODE: field(0, 3) }, note: 'a FaultMode' },
        HEAP_BASE: { at: 0x08 },
        HEAP_SIZE: { at: 0x0c },
        COMMAND: { at: 0x10, access: 'wo', fields: { CODE: field(0, 3) }, note: 'an AsCommand' },
        LOCKADDR: { at: 0x14 },
        STATUS: { at: 0x18, access: 'ro', fields: { LOCKED: bit(0), WAITING: bit(1) } },
        FAULT_STATUS: {
          at: 0x1c,
          access: 'ro',
          fields: { CODE: field(0, 3), WRITE: bit(4), MMU: field(8, 2) },
          note: 'of the last fault',
        },
        FAULT_ADDRESS: { at: 0x20, access: 'ro' },
      },
    },
  },
  notModelled: [
    'clocks, clock gating and power: what they are set to is stored',
    'the registers of the front end while CLOCK_CONTROL.DISABLE_DEBUG_REGISTERS is set: they answer all the same',
    'time that walks and commands of an address space take: a poll sees the outcome at once',
    'counters and profiling',
    'the secure half of the MMU, and the table array',
    'a stall of an IOMMU between the GPU and memory',
  ],
});
