import { hex } from '../drivers/base/types/address';
import type { ReservedMem } from '../drivers/of/reserved-mem';
import { dmaSource } from './dma-source';
import { iommuPolicy, plannedDomain } from './iommus/policy';
import type { DomainName } from './iommus/policy';
import type { CachePlan, CpuPlan, UnmodelledCache } from './plan-cpus';
import type { DevicePlan } from './plan-devices';
import type { MachinePlan } from './plan';
import type { DmaFacts, QuirkOutcome } from './quirks';

/*
 * A machine as `describe --format json` prints it. The shape is read by others' tools: addresses
 * and sizes of address ranges are lower-case hexadecimal strings without leading zeros.
 */

/** Null: a cache that is not modelled, of which the tree does not say it. */
export interface DescribedCache {
  readonly level: number;
  readonly type: 'data' | 'instruction' | 'unified';
  readonly size: number | null;
  readonly ways: number | null;
  readonly line: number | null;
  readonly indexing: string;
  readonly from: string;
}

/** A DMA configuration; addresses in hexadecimal. */
export interface DescribedDma {
  readonly coherent: boolean;
  readonly iommus: readonly { readonly path: string; readonly args: readonly number[] }[];
  /** The type of its domain; null behind no IOMMU that is modelled. */
  readonly domain: DomainName | null;
  readonly ranges: readonly {
    readonly dma: string;
    readonly cpu: string;
    readonly size: string;
  }[];
  readonly busDmaLimit: string | null;
  readonly mask: string;
  readonly from: string;
}

/** The document of `describe --format json`. */
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

/** What a plan has made of a tree, with the source of each fact. */
export const describeMachine = (plan: MachinePlan, { source, hash }: TreeSource): Description => ({
  machine: { model: plan.model, compatible: plan.compatible, source, hash },
  cpus: plan.cpus.map(cpu => ({
    path: cpu.path,
    core: cpu.core.name,
    caches: [...cachesOf(cpu, plan).map(describeCache), ...cpu.unmodelled.map(describeUnmodelled)],
  })),
  memory: plan.memory.written.map(({ base, size, from }) => ({
    base: hex(base),
    size: hex(size),
    from,
  })),
  reserved: plan.memory.reserved.regions.map(region => ({
    path: region.node.path,
    base: hex(region.base),
    size: hex(region.size),
    kind: region.kind,
    default: isDefaultPool(region, plan),
  })),
  devices: plan.devices.map(device => describeDevice(device, plan)),
  quirks: plan.quirks,
});

/**
 * The pool of devices without one: a default CMA region, or `linux,dma-default` in a kernel
 * without an MMU, as others have no DMA_GLOBAL_POOL.
 */
export const isDefaultPool = (
  { cmaDefault, dmaDefault }: ReservedMem,
  { cpus }: MachinePlan,
): boolean => cmaDefault || (dmaDefault && cpus[0]?.core.tables.length === 0);

/** The modelled caches of a CPU from the inside out, the one outside the cores last. */
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

/** What the tree says of a cache; beyond the first level all of them go by physical addresses. */
const describeUnmodelled = ({
  level,
  size,
  ways,
  line,
  from,
}: UnmodelledCache): DescribedCache => ({
  level,
  type: 'unified',
  size,
  ways,
  line,
  indexing: 'pipt',
  from,
});

const describeDevice = (device: DevicePlan, plan: MachinePlan): Description['devices'][number] => ({
  path: device.device.node.path,
  compatible: device.device.compatible,
  matched: device.matched,
  status: device.status,
  dma: describeDma(device.tree, plan),
  effective: describeDma(device.effective, plan),
});

/** A device's DMA configuration, and the properties it was read from. */
export const describeDma = (
  facts: DmaFacts,
  { phandles, dmaMemory }: Pick<MachinePlan, 'phandles' | 'dmaMemory'>,
): DescribedDma => {
  const { dma, iommu } = facts;
  return {
    coherent: dma.coherent,
    iommus:
      iommu.kind === 'iommu'
        ? iommu.specs.map(({ node, args }) => ({ path: node.path, args }))
        : [],
    domain: plannedDomain(facts, iommuPolicy(dmaMemory)),
    ranges: (dma.map ?? []).map(region => ({
      dma: hex(region.dma),
      cpu: hex(region.cpu),
      size: hex(region.size),
    })),
    busDmaLimit: dma.busDmaLimit === null ? null : hex(dma.busDmaLimit),
    mask: hex(dma.mask),
    from: dmaSource(facts, phandles),
  };
};
