import { BOOT_LOG, fact, l2, pl310 } from './fact';
import type { Soc } from './fact';

export const MARVELL: readonly Soc[] = [
  { compatible: ['marvell,kirkwood'], facts: pl310(256, 4) },
  { compatible: ['marvell,dove'], facts: pl310(512, 8) },
  {
    compatible: ['marvell,orion5x'],
    facts: { core: fact('feroceon', 'Linux: mach-orion5x selects CPU_FEROCEON') },
  },
  {
    compatible: ['mrvl,pxa168', 'mrvl,pxa910'],
    facts: { ...pl310(128, 8), core: fact('feroceon', 'Linux: mach-mmp selects CPU_MOHAWK') },
  },
  {
    compatible: ['mrvl,mmp2'],
    facts: { ...pl310(512, 8), core: fact('pj4a', 'Linux: mach-mmp selects CPU_PJ4') },
  },
  { compatible: ['marvell,armada370'], facts: pl310(256, 4) },
  { compatible: ['marvell,armadaxp'], facts: pl310(1024, 8) },
  { compatible: ['marvell,armada375'], facts: pl310(512, 16) },
  {
    compatible: ['marvell,armada380', 'marvell,armada385'],
    facts: pl310(1024, 16, BOOT_LOG),
  },
  { compatible: ['marvell,armada390'], facts: pl310(1024, 16) },
  { compatible: ['marvell,armada3710'], facts: { l2: l2('cortex-a53', 256) } },
];
