import { CPUINFO, OTHER_BOARDS, U_BOOT, dram, l1d, l2, pl310 } from './fact';
import type { Soc } from './fact';

const RAM = dram(0x8000_0000, U_BOOT);
const N810_LOG = 'boot log of a Nokia N810 (linux-arm-kernel, May 2019): VIPT aliasing';

export const TI: readonly Soc[] = [
  {
    // That the cache aliases shows that it is larger than 16 KiB; that it is 32 KiB is assumed.
    compatible: ['ti,omap2420'],
    facts: { ...dram(0x8000_0000, OTHER_BOARDS), l1d: l1d('arm1136jf-s', 32, N810_LOG) },
  },
  { compatible: ['ti,omap3'], facts: { ...RAM, l2: l2('cortex-a8', 256) } },
  {
    compatible: ['ti,omap36xx', 'ti,omap3630'],
    facts: { l2: l2('cortex-a8', 256, CPUINFO) },
  },
  {
    compatible: ['ti,am33xx', 'ti,dm814', 'ti,dm816'],
    facts: { ...RAM, l2: l2('cortex-a8', 256) },
  },
  {
    compatible: ['ti,omap4'],
    facts: { ...RAM, ...pl310(1024, 16, CPUINFO) },
  },
  { compatible: ['ti,am43'], facts: { ...RAM, ...pl310(256, 16) } },
  { compatible: ['ti,omap5'], facts: { ...RAM, l2: l2('cortex-a15', 2048) } },
  {
    compatible: ['ti,dra7'],
    facts: { ...RAM, l2: l2('cortex-a15', 2048, 'DRA75x TRM SPRUI30: MPU L2 cache') },
  },
  {
    compatible: ['ti,dra72', 'ti,dra722', 'ti,dra718', 'ti,am5718', 'ti,am5716'],
    facts: { l2: l2('cortex-a15', 1024, 'AM571x TRM SPRUHZ7: MPU L2 cache') },
  },
  { compatible: ['ti,keystone'], facts: { l2: l2('cortex-a15', 4096) } },
  { compatible: ['ti,k2g'], facts: { l2: l2('cortex-a15', 1024) } },
  { compatible: ['ti,da850'], facts: dram(0xc000_0000, U_BOOT) },
];
