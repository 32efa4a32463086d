import { hex } from '../drivers/base/types/address';
import type { DmaConfig } from '../drivers/of/dma';
import type { CachePlan, CpuPlan } from './plan-cpus';
import type { DevicePlan } from './plan-devices';
import type { MachinePlan } from './plan';
import type { DmaFacts, QuirkOutcome } from './quirks';

/*
 * A machine as `describe --format json` prints it. The shape is read by others' tools: addresses
 * and sizes of address ranges are lower-case hexadecimal strings without leading zeros.
 */

export interface DescribedCache {
  readonly level: number;
  readonly type: 'data' | 'instruction' | 'unified';
  readonly size: number;
  readonly ways: number;
  readonly line: number;
  readonly indexing: string;
  readonly from: string;
}

export interface DescribedDma {
  readonly coherent: boolean;
  readonly iommus: readonly { readonly path: string; readonly args: readonly number[] }[];
  readonly ranges: readonly {
    readonly dma: string;
    readonly cpu: string;
    readonly size: string;
  }[];
  readonly busDmaLimit: string | null;
  readonly mask: string;
  readonly from: string;
}

export interface Description {
  readonly machine: {
    readonly model: string;
    readonly compatible: readonly string[];
    readonly source: string;
    readonly hash: string;
  };
  readonly cpus: readonly {
    readonly path: string | null;
    readonly core: string;
    readonly caches: readonly DescribedCache[];
  }[];
  readonly memory: readonly {
    readonly base: string;
    readonly size: string;
    readonly from: string;
  }[];
  readonly reserved: readonly {
    readonly path: string;
    readonly base: string;
    readonly size: string;
    readonly kind: string;
    readonly default: boolean;
  }[];
  readonly devices: readonly {
    readonly path: string;
    readonly compatible: readonly string[];
    readonly matched: string | null;
    readonly status: string;
    readonly dma: DescribedDma;
    readonly effective: DescribedDma;
  }[];
  readonly quirks: readonly QuirkOutcome[];
}

/** Where the tree was read from, and the sha256 of its normal form. */
export interface TreeSource {
  readonly source: string;
  readonly hash: string;
}

export const describeMachine = (plan: MachinePlan, { source, hash }: TreeSource): Description => ({
  machine: { model: plan.model, compatible: plan.compatible, source, hash },
  cpus: plan.cpus.map(cpu => ({
    path: cpu.path,
    core: cpu.core.name,
    caches: cachesOf(cpu, plan).map(describeCache),
  })),
  memory: plan.memory.banks.map(({ base, size, from }) => ({
    base: hex(base),
    size: hex(size),
    from,
  })),
  reserved: plan.memory.reserved.regions.map(region => ({
    path: region.node.path,
    base: hex(region.base),
    size: hex(region.size),
    kind: region.kind,
    default: region.cmaDefault || region.dmaDefault,
  })),
  devices: plan.devices.map(describeDevice),
  quirks: plan.quirks,
});

/** The caches of a CPU from the inside out, the one outside the cores last. */
export const cachesOf = (cpu: CpuPlan, plan: MachinePlan): CachePlan[] =>
  [cpu.l1d, cpu.l1i, cpu.l2, plan.outer?.plan ?? null].filter(cache => cache !== null);

const describeCache = ({ level, type, geometry, indexing, from }: CachePlan): DescribedCache => ({
  level,
  type,
  size: geometry.size,
  ways: geometry.ways,
  line: geometry.line,
  indexing,
  from,
});

const describeDevice = (plan: DevicePlan): Description['devices'][number] => ({
  path: plan.device.node.path,
  compatible: plan.device.compatible,
  matched: plan.matched,
  status: plan.status,
  dma: describeDma(plan.tree),
  effective: describeDma(plan.effective),
});

export const describeDma = ({ dma, iommu, quirks }: DmaFacts): DescribedDma => ({
  coherent: dma.coherent,
  iommus:
    iommu.kind === 'iommu' ? iommu.specs.map(({ node, args }) => ({ path: node.path, args })) : [],
  ranges: (dma.map ?? []).map(region => ({
    dma: hex(region.dma),
    cpu: hex(region.cpu),
    size: hex(region.size),
  })),
  busDmaLimit: dma.busDmaLimit === null ? null : hex(dma.busDmaLimit),
  mask: hex(dma.mask),
  from: provenance(dma, quirks),
});

/**
 * `/soc:dma-ranges, /soc/gpu:dma-coherent, quirk NAME`: each derived fact's property, and the
 * quirks; `default` without.
 */
const provenance = (
  { provenance: { coherent, map } }: DmaConfig,
  quirks: readonly string[],
): string => {
  const parts: string[] = [];
  if ('path' in map) parts.push(`${map.path}:${map.property}`);
  else if (map.reason === 'untranslatable') parts.push('dma-ranges do not translate');
  if (coherent !== null && coherent !== 'coherentBefore') {
    parts.push(`${coherent.path}:${coherent.property}`);
  }
  parts.push(...quirks.map(name => `quirk ${name}`));
  return parts.length === 0 ? 'default' : parts.join(', ');
};
