import type { DmaAddr } from '../types/address';
import { dmaAddr } from '../types/address';
import type { Page } from './dma-mapping';

/**
 * A physically contiguous piece of a buffer, and after mapping a piece that the device sees as
 * one (struct scatterlist): `dmaAddress` and `dmaLength` are of the n-th mapped segment, which need
 * not be the n-th piece of memory.
 */
export class SgEntry {
  page: Page;
  /** Of the first byte, from the page's start; may be more than a page. */
  offset: number;
  /** Bytes of memory. */
  length: number;
  /** What the device is programmed with (sg_dma_address, sg_dma_len); length 0 ends the list. */
  dmaAddress: DmaAddr = dmaAddr(0);
  dmaLength = 0;
  /**
   * The list that begins here was mapped piece by piece although its translation merges, because
   * some piece had to be bounced (SG_DMA_SWIOTLB).
   */
  isBounced = false;

  constructor(page: Page, offset: number, length: number) {
    this.page = page;
    this.offset = offset;
    this.length = length;
  }
}

/** A scatterlist with its two counts (struct sg_table). It is not chained: a list is an array. */
export class SgTable {
  readonly sgl: SgEntry[];
  /** Segments the device sees: what mapping answered. */
  nents: number;
  /** Pieces of memory: what is mapped, synced and unmapped. */
  origNents: number;

  constructor(sgl: SgEntry[]) {
    this.sgl = sgl;
    this.nents = sgl.length;
    this.origNents = sgl.length;
  }
}
