import type { Arch } from '../drivers/of/linux';
import { ofDmaConfigure } from '../drivers/of/dma';
import type { DmaConfig, DmaDeviceKind } from '../drivers/of/dma';
import { ofIommuConfigure } from '../drivers/of/iommu';
import type { Phandles } from '../drivers/of/phandle';
import { ofBusMasterHints, ofDevices } from '../drivers/of/platform';
import type { BusMasterHint, OfDevice } from '../drivers/of/platform';
import type { DeviceTree } from '../drivers/of/tree';
import type { DmaFacts, Quirks } from './quirks';

/**
 * What dmabench makes of a device: a model of its own; a master of the same DMA configuration
 * without a purpose; nothing but its place.
 */
export type DeviceStatus = 'modelled' | 'generic-master' | 'inert';

export interface DevicePlan {
  readonly device: OfDevice;
  /** The compatible string that a model answers to, or null. */
  readonly matched: string | null;
  readonly status: DeviceStatus;
  readonly hints: readonly BusMasterHint[];
  /** By the tree alone, for a platform device. */
  readonly tree: DmaFacts;
  readonly effective: DmaFacts;
  /** For a PCI host: what a function behind it gets. */
  readonly function: DmaFacts | null;
}

/** What a device gets that Linux refuses to configure: its probe fails, it stays non-coherent. */
const UNCONFIGURED: DmaConfig = {
  configured: false,
  coherent: false,
  map: null,
  busDmaLimit: null,
  mask: 0xffff_ffffn,
  dmaStart: 0n,
  dmaEnd: 0xffff_ffffn,
  provenance: { coherent: null, map: { errno: 'ENODEV', reason: 'absent' } },
  diagnostics: [],
};

/** Every device of a tree, with its DMA configuration before and after the quirks. */
export const planDevices = (
  tree: DeviceTree,
  phandles: Phandles,
  arch: Arch,
  quirks: Quirks,
  isModelled: (compatible: string) => boolean,
): DevicePlan[] =>
  ofDevices(tree).map(device => {
    const { node, compatible } = device;
    const matched = compatible.find(isModelled) ?? null;
    const hints = ofBusMasterHints(node, phandles);
    const byTree = factsOf(device, phandles, arch, 'platform');
    const isPci = hints.some(({ hint }) => hint === 'pci-host');
    const status = matched !== null ? 'modelled' : hints.length > 0 ? 'generic-master' : 'inert';
    return {
      device,
      matched,
      status,
      hints,
      tree: byTree,
      effective: quirks.device(byTree, node),
      function: isPci ? quirks.device(factsOf(device, phandles, arch, 'pci-bridge'), node) : null,
    };
  });

const factsOf = (
  { node }: OfDevice,
  phandles: Phandles,
  arch: Arch,
  kind: DmaDeviceKind,
): DmaFacts => {
  const configured = ofDmaConfigure(node, phandles, { kind, arch });
  const dma = configured.ok ? configured.value : UNCONFIGURED;
  // A PCI function's requester id 0: bus 0, device 0, function 0.
  const iommu = ofIommuConfigure(node, phandles, kind === 'pci-bridge' ? { inputIds: [0] } : {});
  return { dma, iommu, quirks: [] };
};
