import { CPUINFO, LINUX_6_12, U_BOOT, dram, l2 } from './fact';
import type { Soc } from './fact';

const RAM = dram(0x4000_0000, U_BOOT);
const SUNXI_WIKI = 'linux-sunxi.org';

export const ALLWINNER: readonly Soc[] = [
  {
    compatible: ['allwinner,sun4i-a10', 'allwinner,sun5i-a10s', 'allwinner,sun5i-a13'],
    facts: { ...RAM, l2: l2('cortex-a8', 256) },
  },
  { compatible: ['nextthing,gr8'], facts: { ...RAM, l2: l2('cortex-a8', 256) } },
  {
    compatible: ['allwinner,sun6i-a31', 'allwinner,sun6i-a31s'],
    facts: { ...RAM, l2: l2('cortex-a7', 1024, CPUINFO) },
  },
  {
    compatible: ['allwinner,sun7i-a20', 'allwinner,sun8i-a23'],
    facts: { ...RAM, l2: l2('cortex-a7', 256, CPUINFO) },
  },
  { compatible: ['allwinner,sun8i-a33'], facts: { ...RAM, l2: l2('cortex-a7', 512, CPUINFO) } },
  {
    compatible: ['allwinner,sun8i-h3', 'allwinner,sun8i-h2-plus'],
    facts: { ...RAM, l2: l2('cortex-a7', 512, SUNXI_WIKI) },
  },
  {
    compatible: ['allwinner,sun8i-a83t'],
    facts: { ...RAM, l2: l2('cortex-a7', 512, `${CPUINFO}: 1 MiB for two clusters`) },
  },
  { compatible: ['allwinner,sun8i-r40'], facts: { ...RAM, l2: l2('cortex-a7', 512) } },
  {
    compatible: ['allwinner,sun8i-v3', 'allwinner,sun8i-v3s', 'allwinner,sun8i-s3'],
    facts: { ...RAM, l2: l2('cortex-a7', 128) },
  },
  {
    compatible: ['allwinner,sun9i-a80'],
    facts: {
      ...dram(0x2000_0000, U_BOOT),
      l2: { ...l2('cortex-a7', 512, CPUINFO), ...l2('cortex-a15', 2048, CPUINFO) },
    },
  },
  { compatible: ['allwinner,suniv-f1c100s'], facts: dram(0x8000_0000, U_BOOT) },
  {
    compatible: ['allwinner,sun50i-a64', 'allwinner,sun50i-h6'],
    facts: { ...RAM, l2: l2('cortex-a53', 512, LINUX_6_12) },
  },
  {
    compatible: ['allwinner,sun50i-h5', 'allwinner,sun50i-a100'],
    facts: { ...RAM, l2: l2('cortex-a53', 512) },
  },
  {
    compatible: ['allwinner,sun50i-h616'],
    facts: { ...RAM, l2: l2('cortex-a53', 256, LINUX_6_12) },
  },
];
