import { invariant } from '../../drivers/base/types/errors';

/*
 * Sizes of pages as one number, their sum, as IOMMUs say them (pgsize_bitmap).
 */

const known = new Map<number, readonly number[]>();

/** The sizes, the smallest first. BenchError without one. */
export const pageSizesIn = (pageSizes: number): readonly number[] => {
  let sizes = known.get(pageSizes);
  if (sizes === undefined) {
    invariant(Number.isSafeInteger(pageSizes) && pageSizes > 0, `page sizes ${pageSizes}`);
    sizes = Array.from({ length: 53 }, (_, bit) => 2 ** bit).filter(
      size => Math.floor(pageSizes / size) % 2 === 1,
    );
    known.set(pageSizes, sizes);
  }
  return sizes;
};

/** The smallest page. */
export const granuleOf = (pageSizes: number): number => pageSizesIn(pageSizes)[0] ?? 1;

/** Pages of one size. */
export interface PageRun {
  readonly pageSize: number;
  readonly count: number;
}

/**
 * The largest page that two addresses and a size permit, and how many of it until a larger one would
 * fit (iommu_pgsize). All three are multiples of the smallest.
 */
export const pageRun = (
  pageSizes: number,
  iova: number,
  address: number,
  size: number,
): PageRun => {
  const sizes = pageSizesIn(pageSizes);
  const fits = (page: number): boolean => page <= size && iova % page === 0 && address % page === 0;
  const pageSize = sizes.findLast(fits);
  invariant(pageSize !== undefined, `no page of ${size} bytes at ${iova} and ${address}`);
  const next = sizes[sizes.indexOf(pageSize) + 1];
  // A larger page is of no use unless both addresses are at the same place in it.
  if (next !== undefined && iova % next === address % next) {
    const until = next - (iova % next);
    if (until + next <= size) return { pageSize, count: until / pageSize };
  }
  return { pageSize, count: Math.floor(size / pageSize) };
};
