import {
  BOOT_LOG,
  CPUINFO,
  LINUX_6_12,
  OTHER_BOARDS,
  U_BOOT,
  dram,
  fact,
  l1d,
  l2,
  pl310,
} from './fact';
import type { Soc } from './fact';

const PRESS = 'notebookinfo.de: i.MX6x series';
const LAYERSCAPE = 'U-Boot: fsl-layerscape/doc/README.soc';

const LOW = dram(0x1000_0000, OTHER_BOARDS);
const HIGH = dram(0x8000_0000, OTHER_BOARDS);

const imx6 = (name: string, kib: number, source: string, ram: typeof LOW): Soc => ({
  compatible: [`fsl,imx6${name}`],
  facts: { ...ram, ...pl310(kib, 16, source) },
});

export const NXP: readonly Soc[] = [
  {
    compatible: ['fsl,imx28'],
    facts: { ...dram(0x4000_0000, OTHER_BOARDS), l1d: l1d('arm926ej-s', 32) },
  },
  { compatible: ['fsl,imx35'], facts: pl310(128, 8) },
  {
    compatible: ['fsl,imx50', 'fsl,imx53'],
    facts: { ...dram(0x7000_0000, OTHER_BOARDS), l2: l2('cortex-a8', 256) },
  },
  {
    compatible: ['fsl,imx51'],
    facts: { ...dram(0x9000_0000, OTHER_BOARDS), l2: l2('cortex-a8', 256) },
  },
  imx6('q', 1024, BOOT_LOG, LOW),
  imx6('qp', 1024, BOOT_LOG, LOW),
  imx6('dl', 512, BOOT_LOG, LOW),
  imx6('sl', 256, PRESS, HIGH),
  imx6('sx', 256, PRESS, HIGH),
  imx6('sll', 256, `${PRESS}, as the i.MX 6SoloLite`, HIGH),
  {
    compatible: ['fsl,imx6ul', 'fsl,imx6ull', 'fsl,imx6ulz'],
    facts: { ...HIGH, l2: l2('cortex-a7', 128, PRESS) },
  },
  { compatible: ['fsl,imx7d', 'fsl,imx7s'], facts: { ...HIGH, l2: l2('cortex-a7', 512) } },
  { compatible: ['fsl,imx7ulp'], facts: { l2: l2('cortex-a7', 256) } },
  {
    compatible: ['fsl,vf610'],
    facts: { ...HIGH, ...pl310(512, 8, `NXP AN4947, ${CPUINFO}`) },
  },
  { compatible: ['fsl,vf500'], facts: HIGH },
  {
    compatible: ['fsl,vf610m4'],
    facts: {
      ...dram(0x8c00_0000, OTHER_BOARDS),
      core: fact('cortex-m4', 'Vybrid VF6xx: Cortex-M4'),
    },
  },
  {
    compatible: ['fsl,imxrt1050'],
    facts: { core: fact('cortex-m7', 'i.MX RT1050: Cortex-M7'), l1d: l1d('cortex-m7', 32) },
  },
  {
    compatible: ['fsl,imx8mm', 'fsl,imx8mn', 'fsl,imx8mp', 'fsl,imx8mq'],
    facts: dram(0x4000_0000, U_BOOT),
  },
  {
    compatible: ['fsl,imx93'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a55', 64, LINUX_6_12) },
  },
  {
    compatible: ['fsl,ls1012a'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a53', 256) },
  },
  {
    compatible: ['fsl,ls1021a'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a7', 512, 'U-Boot: ls1021atwr/README') },
  },
  {
    compatible: ['fsl,ls1028a'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a72', 1024, LINUX_6_12) },
  },
  {
    compatible: ['fsl,ls1043a'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a53', 1024, LAYERSCAPE) },
  },
  {
    compatible: ['fsl,ls1046a'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a72', 2048, LAYERSCAPE) },
  },
  {
    compatible: ['fsl,ls1088a'],
    facts: { ...dram(0x8000_0000, U_BOOT), l2: l2('cortex-a53', 1024, LAYERSCAPE) },
  },
  { compatible: ['fsl,ls2080a'], facts: dram(0x8000_0000, U_BOOT) },
  { compatible: ['fsl,s32v234'], facts: dram(0x8000_0000) },
];
