import type { SgEntry } from '../../drivers/base/kernel/scatterlist';
import type { DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { offsetBy } from '../../drivers/base/types/address';
import { sgPhys } from '../scatterlist';
import type { IommuOps } from './types';

/*
 * Mapping and unmapping of whole ranges. Whatever fails leaves nothing mapped
 * (drivers/iommu/iommu.c).
 */

/** A run of memory. */
export interface PhysRange {
  readonly address: PhysAddr;
  readonly size: number;
}

/** Maps runs of memory one after the other from `iova` on: 0 or the errno of the one that failed. */
export const iommuMapRanges = (
  ops: IommuOps,
  iova: DmaAddr,
  ranges: readonly PhysRange[],
  prot: number,
): number => {
  let mapped = 0;
  for (const { address, size } of mergedRanges(ranges)) {
    const result = ops.map(offsetBy(iova, mapped), address, size, prot);
    if (result !== 0) {
      if (mapped > 0) iommuUnmap(ops, iova, mapped);
      return result;
    }
    mapped += size;
  }
  return 0;
};

/** Unmaps and waits until nobody uses it any more (iommu_unmap): the bytes that were mapped. */
export const iommuUnmap = (ops: IommuOps, iova: DmaAddr, size: number): number => {
  const unmapped = ops.unmap(iova, size);
  ops.flush(iova, size);
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
