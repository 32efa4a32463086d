/* SoCs of routers, set-top boxes, servers and their management controllers. */

import { BOOT_LOG, LINUX_6_12, dram, fact, l2, pl310 } from './fact';
import type { Soc } from './fact';

const ASPEED: readonly Soc[] = [
  { compatible: ['aspeed,ast2600'], facts: { ...dram(0x8000_0000), l2: l2('cortex-a7', 512) } },
  { compatible: ['aspeed,ast2500'], facts: dram(0x8000_0000) },
];

const BROADCOM: readonly Soc[] = [
  { compatible: ['brcm,bcm23550', 'brcm,bcm53573'], facts: { l2: l2('cortex-a7', 512) } },
  { compatible: ['brcm,bcm4708', 'brcm,nsp', 'brcm,hr2'], facts: pl310(256, 16) },
  { compatible: ['brcm,cygnus'], facts: { ...dram(0x6000_0000), ...pl310(512, 16) } },
  { compatible: ['brcm,bcm11351', 'brcm,bcm21664'], facts: pl310(256, 16) },
];

const CALXEDA: readonly Soc[] = [
  { compatible: ['calxeda,highbank'], facts: pl310(4096, 16) },
  { compatible: ['calxeda,ecx-2000'], facts: { l2: l2('cortex-a15', 4096) } },
];

export const NETWORKING: readonly Soc[] = [
  ...ASPEED,
  ...BROADCOM,
  ...CALXEDA,
  { compatible: ['nuvoton,npcm730', 'nuvoton,npcm750'], facts: pl310(512, 16, BOOT_LOG) },
  {
    compatible: ['intel,ixp42x', 'intel,ixp43x', 'intel,ixp46x'],
    facts: { core: fact('xscale', 'Linux: mach-ixp4xx selects CPU_XSCALE') },
  },
  {
    compatible: ['cortina,gemini'],
    facts: { core: fact('fa526', 'Linux: bindings/arm/gemini.yaml: FA525') },
  },
  {
    compatible: ['hisilicon,sd5203'],
    facts: { core: fact('arm926ej-s') },
  },
  // 512 GiB: the first address of DRAM on the Seattle SoC.
  { compatible: ['amd,seattle'], facts: dram(0x80_0000_0000) },
  { compatible: ['realtek,rtd1195'], facts: { l2: l2('cortex-a7', 512) } },
  { compatible: ['tesla,fsd'], facts: { l2: l2('cortex-a72', 4096, LINUX_6_12) } },
];
