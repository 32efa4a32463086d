import type { InputProblem } from '../base/types/errors';
import { hex } from '../base/types/address';
import type { Result } from '../base/types/result';
import { failed, ok } from '../base/types/result';
import type { Phandles } from './phandle';
import { ofFindNodeByPhandle, ofParsePhandle } from './phandle';
import type { OfFailure } from './property';
import { boundedCells, ofDeviceIsCompatible, ofFailure, problemOf } from './property';
import type { ReservedMem } from './reserved-mem';
import type { ReservedMemKind } from './reserved-mem-pools';
import type { DtNode } from './tree';

/*
 * Which reserved region a device gets. Linux 6.1: drivers/of/of_reserved_mem.c,
 * drivers/of/device.c. For a shared pool it is the driver that asks, naming the index of the
 * region; only restricted pools are given without asking.
 *
 * Not modelled: arm32 refuses a restricted pool in high memory.
 */

/** The member of struct device a region ends up in. */
export type PoolSlot = 'cmaArea' | 'dmaMem' | 'ioTlbMem';

/** What of a device decides whether it can be given a region. */
export interface PoolUser {
  readonly coherentMask: bigint;
  /** Null: none, as DmaConfig has it. */
  readonly busDmaLimit: bigint | null;
  /** It has a coherent pool already. */
  readonly hasDmaMem: boolean;
}

/** Which region a device gets, and as what. */
export interface PoolAssignment {
  readonly region: ReservedMem;
  readonly slot: PoolSlot;
  /** What the kernel warns of and does all the same. */
  readonly warnings: readonly InputProblem[];
}

const SLOTS: Partial<Readonly<Record<ReservedMemKind, PoolSlot>>> = {
  cma: 'cmaArea',
  coherent: 'dmaMem',
  restricted: 'ioTlbMem',
};

/**
 * The region of `memory-region` entry `index`; null: it is disabled, and nothing happens. A
 * second CMA or restricted region replaces the first, a second coherent pool is EBUSY. ENODEV:
 * no such entry; EINVAL: the region is no pool.
 *
 * That a pool lies beyond what the device reaches is only a warning, and what is compared is
 * the CPU's address, without the device's offset. Linux: of_reserved_mem_device_init_by_idx().
 */
export const ofReservedMemDeviceInitByIdx = (
  node: DtNode,
  index: number,
  regions: readonly ReservedMem[],
  user: PoolUser,
  phandles: Phandles,
): Result<PoolAssignment | null, OfFailure> => {
  const target = ofParsePhandle(node, 'memory-region', index, phandles);
  if (target === undefined) return failed(ofFailure('ENODEV'));
  if (!target.isAvailable) return ok(null);
  const region = regions.find(candidate => candidate.node === target);
  const slot = region === undefined ? undefined : SLOTS[region.kind];
  if (region === undefined || slot === undefined || region.size === 0n) {
    const problem = problemOf(node, 'memory-region', 'a pool', `${target.path}, which is none`);
    return failed(ofFailure('EINVAL', problem));
  }
  if (slot !== 'dmaMem') return ok({ region, slot, warnings: [] });
  if (user.hasDmaMem) return failed(ofFailure('EBUSY'));
  const limit = minNotZero(user.coherentMask, user.busDmaLimit ?? 0n);
  const last = region.base + region.size - 1n;
  const expected = `a pool below the device's limit ${hex(limit)}`;
  const warnings = last > limit ? [problemOf(node, 'memory-region', expected, hex(last))] : [];
  return ok({ region, slot, warnings });
};

/** Linux: min_not_zero(). */
const minNotZero = (a: bigint, b: bigint): bigint => {
  if (a === 0n || b === 0n) return a + b;
  return a < b ? a : b;
};

/** A reference of `memory-region`. */
export interface MemoryRegionRef {
  readonly node: DtNode;
  readonly index: number;
}

/**
 * The first enabled `restricted-dma-pool` among the regions of the device's own node, or, if
 * that has no list, of the node its DMA configuration came from (a PCI bridge). To be asked only
 * for a device without an IOMMU. Linux: of_dma_set_restricted_buffer().
 */
export const ofDmaSetRestrictedBuffer = (
  own: DtNode | null,
  configured: DtNode,
  phandles: Phandles,
): MemoryRegionRef | undefined => {
  const ownCount = own === null ? 0 : (boundedCells(own, 'memory-region')?.length ?? 0);
  const node = own === null || ownCount === 0 ? configured : own;
  for (const [index, handle] of (boundedCells(node, 'memory-region') ?? []).entries()) {
    const region = ofFindNodeByPhandle(handle, phandles);
    if (region === undefined || !region.isAvailable) continue;
    if (ofDeviceIsCompatible(region, 'restricted-dma-pool')) return { node, index };
  }
  return undefined;
};
