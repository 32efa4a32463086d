import { hex } from '../base/types/address';
import type { InputProblem } from '../base/types/errors';
import { InputError } from '../base/types/errors';
import { kernelSort } from './heapsort';
import type { Arch } from './linux';
import { CMA_MIN_ALIGNMENT_BYTES, SMP_CACHE_BYTES } from './linux';
import type { MemRange } from './memblock';
import { Memblock } from './memblock';
import { dtRootCells, rootRanges } from './memory';
import type { PoolOptions, PoolOutcome, ReservedMemKind } from './reserved-mem-pools';
import { initReservedMem } from './reserved-mem-pools';
import type { Cells } from './property';
import { U64_MAX, boundedCells, ofDeviceIsCompatible, ofReadNumber, problemOf } from './property';
import type { DeviceTree, DtNode } from './tree';

/*
 * Memory set aside by the tree: /memreserve/ and /reserved-memory. Linux 6.1: drivers/of/fdt.c,
 * drivers/of/of_reserved_mem.c. Later kernels (6.12.y) allocate in tree order, without the sort.
 */

/**
 * A range of a child of /reserved-memory. Of several in `reg` the first is what Linux keeps as
 * struct reserved_mem, and what a device can be given; the others are only set aside.
 */
export interface ReservedMem {
  readonly node: DtNode;
  readonly base: bigint;
  readonly size: bigint;
  readonly kind: ReservedMemKind;
  /** Placed by `size`, `alignment` and `alloc-ranges`, not written as `reg`. */
  readonly dynamic: boolean;
  /** A CMA region that dma_alloc_contiguous() falls back to. */
  readonly cmaDefault: boolean;
  /** `linux,dma-default`: the pool of all devices, in kernels with DMA_GLOBAL_POOL (no MMU). */
  readonly dmaDefault: boolean;
  /** Why it was refused or failed. */
  readonly problem: InputProblem | null;
}

/** What of RAM is set aside, after all that the tree says. Linux: fdt_init_reserved_mem(). */
export interface OfReservedMem {
  /**
   * In the order in which the kernel initialises them: by base, those without one first; the
   * further ranges of a node behind its first.
   */
  readonly regions: readonly ReservedMem[];
  /** RAM the kernel maps. */
  readonly mapped: readonly MemRange[];
  /** What is taken: /memreserve/, `taken` and the mapped regions. */
  readonly reserved: readonly MemRange[];
  readonly diagnostics: readonly InputProblem[];
}

/** What the kernel knows of memory beside the tree. */
export interface ReservedMemOptions extends PoolOptions {
  /** What is taken already: the kernel's image, the initrd. */
  readonly taken?: readonly MemRange[];
}

/** MAX_RESERVED_REGIONS: what comes later is set aside but no device can be given it. */
const MOST_REGIONS = 64;

/** Ranges in all, so that hostile trees cost little. */
const MOST_RANGES = 1024;

interface Draft {
  readonly node: DtNode;
  base: bigint;
  size: bigint;
}

interface Scan {
  readonly root: DtNode;
  readonly memblock: Memblock;
  readonly drafts: Draft[];
  /** Further ranges of the drafts' nodes that were set aside. */
  readonly further: Map<DtNode, MemRange[]>;
  readonly diagnostics: InputProblem[];
  ranges: number;
}

/**
 * Sets memory aside as the tree asks, within `ram`. Regions with `reg` come first, then, in the
 * kernel's order, those with a `size` are given memory from the top down.
 * Linux: early_init_fdt_scan_reserved_mem().
 */
export const ofReservedMem = (
  tree: DeviceTree,
  ram: readonly MemRange[],
  options: ReservedMemOptions,
): OfReservedMem => {
  const memblock = new Memblock();
  for (const { base, size } of ram) memblock.add(base, size);
  for (const { base, size } of options.taken ?? []) memblock.reserve(base, size);
  for (const { base, size } of memReserves(tree)) memblock.reserve(base, size);

  const scan: Scan = {
    root: tree.root,
    memblock,
    drafts: [],
    further: new Map(),
    diagnostics: [],
    ranges: 0,
  };
  const parent = tree.at('/reserved-memory');
  if (parent !== undefined && checkRoot(parent, scan)) {
    for (const child of parent.children.values()) {
      if (child.isAvailable) scanChild(child, scan);
    }
  }
  kernelSort(scan.drafts, byBaseThenSize);
  reportOverlaps(scan);
  const regions = scan.drafts.flatMap(draft => [
    initRegion(draft, scan, options),
    ...furtherRegions(draft.node, scan),
  ]);
  return {
    regions,
    mapped: memblock.mapped,
    reserved: memblock.reserved,
    diagnostics: scan.diagnostics,
  };
};

/** The header's reservations; the first of size 0 ends them. */
const memReserves = ({ memReserve }: DeviceTree): readonly MemRange[] => {
  const end = memReserve.findIndex(({ size }) => size === 0n);
  const entries = end < 0 ? memReserve : memReserve.slice(0, end);
  if (entries.length > MOST_RANGES) {
    const expected = `at most ${MOST_RANGES} reservations`;
    throw new InputError({ place: '/memreserve/', expected, found: `${entries.length}` });
  }
  return entries.map(({ address, size }) => ({ base: address, size }));
};

/** Cells as the root's, and `ranges`; else all children are ignored.
 *  Linux: __reserved_mem_check_root(). */
const checkRoot = (parent: DtNode, { root, diagnostics }: Scan): boolean => {
  const { na, ns } = dtRootCells(root);
  const refuse = (property: string, expected: string, found: string): false => {
    diagnostics.push(problemOf(parent, property, expected, found));
    return false;
  };
  const sizeCells = parent.u32('#size-cells');
  if (sizeCells !== ns) return refuse('#size-cells', `${ns}, as the root's`, found(sizeCells));
  const addressCells = parent.u32('#address-cells');
  if (addressCells !== na) {
    return refuse('#address-cells', `${na}, as the root's`, found(addressCells));
  }
  return parent.has('ranges') || refuse('ranges', 'the property', 'none');
};

const found = (value: number | undefined): string => (value === undefined ? 'none' : `${value}`);

const scanChild = (node: DtNode, scan: Scan): void => {
  const cells = boundedCells(node, 'reg');
  if (cells !== undefined) reserveReg(node, cells, scan);
  else if (node.has('size')) saveNode(scan, { node, base: 0n, size: 0n });
};

/** Linux: __reserved_mem_reserve_reg(). */
const reserveReg = (node: DtNode, cells: Cells, scan: Scan): void => {
  const { na, ns } = dtRootCells(scan.root);
  const ranges = rootRanges(scan.root, cells);
  if (cells.length !== ranges.length * (na + ns)) {
    const expected = `ranges of ${na + ns} cells`;
    scan.diagnostics.push(problemOf(node, 'reg', expected, `${cells.length} cells`));
    return;
  }
  scan.ranges += ranges.length;
  if (scan.ranges > MOST_RANGES) {
    throw node.problem('reg', `at most ${MOST_RANGES} reserved ranges in all`, `${scan.ranges}`);
  }
  const setAside = ranges.filter((range, i) => reserveRange(node, range, scan) && i > 0);
  const [first] = ranges;
  if (first === undefined) return;
  saveNode(scan, { node, ...first });
  scan.further.set(node, setAside);
};

/** True if the range is set aside now. Linux: early_init_dt_reserve_memory(). */
const reserveRange = (node: DtNode, { base, size }: MemRange, scan: Scan): boolean => {
  const { memblock, diagnostics } = scan;
  if (size === 0n) {
    diagnostics.push(problemOf(node, 'reg', 'a size', '0'));
    return false;
  }
  if (!node.has('no-map')) {
    memblock.reserve(base, size);
    return true;
  }
  if (memblock.overlapsMemory(base, size) && memblock.isRegionReserved(base, size)) {
    const where = `${hex(base)}, which is taken`;
    diagnostics.push(problemOf(node, 'no-map', 'memory nobody has reserved', where));
    return false;
  }
  memblock.setNoMap(base, size, true);
  return true;
};

/** Linux: fdt_reserved_mem_save_node(). */
const saveNode = ({ drafts, diagnostics }: Scan, draft: Draft): void => {
  if (drafts.length < MOST_REGIONS) {
    drafts.push(draft);
    return;
  }
  const property = draft.node.has('reg') ? 'reg' : 'size';
  diagnostics.push(problemOf(draft.node, property, `at most ${MOST_REGIONS} regions`, 'one more'));
};

/** Linux: __rmem_cmp(). */
const byBaseThenSize = (a: Draft, b: Draft): number => {
  const [left, right] = a.base === b.base ? [a.size, b.size] : [a.base, b.base];
  if (left === right) return 0;
  return left < right ? -1 : 1;
};

/** Linux: __rmem_check_for_overlap(). */
const reportOverlaps = ({ drafts, diagnostics }: Scan): void => {
  drafts.forEach((draft, i) => {
    const next = drafts[i + 1];
    if (next === undefined || draft.base + draft.size <= next.base) return;
    const expected = `a range apart from ${next.node.path}`;
    diagnostics.push(problemOf(draft.node, 'reg', expected, `one that ends beyond its start`));
  });
};

/** Linux: fdt_init_reserved_mem(), one turn of the loop. */
const initRegion = (draft: Draft, scan: Scan, options: ReservedMemOptions): ReservedMem => {
  const { node } = draft;
  const { memblock } = scan;
  const dynamic = draft.size === 0n;
  const problem = dynamic ? allocSize(draft, scan, options) : null;
  const outcome: PoolOutcome =
    problem === null ? initReservedMem(draft, options) : { kind: 'failed', problem };
  if (outcome.kind === 'refused') {
    if (node.has('no-map')) memblock.setNoMap(draft.base, draft.size, false);
    else memblock.free(draft.base, draft.size);
  }
  if (outcome.problem !== null) scan.diagnostics.push(outcome.problem);
  return {
    node,
    base: draft.base,
    size: draft.size,
    ...outcome,
    dynamic,
    cmaDefault: outcome.kind === 'cma' && node.has('linux,cma-default'),
    dmaDefault: outcome.kind === 'coherent' && node.has('linux,dma-default'),
  };
};

/** Whatever became of the first range, these stay set aside: no handler knows of them. */
const furtherRegions = (node: DtNode, { further }: Scan): ReservedMem[] =>
  (further.get(node) ?? []).map(range => ({
    node,
    ...range,
    kind: node.has('no-map') ? 'no-map' : 'plain',
    dynamic: false,
    cmaDefault: false,
    dmaDefault: false,
    problem: null,
  }));

/** Finds memory for a region and fills in the draft. Linux: __reserved_mem_alloc_size(). */
const allocSize = (draft: Draft, scan: Scan, { arch }: ReservedMemOptions): InputProblem | null => {
  const { node } = draft;
  const { na, ns } = dtRootCells(scan.root);
  const size = numberOf(node, 'size', ns);
  if (typeof size !== 'bigint') return size;
  const written = node.has('alignment') ? numberOf(node, 'alignment', na) : 0n;
  if (typeof written !== 'bigint') return written;
  const align = raisedAlignment(node, written, arch);
  const windows = allocRanges(node, scan.root);
  if (windows === null)
    return problemOf(node, 'alloc-ranges', `ranges of ${na + ns} cells`, 'else');
  for (const { base: start, size: length } of windows) {
    const end = BigInt.asUintN(64, start + length);
    const base = scan.memblock.allocRange(size, align, start, end === 0n ? U64_MAX : end);
    if (base === undefined) continue;
    if (node.has('no-map')) scan.memblock.setNoMap(base, size, true);
    draft.base = base;
    draft.size = size;
    return null;
  }
  return problemOf(node, 'size', `${hex(size)} bytes of free memory where it may lie`, 'none');
};

const numberOf = (node: DtNode, property: string, count: number): bigint | InputProblem => {
  const cells = node.cells(property);
  return cells?.length === count
    ? ofReadNumber(cells, 0, count)
    : problemOf(node, property, `${count} cells`, `${cells?.length ?? 0} cells`);
};

/** CMA needs whole pageblocks; without an alignment a cache line's is used. */
const raisedAlignment = (node: DtNode, written: bigint, arch: Arch): bigint => {
  const isCma =
    ofDeviceIsCompatible(node, 'shared-dma-pool') && node.has('reusable') && !node.has('no-map');
  const least = isCma ? CMA_MIN_ALIGNMENT_BYTES[arch] : 0n;
  const align = written > least ? written : least;
  return align === 0n ? SMP_CACHE_BYTES : align;
};

const ANYWHERE: readonly MemRange[] = [{ base: 0n, size: 0n }];

/** Where the region may lie; null for a property of the wrong length. */
const allocRanges = (node: DtNode, root: DtNode): readonly MemRange[] | null => {
  const cells = boundedCells(node, 'alloc-ranges');
  if (cells === undefined) return ANYWHERE;
  const { na, ns } = dtRootCells(root);
  const ranges = rootRanges(root, cells);
  return cells.length === ranges.length * (na + ns) ? ranges : null;
};
