import { hex } from '../base/types/address';
import type { InputProblem } from '../base/types/errors';
import type { Arch } from './linux';
import { CMA_MIN_ALIGNMENT_BYTES } from './linux';
import { ofDeviceIsCompatible, problemOf } from './property';
import type { DtNode } from './tree';

/*
 * What a reserved region is for, and which pools the kernel refuses. Linux 6.1: the region
 * handlers of kernel/dma.
 *
 * Not modelled: handlers of single drivers (fsl,qman-fqd and its kin, nvidia,tegra210-emc-table),
 * whose regions are plain ones here; the limit of MAX_CMA_AREAS on CMA regions.
 */

/**
 * `cma`: the device shares it with movable pages; `coherent`: a pool for dma_alloc_coherent();
 * `restricted`: a bounce buffer the device is confined to; `no-map`, `plain`: memory somebody
 * else uses, outside and inside the linear map; `refused`: a pool its handler did not take, its
 * memory given back; `failed`: no memory could be found for it.
 */
export type ReservedMemKind =
  'cma' | 'coherent' | 'restricted' | 'no-map' | 'plain' | 'refused' | 'failed';

/** A region whose addresses are known. */
export interface PlacedRegion {
  readonly node: DtNode;
  readonly base: bigint;
  readonly size: bigint;
}

/** What the kernel knows of pools beside the tree. */
export interface PoolOptions {
  readonly arch: Arch;
  /** `cma=` on the command line takes precedence over a `linux,cma-default` region. */
  readonly cmaOnCommandLine?: boolean;
}

/** What became of a region. */
export interface PoolOutcome {
  readonly kind: ReservedMemKind;
  readonly problem: InputProblem | null;
}

/** Which handler takes the region. Linux: __reserved_mem_init_node(). */
export const initReservedMem = (draft: PlacedRegion, options: PoolOptions): PoolOutcome => {
  const { node } = draft;
  if (ofDeviceIsCompatible(node, 'shared-dma-pool')) {
    return node.has('reusable') ? rmemCmaSetup(draft, options) : rmemDmaSetup(draft, options);
  }
  if (ofDeviceIsCompatible(node, 'restricted-dma-pool')) return rmemSwiotlbSetup(draft);
  return taken(node.has('no-map') ? 'no-map' : 'plain');
};

const taken = (kind: ReservedMemKind): PoolOutcome => ({ kind, problem: null });

const refused = (
  { node }: PlacedRegion,
  property: string,
  expected: string,
  what: string,
): PoolOutcome => ({
  kind: 'refused',
  problem: problemOf(node, property, expected, what),
});

/** Linux: rmem_cma_setup(), kernel/dma/contiguous.c. */
const rmemCmaSetup = (
  draft: PlacedRegion,
  { arch, cmaOnCommandLine }: PoolOptions,
): PoolOutcome => {
  const { node, base, size } = draft;
  if (cmaOnCommandLine === true && node.has('linux,cma-default')) {
    return refused(draft, 'linux,cma-default', 'no cma= on the command line', 'one');
  }
  if (node.has('no-map')) return refused(draft, 'reusable', "a pool without 'no-map'", 'both');
  const block = CMA_MIN_ALIGNMENT_BYTES[arch];
  if (size === 0n || base % block !== 0n || size % block !== 0n) {
    const property = node.has('reg') ? 'reg' : 'size';
    return refused(draft, property, `multiples of ${hex(block)}`, `${hex(base)}, ${hex(size)}`);
  }
  return taken('cma');
};

/** Linux: rmem_dma_setup(), kernel/dma/coherent.c. */
const rmemDmaSetup = (draft: PlacedRegion, { arch }: PoolOptions): PoolOutcome =>
  arch === 'arm32' && !draft.node.has('no-map')
    ? refused(draft, 'no-map', 'the property: arm32 cannot take mapped memory as a pool', 'none')
    : taken('coherent');

/** Linux: rmem_swiotlb_setup(), kernel/dma/swiotlb.c. */
const rmemSwiotlbSetup = (draft: PlacedRegion): PoolOutcome => {
  const forbidden = ['reusable', 'linux,cma-default', 'linux,dma-default', 'no-map'];
  const property = forbidden.find(name => draft.node.has(name));
  return property === undefined
    ? taken('restricted')
    : refused(draft, property, 'a restricted pool without the property', 'it');
};
