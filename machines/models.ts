import { copyEngineDriver } from '../drivers/dma/copy-engine/driver';
import { testMasterDriver } from '../drivers/misc/test-master/driver';

/** Interrupt controllers, by the folder of drivers/irqchip that models them. */
export const IRQ_CHIPS = {
  gic: [
    'arm,gic-400',
    'arm,cortex-a15-gic',
    'arm,cortex-a9-gic',
    'arm,cortex-a7-gic',
    'arm,cortex-a5-gic',
    'arm,arm1176jzf-devchip-gic',
    'qcom,msm-qgic2',
    'qcom,msm-8660-qgic',
    'brcm,brahma-b15-gic',
  ],
  'gic-v3': ['arm,gic-v3', 'qcom,msm8996-gic-v3'],
  vic: ['arm,pl190-vic', 'arm,versatile-vic'],
  'bcm2835-armctrl-ic': ['brcm,bcm2835-armctrl-ic'],
  'omap-intc': ['ti,omap2-intc', 'ti,omap3-intc', 'ti,am33xx-intc'],
  'sun4i-ic': ['allwinner,sun4i-a10-ic', 'allwinner,suniv-f1c100s-ic'],
  'aspeed-vic': ['aspeed,ast2400-vic', 'aspeed,ast2500-vic'],
} as const;
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

const MODELLED = new Set<string>([
  ...Object.values(IRQ_CHIPS).flat(),
  ...PL310_COMPATIBLE,
  ...copyEngineDriver.compatible,
  ...testMasterDriver.compatible,
]);

/** True if dmabench has a model of a device with this compatible string. */
export const isModelled = (compatible: string): boolean => MODELLED.has(compatible);
