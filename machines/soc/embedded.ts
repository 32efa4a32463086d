/* SoCs of Microchip, ST, Renesas, Xilinx, Intel and others, for equipment of all kinds. */

import { BOOT_LOG, OTHER_BOARDS, dram, fact, l1d, l2, pl310 } from './fact';
import type { Soc } from './fact';

const MICROCHIP: readonly Soc[] = [
  { compatible: ['atmel,sama5d2', 'atmel,sama5d4'], facts: pl310(128, 8, BOOT_LOG) },
  { compatible: ['microchip,sama7'], facts: { l2: l2('cortex-a7', 256) } },
  { compatible: ['microchip,lan966'], facts: { ...dram(0x6000_0000), l2: l2('cortex-a7', 512) } },
];

const ST: readonly Soc[] = [
  {
    compatible: ['st,stm32mp135'],
    facts: { l2: l2('cortex-a7', 256, 'ST wiki: STM32MP13x lines') },
  },
  {
    compatible: ['st,stm32mp151', 'st,stm32mp153', 'st,stm32mp157'],
    facts: {
      ...dram(0xc000_0000, OTHER_BOARDS),
      l2: l2('cortex-a7', 256),
    },
  },
  {
    compatible: ['st,stm32f429', 'st,stm32f469'],
    facts: { core: fact('cortex-m4', 'STM32F4: Cortex-M4') },
  },
  {
    compatible: ['st,stm32f746', 'st,stm32f769'],
    facts: { core: fact('cortex-m7', 'STM32F7: Cortex-M7') },
  },
  {
    compatible: ['st,stm32h743', 'st,stm32h750'],
    facts: { core: fact('cortex-m7', 'STM32H7: Cortex-M7'), l1d: l1d('cortex-m7', 16) },
  },
  { compatible: ['st,stih407', 'st,stih410', 'st,stih418'], facts: pl310(512, 8) },
  { compatible: ['st,spear1310', 'st,spear1340'], facts: pl310(512, 8) },
  {
    compatible: ['st,nomadik-nhk-15', 'calaosystems,usb-s8815'],
    facts: { core: fact('arm926ej-s', 'Linux: mach-nomadik selects CPU_ARM926T') },
  },
];

const COMMIT = 'Linux: commits that add the L2 nodes, 2015';

const RENESAS: readonly Soc[] = [
  { compatible: ['renesas,r7s72100', 'renesas,r7s9210'], facts: pl310(128, 8) },
  { compatible: ['renesas,r8a7740'], facts: pl310(256, 8) },
  { compatible: ['renesas,sh73a0'], facts: pl310(512, 8) },
  {
    compatible: ['renesas,r8a7790'],
    facts: { l2: { ...l2('cortex-a15', 2048, COMMIT), ...l2('cortex-a7', 512, COMMIT) } },
  },
  {
    compatible: ['renesas,r8a7742'],
    facts: { l2: { ...l2('cortex-a15', 2048), ...l2('cortex-a7', 512) } },
  },
  { compatible: ['renesas,r8a7794'], facts: { l2: l2('cortex-a7', 512, COMMIT) } },
  { compatible: ['renesas,r9a06g032'], facts: { ...dram(0x8000_0000), l2: l2('cortex-a7', 256) } },
  {
    compatible: ['renesas,r8a7795', 'renesas,r8a774e1'],
    facts: { l2: { ...l2('cortex-a57', 2048), ...l2('cortex-a53', 512) } },
  },
];

export const EMBEDDED: readonly Soc[] = [
  ...MICROCHIP,
  ...ST,
  ...RENESAS,
  { compatible: ['xlnx,zynq-7000'], facts: pl310(512, 8, BOOT_LOG) },
  { compatible: ['xlnx,zynqmp'], facts: { l2: l2('cortex-a53', 1024, 'ZynqMP TRM UG1085: L2') } },
  { compatible: ['altr,socfpga'], facts: pl310(512, 8, BOOT_LOG) },
  { compatible: ['intel,socfpga-agilex'], facts: { l2: l2('cortex-a53', 1024) } },
  { compatible: ['altr,socfpga-stratix10'], facts: { l2: l2('cortex-a53', 1024) } },
];
