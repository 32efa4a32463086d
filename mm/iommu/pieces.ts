import type { Page } from '../../drivers/base/kernel/dma-mapping';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { PageAllocator } from '../page-alloc';
import { pageToPhys } from '../page-alloc';
import { mergedRanges } from './map';
import type { PhysRange } from './map';

/** 2^order pages that the page allocator gave. */
export interface Piece {
  readonly page: Page;
  readonly order: number;
}

/**
 * So many pages in the largest pieces that are both of `sizes` (a sum of page sizes) and to be had,
 * or null with nothing taken (__iommu_dma_alloc_pages).
 */
export const takePieces = (
  pages: PageAllocator,
  count: number,
  sizes: number,
  gfp: Gfp,
): readonly Piece[] | null => {
  const flags: Gfp = { ...gfp, highmem: true, zero: false, noWarn: true };
  const pieces: Piece[] = [];
  let left = count;
  while (left > 0) {
    const piece = takePiece(pages, ordersIn(sizes, left), flags);
    if (piece === null) {
      freePieces(pages, pieces);
      return null;
    }
    pieces.push(piece);
    left -= 2 ** piece.order;
  }
  return pieces;
};

const takePiece = (pages: PageAllocator, orders: readonly number[], gfp: Gfp): Piece | null => {
  for (const order of orders) {
    const page = pages.allocKernelPages(gfp, order);
    if (page !== null) return { page, order };
  }
  return null;
};

/** Orders of the page sizes of an IOMMU that `most` pages hold, the largest first. */
const ordersIn = (sizes: number, most: number): readonly number[] => {
  const orders: number[] = [];
  for (let order = 0; 2 ** order <= most; order++) {
    if (Math.floor(sizes / (PAGE_SIZE * 2 ** order)) % 2 === 1) orders.unshift(order);
  }
  return orders;
};

/** The memory of pieces, in their order, neighbours as one. */
export const rangesOf = (pieces: readonly Piece[]): readonly PhysRange[] =>
  mergedRanges(
    pieces.map(({ page, order }) => ({ address: pageToPhys(page), size: PAGE_SIZE * 2 ** order })),
  );

export const freePieces = (pages: PageAllocator, pieces: readonly Piece[]): void => {
  for (const { page, order } of pieces) pages.freePagesAt(page, order);
};
