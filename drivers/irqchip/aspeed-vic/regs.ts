import { defineRegisters } from '../../base/types/registers';

/*
 * Vectored interrupt controller of the AST2400 and AST2500, "new" register set: what the
 * binding's `reg` covers. Every register is a pair of words, inputs 0 to 31 and 32 to 63.
 */

export const COMPATIBLE = ['aspeed,ast2400-vic', 'aspeed,ast2500-vic'] as const;

/** Inputs; the hardware has 51 of them, the registers room for 64. */
export const LINES = 51;
export const WORDS = 2;

export const AVIC = defineRegisters({
  name: 'aspeed-vic',
  size: 0x80,
  registers: {
    IRQ_STATUS: { at: 0x00, count: WORDS, access: 'ro' },
    FIQ_STATUS: { at: 0x08, count: WORDS, access: 'ro' },
    RAW_STATUS: { at: 0x10, count: WORDS, access: 'ro' },
    INT_SELECT: { at: 0x18, count: WORDS, unimplemented: true, note: 'ones are FIQs' },
    INT_ENABLE: { at: 0x20, count: WORDS, access: 'w1s' },
    INT_ENABLE_CLR: { at: 0x28, count: WORDS, access: 'wo' },
    INT_TRIGGER: { at: 0x30, count: WORDS, unimplemented: true, note: 'software interrupts' },
    INT_TRIGGER_CLR: { at: 0x38, count: WORDS, access: 'wo', note: 'nothing to clear' },
    INT_SENSE_LO: { at: 0x40, access: 'ro', reset: 0xfff8_ffff, note: 'ones are levels' },
    INT_SENSE_HI: { at: 0x44, access: 'ro', reset: 0x0000_1f07 },
    INT_DUAL_EDGE: { at: 0x48, count: WORDS, unimplemented: true },
    INT_EVENT: { at: 0x50, count: WORDS, unimplemented: true, note: 'ones are high or rising' },
    EDGE_CLR: { at: 0x58, count: WORDS, access: 'wo' },
    EDGE_STATUS: { at: 0x60, count: WORDS, access: 'ro' },
  },
  notModelled: [
    'FIQs and software interrupts',
    'polarity and double edges: a line is asserted or not, and an edge is its rise',
    'the legacy register set below this window',
  ],
});
