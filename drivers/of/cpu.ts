import { hex } from '../base/types/address';
import type { InputProblem } from '../base/types/errors';
import { ofNAddrCells } from './bus';
import type { L1Caches, OfCache } from './cache';
import { ofCacheChain, ofL1Caches } from './cache';
import type { CpuTopology } from './cpu-topology';
import { parseCpuTopology } from './cpu-topology';
import type { Arch } from './linux';
import { MPIDR_HWID_BITMASK } from './linux';
import type { Phandles } from './phandle';
import { ofNodeIsType, ofNodeNameEq, ofReadNumber, problemOf } from './property';
import type { DeviceTree, DtNode } from './tree';

/*
 * The processors of a tree. Linux 6.1: drivers/of/base.c, arch/arm/kernel/devtree.c,
 * arch/arm64/kernel/smp.c. How secondary ones are started is not looked at.
 */

/** One processor, as its cpu node describes it. */
export interface OfCpu {
  readonly node: DtNode;
  /** MPIDR affinity bits from `reg`; null: not said. */
  readonly hwid: bigint | null;
  readonly compatible: readonly string[];
  /** As written; absent is `okay`. A disabled processor waits to be started and counts. */
  readonly status: string;
  /** Whether Linux would make it a possible CPU (see ofCpus). */
  readonly usable: boolean;
  /** From `cpu-map`; null without a valid one. */
  readonly topology: CpuTopology | null;
  readonly l1: L1Caches;
  /** Caches beyond its own, nearest first. */
  readonly next: readonly OfCache[];
}

/** All processors of a tree, and what is wrong with their nodes. */
export interface OfCpus {
  readonly cpus: readonly OfCpu[];
  /** Nodes with status `fail` or `fail-...`, which are left out. */
  readonly failed: readonly DtNode[];
  readonly diagnostics: readonly InputProblem[];
}

/** More than any kernel is configured for. */
const MOST_CPUS = 1024;

/**
 * The cpu nodes in tree order. There may be none at all: then there is one processor, of which
 * the tree says nothing.
 *
 * A `reg` that is missing, repeated or has other than affinity bits makes arm64 leave that
 * processor out, and arm32 fall back to the boot processor alone: the one whose `reg` the blob's
 * header names, else the first. Linux: for_each_of_cpu_node(), of_parse_and_init_cpus(),
 * arm_dt_init_cpu_maps().
 */
export const ofCpus = (tree: DeviceTree, phandles: Phandles, arch: Arch): OfCpus => {
  const children = [...(tree.at('/cpus')?.children.values() ?? [])];
  const nodes = children.filter(n => ofNodeNameEq(n, 'cpu') || ofNodeIsType(n, 'cpu'));
  const failed = nodes.filter(isFailed);
  const alive = nodes.filter(node => !isFailed(node));
  const excess = alive[MOST_CPUS];
  if (excess !== undefined) {
    throw excess.problem('device_type', `at most ${MOST_CPUS} processors`, `${alive.length}`);
  }
  const diagnostics: InputProblem[] = [];
  const wrong = new Set(wrongHwids(alive, arch, diagnostics));
  const boot = alive.find(node => ofGetCpuHwid(node) === BigInt(tree.bootCpu)) ?? alive[0];
  const bootOnly = arch === 'arm32' && wrong.size > 0;
  const usable = alive.filter(node => (bootOnly ? node === boot : !wrong.has(node)));
  const map = tree.at('/cpus')?.children.get('cpu-map');
  const topology = parseCpuTopology(map, usable, phandles, diagnostics);
  const cpus = alive.map(node => ({
    node,
    hwid: ofGetCpuHwid(node),
    compatible: node.compatible,
    status: node.string('status') ?? 'okay',
    usable: usable.includes(node),
    topology: topology.get(node) ?? null,
    l1: ofL1Caches(node),
    next: ofCacheChain(node, phandles),
  }));
  return { cpus, failed, diagnostics };
};

/** Linux: __of_device_is_fail(). */
const isFailed = (node: DtNode): boolean => {
  const status = node.string('status');
  return status === 'fail' || status?.startsWith('fail-') === true;
};

/** The hardware id in a cpu node's `reg`, null if there is none. Linux: of_get_cpu_hwid(). */
export const ofGetCpuHwid = (cpu: DtNode): bigint | null => {
  const cells = cpu.cells('reg');
  const count = ofNAddrCells(cpu);
  if (cells === undefined || count === 0 || cells.length < count) return null;
  return ofReadNumber(cells, 0, count);
};

/** Nodes whose id cannot be used. One without any id is alone in its tree, as a uniprocessor. */
const wrongHwids = (nodes: readonly DtNode[], arch: Arch, into: InputProblem[]): DtNode[] => {
  const mask = MPIDR_HWID_BITMASK[arch];
  const seen = new Map<bigint, DtNode>();
  return nodes.filter(node => {
    const hwid = ofGetCpuHwid(node);
    if (hwid === null && nodes.length === 1) return false;
    const problem = wrongHwid(node, hwid, mask, seen);
    if (hwid !== null && !seen.has(hwid)) seen.set(hwid, node);
    if (problem !== null) into.push(problem);
    return problem !== null;
  });
};

const wrongHwid = (
  node: DtNode,
  hwid: bigint | null,
  mask: bigint,
  seen: ReadonlyMap<bigint, DtNode>,
): InputProblem | null => {
  if (hwid === null) return problemOf(node, 'reg', 'MPIDR affinity bits', 'none');
  if ((hwid & ~mask) !== 0n) return problemOf(node, 'reg', `bits of ${hex(mask)}`, hex(hwid));
  const first = seen.get(hwid);
  if (first === undefined) return null;
  return problemOf(node, 'reg', 'a value of its own', `${hex(hwid)}, as ${first.path} has`);
};
