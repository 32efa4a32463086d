import { CPUINFO, OTHER_BOARDS, U_BOOT, dram, l2, pl310 } from './fact';
import type { Soc } from './fact';

const octa = (kib: number): Soc['facts'] => ({
  l2: { ...l2('cortex-a15', kib, CPUINFO), ...l2('cortex-a7', 512, CPUINFO) },
});

export const SAMSUNG: readonly Soc[] = [
  { compatible: ['samsung,s5pv210'], facts: { l2: l2('cortex-a8', 512, CPUINFO) } },
  { compatible: ['samsung,exynos3'], facts: { l2: l2('cortex-a7', 512) } },
  {
    compatible: ['samsung,exynos4'],
    facts: { ...dram(0x4000_0000, OTHER_BOARDS), ...pl310(1024, 16, CPUINFO) },
  },
  {
    compatible: ['samsung,exynos5250'],
    facts: { ...dram(0x4000_0000, U_BOOT), l2: l2('cortex-a15', 1024, CPUINFO) },
  },
  { compatible: ['samsung,exynos5260'], facts: octa(1024) },
  {
    compatible: ['samsung,exynos5410', 'samsung,exynos5420', 'samsung,exynos5800'],
    facts: octa(2048),
  },
  { compatible: ['samsung,exynos7'], facts: dram(0x4000_0000, 'memory node in Linux 6.12') },
  { compatible: ['samsung,exynos7885'], facts: dram(0x8000_0000) },
];
