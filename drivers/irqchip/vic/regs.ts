import { bit, defineRegisters, field } from '../../base/types/registers';

/* Arm PrimeCell Vectored Interrupt Controller PL190 (DDI 0181E). */

export const COMPATIBLE = ['arm,pl190-vic', 'arm,versatile-vic'] as const;

/** Interrupt inputs. */
export const LINES = 32;
/** Vectored slots, slot 0 the most urgent. */
export const VECTORS = 16;

const id = (at: number, reset: number): { at: number; access: 'ro'; reset: number } => ({
  at,
  access: 'ro',
  reset,
});

export const VIC = defineRegisters({
  name: 'pl190',
  size: 0x1000,
  registers: {
    IRQSTATUS: { at: 0x000, access: 'ro' },
    FIQSTATUS: { at: 0x004, access: 'ro' },
    RAWINTR: { at: 0x008, access: 'ro' },
    INTSELECT: { at: 0x00c, note: 'ones are FIQs' },
    INTENABLE: { at: 0x010, access: 'w1s' },
    INTENCLEAR: { at: 0x014, access: 'wo' },
    SOFTINT: { at: 0x018, access: 'w1s' },
    SOFTINTCLEAR: { at: 0x01c, access: 'wo' },
    PROTECTION: { at: 0x020, fields: { ENABLE: bit(0).unimplemented() } },
    VECTADDR: { at: 0x030, note: 'read: take the interrupt; write: end it' },
    DEFVECTADDR: { at: 0x034 },
    SLOTADDR: { at: 0x100, count: VECTORS, note: 'VICVECTADDR0 to 15' },
    SLOTCNTL: {
      at: 0x200,
      count: VECTORS,
      fields: { SOURCE: field(0, 5), ENABLE: bit(5) },
      note: 'VICVECTCNTL0 to 15',
    },
    ITCR: { at: 0x300, unimplemented: true, note: 'integration test' },
    PERIPHID0: id(0xfe0, 0x90),
    PERIPHID1: id(0xfe4, 0x11),
    PERIPHID2: id(0xfe8, 0x04),
    PERIPHID3: id(0xfec, 0x00),
    PCELLID0: id(0xff0, 0x0d),
    PCELLID1: id(0xff4, 0xf0),
    PCELLID2: id(0xff8, 0x05),
    PCELLID3: id(0xffc, 0xb1),
  },
  notModelled: [
    'daisy chaining (VICVECTADDRIN, nVICIRQIN, nVICFIQIN)',
    'the PL192 and the ST derivative with 64 inputs',
    "the Versatile boards' secondary controller (arm,versatile-sic), an input of this one",
  ],
});
