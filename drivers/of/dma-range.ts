import { hex } from '../base/types/address';
import type { InputProblem } from '../base/types/errors';
import type { Result } from '../base/types/result';
import { failed, ok } from '../base/types/result';
import type { OfRange } from './bus-ranges';
import { ofDmaRanges } from './address';
import { dmaAncestors } from './dma-parent';
import { dmaBitMask, fls64 } from './linux';
import type { Phandles } from './phandle';
import { U64_MAX, problemOf, u64 } from './property';
import type { DtNode } from './tree';

/*
 * The windows through which a bus's masters see memory, and what follows for the kernel's zones.
 * Linux 6.1: drivers/of/address.c. Addresses are the kernel's u64 and wrap as it does.
 */

/** Where a window of bus addresses lies for the CPU. Linux: struct bus_dma_region. */
export interface BusDmaRegion {
  readonly dma: bigint;
  readonly cpu: bigint;
  readonly size: bigint;
}

/** The windows of the nearest bus that has any, and the bus. */
export interface DmaRange {
  readonly bus: DtNode;
  readonly map: readonly BusDmaRegion[];
  readonly diagnostics: readonly InputProblem[];
}

/**
 * Why a device has no windows. `gap`: two buses in a row say nothing, which ends the search;
 * `hidden` is then the bus above whose dma-ranges are thereby ignored, if there is one.
 */
export type NoDmaRange =
  | { readonly errno: 'ENODEV'; readonly reason: 'absent' }
  | { readonly errno: 'ENODEV'; readonly reason: 'gap'; readonly hidden: DtNode | null }
  | {
      readonly errno: 'EINVAL';
      readonly reason: 'untranslatable';
      readonly bus: DtNode;
      readonly diagnostics: readonly InputProblem[];
    };

/**
 * The DMA windows that hold at `start`: those of the first bus, from `start` up along the DMA
 * parents, whose dma-ranges is not empty. One bus without the property is passed over only as
 * the first step: a second one ends the search (the "gap rule"). Windows that do not translate
 * are left out. Linux: of_dma_get_range().
 */
export const ofDmaGetRange = (start: DtNode, phandles: Phandles): Result<DmaRange, NoDmaRange> => {
  let firstStepDone = false;
  for (const bus of dmaAncestors(start, phandles)) {
    if (hasDmaRanges(bus)) return windowsOf(bus, phandles);
    if (firstStepDone && !bus.has('dma-ranges')) {
      const hidden = [...dmaAncestors(bus, phandles)].find(hasDmaRanges) ?? null;
      return failed({ errno: 'ENODEV', reason: 'gap', hidden });
    }
    firstStepDone = true;
  }
  return failed({ errno: 'ENODEV', reason: 'absent' });
};

const hasDmaRanges = (bus: DtNode): boolean => (bus.bytes('dma-ranges')?.length ?? 0) > 0;

const windowsOf = (bus: DtNode, phandles: Phandles): Result<DmaRange, NoDmaRange> => {
  const ranges = ofDmaRanges(bus, phandles);
  const map: BusDmaRegion[] = [];
  const diagnostics: InputProblem[] = [];
  for (const { busAddr, cpuAddr, size } of ranges) {
    if (cpuAddr !== undefined) map.push({ dma: busAddr, cpu: cpuAddr, size });
    else diagnostics.push(untranslatable(bus, busAddr));
  }
  return map.length > 0
    ? ok({ bus, map, diagnostics })
    : failed({ errno: 'EINVAL', reason: 'untranslatable', bus, diagnostics });
};

const untranslatable = (bus: DtNode, busAddr: bigint): InputProblem =>
  problemOf(
    bus,
    'dma-ranges',
    'windows that translate to CPU addresses',
    `none for bus address ${hex(busAddr)}`,
  );

/**
 * The highest CPU address every DMA master in the subtree can reach: the least of what the
 * dma-ranges of its available nodes allow, U64_MAX without any. A window that does not translate
 * counts with the kernel's OF_BAD_ADDR. Linux: of_dma_get_max_cpu_address().
 */
export const ofDmaGetMaxCpuAddress = (node: DtNode, phandles: Phandles): bigint => {
  let least = U64_MAX;
  if (hasDmaRanges(node)) {
    const end = ofDmaRanges(node, phandles).reduce(lastReached, 0n);
    if (end < least) least = end;
  }
  for (const child of node.children.values()) {
    if (!child.isAvailable) continue;
    const below = ofDmaGetMaxCpuAddress(child, phandles);
    if (below < least) least = below;
  }
  return least;
};

const lastReached = (last: bigint, { cpuAddr = U64_MAX, size }: OfRange): bigint =>
  u64(cpuAddr + size) > last ? u64(cpuAddr + size - 1n) : last;

/** Ends, exclusive, of the zones in which DMA memory is allocated first. */
export interface ZoneLimits {
  readonly zoneDma: bigint;
  readonly zoneDma32: bigint;
}

/**
 * arm64's zones for RAM from `start` to `end` (exclusive), and the tree's highest CPU address
 * for DMA. RAM that begins above 4 GiB is all ZONE_DMA. arm32's zone is a constant of the
 * machine's code, not of its tree. Linux: zone_sizes_init(), arch/arm64/mm/init.c.
 */
export const arm64ZoneLimits = (
  ram: { readonly start: bigint; readonly end: bigint },
  maxCpuAddress: bigint,
): ZoneLimits => ({
  zoneDma: maxZonePhys(ram, Math.min(32, fls64(maxCpuAddress))),
  zoneDma32: maxZonePhys(ram, 32),
});

/** Linux: max_zone_phys(). */
const maxZonePhys = (
  ram: { readonly start: bigint; readonly end: bigint },
  zoneBits: number,
): bigint => {
  const U32_MAX = dmaBitMask(32);
  let limit = dmaBitMask(zoneBits);
  if (ram.start > U32_MAX) limit = U64_MAX;
  else if (ram.start > limit) limit = U32_MAX;
  return (limit < ram.end - 1n ? limit : ram.end - 1n) + 1n;
};
