import type { InputProblem } from '../base/types/errors';
import type { Phandles } from './phandle';
import { ofParsePhandle } from './phandle';
import { problemOf } from './property';
import type { DtNode } from './tree';

/*
 * Which processors share a cluster, from /cpus/cpu-map. Linux 6.1: drivers/base/arch_topology.c.
 */

/** Where a processor stands, by number. Linux: struct cpu_topology. */
export interface CpuTopology {
  readonly package: number;
  /** Number of the innermost cluster within its parent. */
  readonly cluster: number;
  readonly core: number;
  /** Null for a core with one thread. */
  readonly thread: number | null;
}

interface Parse {
  readonly cpus: ReadonlySet<DtNode>;
  readonly phandles: Phandles;
  readonly found: Map<DtNode, CpuTopology>;
}

/**
 * Where each of `cpus` stands. A map that is wrong anywhere, or that leaves out a processor, is
 * dropped as a whole and reported. Linux: parse_dt_topology().
 */
export const parseCpuTopology = (
  map: DtNode | undefined,
  cpus: readonly DtNode[],
  phandles: Phandles,
  diagnostics: InputProblem[],
): ReadonlyMap<DtNode, CpuTopology> => {
  const found = new Map<DtNode, CpuTopology>();
  if (map === undefined) return found;
  const problem = parseSockets(map, { cpus: new Set(cpus), phandles, found });
  const missing = cpus.find(cpu => !found.has(cpu));
  if (problem === null && missing === undefined) return found;
  diagnostics.push(
    problem ?? problemOf(map, 'cpu', 'every processor in the map', `none for ${missing?.path}`),
  );
  return new Map();
};

/** Children `stem`0, `stem`1 and so on, up to the first number that is missing. */
const numbered = (node: DtNode, stem: string): DtNode[] => {
  const byName = new Map<string, DtNode>();
  for (const child of node.children.values()) {
    if (!byName.has(child.baseName)) byName.set(child.baseName, child);
  }
  const list: DtNode[] = [];
  for (let i = 0; ; i++) {
    const child = byName.get(`${stem}${i}`);
    if (child === undefined) return list;
    list.push(child);
  }
};

/** The first problem of the list's nodes, in order. */
const firstProblem = (
  nodes: readonly DtNode[],
  check: (node: DtNode, index: number) => InputProblem | null,
): InputProblem | null => {
  for (const [index, node] of nodes.entries()) {
    const problem = check(node, index);
    if (problem !== null) return problem;
  }
  return null;
};

/** Linux: parse_socket(). */
const parseSockets = (map: DtNode, parse: Parse): InputProblem | null => {
  const sockets = numbered(map, 'socket');
  if (sockets.length === 0) return parseCluster(map, { package: 0, cluster: NO_CLUSTER }, parse);
  return firstProblem(sockets, (socket, i) =>
    parseCluster(socket, { package: i, cluster: NO_CLUSTER }, parse),
  );
};

/** Place of what is in no cluster yet; cores may not stand there. */
const NO_CLUSTER = -1;

type ClusterPlace = Pick<CpuTopology, 'package' | 'cluster'>;

/** Linux: parse_cluster(). */
const parseCluster = (node: DtNode, place: ClusterPlace, parse: Parse): InputProblem | null => {
  const clusters = numbered(node, 'cluster');
  const below = firstProblem(clusters, (cluster, i) =>
    parseCluster(cluster, { ...place, cluster: i }, parse),
  );
  if (below !== null) return below;
  return firstProblem(numbered(node, 'core'), (core, i) => {
    if (place.cluster === NO_CLUSTER)
      return problemOf(core, 'cpu', 'a cluster around the core', 'none');
    if (clusters.length > 0) return problemOf(core, 'cpu', 'clusters or cores', 'both');
    return parseCore(core, { ...place, core: i }, parse);
  });
};

/** Linux: parse_core(). */
const parseCore = (
  core: DtNode,
  place: Omit<CpuTopology, 'thread'>,
  parse: Parse,
): InputProblem | null => {
  const threads = numbered(core, 'thread');
  const below = firstProblem(threads, (thread, i) => {
    const cpu = ofParsePhandle(thread, 'cpu', 0, parse.phandles);
    if (cpu === undefined) return problemOf(thread, 'cpu', 'the phandle of a processor', 'none');
    if (parse.cpus.has(cpu)) parse.found.set(cpu, { ...place, thread: i });
    return null;
  });
  if (below !== null) return below;
  const cpu = ofParsePhandle(core, 'cpu', 0, parse.phandles);
  if (cpu === undefined) {
    return threads.length > 0 ? null : problemOf(core, 'cpu', 'the phandle of a processor', 'none');
  }
  if (!parse.cpus.has(cpu)) return null;
  if (threads.length > 0) return problemOf(core, 'cpu', 'threads or a processor', 'both');
  parse.found.set(cpu, { ...place, thread: null });
  return null;
};
