/* `dmabench/mm`: the DMA API and the memory that it is about, by the kernel's names. */

export * from '../mm/dma-mapping-common';
export { hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
export type { Page } from '../drivers/base/kernel/dma-mapping';
export * from '../drivers/base/kernel/gfp';
export { pageToPhys, pfnToPage, physToPage } from '../mm/page-alloc';
export { getOrder } from '../mm/zone';
