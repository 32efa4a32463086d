import type { OfResource } from './address';
import { ofResources } from './address';
import { ofBusIsPci } from './bus';
import { BusRanges } from './bus-ranges';
import type { MasterClass } from './known-masters';
import { knownMaster } from './known-masters';
import type { Phandles } from './phandle';
import { ofFindNodeByPhandle } from './phandle';
import type { From } from './property';
import { boundedCells, from } from './property';
import type { DeviceTree, DtNode } from './tree';

/*
 * Which nodes are devices, and what speaks for one being a bus master. Linux makes devices only
 * below the buses it has drivers for (of_platform_populate() and each bus driver in turn); here
 * every node with registers is one, whoever would create it.
 */

/** A device that Linux makes of a node. Linux: struct platform_device, struct amba_device. */
export interface OfDevice {
  /**
   * Its node's; after its address where the node counts from the start of a bus of its own, as other
   * nodes may have that name (of_device_make_bus_id).
   */
  readonly name: string;
  readonly node: DtNode;
  readonly compatible: readonly string[];
  /** Its registers in CPU addresses; none for a device that is only behind an IOMMU. */
  readonly resources: readonly OfResource[];
}

/** Children of the root that describe something else than devices. */
const NOT_DEVICES = new Set(['cpus', 'reserved-memory']);

/**
 * The devices of a tree, in tree order: nodes that are enabled with all their ancestors, say what
 * they are compatible with, and have registers at a CPU address, or `iommus`.
 *
 * Registers are resources of type IORESOURCE_MEM. On a bus of three address cells that is not
 * PCI, Linux takes the first cell as those flags (of_bus_default_flags_get_flags()), whatever
 * the bus means by it: a device there counts only if that cell has the bit 0x200.
 *
 * InputError where translating all of the tree's addresses would take for ever.
 */
export const ofDevices = (tree: DeviceTree): OfDevice[] => {
  const devices: OfDevice[] = [];
  const ranges = new BusRanges('ranges');
  for (const child of tree.root.children.values()) {
    if (!NOT_DEVICES.has(child.baseName)) collect(child, ranges, devices);
  }
  return devices;
};

const collect = (node: DtNode, ranges: BusRanges, into: OfDevice[]): void => {
  if (!node.isAvailable) return;
  const { compatible } = node;
  if (compatible.length > 0) {
    const resources = ofResources(node, ranges);
    if (resources.length > 0 || node.has('iommus')) {
      into.push({ name: nameOf(node, resources), node, compatible, resources });
    }
  }
  for (const child of node.children.values()) collect(child, ranges, into);
};

const nameOf = ({ name, baseName }: DtNode, [first]: readonly OfResource[]): string => {
  const address = first?.start.toString(16);
  return address === undefined || name === baseName || name === `${baseName}@${address}`
    ? name
    : `${address}.${baseName}`;
};

/** Something in a node that says it masters a bus, and where it stands. */
export interface BusMasterHint {
  readonly hint:
    | 'iommus'
    | 'iommu-map'
    | 'dma-coherent'
    | 'dma-noncoherent'
    | '#dma-cells'
    | 'memory-region'
    | 'pci-host'
    | 'known';
  readonly from: From;
  /** What it is known as, for `known` only. */
  readonly masterClass: MasterClass | null;
}

/** Properties only masters have use for. */
const MASTER_PROPERTIES = [
  'iommus',
  'iommu-map',
  'dma-coherent',
  'dma-noncoherent',
  'memory-region',
] as const;

/**
 * What speaks for a node being a bus master; nothing does not mean that it is none. `dmas` does
 * not count, as its owner lets a DMA engine do the work; nor does `#dma-cells` of a multiplexer,
 * which only routes requests to the engines its `dma-masters` names.
 */
export const ofBusMasterHints = (node: DtNode, phandles: Phandles): BusMasterHint[] => {
  const hints: BusMasterHint[] = [];
  const add = (
    hint: BusMasterHint['hint'],
    property: string,
    masterClass: MasterClass | null = null,
  ): void => {
    hints.push({ hint, from: from(node, property), masterClass });
  };
  for (const property of MASTER_PROPERTIES) if (node.has(property)) add(property, property);
  if (node.has('#dma-cells') && !isDmaRouter(node, phandles)) add('#dma-cells', '#dma-cells');
  if (isPciHost(node)) add('pci-host', node.has('device_type') ? 'device_type' : 'compatible');
  const known = knownMaster(node.compatible);
  if (known !== undefined) add('known', 'compatible', known.masterClass);
  return hints;
};

/** A DMA router's `dma-masters` refers to engines; an engine's own is a number. */
const isDmaRouter = (node: DtNode, phandles: Phandles): boolean =>
  (boundedCells(node, 'dma-masters') ?? []).some(
    handle => ofFindNodeByPhandle(handle, phandles)?.has('#dma-cells') === true,
  );

/** A bridge from something else to PCI; bridges behind it are its children. */
const isPciHost = (node: DtNode): boolean =>
  node.has('compatible') && ofBusIsPci(node) && (node.parent === null || !ofBusIsPci(node.parent));
