import { hex } from '../base/types/address';
import type { InputProblem } from '../base/types/errors';
import type { MemRange } from './memblock';
import { Memblock } from './memblock';
import type { Cells, From } from './property';
import { boundedCells, from, ofNodeIsType, ofReadNumber, problemOf } from './property';
import type { DeviceTree, DtNode } from './tree';

/*
 * RAM as a device tree describes it. Linux 6.1: drivers/of/fdt.c, early_init_dt_scan_memory().
 *
 * Not modelled: arm32 drops RAM below the address its kernel was loaded above, and RAM beyond
 * 4 GiB without LPAE; neither is a fact of the tree.
 */

/** One entry of a memory node's `reg`, cut to whole pages. */
export interface MemoryBank {
  /** Whole pages only. */
  readonly base: bigint;
  readonly size: bigint;
  /** RAM like any other, unless the kernel is told movable_node. */
  readonly hotpluggable: boolean;
  readonly from: From;
}

/**
 * `described`: the tree says where RAM is; `size-zero`: it has memory nodes whose sizes the boot
 * loader has to fill in; `absent`: it has none that is enabled.
 */
export type MemoryStatus = 'described' | 'size-zero' | 'absent';

/** What a tree says of RAM. Linux: early_init_dt_scan_memory(). */
export interface OfMemory {
  readonly status: MemoryStatus;
  /** In written order. */
  readonly banks: readonly MemoryBank[];
  /** The banks in ascending order, neighbours joined, within `usableRange` if there is one. */
  readonly ram: readonly MemRange[];
  /** `linux,usable-memory-range` of /chosen, with which a crash kernel is confined. */
  readonly usableRange: readonly MemRange[] | null;
  readonly diagnostics: readonly InputProblem[];
}

const PAGE = 4096n;

/** Room in memblock before it can grow. Linux: INIT_MEMBLOCK_REGIONS. */
const MOST_BANKS = 128;

/** MAX_USABLE_RANGES. */
const MOST_USABLE_RANGES = 2;

/** Cells of addresses and sizes below the root; 1 each by default.
 *  Linux: early_init_dt_scan_root(). */
export const dtRootCells = (root: DtNode): { readonly na: number; readonly ns: number } => ({
  na: root.u32('#address-cells') ?? 1,
  ns: root.u32('#size-cells') ?? 1,
});

/** Whole (base, size) entries of a property in the root's cells; the rest of it is left out. */
export const rootRanges = (root: DtNode, cells: Cells): MemRange[] => {
  const { na, ns } = dtRootCells(root);
  const stride = na + ns;
  if (stride === 0) throw root.problem('#address-cells', 'cells for addresses', '0');
  return Array.from({ length: Math.floor(cells.length / stride) }, (_, i) => ({
    base: ofReadNumber(cells, i * stride, na),
    size: ofReadNumber(cells, i * stride + na, ns),
  }));
};

/**
 * The memory nodes: enabled children of the root with device_type `memory`, whatever their names.
 * `linux,usable-memory` takes the place of `reg`. InputError for more than 128 banks.
 */
export const ofMemory = (tree: DeviceTree): OfMemory => {
  const { root } = tree;
  const banks: MemoryBank[] = [];
  const diagnostics: InputProblem[] = [];
  let status: MemoryStatus = 'absent';
  for (const node of root.children.values()) {
    if (!node.isAvailable || !ofNodeIsType(node, 'memory')) continue;
    const property = node.has('linux,usable-memory') ? 'linux,usable-memory' : 'reg';
    const cells = boundedCells(node, property);
    if (cells === undefined) continue;
    if (status === 'absent') status = 'size-zero';
    for (const range of rootRanges(root, cells)) {
      if (range.size === 0n) continue;
      const pages = wholePages(range);
      if (pages === null) {
        diagnostics.push(problemOf(node, property, 'banks of whole pages', hex(range.size)));
        continue;
      }
      status = 'described';
      const hotpluggable = node.has('hotpluggable');
      banks.push({ ...pages, hotpluggable, from: from(node, property) });
    }
    if (banks.length > MOST_BANKS) {
      throw node.problem(property, `at most ${MOST_BANKS} banks in all`, `${banks.length}`);
    }
  }
  const usableRange = usableMemoryRange(tree);
  return { status, banks, ram: ramOf(banks, usableRange), usableRange, diagnostics };
};

/** Linux: early_init_dt_add_memory_arch(). */
const wholePages = ({ base, size }: MemRange): MemRange | null => {
  const skipped = (PAGE - (base % PAGE)) % PAGE;
  const left = size > skipped ? size - skipped : 0n;
  const whole = left - (left % PAGE);
  return whole === 0n ? null : { base: base + skipped, size: whole };
};

const ramOf = (
  banks: readonly MemoryBank[],
  usable: readonly MemRange[] | null,
): readonly MemRange[] => {
  const memblock = new Memblock();
  for (const { base, size } of banks) memblock.add(base, size);
  const [cap, ...further] = usable ?? [];
  if (cap !== undefined && banks.length > 0) memblock.capMemoryRange(cap.base, cap.size);
  for (const { base, size } of further) {
    if (size === 0n) break;
    memblock.add(base, size);
  }
  return memblock.memory;
};

/** Linux: early_init_dt_check_for_usable_mem_range(). */
const usableMemoryRange = (tree: DeviceTree): MemRange[] | null => {
  const { root } = tree;
  const chosen = tree.at('/chosen');
  const cells = chosen === undefined ? undefined : boundedCells(chosen, USABLE_RANGE);
  if (chosen === undefined || cells === undefined) return null;
  const ranges = rootRanges(root, cells);
  const { na, ns } = dtRootCells(root);
  if (cells.length !== ranges.length * (na + ns)) {
    throw chosen.problem(USABLE_RANGE, `ranges of ${na + ns} cells`, `${cells.length} cells`);
  }
  return ranges.slice(0, MOST_USABLE_RANGES);
};

const USABLE_RANGE = 'linux,usable-memory-range';
