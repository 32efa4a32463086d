import type { CellCounts, OfBus } from './bus';
import {
  IORESOURCE_MEM,
  checkAddrCount,
  checkCounts,
  ofBusNAddrCells,
  ofBusNSizeCells,
  ofMatchBus,
  ofNAddrCells,
} from './bus';
import type { OfRange, RangesProperty } from './bus-ranges';
import { BusRanges } from './bus-ranges';
import type { ParentOf } from './dma-parent';
import { dmaParentWalk, treeParent } from './dma-parent';
import type { Phandles } from './phandle';
import type { Cells } from './property';
import { boundedCells, ofReadNumber, u64 } from './property';
import type { DtNode } from './tree';
import { treeWork } from './tree-work';

/*
 * From the addresses written in a tree to the CPU's. Linux: drivers/of/address.c.
 *
 * Not modelled: I/O ports. Linux turns them into tokens only after a host bridge has registered
 * its window; before that, as here, they do not translate.
 */

/** An entry of `reg`: where it stands on the device's own bus. Linux: of_get_address(). */
export interface OfAddress {
  readonly cells: Cells;
  /** In bytes; 0 on a bus without size cells. */
  readonly size: bigint;
  /** IORESOURCE_ flags, or the bus's own flags cell on a bus with three address cells. */
  readonly flags: number;
}

/** A window of CPU addresses. Linux: struct resource. */
export interface OfResource {
  readonly start: bigint;
  readonly size: bigint;
  readonly flags: number;
  /** From `reg-names`, else the node's name. */
  readonly name: string;
}

/**
 * The CPU address of an address on `node`'s own bus, through every `ranges` above it; undefined
 * if some bus has none (its addresses are not the CPU's) or none that contains the address, and
 * for fewer cells than the bus's addresses have, which Linux reads past the end of. Whoever
 * translates many addresses hands in one `ranges` for all. Linux: of_translate_address().
 */
export const ofTranslateAddress = (
  node: DtNode,
  cells: Cells,
  ranges = new BusRanges('ranges'),
): bigint | undefined => translate(node, treeParent, cells, ranges);

/**
 * The same through `dma-ranges` and along the DMA parents; there a bus without the property
 * passes addresses on unchanged. InputError also for DMA parents in a circle.
 * Linux: of_translate_dma_address().
 */
export const ofTranslateDmaAddress = (
  node: DtNode,
  cells: Cells,
  phandles: Phandles,
): bigint | undefined =>
  translate(node, dmaParentWalk(phandles), cells, treeWork(phandles).dmaRanges);

/** Linux: __of_translate_address(). */
const translate = (
  node: DtNode,
  parentOf: ParentOf,
  cells: Cells,
  ranges: BusRanges,
): bigint | undefined => {
  let device = parentOf(node);
  if (device === null) return undefined;
  let bus = ofMatchBus(device);
  let counts = bus.countCells(node);
  if (!checkCounts(counts) || cells.length < counts.na) return undefined;
  let address: Cells = cells.slice(0, counts.na);
  for (;;) {
    const parent = parentOf(device);
    if (parent === null) return ofReadNumber(address, 0, counts.na);
    const parentBus = ofMatchBus(parent);
    const parentCounts = parentBus.countCells(device);
    if (!checkCounts(parentCounts)) return undefined;
    const level = { device, bus, counts, parentBus, pna: parentCounts.na };
    const translated = translateOne(level, address, ranges);
    if (translated === undefined) return undefined;
    [address, device, bus, counts] = [translated, parent, parentBus, parentCounts];
  }
};

interface Level {
  /** The bus node whose `ranges` are crossed. */
  readonly device: DtNode;
  readonly bus: OfBus;
  readonly counts: CellCounts;
  readonly parentBus: OfBus;
  readonly pna: number;
}

/** One bus upwards. Linux: of_translate_one(). */
const translateOne = (
  { device, bus, counts, parentBus, pna }: Level,
  address: Cells,
  lists: BusRanges,
): Cells | undefined => {
  const { na, ns } = counts;
  const stride = na + pna + ns;
  const ranges = lists.cells(device, stride);
  lists.look(device);
  if (ranges === undefined && lists.property !== 'dma-ranges') return undefined;
  if (ranges === undefined || ranges.length === 0) {
    const flags = Array.from({ length: parentBus.flagCells }, (_, i) => address[i] ?? 0);
    const base = [...flags, ...zeros(pna - parentBus.flagCells)];
    return advance(base, parentBus.flagCells, ofReadNumber(address, 0, na));
  }
  for (let index = 0; index + stride <= ranges.length; index += stride) {
    lists.look(device);
    const offset = bus.map(address, { cells: ranges, index, na, ns, pna });
    if (offset === undefined) continue;
    return advance(ranges.slice(index + na, index + na + pna), parentBus.flagCells, offset);
  }
  return undefined;
};

/** `address` + `offset`, in as many cells, its flags kept. Linux: the translate() hooks. */
const advance = (address: Cells, flagCells: 0 | 1, offset: bigint): Cells => {
  const count = address.length - flagCells;
  const sum = u64(ofReadNumber(address, flagCells, count) + offset);
  const low = [Number(sum >> 32n), Number(sum & 0xffff_ffffn)].slice(-count);
  return [...address.slice(0, flagCells), ...zeros(count - 2), ...(count > 0 ? low : [])];
};

const zeros = (count: number): number[] => new Array<number>(Math.max(count, 0)).fill(0);

/**
 * The `index`th entry of a device's `reg` (on PCI: of `assigned-addresses`), or undefined; cells
 * left over at the end are no entry. Linux: of_get_address().
 */
export const ofGetAddress = (node: DtNode, index: number): OfAddress | undefined => {
  const list = addressList(node);
  return list !== undefined && index >= 0 ? list.entry(index) : undefined;
};

/** A device's addresses, read once. */
interface AddressList {
  readonly entry: (index: number) => OfAddress | undefined;
}

const addressList = (node: DtNode): AddressList | undefined => {
  if (node.parent === null) return undefined;
  const bus = ofMatchBus(node.parent);
  const { na, ns } = bus.countCells(node);
  const cells = checkAddrCount(na) ? boundedCells(node, bus.addresses) : undefined;
  if (cells === undefined) return undefined;
  const stride = na + ns;
  const entry = (index: number): OfAddress | undefined => {
    const at = index * stride;
    if (at + stride > cells.length) return undefined;
    return {
      cells: cells.slice(at, at + na),
      size: ofReadNumber(cells, at + na, ns),
      flags: bus.getFlags(cells, at),
    };
  };
  return { entry };
};

/**
 * A device's resources in CPU addresses: `reg` up to the first entry that does not translate or
 * is not memory. InputError where there are absurdly many. Linux: of_device_alloc(),
 * of_address_to_resource().
 */
export const ofResources = (node: DtNode, ranges = new BusRanges('ranges')): OfResource[] => {
  const resources: OfResource[] = [];
  const list = addressList(node);
  if (list === undefined) return resources;
  let names: readonly string[] | undefined;
  for (let i = 0; ; i++) {
    const address = list.entry(i);
    if (address === undefined || (address.flags & IORESOURCE_MEM) === 0) return resources;
    ranges.look(node);
    const start = ofTranslateAddress(node, address.cells, ranges);
    if (start === undefined) return resources;
    names ??= node.strings('reg-names') ?? [];
    resources.push({
      start,
      size: address.size,
      flags: address.flags,
      name: names[i] ?? node.name,
    });
  }
};

/**
 * The windows written on a bus, entries merged while they continue each other with equal flags;
 * undefined without the property. InputError for cell counts that make no entries, and for more
 * than 256 of them.
 *
 * Below a PCI or ISA bus the parent's addresses have that bus's cells, whatever its
 * #address-cells says: Linux then reads on into the cells that follow, and so does this, but not
 * beyond the property; a window that would need that does not translate.
 * Linux: for_each_of_range(), of_pci_range_parser_one().
 */
export const ofRanges = (
  bus: DtNode,
  property: RangesProperty,
  phandles: Phandles,
): readonly OfRange[] | undefined => {
  const lists = property === 'ranges' ? new BusRanges('ranges') : treeWork(phandles).dmaRanges;
  const type = ofMatchBus(bus);
  const [na, pna, ns] = [ofBusNAddrCells(bus), ofNAddrCells(bus), ofBusNSizeCells(bus)];
  const stride = na + pna + ns;
  const cells = lists.cells(bus, stride);
  if (cells === undefined) return undefined;
  if (na < type.flagCells || stride === 0) {
    throw bus.problem('#address-cells', `at least 1 on a bus with ${property}`, `${na}`);
  }
  const ranges: OfRange[] = [];
  for (let at = 0; at + stride <= cells.length; at += stride) {
    const parent = cells.slice(at + na);
    const range: OfRange = {
      flags: type.getFlags(cells, at),
      busAddr: ofReadNumber(cells, at + type.flagCells, na - type.flagCells),
      cpuAddr:
        property === 'ranges'
          ? ofTranslateAddress(bus, parent, lists)
          : ofTranslateDmaAddress(bus, parent, phandles),
      size: ofReadNumber(cells, at + na + pna, ns),
    };
    const last = ranges.at(-1);
    if (last !== undefined && continues(last, range)) {
      ranges[ranges.length - 1] = { ...last, size: u64(last.size + range.size) };
    } else {
      ranges.push(range);
    }
  }
  return ranges;
};

/**
 * The windows of `dma-ranges`, none without the property; worked out once for each bus of the
 * tree whose phandles these are.
 */
export const ofDmaRanges = (bus: DtNode, phandles: Phandles): readonly OfRange[] => {
  const { windows } = treeWork(phandles);
  const known = windows.get(bus);
  if (known !== undefined) return known;
  const ranges = ofRanges(bus, 'dma-ranges', phandles) ?? [];
  windows.set(bus, ranges);
  return ranges;
};

const continues = (last: OfRange, next: OfRange): boolean =>
  last.cpuAddr !== undefined &&
  next.cpuAddr !== undefined &&
  next.flags === last.flags &&
  next.busAddr === u64(last.busAddr + last.size) &&
  next.cpuAddr === u64(last.cpuAddr + last.size);
