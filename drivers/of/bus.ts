import type { Cells } from './property';
import { ofNodeIsType, ofNodeNameEq, ofReadNumber, u64 } from './property';
import type { DtNode } from './tree';

/*
 * Bus types: how many cells an address has, which of them are flags, and how an address is
 * looked up in `ranges`. Linux: struct of_bus and of_busses[], drivers/of/address.c.
 */

/** Resource flags of include/linux/ioport.h. */
export const IORESOURCE_IO = 0x0000_0100;
export const IORESOURCE_MEM = 0x0000_0200;
export const IORESOURCE_PREFETCH = 0x0000_2000;
export const IORESOURCE_MEM_64 = 0x0010_0000;

/** OF_MAX_ADDR_CELLS. */
const OF_MAX_ADDR_CELLS = 4;

/** Cells of an address (`na`) and of a size (`ns`) on a bus. */
export interface CellCounts {
  readonly na: number;
  readonly ns: number;
}

/** One entry of `ranges`: cells from `index` on, child address, parent address (pna), size. */
export interface RangeEntry extends CellCounts {
  readonly cells: Cells;
  readonly index: number;
  readonly pna: number;
}

/** How addresses are written on one kind of bus. Linux: struct of_bus of drivers/of/address.c. */
export interface OfBus {
  readonly name: 'pci' | 'isa' | 'default-flags' | 'default';
  /** The property in which its devices' addresses stand. */
  readonly addresses: 'reg' | 'assigned-addresses';
  /** How many of an address's cells, at its front, are flags and not address. */
  readonly flagCells: 0 | 1;
  readonly countCells: (device: DtNode) => CellCounts;
  /** How far into the entry's window the address lies, or undefined if it does not. */
  readonly map: (address: Cells, range: RangeEntry) => bigint | undefined;
  readonly getFlags: (address: Cells, index: number) => number;
}

/** `#address-cells` for children of `bus`, looked for upwards; 1 if nobody says.
 *  Linux: of_bus_n_addr_cells(), drivers/of/base.c. */
export const ofBusNAddrCells = (bus: DtNode): number => nearestU32(bus, '#address-cells');

/** `#size-cells` for children of `bus`. Linux: of_bus_n_size_cells(). */
export const ofBusNSizeCells = (bus: DtNode): number => nearestU32(bus, '#size-cells');

/** Address cells of the node's own `reg`; the root is its own parent. Linux: of_n_addr_cells(). */
export const ofNAddrCells = (node: DtNode): number => ofBusNAddrCells(node.parent ?? node);

/** Size cells of the node's own `reg`. Linux: of_n_size_cells(). */
export const ofNSizeCells = (node: DtNode): number => ofBusNSizeCells(node.parent ?? node);

const nearestU32 = (bus: DtNode, property: string): number => {
  for (let node: DtNode | null = bus; node !== null; node = node.parent) {
    const value = node.u32(property);
    if (value !== undefined) return value;
  }
  return 1;
};

/** OF_CHECK_ADDR_COUNT. */
export const checkAddrCount = (na: number): boolean => na > 0 && na <= OF_MAX_ADDR_CELLS;

/** OF_CHECK_COUNTS. Addresses below a bus without size cells are no CPU addresses. */
export const checkCounts = ({ na, ns }: CellCounts): boolean => checkAddrCount(na) && ns > 0;

/** The bus type of a node. Linux: of_match_bus(). */
export const ofMatchBus = (bus: DtNode): OfBus =>
  BUSSES.find(([matches]) => matches(bus))?.[1] ?? DEFAULT;

/** True for a PCI bus: by device_type, or by the name `pcie`. Linux: of_bus_pci_match(). */
export const ofBusIsPci = (bus: DtNode): boolean =>
  PCI_TYPES.some(type => ofNodeIsType(bus, type)) || ofNodeNameEq(bus, 'pcie');

const PCI_TYPES = ['pci', 'pciex', 'vci', 'ht'];

/** A window whose end is beyond 2^64 wraps, as the kernel's u64 does, and contains nothing. */
const offsetInWindow = (address: Cells, range: RangeEntry, flags: 0 | 1): bigint | undefined => {
  const { cells, index, na, pna, ns } = range;
  const start = ofReadNumber(cells, index + flags, na - flags);
  const size = ofReadNumber(cells, index + na + pna, ns);
  const wanted = ofReadNumber(address, flags, na - flags);
  return wanted < start || wanted >= u64(start + size) ? undefined : wanted - start;
};

const countDefaultCells = (device: DtNode): CellCounts => ({
  na: ofNAddrCells(device),
  ns: ofNSizeCells(device),
});

const flagsDiffer = (bus: OfBus, address: Cells, range: RangeEntry, mask: number): boolean =>
  ((bus.getFlags(address, 0) ^ bus.getFlags(range.cells, range.index)) & mask) !== 0;

const PCI: OfBus = {
  name: 'pci',
  addresses: 'assigned-addresses',
  flagCells: 1,
  countCells: () => ({ na: 3, ns: 2 }),
  map: (address, range) =>
    flagsDiffer(PCI, address, range, IORESOURCE_MEM | IORESOURCE_IO)
      ? undefined
      : offsetInWindow(address, range, 1),
  getFlags: (address, index) => {
    const physHi = address[index] ?? 0;
    const prefetch = (physHi & 0x4000_0000) !== 0 ? IORESOURCE_PREFETCH : 0;
    return prefetch | (PCI_SPACES[(physHi >>> 24) & 3] ?? 0);
  },
};

/** By the `ss` field of phys.hi: configuration, I/O, 32-bit memory, 64-bit memory. */
const PCI_SPACES = [0, IORESOURCE_IO, IORESOURCE_MEM, IORESOURCE_MEM | IORESOURCE_MEM_64];

const ISA: OfBus = {
  name: 'isa',
  addresses: 'reg',
  flagCells: 1,
  countCells: () => ({ na: 2, ns: 1 }),
  map: (address, range) =>
    flagsDiffer(ISA, address, range, IORESOURCE_MEM | IORESOURCE_IO)
      ? undefined
      : offsetInWindow(address, range, 1),
  getFlags: (address, index) =>
    ((address[index] ?? 0) & 1) !== 0 ? IORESOURCE_IO : IORESOURCE_MEM,
};

/** Three address cells: the first is flags of the bus's own making and must be equal. */
const DEFAULT_FLAGS: OfBus = {
  name: 'default-flags',
  addresses: 'reg',
  flagCells: 1,
  countCells: countDefaultCells,
  map: (address, range) =>
    address[0] === range.cells[range.index] ? offsetInWindow(address, range, 1) : undefined,
  getFlags: (address, index) => address[index] ?? 0,
};

const DEFAULT: OfBus = {
  name: 'default',
  addresses: 'reg',
  flagCells: 0,
  countCells: countDefaultCells,
  map: (address, range) => offsetInWindow(address, range, 0),
  getFlags: () => IORESOURCE_MEM,
};

const BUSSES: readonly (readonly [(bus: DtNode) => boolean, OfBus])[] = [
  [ofBusIsPci, PCI],
  [bus => ofNodeNameEq(bus, 'isa'), ISA],
  [bus => ofBusNAddrCells(bus) === 3, DEFAULT_FLAGS],
];
