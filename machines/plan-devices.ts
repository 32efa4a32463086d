import type { Arch } from '../drivers/of/linux';
import { ofDmaConfigure } from '../drivers/of/dma';
import type { DmaConfig, DmaDeviceKind } from '../drivers/of/dma';
import { ofIommuConfigure } from '../drivers/of/iommu';
import { ofParsePhandle } from '../drivers/of/phandle';
import type { Phandles } from '../drivers/of/phandle';
import { ofDmaSetRestrictedBuffer } from '../drivers/of/reserved-mem-device';
import { ofBusMasterHints } from '../drivers/of/platform';
import type { BusMasterHint, OfDevice } from '../drivers/of/platform';
import type { DtNode } from '../drivers/of/tree';
import type { DmaFacts, Quirks } from './quirks';

/**
 * What dmabench makes of a device: a model of its own; a master of the same DMA configuration
 * without a purpose; nothing but its place.
 */
export type DeviceStatus = 'modelled' | 'generic-master' | 'inert';

/** The compatible string by which a machine models a device, or null: nothing stands for it. */
export type Match = (device: OfDevice) => string | null;

/** What becomes of one device of the tree. */
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

/** What a device is left with that Linux refuses to configure, and whose probe fails. */
const unconfigured = (coherent: boolean): DmaConfig => ({
  configured: false,
  coherent,
  map: null,
  busDmaLimit: null,
  mask: 0xffff_ffffn,
  dmaStart: 0n,
  dmaEnd: 0xffff_ffffn,
  provenance: {
    coherent: coherent ? 'coherentBefore' : null,
    map: { errno: 'ENODEV', reason: 'absent' },
  },
  diagnostics: [],
});

/** Every device with its DMA configuration before and after the quirks. */
export const planDevices = (
  devices: readonly OfDevice[],
  phandles: Phandles,
  arch: Arch,
  quirks: Quirks,
  matchOf: Match,
): DevicePlan[] =>
  devices.map(device => {
    const { node } = device;
    const matched = matchOf(device);
    const hints = ofBusMasterHints(node, phandles);
    const isPci = hints.some(({ hint }) => hint === 'pci-host');
    const status = matched !== null ? 'modelled' : hints.length > 0 ? 'generic-master' : 'inert';
    const byTree = (kind: DmaDeviceKind): DmaFacts => factsOf(node, phandles, arch, kind, false);
    const tree = byTree('platform');
    const after = (facts: DmaFacts): DmaFacts =>
      quirks.device(madeCoherent(facts, phandles, arch, quirks), node);
    return {
      device,
      matched,
      status,
      hints,
      tree,
      effective: after(tree),
      function: isPci ? after(byTree('pci-bridge')) : null,
    };
  });

/** A device that was coherent before it was configured; the same facts if that changed nothing. */
const madeCoherent = (
  facts: DmaFacts,
  phandles: Phandles,
  arch: Arch,
  { coherentBefore: name }: Quirks,
): DmaFacts => {
  if (name === null) return facts;
  const made = factsOf(facts.node, phandles, arch, facts.kind, true);
  const isKept = made.dma.provenance.coherent === 'coherentBefore';
  return isKept ? { ...made, quirks: [name] } : facts;
};

/**
 * Whether what is behind a PCI host is not to be trusted: it has a port that leads out of the case
 * (`external-facing`, pci_set_bus_of_node and set_pcie_untrusted of drivers/pci).
 */
export const isUntrusted = ({ node, kind }: DmaFacts): boolean =>
  kind === 'pci-bridge' && [...node.children.values()].some(port => port.has('external-facing'));

const restrictedPool = (node: DtNode, kind: DmaDeviceKind, phandles: Phandles): DtNode | null => {
  const found = ofDmaSetRestrictedBuffer(kind === 'platform' ? node : null, node, phandles);
  if (found === undefined) return null;
  return ofParsePhandle(found.node, 'memory-region', found.index, phandles) ?? null;
};

const factsOf = (
  node: DtNode,
  phandles: Phandles,
  arch: Arch,
  kind: DmaDeviceKind,
  coherentBefore: boolean,
): DmaFacts => {
  const configured = ofDmaConfigure(node, phandles, { kind, arch, coherentBefore });
  if (!configured.ok) {
    const { problem: failure } = configured;
    const iommu = { kind: 'unreached' } as const;
    const dma = unconfigured(coherentBefore);
    return { node, kind, dma, failure, iommu, restricted: null, quirks: [] };
  }
  // A PCI function's requester id 0: bus 0, device 0, function 0.
  const ids = kind === 'pci-bridge' ? { inputIds: [0] } : {};
  const iommu = ofIommuConfigure(node, phandles, ids);
  const restricted = restrictedPool(node, kind, phandles);
  return { node, kind, dma: configured.value, failure: null, iommu, restricted, quirks: [] };
};
