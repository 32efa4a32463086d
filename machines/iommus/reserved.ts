import { ofRanges, ofResources, ofTranslateDmaAddress } from '../../drivers/of/address';
import { IORESOURCE_MEM, ofBusNAddrCells, ofBusNSizeCells } from '../../drivers/of/bus';
import { ofFindNodeByPhandle } from '../../drivers/of/phandle';
import type { Phandles } from '../../drivers/of/phandle';
import { boundedCells, ofReadNumber } from '../../drivers/of/property';
import type { DtNode } from '../../drivers/of/tree';
import type { ReservedRegion } from '../../mm/iommu/types';
import type { DmaFacts } from '../quirks';

/*
 * Addresses that are not to be given to a device behind an IOMMU, as the tree says.
 */

/** Past every address that a device puts on the wire. */
const END = 2 ** 52;

/** Those of `iommu-addresses`, and for a PCI function those that never reach the IOMMU. */
export const reservedOf = ({ node, kind }: DmaFacts, phandles: Phandles): ReservedRegion[] => [
  ...(kind === 'pci-bridge' ? pciWindows(node, phandles) : []),
  ...iommuAddresses(node, phandles),
];

/**
 * Addresses of other functions' memory, which the host bridge keeps on its bus, and those that no
 * window of its `dma-ranges` lets through (iova_reserve_pci_windows).
 */
const pciWindows = (host: DtNode, phandles: Phandles): ReservedRegion[] => {
  const memory = (ofRanges(host, 'ranges', phandles) ?? []).filter(({ flags }) =>
    flagsHave(flags, IORESOURCE_MEM),
  );
  const windows = memory.map(({ busAddr, size }) => regionOf('reserved', busAddr, size));
  const inbound = ofRanges(host, 'dma-ranges', phandles) ?? [];
  const ends = inbound
    .map(({ busAddr, size }) => ({ start: Number(busAddr), end: Number(busAddr + size) }))
    .sort((a, b) => a.start - b.start);
  const gaps: ReservedRegion[] = [];
  let from = 0;
  for (const { start, end } of ends) {
    if (start > from) gaps.push({ type: 'reserved', start: from, length: start - from });
    from = Math.max(from, end);
  }
  if (ends.length > 0 && from < END) {
    gaps.push({ type: 'reserved', start: from, length: END - from });
  }
  return [...windows, ...gaps];
};

const flagsHave = (flags: number, bit: number): boolean => Math.floor(flags / bit) % 2 === 1;

/**
 * Regions of the device's `memory-region` that say where it has them: mapped there if that is where
 * they are, else only kept free (of_iommu_get_resv_regions).
 */
const iommuAddresses = (node: DtNode, phandles: Phandles): ReservedRegion[] =>
  (boundedCells(node, 'memory-region') ?? []).flatMap(handle => {
    const region = ofFindNodeByPhandle(handle, phandles);
    const cells = region === undefined ? undefined : boundedCells(region, 'iommu-addresses');
    if (region === undefined || cells === undefined) return [];
    const [resource] = ofResources(region);
    return entriesFor(node, cells, phandles).map(({ start, size }) => {
      const isDirect = resource?.start === start && resource.size === size;
      return regionOf(isDirect ? 'direct' : 'reserved', start, size);
    });
  });

/** Addresses and sizes behind the phandle of this device, each of the cells of the device it is of. */
const entriesFor = (
  node: DtNode,
  cells: readonly number[],
  phandles: Phandles,
): { readonly start: bigint; readonly size: bigint }[] => {
  const found: { start: bigint; size: bigint }[] = [];
  for (let at = 0; at < cells.length;) {
    const owner = ofFindNodeByPhandle(cells[at] ?? 0, phandles);
    const bus = owner?.parent ?? null;
    if (owner === undefined || bus === null) break;
    const [na, ns] = [ofBusNAddrCells(bus), ofBusNSizeCells(bus)];
    if (at + 1 + na + ns > cells.length) break;
    const address = cells.slice(at + 1, at + 1 + na);
    const start = ofTranslateDmaAddress(owner, address, phandles);
    const size = ofReadNumber(cells, at + 1 + na, ns);
    if (owner === node && start !== undefined && size > 0n) found.push({ start, size });
    at += 1 + na + ns;
  }
  return found;
};

/** What is beyond the addresses of any device is cut off. */
const regionOf = (type: ReservedRegion['type'], start: bigint, size: bigint): ReservedRegion => {
  const first = Math.min(Number(start), END);
  return { type, start: first, length: Math.min(Number(size), END - first) };
};
