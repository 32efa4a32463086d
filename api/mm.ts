/* `dmabench/mm`: the DMA API and the memory that it is about, by the kernel's names. */

export * from '../mm/dma-mapping-common';
export * from '../mm/dma-iova';
export { hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
export type { Page } from '../drivers/base/kernel/dma-mapping';
export * from '../drivers/base/kernel/gfp';
export {
  dmaPoolAlloc,
  dmaPoolCreate,
  dmaPoolDestroy,
  dmaPoolFree,
  dmaPoolZalloc,
} from '../mm/dmapool';
export type { DmaPool } from '../mm/dmapool';
export { pageToPhys, pfnToPage, physToPage } from '../mm/page-alloc';
export {
  SgEntry,
  SgTable,
  sgAllocTable,
  sgAllocTableFromPages,
  sgInitOne,
  sgSetBuf,
  sgSetPage,
} from '../mm/scatterlist';
export { getOrder } from '../mm/zone';
