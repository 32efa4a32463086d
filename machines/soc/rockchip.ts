import { LINUX_6_12, U_BOOT, dram, l2, pl310 } from './fact';
import type { Soc } from './fact';

const KCONFIG = 'U-Boot: mach-rockchip/Kconfig';
const HIGH = dram(0x6000_0000, U_BOOT);
const LOW = dram(0, U_BOOT);

export const ROCKCHIP: readonly Soc[] = [
  {
    compatible: ['rockchip,rk3066a', 'rockchip,rk3188'],
    facts: { ...HIGH, ...pl310(512, 16, `${KCONFIG}; ways assumed`) },
  },
  { compatible: ['rockchip,rk3036'], facts: { ...HIGH, l2: l2('cortex-a7', 128) } },
  {
    compatible: ['rockchip,rk3228', 'rockchip,rk3229'],
    facts: { ...HIGH, l2: l2('cortex-a7', 256) },
  },
  {
    compatible: ['rockchip,rv1108'],
    facts: { ...dram(0x6000_0000), l2: l2('cortex-a7', 128) },
  },
  { compatible: ['rockchip,rk3288'], facts: { ...LOW, l2: l2('cortex-a12', 1024, KCONFIG) } },
  {
    compatible: ['rockchip,px30', 'rockchip,rk3326', 'rockchip,rk3308'],
    facts: { ...LOW, l2: l2('cortex-a35', 256) },
  },
  {
    compatible: ['rockchip,rk3328', 'rockchip,rk3318'],
    facts: { ...LOW, l2: l2('cortex-a53', 256, LINUX_6_12) },
  },
  {
    // The second cluster, of the same cores, has 256 KiB.
    compatible: ['rockchip,rk3368'],
    facts: { ...LOW, l2: l2('cortex-a53', 512, `${KCONFIG}: the big cluster`) },
  },
  {
    compatible: ['rockchip,rk3399', 'rockchip,rk3399pro'],
    facts: {
      ...LOW,
      l2: { ...l2('cortex-a53', 512, LINUX_6_12), ...l2('cortex-a72', 1024, LINUX_6_12) },
    },
  },
  { compatible: ['rockchip,rk3566', 'rockchip,rk3568'], facts: LOW },
];
