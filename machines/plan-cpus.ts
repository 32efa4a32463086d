import { coreFor, coreNamed } from '../arch/arm/cores';
import type { CoreProfile } from '../arch/arm/profile';
import { BenchError, InputError } from '../drivers/base/types/errors';
import type { OfCpu } from '../drivers/of/cpu';
import { ofCpus } from '../drivers/of/cpu';
import type { Phandles } from '../drivers/of/phandle';
import type { DeviceTree } from '../drivers/of/tree';
import { defaultCache, planL1, planL2, planOuter, planUnmodelled } from './plan-caches';
import type { CachePlan, OuterPlan, UnmodelledCache } from './plan-caches';
import type { Facts } from './soc-facts';

export type { CachePlan, OuterPlan, UnmodelledCache } from './plan-caches';

/** One CPU of a machine and the caches that are its own. */
export interface CpuPlan {
  /** Path of its node, or null for a tree without cpu nodes. */
  readonly path: string | null;
  readonly core: CoreProfile;
  /** How the core was found: the compatible string, or why it is assumed. */
  readonly coreFrom: string;
  /** The affinity bits of MPIDR, Aff3 in bits 39:32. */
  readonly hwid: number;
  /** CPUs of one cluster share their second level. */
  readonly cluster: number;
  readonly l1d: CachePlan | null;
  readonly l1i: CachePlan | null;
  readonly l2: CachePlan | null;
  /** Of the levels beyond, what the tree says. */
  readonly unmodelled: readonly UnmodelledCache[];
}

/** The CPUs of a machine, in the order of their nodes, and the cache outside them. */
export interface CpusPlan {
  readonly cpus: readonly CpuPlan[];
  readonly outer: OuterPlan | null;
  readonly notes: readonly string[];
}

/** Which cores a tree has, with which caches: the tree, then the SoC, then the core's usual. */
export const planCpus = (tree: DeviceTree, phandles: Phandles, facts: Facts): CpusPlan => {
  const notes: string[] = [];
  const isV8 = is64Bit(tree);
  if (isV8 && tree.at('/cpus')?.has('enable-method') === true) {
    notes.push(
      "/cpus: 'enable-method' is for an arm kernel; an arm64 kernel is assumed, as its cores run one",
    );
  }
  const { cpus: found, diagnostics } = ofCpus(tree, phandles, isV8 ? 'arm64' : 'arm32');
  notes.push(...diagnostics.map(problem => new InputError(problem).message));
  const usable = found.filter(cpu => cpu.usable);
  const outer = planOuter(tree, facts);
  if (usable.length === 0) {
    const core = coreNamed(facts.core?.value ?? (isV8 ? 'armv8' : 'armv7'));
    const coreFrom =
      facts.core === undefined
        ? 'assumed: the tree has no cpu node'
        : `SoC table: ${facts.core.source}`;
    notes.push(`no cpu node in the tree: one ${core.name} (${coreFrom})`);
    const l1d = defaultCache(core, 'l1d', facts);
    const l1i = defaultCache(core, 'l1i', facts);
    const l2 = planL2([], core, facts, notes);
    return {
      cpus: [{ path: null, core, coreFrom, hwid: 0, cluster: 0, l1d, l1i, l2, unmodelled: [] }],
      outer,
      notes,
    };
  }
  const clusters = new Map<unknown, number>();
  const cpus = usable.map((cpu): CpuPlan => {
    const { core, coreFrom } = chooseCore(cpu, isV8, facts);
    const key = clusterKey(cpu);
    const cluster = clusters.get(key) ?? clusters.size;
    clusters.set(key, cluster);
    const l2 = planL2(cpu.next, core, facts, notes);
    return {
      path: cpu.node.path,
      core,
      coreFrom,
      hwid: Number(BigInt.asUintN(isV8 ? 40 : 24, cpu.hwid ?? 0n)),
      cluster,
      l1d: planL1(cpu, core, 'l1d', facts, notes),
      l1i: planL1(cpu, core, 'l1i', facts, notes),
      l2,
      unmodelled: planUnmodelled(cpu.next, l2, outer, notes),
    };
  });
  checkArchitectures(cpus, tree);
  return { cpus, outer, notes: [...new Set(notes)] };
};

/** One kernel runs on all CPUs of a tree. */
const checkArchitectures = ([first, ...others]: readonly CpuPlan[], tree: DeviceTree): void => {
  const odd = others.find(cpu => kernelOf(cpu) !== kernelOf(first));
  if (odd === undefined || first === undefined || odd.path === null) return;
  const expected = `a core for the kernel that runs on ${first.core.name}, as ${first.path} is`;
  const node = tree.at(odd.path);
  throw node?.problem('compatible', expected, odd.core.name) ?? new BenchError(odd.path);
};

const kernelOf = (cpu: CpuPlan | undefined): string =>
  cpu === undefined ? '' : cpu.core.architecture.replace(/^v[4-7]$/, 'arm');

/** AArch64 or not: by the first core we know, else by the architected timer the tree has. */
const is64Bit = (tree: DeviceTree): boolean => {
  for (const node of tree.at('/cpus')?.children.values() ?? []) {
    const known = coreFor(node.compatible);
    if (known !== null) return known.core.architecture === 'v8';
  }
  for (const node of tree.root.walk()) {
    if (node.compatible.includes('arm,armv8-timer')) return true;
  }
  return false;
};

const chooseCore = (
  cpu: OfCpu,
  isV8: boolean,
  facts: Facts,
): { readonly core: CoreProfile; readonly coreFrom: string } => {
  const known = coreFor(cpu.compatible);
  if (known !== null) return { core: known.core, coreFrom: known.matched };
  if (facts.core !== undefined) {
    return { core: coreNamed(facts.core.value), coreFrom: `SoC table: ${facts.core.source}` };
  }
  const core = coreNamed(isV8 ? 'armv8' : 'armv7');
  const what = cpu.compatible.length === 0 ? 'no compatible' : cpu.compatible.join(', ');
  return { core, coreFrom: `assumed: ${what} is not in the core table` };
};

/**
 * What the CPUs of a cluster have in common: the next-level cache that they name; else the core
 * and the cluster of `cpu-map`, as Linux has it; else the core and affinity level 1.
 */
const clusterKey = (cpu: OfCpu): unknown => {
  const [next] = cpu.next;
  if (next !== undefined) return next.node;
  const core = coreFor(cpu.compatible)?.core.name ?? '';
  const { topology } = cpu;
  return topology === null
    ? `${core} ${(cpu.hwid ?? 0n) / 256n}`
    : `${core} ${topology.package}.${topology.cluster}`;
};
