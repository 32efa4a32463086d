import type { Result } from '../base/types/result';
import { failed, ok } from '../base/types/result';
import type { OfPhandleArgs, Phandles } from './phandle';
import { ofFindNodeByPhandle, ofParsePhandleWithArgs } from './phandle';
import type { Cells, OfErrno, OfFailure } from './property';
import {
  MAX_PHANDLE_ARGS,
  boundedCells,
  ofDeviceIsCompatible,
  ofFailure,
  problemOf,
} from './property';
import type { DtNode } from './tree';

/*
 * From a device's interrupts to the controllers they arrive at. Linux 6.1: drivers/of/irq.c,
 * without the work-arounds for Apple's old machines.
 */

/** More controllers and maps than any interrupt passes; where Linux would loop for ever. */
const MOST_STEPS = 64;

/**
 * Controllers that read their `interrupt-map` themselves; it says nothing about the interrupt
 * tree. Linux: of_irq_imap_abusers[].
 */
const IMAP_ABUSERS = [
  'CBEA,platform-spider-pic',
  'sti,platform-spider-pic',
  'realtek,rtl-intc',
  'fsl,ls1021a-extirq',
  'fsl,ls1043a-extirq',
  'fsl,ls1088a-extirq',
  'renesas,rza1-irqc',
  'pasemi,rootbus',
];

/**
 * The nearest node above that has `#interrupt-cells`, going to `interrupt-parent` where a node
 * names one and to the parent where not. InputError if that leads in a circle.
 * Linux: of_irq_find_parent().
 */
export const ofIrqFindParent = (child: DtNode, phandles: Phandles): DtNode | undefined => {
  const visited = new Set<DtNode>();
  for (let node: DtNode = child; ;) {
    if (visited.has(node) || visited.size === MOST_STEPS) {
      throw node.problem('interrupt-parent', 'a way to an interrupt controller', 'a circle');
    }
    visited.add(node);
    const handle = node.u32('interrupt-parent');
    const parent: DtNode | null | undefined =
      handle === undefined ? node.parent : ofFindNodeByPhandle(handle, phandles);
    if (parent === null || parent === undefined) return undefined;
    if (parent.has('#interrupt-cells')) return parent;
    node = parent;
  }
};

/**
 * The controller and specifier of a device's `index`th interrupt: `interrupts-extended` if that
 * has such an entry, else `interrupts`, then through every `interrupt-map` on the way. InputError
 * if maps lead in a circle. Linux: of_irq_parse_one().
 */
export const ofIrqParse = (
  device: DtNode,
  index: number,
  phandles: Phandles,
): Result<OfPhandleArgs, OfFailure> => {
  const extended = ofParsePhandleWithArgs(
    device,
    'interrupts-extended',
    '#interrupt-cells',
    index,
    phandles,
  );
  const specifier = extended.ok ? extended : interruptsEntry(device, index, phandles);
  if (!specifier.ok) return specifier;
  return ofIrqParseRaw(boundedCells(device, 'reg') ?? [], specifier.value, phandles);
};

/** All interrupts of a device up to the first that cannot be read. Linux: of_irq_count(). */
export const ofIrqs = (device: DtNode, phandles: Phandles): OfPhandleArgs[] => {
  const interrupts: OfPhandleArgs[] = [];
  for (let index = 0; ; index++) {
    const parsed = ofIrqParse(device, index, phandles);
    if (!parsed.ok) return interrupts;
    if (parsed.value.args.length === 0) {
      throw parsed.value.node.problem('#interrupt-cells', 'at least 1', '0');
    }
    interrupts.push(parsed.value);
  }
};

const interruptsEntry = (
  device: DtNode,
  index: number,
  phandles: Phandles,
): Result<OfPhandleArgs, OfFailure> => {
  const cells = boundedCells(device, 'interrupts');
  if (cells === undefined) return failed(ofFailure('EINVAL'));
  const node = ofIrqFindParent(device, phandles);
  const count = node?.u32('#interrupt-cells');
  if (node === undefined || count === undefined) {
    return broken(device, 'interrupts', 'an interrupt parent', 'none');
  }
  const args = cells.slice(index * count, (index + 1) * count);
  return args.length === count ? ok({ node, args }) : failed(ofFailure('EOVERFLOW'));
};

const broken = (
  node: DtNode,
  property: string,
  expected: string,
  found: string,
  errno: OfErrno = 'EINVAL',
): Result<never, OfFailure> => failed(ofFailure(errno, problemOf(node, property, expected, found)));

/** Of a device's address, no more than three cells are compared. */
const ADDRESS_CELLS = 3;

/**
 * Follows interrupt maps from a specifier to a controller. A node with `#interrupt-cells` that is
 * neither controller nor nexus passes the specifier on to its interrupt parent, and the answer
 * then still names the first node, as the kernel's does. Linux: of_irq_parse_raw().
 */
const ofIrqParseRaw = (
  reg: Cells,
  specifier: OfPhandleArgs,
  phandles: Phandles,
): Result<OfPhandleArgs, OfFailure> => {
  const { node: first, args } = specifier;
  const addrSize = inheritedAddressCells(first);
  if (addrSize + args.length > MAX_PHANDLE_ARGS) {
    const expected = `at most ${MAX_PHANDLE_ARGS} cells to match`;
    return broken(first, '#address-cells', expected, `${addrSize + args.length}`, 'EFAULT');
  }
  const address = Array.from({ length: addrSize }, (_, i) =>
    i < ADDRESS_CELLS ? (reg[i] ?? 0) : 0,
  );
  // What a nexus looks for in its map: a unit address and an interrupt specifier.
  let wanted: Cells = [...address, ...args];
  let result = specifier;
  let node: DtNode | undefined = first;
  for (let step = 0; node !== undefined; step++) {
    if (step === MOST_STEPS) throw first.problem('interrupt-map', 'a controller', 'a circle');
    const map = boundedCells(node, 'interrupt-map');
    if (isController(node, map)) return ok(result);
    if (map === undefined) {
      node = ofIrqFindParent(node, phandles);
      continue;
    }
    const entry = matchingEntry(node, map, wanted, phandles);
    if (!entry.ok) return entry;
    result = entry.value.target;
    if (result.node === node) return ok(result);
    wanted = entry.value.next;
    node = result.node;
  }
  return failed(ofFailure('ENOENT', problemOf(first, 'interrupt-parent', 'a controller', 'none')));
};

const isController = (node: DtNode, map: Cells | undefined): boolean =>
  node.has('interrupt-controller') &&
  (map === undefined || IMAP_ABUSERS.some(name => ofDeviceIsCompatible(node, name)));

/** `#address-cells` of the node or its nearest ancestor that has it, else 2. */
const inheritedAddressCells = (node: DtNode): number => {
  for (let n: DtNode | null = node; n !== null; n = n.parent) {
    const cells = n.u32('#address-cells');
    if (cells !== undefined) return cells;
  }
  return 2;
};

interface MapEntry {
  readonly target: OfPhandleArgs;
  /** The target's own unit address and specifier, to look for if it is a nexus too. */
  readonly next: Cells;
  /** Cells of the whole entry from its phandle on. */
  readonly length: number;
}

/** The first entry of a nexus's map that fits and whose controller is enabled. */
const matchingEntry = (
  nexus: DtNode,
  map: Cells,
  wanted: Cells,
  phandles: Phandles,
): Result<MapEntry, OfFailure> => {
  const count = wanted.length;
  const mask = boundedCells(nexus, 'interrupt-map-mask');
  if (mask !== undefined && mask.length < count) {
    throw nexus.problem('interrupt-map-mask', `${count} cells`, `${mask.length}`);
  }
  for (let at = 0; map.length - at > count + 1;) {
    const differs = wanted.some(
      (cell, i) => ((cell ^ (map[at + i] ?? 0)) & (mask?.[i] ?? -1)) !== 0,
    );
    const entry = mapEntryAt(nexus, map, at + count, phandles);
    if (!entry.ok) return entry;
    if (!differs && entry.value.target.node.isAvailable) return entry;
    at += count + entry.value.length;
  }
  const shown = wanted.map(cell => cell.toString(16)).join(' ');
  return broken(nexus, 'interrupt-map', `an entry for <${shown}> (hexadecimal)`, 'none');
};

/** Linux: of_irq_parse_imap_parent(). */
const mapEntryAt = (
  nexus: DtNode,
  map: Cells,
  at: number,
  phandles: Phandles,
): Result<MapEntry, OfFailure> => {
  const handle = map[at] ?? 0;
  const node = ofFindNodeByPhandle(handle, phandles);
  if (node === undefined) {
    return broken(nexus, 'interrupt-map', 'the phandle of a node', `${handle}`);
  }
  const intSize = node.u32('#interrupt-cells');
  if (intSize === undefined) {
    return broken(node, '#interrupt-cells', `the property, as ${nexus.path} maps to it`, 'none');
  }
  const addrSize = node.u32('#address-cells') ?? 0;
  const length = 1 + addrSize + intSize;
  if (addrSize + intSize > MAX_PHANDLE_ARGS || at + length > map.length) {
    return broken(nexus, 'interrupt-map', `${length} cells for ${node.path}`, 'fewer');
  }
  const next = map.slice(at + 1, at + length);
  return ok({ target: { node, args: next.slice(addrSize) }, next, length });
};
