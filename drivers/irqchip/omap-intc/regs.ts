import { bit, defineRegisters, field } from '../../base/types/registers';

/*
 * Interrupt controller of the OMAP2 and OMAP3 and of the AM33xx (AM335x TRM, SPRUH73, chapter 6;
 * OMAP35x TRM, SPRUF98, chapter 10).
 */

export const COMPATIBLE = ['ti,omap2-intc', 'ti,omap3-intc', 'ti,am33xx-intc'] as const;

/** Most inputs: the AM33xx has 128, the others 96. */
export const MAX_LINES = 128;
export const LINES_PER_BANK = 32;

/** THRESHOLD: no interrupt is held back for its priority. */
export const THRESHOLD_OFF = 0xff;

export const INTC = defineRegisters({
  name: 'omap-intc',
  size: 0x1000,
  registers: {
    REVISION: { at: 0x00, access: 'ro', note: 'as integrated' },
    SYSCONFIG: { at: 0x10, fields: { AUTOIDLE: bit(0), SOFTRESET: bit(1).wo() } },
    SYSSTATUS: { at: 0x14, access: 'ro', reset: 1, fields: { RESETDONE: bit(0) } },
    SIR_IRQ: { at: 0x40, access: 'ro', fields: { ACTIVEIRQ: field(0, 7), SPURIOUS: field(7, 25) } },
    SIR_FIQ: { at: 0x44, unimplemented: true },
    CONTROL: {
      at: 0x48,
      fields: { NEWIRQAGR: bit(0).wo(), NEWFIQAGR: bit(1).unimplemented() },
    },
    PROTECTION: { at: 0x4c, fields: { PROTECTION: bit(0) } },
    IDLE: { at: 0x50, fields: { FUNCIDLE: bit(0), TURBO: bit(1) } },
    IRQ_PRIORITY: { at: 0x60, access: 'ro', fields: { PRIORITY: field(0, 6) } },
    FIQ_PRIORITY: { at: 0x64, unimplemented: true },
    THRESHOLD: { at: 0x68, reset: THRESHOLD_OFF, fields: { THRESHOLD: field(0, 8) } },
    ILR: {
      at: 0x100,
      count: MAX_LINES,
      fields: { FIQNIRQ: bit(0).unimplemented(), PRIORITY: field(2, 6) },
    },
  },
  arrays: {
    BANK: {
      at: 0x80,
      stride: 0x20,
      count: MAX_LINES / LINES_PER_BANK,
      registers: {
        ITR: { at: 0x00, access: 'ro', note: 'before masking' },
        MIR: { at: 0x04, reset: 0xffff_ffff, note: 'ones are masked' },
        MIR_CLEAR: { at: 0x08, access: 'wo' },
        MIR_SET: { at: 0x0c, access: 'wo' },
        ISR_SET: { at: 0x10, access: 'w1s', note: 'software interrupts' },
        ISR_CLEAR: { at: 0x14, access: 'w1c', shares: 'ISR_SET' },
        PENDING_IRQ: { at: 0x18, access: 'ro' },
        PENDING_FIQ: { at: 0x1c, access: 'ro' },
      },
    },
  },
  notModelled: [
    'FIQs',
    'the time that priority sorting takes: SIR_IRQ.SPURIOUS is never set',
    'privilege: PROTECTION is stored and not checked',
    'idle modes: IDLE and SYSCONFIG.AUTOIDLE are stored',
  ],
});
