import type { DeviceTree } from '../../drivers/of/tree';
import { dt } from './dt';

/**
 * Buses of every type with the numbers of the kernel's own address tests: a bus whose ranges and
 * dma-ranges disagree, and below it a bus of two cells, a PCI host and a bus with a flags cell.
 */
export const addressTree = (): DeviceTree =>
  dt({
    '#address-cells': [1],
    '#size-cells': [1],
    soc: {
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: [0x7000_0000, 0x7000_0000, 0x5000_0000, 0, 0xd000_0000, 0x2000_0000],
      'dma-ranges': [0, 0x2000_0000, 0x4000_0000],
      'device@70000000': { reg: [0x7000_0000, 0x1000] },
      'wide@80000000': {
        '#address-cells': [2],
        '#size-cells': [2],
        ranges: [0n, 0x8000_0000, 0x10_0000n],
        'dma-ranges': [0x1_0000_0000n, 0, 0x20_0000_0000n],
        'device@1000': { reg: [0x1000n, 0x1000n] },
      },
      'pci@90000000': {
        device_type: 'pci',
        '#address-cells': [3],
        '#size-cells': [2],
        reg: [0x9000_0000, 0x1000],
        ranges: [0x4200_0000, 0x4000_0000n, 0x4000_0000, 0x1000_0000n],
        'dma-ranges': [
          ...[0x4200_0000, 0x8000_0000n, 0, 0x1000_0000n],
          ...[0x4200_0000, 0xc000_0000n, 0x2000_0000, 0x1000_0000n],
        ],
      },
      'flags@a0000000': {
        '#address-cells': [3],
        '#size-cells': [2],
        ranges: [
          ...[0xf0_0baa, 0n, 0xa000_0000, 0x10_0000n],
          ...[0xf0_0bee, 0x1_0000_0000n, 0xb000_0000, 0x20_0000n],
        ],
        'device@f00bee,100001000': { reg: [0xf0_0bee, 0x1_0000_1000n, 0x100n] },
        'device@f00bad,0': { reg: [0xf0_0bad, 0n, 0x200n] },
      },
    },
  });
