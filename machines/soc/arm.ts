/* Arm's own boards. */

import { fact, l2, pl310 } from './fact';
import type { Soc } from './fact';

const GUIDE = 'board user guide';

export const ARM: readonly Soc[] = [
  {
    compatible: ['arm,versatile-ab', 'arm,versatile-pb'],
    facts: { core: fact('arm926ej-s', `${GUIDE} DUI 0225`) },
  },
  { compatible: ['arm,integrator-ap'], facts: { core: fact('arm920t') } },
  { compatible: ['arm,integrator-cp'], facts: { core: fact('arm926ej-s', `${GUIDE} DUI 0159`) } },
  { compatible: ['arm,realview-eb'], facts: { core: fact('arm926ej-s') } },
  {
    compatible: ['arm,realview-pb1176'],
    facts: { core: fact('arm1176jzf-s', `${GUIDE} DUI 0425`) },
  },
  { compatible: ['arm,realview-pba8'], facts: { l2: l2('cortex-a8', 256) } },
  { compatible: ['arm,mps2'], facts: { core: fact('cortex-m4', 'AN385, AN399: Cortex-M3') } },
  { compatible: ['arm,vexpress,v2p-ca9', 'arm,vexpress,v2p-ca5s'], facts: pl310(512, 8) },
  { compatible: ['arm,vexpress,v2p-ca15'], facts: { l2: l2('cortex-a15', 1024) } },
  {
    compatible: ['arm,vexpress,v2p-ca15_a7'],
    facts: { l2: { ...l2('cortex-a15', 1024), ...l2('cortex-a7', 512) } },
  },
];
