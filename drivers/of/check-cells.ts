import type { OfBus } from './bus';
import { checkCounts, ofBusNAddrCells, ofBusNSizeCells, ofMatchBus, ofNAddrCells } from './bus';
import type { RangesProperty } from './bus-ranges';
import type { DiagnosticList } from './diagnostics';
import type { DeviceTree, DtNode } from './tree';

/*
 * The numbers of cells that lists of addresses are read by, of all enabled nodes.
 */

const COUNTS = ['#address-cells', '#size-cells'] as const;
const RANGES: readonly RangesProperty[] = ['ranges', 'dma-ranges'];

/**
 * InputError for a root that does not say how many cells an address has, although a node below
 * it has one: Devicetree Specification 0.4, section 3.2; nothing in the tree means anything
 * without. Warnings for what Linux goes on with: a bus that leaves it to the buses above it
 * (of_bus_n_addr_cells()), cells left over at the end of a list, which are no entry, and windows
 * of a bus below PCI or ISA that are written in other cells than those buses have.
 */
export const checkCells = ({ root }: DeviceTree, diagnostics: DiagnosticList): void => {
  checkNode(root, diagnostics);
};

const checkNode = (node: DtNode, diagnostics: DiagnosticList): void => {
  if (!node.isAvailable) return;
  const bus = ofMatchBus(node);
  for (const child of node.children.values()) {
    if (child.isAvailable && child.has('reg')) {
      checkCounted(node, bus, child, diagnostics);
      break;
    }
  }
  if (node.parent !== null) {
    checkReg(node, node.parent, diagnostics);
    for (const property of RANGES) checkRanges(node, node.parent, property, diagnostics);
  }
  for (const child of node.children.values()) checkNode(child, diagnostics);
};

/** PCI and ISA buses have counts of their own. */
const checkCounted = (
  node: DtNode,
  { name }: OfBus,
  child: DtNode,
  diagnostics: DiagnosticList,
): void => {
  if (name === 'pci' || name === 'isa') return;
  for (const property of COUNTS) {
    if (node.has(property)) continue;
    const expected = `the property, as ${child.path} has reg`;
    if (node.parent === null) throw node.problem(property, expected, 'none');
    diagnostics.add('missing-cells', () => {
      const taken = property === '#address-cells' ? ofBusNAddrCells(node) : ofBusNSizeCells(node);
      return node.problem(property, expected, `none; Linux takes ${taken}, from above`).problem;
    });
  }
};

const checkReg = (node: DtNode, parent: DtNode, diagnostics: DiagnosticList): void => {
  const bytes = node.bytes('reg')?.length ?? 0;
  if (bytes === 0) return;
  const { na, ns } = ofMatchBus(parent).countCells(node);
  checkWhole(node, 'reg', bytes, na + ns, diagnostics);
};

const checkRanges = (
  node: DtNode,
  parent: DtNode,
  property: RangesProperty,
  diagnostics: DiagnosticList,
): void => {
  const bytes = node.bytes(property)?.length ?? 0;
  if (bytes === 0) return;
  const pna = ofNAddrCells(node);
  checkWhole(
    node,
    property,
    bytes,
    ofBusNAddrCells(node) + pna + ofBusNSizeCells(node),
    diagnostics,
  );
  const { name, countCells } = ofMatchBus(parent);
  const counts = countCells(node);
  if (!checkCounts(counts) || counts.na === pna) return;
  diagnostics.add('cell-counts', () => {
    const expected = `parent addresses of ${counts.na} cells, as below any ${name} bus`;
    const found = `${pna}, by #address-cells; Linux reads on into the cells that follow`;
    return node.problem(property, expected, found).problem;
  });
};

const checkWhole = (
  node: DtNode,
  property: string,
  bytes: number,
  stride: number,
  diagnostics: DiagnosticList,
): void => {
  if (stride === 0 || bytes % (4 * stride) === 0) return;
  diagnostics.add('incomplete-entry', () => {
    const expected = `entries of ${stride} cells`;
    return node.problem(property, expected, `${bytes / 4} cells`).problem;
  });
};
