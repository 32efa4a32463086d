import { PL310 } from '../arch/arm/cache/pl310/regs';
import { AVIC, COMPATIBLE as ASPEED_VIC } from '../drivers/irqchip/aspeed-vic/regs';
import {
  ARMCTRL as ARMCTRL_SHEET,
  COMPATIBLE as ARMCTRL,
} from '../drivers/irqchip/bcm2835-armctrl-ic/regs';
import { COMPATIBLE as GIC, GICD } from '../drivers/irqchip/gic/regs';
import {
  COMPATIBLE as GIC_V3,
  GICD as GICD_V3,
  REDISTRIBUTOR_SIZE,
} from '../drivers/irqchip/gic-v3/regs';
import {
  COMPATIBLE as OMAP_INTC,
  INTC as OMAP_INTC_SHEET,
} from '../drivers/irqchip/omap-intc/regs';
import { COMPATIBLE as SUN4I_IC, INTC as SUN4I_IC_SHEET } from '../drivers/irqchip/sun4i-ic/regs';
import { COMPATIBLE as VIC, VIC as VIC_SHEET } from '../drivers/irqchip/vic/regs';
import type { OfDevice } from '../drivers/of/platform';
import type { DeviceKinds } from './devices';
import { iommuKindOf, iommuMatch } from './iommus';

/** Interrupt controllers, by the folder of drivers/irqchip that models them. */
export const IRQ_CHIPS = {
  gic: GIC,
  'gic-v3': GIC_V3,
  vic: VIC,
  'bcm2835-armctrl-ic': ARMCTRL,
  'omap-intc': OMAP_INTC,
  'sun4i-ic': SUN4I_IC,
  'aspeed-vic': ASPEED_VIC,
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type IrqChipKind = keyof typeof IRQ_CHIPS;

const isKind = (name: string): name is IrqChipKind => name in IRQ_CHIPS;

/** The interrupt controller model that one of these strings names, or null. */
export const irqChipFor = (compatible: readonly string[]): IrqChipKind | null => {
  for (const string of compatible) {
    for (const [kind, strings] of Object.entries(IRQ_CHIPS)) {
      if (isKind(kind) && (strings as readonly string[]).includes(string)) return kind;
    }
  }
  return null;
};

/** Cache controllers that are modelled. */
export const PL310_COMPATIBLE: readonly string[] = [
  'arm,pl310-cache',
  'brcm,bcm11351-a2-pl310-cache',
  'bcm,bcm11351-a2-pl310-cache',
];

/** What an old GIC's CPU interface takes at least: the registers that every version has. */
const GICC_LEAST = 0x100;

/** By controller: bytes of each `reg` entry that its model answers at. */
const IRQ_CHIP_WINDOWS: Readonly<Record<IrqChipKind, readonly number[]>> = {
  gic: [GICD.size, GICC_LEAST],
  'gic-v3': [GICD_V3.size, REDISTRIBUTOR_SIZE],
  vic: [VIC_SHEET.size],
  'bcm2835-armctrl-ic': [ARMCTRL_SHEET.size],
  'omap-intc': [OMAP_INTC_SHEET.size],
  'sun4i-ic': [SUN4I_IC_SHEET.size],
  'aspeed-vic': [AVIC.size],
};

const isPl310 = (compatible: readonly string[]): boolean =>
  compatible.some(name => PL310_COMPATIBLE.includes(name));

/** True if one of these strings is of what the kernel itself brings up, or of a device. */
export const isModelled = (compatible: readonly string[], kinds: DeviceKinds): boolean =>
  irqChipFor(compatible) !== null ||
  isPl310(compatible) ||
  iommuMatch(compatible) !== null ||
  kinds.of(compatible) !== null;

/** Bytes that the model of a device takes of each of its `reg` entries; none without one. */
export const windowSizes = (
  { node, compatible }: OfDevice,
  kinds: DeviceKinds,
): readonly number[] => {
  const chip = irqChipFor(compatible);
  if (chip !== null) return IRQ_CHIP_WINDOWS[chip];
  if (isPl310(compatible)) return [PL310.size];
  return iommuKindOf(node)?.windows(node) ?? kinds.of(compatible)?.windows ?? [];
};
