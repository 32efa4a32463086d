import { bit, defineRegisters, field } from '../../base/types/registers';

/* Interrupt controller of the Allwinner A10 and A13 (A13 User Manual, INTC). */

export const COMPATIBLE = ['allwinner,sun4i-a10-ic'] as const;

export const LINES = 96;
export const WORDS = 3;
/** The external NMI: the one input that is latched. */
export const NMI = 0;

export const INTC = defineRegisters({
  name: 'sun4i-ic',
  size: 0x400,
  registers: {
    VECTOR: { at: 0x00, access: 'ro', note: 'BASE_ADDR + 4 × interrupt' },
    BASE_ADDR: { at: 0x04, fields: { ADDRESS: field(2, 30) } },
    PROTECTION: { at: 0x08, fields: { ENABLE: bit(0) } },
    NMI_CTRL: { at: 0x0c, fields: { SOURCE: field(0, 2) } },
    PENDING: { at: 0x10, count: WORDS, access: 'w1c' },
    FIQ_PENDING: { at: 0x20, count: WORDS, access: 'ro' },
    SELECT: { at: 0x30, count: WORDS, unimplemented: true, note: 'ones are FIQs' },
    ENABLE: { at: 0x40, count: WORDS },
    MASK: { at: 0x50, count: WORDS, note: 'ones are masked' },
    RESPONSE: { at: 0x60, count: WORDS, unimplemented: true },
    FORCING: { at: 0x70, count: WORDS, unimplemented: true },
    PRIORITY: { at: 0x80, count: 5, unimplemented: true },
  },
  notModelled: [
    'FIQs',
    'the trigger of the NMI input: NMI_CTRL is stored, a rise of the input latches it',
    'priorities: the lowest number is the most urgent',
    'privilege: PROTECTION is stored and not checked',
  ],
});
