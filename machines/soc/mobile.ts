/* SoCs of phones and tablets: MediaTek, NVIDIA, HiSilicon, ST-Ericsson, Amlogic, Actions. */

import { CPUINFO, LINUX_6_12, OTHER_BOARDS, dram, l2, pl310 } from './fact';
import type { Soc } from './fact';

const MEDIATEK: readonly Soc[] = [
  {
    compatible: ['mt6580', 'mt6582', 'mt6592', 'mt2701', 'mt7623', 'mt7629', 'mt8127'].map(
      soc => `mediatek,${soc}`,
    ),
    facts: { l2: l2('cortex-a7', 512) },
  },
  { compatible: ['mediatek,mt6589'], facts: { l2: l2('cortex-a7', 1024) } },
  {
    compatible: ['mediatek,mt8135'],
    facts: { l2: { ...l2('cortex-a7', 512), ...l2('cortex-a15', 1024) } },
  },
  {
    compatible: ['mediatek,mt8173'],
    facts: { l2: { ...l2('cortex-a53', 512, CPUINFO), ...l2('cortex-a72', 1024, CPUINFO) } },
  },
  {
    compatible: ['mediatek,mt8183'],
    facts: { l2: { ...l2('cortex-a53', 1024, LINUX_6_12), ...l2('cortex-a73', 1024, LINUX_6_12) } },
  },
  { compatible: ['mediatek,mt6795'], facts: { l2: l2('cortex-a53', 1024, LINUX_6_12) } },
  {
    compatible: ['mediatek,mt8167', 'mediatek,mt8516'],
    facts: { l2: l2('cortex-a35', 512) },
  },
  {
    compatible: ['mediatek,mt8186', 'mediatek,mt8192', 'mediatek,mt8195'],
    facts: { l2: { ...l2('cortex-a55', 128, LINUX_6_12), ...l2('cortex-a76', 256, LINUX_6_12) } },
  },
];

const NVIDIA: readonly Soc[] = [
  { compatible: ['nvidia,tegra20'], facts: pl310(1024, 8) },
  {
    compatible: ['nvidia,tegra30'],
    facts: { ...dram(0x8000_0000, OTHER_BOARDS), ...pl310(1024, 8) },
  },
  {
    compatible: ['nvidia,tegra114', 'nvidia,tegra124'],
    facts: { ...dram(0x8000_0000, OTHER_BOARDS), l2: l2('cortex-a15', 2048) },
  },
  {
    compatible: ['nvidia,tegra210'],
    facts: { ...dram(0x8000_0000, OTHER_BOARDS), l2: l2('cortex-a57', 2048, CPUINFO) },
  },
  { compatible: ['nvidia,tegra194', 'nvidia,tegra234'], facts: dram(0x8000_0000) },
];

const HISILICON: readonly Soc[] = [
  { compatible: ['hisilicon,hi3620-hi4511'], facts: pl310(1024, 16) },
  { compatible: ['hisilicon,hi3519'], facts: { l2: l2('cortex-a7', 128) } },
  { compatible: ['hisilicon,hi6220'], facts: { l2: l2('cortex-a53', 512, CPUINFO) } },
  { compatible: ['hisilicon,hi3798cv200'], facts: { l2: l2('cortex-a53', 512, LINUX_6_12) } },
];

export const MOBILE: readonly Soc[] = [
  ...MEDIATEK,
  ...NVIDIA,
  ...HISILICON,
  { compatible: ['st-ericsson,u8500', 'st-ericsson,u9500'], facts: pl310(512, 8) },
  { compatible: ['amlogic,meson6', 'amlogic,meson8', 'amlogic,meson8m2'], facts: pl310(1024, 8) },
  { compatible: ['amlogic,meson8b'], facts: pl310(512, 8) },
  { compatible: ['rda,8810pl'], facts: pl310(256, 8) },
];
