import type { InputProblem } from '../../drivers/base/types/errors';
import type { DmaConfig, DmaDeviceKind } from '../../drivers/of/dma';
import type { IommuConfig } from '../../drivers/of/iommu';
import type { Arch } from '../../drivers/of/linux';
import type { MemRange } from '../../drivers/of/memblock';
import type { OfPhandleArgs, Phandles } from '../../drivers/of/phandle';
import type { OfFailure } from '../../drivers/of/property';
import type { DeviceTree, DtNode } from '../../drivers/of/tree';

/**
 * Why the DMA API stays direct although the tree names an IOMMU: its driver reads no specifiers; it
 * has no domain type for the DMA API; it gives this device an identity domain; it refuses this
 * device.
 */
export type QuirkedReason = 'no-of-xlate' | 'no-dma-domain' | 'identity-domain' | 'refused';

/** As the direct kind of IommuConfig, for a reason that is not in the tree. */
export interface QuirkedDirect {
  readonly kind: 'direct';
  readonly reason: QuirkedReason;
  readonly iommu: DtNode;
  /** What the device is behind all the same: others than the DMA API may use it. */
  readonly specs: readonly OfPhandleArgs[];
  readonly diagnostics: readonly InputProblem[];
}

/** Configuration failed before IOMMUs were looked at. */
export interface IommuUnreached {
  readonly kind: 'unreached';
}

/** A device's DMA configuration: what the tree gives, and what is left after the quirks. */
export interface DmaFacts {
  readonly node: DtNode;
  /** For whom: the device of the node, or a PCI function behind it. */
  readonly kind: DmaDeviceKind;
  readonly dma: DmaConfig;
  /** Why Linux refuses to configure the device, null if it does not. */
  readonly failure: OfFailure | null;
  readonly iommu: IommuConfig | QuirkedDirect | IommuUnreached;
  /** The pool that it is restricted to where no IOMMU translates for it; null: none. */
  readonly restricted: DtNode | null;
  /** Names of the quirks that had a part in it. */
  readonly quirks: readonly string[];
}

/** A machine, as quirks look at it. */
export interface QuirkContext {
  readonly tree: DeviceTree;
  readonly phandles: Phandles;
  readonly arch: Arch;
  readonly cpus: number;
  /** Banks of RAM, at least one. */
  readonly ram: readonly MemRange[];
}

/** What a quirk changes beside devices. */
export interface MachineFacts {
  /**
   * Largest address of ZONE_DMA, null without one: on arm64 what the tree's windows leave, on
   * arm32 what the machine's code sets.
   */
  readonly dmaZoneLimit: number | null;
  /** arm,io-coherent on the PL310: barriers need no outer sync. */
  readonly outerIoCoherent: boolean;
}

/** Something Linux knows of a machine that is not in its tree. */
export interface Quirk {
  readonly name: string;
  /** The file and function of Linux 6.1 that knows it. */
  readonly source: string;
  /** Why it applies to this machine by itself, or null. */
  readonly applies: (context: QuirkContext) => string | null;
  /** Every device is coherent before of_dma_configure(), which may undo it. */
  readonly coherentBefore?: true;
  /** What it makes of a configured device; the same object if nothing. */
  readonly device?: (facts: DmaFacts, node: DtNode, context: QuirkContext) => DmaFacts;
  readonly machine?: (facts: MachineFacts, context: QuirkContext) => MachineFacts;
  /** Why a machine that has it cannot be modelled without it. */
  readonly unmodelledWithout?: string;
}

/** The first string of the root's `compatible` that is in the list, or null. */
export const rootIs = ({ tree }: QuirkContext, names: readonly string[]): string | null =>
  tree.root.compatible.find(name => names.includes(name)) ?? null;

/** The first node in tree order that is compatible with one of the names, whatever its status. */
export const findCompatible = (tree: DeviceTree, names: readonly string[]): DtNode | null => {
  for (const node of tree.root.walk()) {
    if (node.compatible.some(name => names.includes(name))) return node;
  }
  return null;
};

/** Where RAM starts: the kernel's PHYS_OFFSET. */
export const physOffset = ({ ram }: QuirkContext): bigint =>
  ram.reduce((least, { base }) => (base < least ? base : least), ram[0]?.base ?? 0n);
