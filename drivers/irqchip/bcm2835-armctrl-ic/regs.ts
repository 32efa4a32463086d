import { bit, defineRegisters, field } from '../../base/types/registers';

/* Interrupt controller of the BCM2835 (BCM2835 ARM Peripherals, section 7.5). */

export const COMPATIBLE = ['brcm,bcm2835-armctrl-ic', 'brcm,bcm2836-armctrl-ic'] as const;

/**
 * An interrupt's number is 32 * bank + bit. Bank 0 is the ARM's own 8 interrupts, banks 1 and 2
 * the 64 that it shares with the GPU.
 */
export const BANKS = 3;
export const BANK_LINES: readonly number[] = [8, 32, 32];
export const LINES = 96;

/** Interrupts of banks 1 and 2 that have a bit of their own in PENDING0, from bit 10 on. */
export const SHORTCUTS: readonly number[] = [7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62].map(
  gpuInterrupt => gpuInterrupt + 32,
);

export const ARMCTRL = defineRegisters({
  name: 'bcm2835-armctrl',
  size: 0x200,
  registers: {
    PENDING0: {
      at: 0x00,
      access: 'ro',
      fields: { ARM: field(0, 8), BANK1: bit(8), BANK2: bit(9), SHORTCUT: field(10, 11) },
    },
    PENDING1: { at: 0x04, access: 'ro' },
    PENDING2: { at: 0x08, access: 'ro' },
    FIQ_CONTROL: {
      at: 0x0c,
      fields: { SOURCE: field(0, 7).unimplemented(), ENABLE: bit(7).unimplemented() },
    },
    ENABLE1: { at: 0x10, access: 'w1s' },
    ENABLE2: { at: 0x14, access: 'w1s' },
    ENABLE0: { at: 0x18, fields: { ARM: field(0, 8).w1s() } },
    DISABLE1: { at: 0x1c, access: 'w1c', shares: 'ENABLE1' },
    DISABLE2: { at: 0x20, access: 'w1c', shares: 'ENABLE2' },
    DISABLE0: { at: 0x24, fields: { ARM: field(0, 8).w1c() }, shares: 'ENABLE0' },
  },
  notModelled: [
    'FIQs',
    'the per-core controller above it on the BCM2836 (brcm,bcm2836-l1-intc): its output is one line',
  ],
});
