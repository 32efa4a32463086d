import { EINVAL } from '../../drivers/base/kernel/errno';
import type { SgEntry } from '../../drivers/base/kernel/scatterlist';
import type { DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { offsetBy } from '../../drivers/base/types/address';
import { sgPhys } from '../scatterlist';
import { newGather } from './gather';
import type { IotlbGather } from './gather';
import { granuleOf, pageRun } from './page-sizes';
import type { IommuOps } from './types';

/*
 * Mapping and unmapping of whole ranges, in the largest pages that fit. Whatever fails leaves
 * nothing mapped (drivers/iommu/iommu.c).
 */

/** A run of memory. */
export interface PhysRange {
  readonly address: PhysAddr;
  readonly size: number;
}

/** As iommuMap, in force only after syncMap (__iommu_map). */
const mapRun = (
  ops: IommuOps,
  iova: DmaAddr,
  { address, size }: PhysRange,
  prot: number,
): number => {
  const granule = granuleOf(ops.pageSizes);
  if (iova % granule !== 0 || address % granule !== 0 || size % granule !== 0) return -EINVAL;
  const mapped = { bytes: 0 };
  while (mapped.bytes < size) {
    const [at, to] = [offsetBy(iova, mapped.bytes), offsetBy(address, mapped.bytes)];
    const { pageSize, count } = pageRun(ops.pageSizes, at, to, size - mapped.bytes);
    const result = ops.map(at, to, pageSize, count, prot, mapped);
    if (result !== 0) {
      if (mapped.bytes > 0) iommuUnmap(ops, iova, mapped.bytes);
      return result;
    }
  }
  return 0;
};

/**
 * Maps memory that is contiguous (iommu_map): 0; -EINVAL for what is not of whole pages; or what the
 * table answers, with nothing mapped.
 */
export const iommuMap = (
  ops: IommuOps,
  iova: DmaAddr,
  address: PhysAddr,
  size: number,
  prot: number,
): number => iommuMapRanges(ops, iova, [{ address, size }], prot);

/**
 * Maps runs of memory one after the other from `iova` on: 0 or the errno of the one that failed
 * (iommu_map_sg).
 */
export const iommuMapRanges = (
  ops: IommuOps,
  iova: DmaAddr,
  ranges: readonly PhysRange[],
  prot: number,
): number => {
  const { result, mapped } = mapRuns(ops, iova, ranges, prot);
  if (result !== 0) return result;
  const synced = ops.syncMap?.(iova, mapped) ?? 0;
  if (synced !== 0) iommuUnmap(ops, iova, mapped);
  return synced;
};

/** As iommuMapRanges, of what whoever calls puts in force with syncMap (iommu_map_nosync). */
export const iommuMapNosync = (
  ops: IommuOps,
  iova: DmaAddr,
  ranges: readonly PhysRange[],
  prot: number,
): number => mapRuns(ops, iova, ranges, prot).result;

const mapRuns = (
  ops: IommuOps,
  iova: DmaAddr,
  ranges: readonly PhysRange[],
  prot: number,
): { readonly result: number; readonly mapped: number } => {
  let mapped = 0;
  for (const range of mergedRanges(ranges)) {
    const result = mapRun(ops, offsetBy(iova, mapped), range, prot);
    if (result !== 0) {
      if (mapped > 0) iommuUnmap(ops, iova, mapped);
      return { result, mapped: 0 };
    }
    mapped += range.size;
  }
  return { result: 0, mapped };
};

/** Unmaps and waits until nobody uses it any more (iommu_unmap): the bytes that were mapped. */
export const iommuUnmap = (ops: IommuOps, iova: DmaAddr, size: number): number => {
  const gather = newGather();
  const unmapped = iommuUnmapFast(ops, iova, size, gather);
  ops.sync(gather);
  return unmapped;
};

/**
 * Unmaps up to the first page where nothing is mapped, and leaves the invalidation to whoever has the
 * gather (iommu_unmap_fast): the bytes that were mapped; 0 for what is not of whole pages.
 */
export const iommuUnmapFast = (
  ops: IommuOps,
  iova: DmaAddr,
  size: number,
  gather: IotlbGather,
): number => {
  const granule = granuleOf(ops.pageSizes);
  if (iova % granule !== 0 || size % granule !== 0) return 0;
  let unmapped = 0;
  while (unmapped < size) {
    const at = offsetBy(iova, unmapped);
    const { pageSize, count } = pageRun(ops.pageSizes, at, at, size - unmapped);
    const bytes = ops.unmap(at, pageSize, count, gather);
    if (bytes === 0) break;
    unmapped += bytes;
  }
  return unmapped;
};

/** Runs that are next to each other as one: the fewer, the larger the pages they take. */
export const mergedRanges = (ranges: readonly PhysRange[]): readonly PhysRange[] => {
  const merged: PhysRange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && last.address + last.size === range.address) {
      merged[merged.length - 1] = { address: last.address, size: last.size + range.size };
    } else {
      merged.push(range);
    }
  }
  return merged;
};

/** Where a piece of memory is. */
export const sgRange = (entry: SgEntry): PhysRange => ({
  address: sgPhys(entry),
  size: entry.length,
});
