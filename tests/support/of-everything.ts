import { arm64ZoneLimits, ofDmaGetMaxCpuAddress } from '../../drivers/of/dma-range';
import { ofBusIsPci } from '../../drivers/of/bus';
import { ofExternalCaches } from '../../drivers/of/cache';
import { ofCpus } from '../../drivers/of/cpu';
import { ofDmaConfigure } from '../../drivers/of/dma';
import { ofIommuConfigure } from '../../drivers/of/iommu';
import { ofIrqs } from '../../drivers/of/irq';
import type { Arch } from '../../drivers/of/linux';
import { ofMemory } from '../../drivers/of/memory';
import { ofBusMasterHints, ofDevices } from '../../drivers/of/platform';
import { ofReservedMem } from '../../drivers/of/reserved-mem';
import {
  ofDmaSetRestrictedBuffer,
  ofReservedMemDeviceInitByIdx,
} from '../../drivers/of/reserved-mem-device';
import type { DeviceTree } from '../../drivers/of/tree';

const GIB = 0x4000_0000n;

/** Derives everything this layer can from a tree; answers how many devices it has. */
export const deriveEverything = (tree: DeviceTree, arch: Arch): number => {
  const phandles = tree.phandles();
  const devices = ofDevices(tree);
  const memory = ofMemory(tree);
  const ram = memory.ram.length > 0 ? memory.ram : [{ base: GIB, size: GIB }];
  const { regions } = ofReservedMem(tree, ram, { arch });
  for (const { node } of devices) {
    const config = ofDmaConfigure(node, phandles, { kind: 'platform', arch });
    if (ofBusIsPci(node)) ofDmaConfigure(node, phandles, { kind: 'pci-bridge', arch });
    ofIommuConfigure(node, phandles);
    ofIommuConfigure(node, phandles, { inputIds: [0, 0x100, 0xffff] });
    ofIrqs(node, phandles);
    ofBusMasterHints(node, phandles);
    ofDmaSetRestrictedBuffer(node, node, phandles);
    if (!config.ok) continue;
    const { mask: coherentMask, busDmaLimit } = config.value;
    const user = { coherentMask, busDmaLimit, hasDmaMem: false };
    ofReservedMemDeviceInitByIdx(node, 0, regions, user, phandles);
  }
  ofCpus(tree, phandles, arch);
  ofExternalCaches(tree);
  arm64ZoneLimits({ start: GIB, end: 2n * GIB }, ofDmaGetMaxCpuAddress(tree.root, phandles));
  return devices.length;
};
