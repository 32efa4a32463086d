import type { Page } from '../../../../drivers/base/kernel/dma-mapping';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { hex } from '../../../../drivers/base/types/address';
import type { CpuAddr } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import type { CoherentBlock, CoherentRefusal, CoherentRequest } from '../../../../mm/arch-dma';
import { takeFromZones } from '../../../../mm/dma-contiguous';
import { pageToPhys, pfnToPage } from '../../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import { getOrder, pagesOf } from '../../../../mm/zone';
import type { ArmMm } from '../init';
import type { CoherentContext } from './strategy';

/*
 * Where coherent memory comes from when it comes from the page allocator.
 */

/** A reason in a sentence. */
export const refusal = (refused: string): CoherentRefusal => ({ refused });

/**
 * Pages that the device reaches, of the request's source or else of lowmem, or why there are none.
 * `highmem`: what the linear map does not have will do.
 */
export const takePages = (
  { pages }: ArmMm,
  { size, limit, gfp, source }: CoherentRequest,
  highmem: boolean,
): Page | CoherentRefusal => {
  const order = getOrder(size);
  const none = `no free block of ${pagesOf(order)} pages`;
  if (source !== undefined) {
    return source.take(highmem) ?? refusal(`${none} that the device reaches`);
  }
  const isWithin = (page: Page): boolean => pageToPhys(page) + size - 1 <= limit;
  const page = takeFromZones(pages, order, gfp, isWithin);
  if (page === null) return refusal(none);
  if (page !== 'unreachable') return page;
  return refusal(`no memory below ${hex(limit)}, which is all that the device reaches`);
};

/** Gives the pages of a block back. */
export const freePages = (
  { pages }: ArmMm,
  { page, size, source }: Pick<CoherentBlock, 'page' | 'size' | 'source'>,
): void => {
  if (page === null) throw new KernelOops('coherent memory without a page goes to the allocator');
  if (source === undefined) pages.freePagesAt(page, getOrder(size));
  else source.release(page);
};

/** What a block is of its request, and not of its strategy. */
export const fromRequest = ({
  size,
  memory,
  source,
}: CoherentRequest): Pick<CoherentBlock, 'size' | 'memory' | 'source'> => ({
  ...{ size, memory },
  ...(source === undefined ? {} : { source }),
});

/**
 * Maps pages that have no other mapping, with no line of them in a cache: what a temporary mapping
 * has left is flushed before the first use. The pages go back if there is no address space.
 */
export const mapAlone = (
  context: CoherentContext,
  page: Page,
  request: CoherentRequest,
): CoherentBlock | CoherentRefusal => {
  const { mm, mappings, linear } = context;
  const { size, memory } = request;
  const mapped = mappings.vmap(pagesFrom(page, size), withMemory(PAGE_KERNEL, memory));
  if (mapped === null) {
    freePages(mm, { page, ...fromRequest(request) });
    return refusal('no address space for a mapping');
  }
  linear.flush(mapped, pageToPhys(page), size);
  zero(mm, mapped, request);
  mm.barriers.mb();
  return mappedBlock(context, mapped, page, request);
};

/** The block of a mapping of its own, which is kept unless nobody needs it. */
export const mappedBlock = (
  { mappings }: CoherentContext,
  cpuAddr: CpuAddr,
  page: Page,
  request: CoherentRequest,
): CoherentBlock => {
  const block = { cpuAddr, phys: pageToPhys(page), page, ...fromRequest(request) };
  if (request.isUnmapped !== true) return block;
  mappings.vunmap(cpuAddr);
  return { ...block, isUnmapped: true };
};

/** Ends the mapping of a block, if it has one that is its own. */
export const unmapBlock = (
  { mappings }: CoherentContext,
  { cpuAddr, isUnmapped }: CoherentBlock,
): void => {
  if (isUnmapped !== true) mappings.vunmap(cpuAddr);
};

/** The pages of so many bytes, one after the other. */
export const pagesFrom = (first: Page, size: number): Page[] =>
  Array.from({ length: size / PAGE_SIZE }, (_, i) => pfnToPage(first + i));

/** Zeroes memory through a mapping of it, unless its contents are nobody's concern. */
export const zero = (
  { cpu }: ArmMm,
  address: number,
  { size, isRaw }: Pick<CoherentRequest, 'size' | 'isRaw'>,
): void => {
  if (isRaw === true) return;
  for (let at = 0; at < size; at += 4) cpu.store32(address + at, 0);
};
