import type { Gfp } from '../../../../drivers/base/kernel/gfp';
import type { Page } from '../../../../drivers/base/kernel/dma-mapping';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { hex } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys, pfnToPage } from '../../../../mm/page-alloc';
import { getOrder, pagesOf } from '../../../../mm/zone';
import type { ArmMm } from '../init';

/*
 * Where coherent memory comes from when it comes from the page allocator.
 */

/** A reason in a sentence. */
export const refusal = (refused: string): CoherentRefusal => ({ refused });

/** The zones that are tried, one after the other, until what they give is within reach. */
const ZONES: readonly Gfp[] = [{}, { dma32: true }, { dma: true }];

/**
 * Lowmem that the device reaches, whole blocks of the allocator, or why there is none. As
 * __dma_direct_alloc_pages(): what is out of reach goes back, and a lower zone is asked.
 */
export const allocLowmem = (
  { pages }: ArmMm,
  { size, limit, gfp }: CoherentRequest,
): Page | CoherentRefusal => {
  const order = getOrder(size);
  for (const zone of ZONES) {
    const page = pages.allocPages({ ...gfp, ...zone, highmem: false, zero: false }, order);
    if (page === null) return refusal(`no free block of ${pagesOf(order)} pages`);
    if (pageToPhys(page) + size - 1 <= limit) return page;
    pages.freePagesAt(page, order);
  }
  return refusal(`no memory below ${hex(limit)}, which is all that the device reaches`);
};

/** Gives the pages of a block back. */
export const freePages = ({ pages }: ArmMm, { page, size }: CoherentBlock): void => {
  if (page === null) throw new KernelOops('coherent memory without a page goes to the allocator');
  pages.freePagesAt(page, getOrder(size));
};

/** The pages of so many bytes, one after the other. */
export const pagesFrom = (first: Page, size: number): Page[] =>
  Array.from({ length: size / PAGE_SIZE }, (_, i) => pfnToPage(first + i));

/** Zeroes memory through a mapping of it. */
export const zero = ({ cpu }: ArmMm, address: number, size: number): void => {
  for (let at = 0; at < size; at += 4) cpu.store32(address + at, 0);
};
