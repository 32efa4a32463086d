import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { RestrictedPool } from '../drivers/base/kernel/dma-pools';
import { dmaAddr } from '../drivers/base/types/address';
import type { PhysAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { pageToPhys, physToPage } from './page-alloc';
import type { SlotPool } from './swiotlb-slots';
import { pagesOf } from './zone';

/**
 * Pages of a device's own slots: all the memory that it may have (swiotlb_alloc and swiotlb_free of
 * CONFIG_DMA_RESTRICTED_POOL). Nothing here sleeps.
 */
export class RestrictedPages implements RestrictedPool {
  readonly name: string;
  readonly #slots: SlotPool;

  constructor(name: string, slots: SlotPool) {
    this.name = name;
    this.#slots = slots;
  }

  alloc(count: number, alignOrder: number): Page | null {
    const start = this.#slots.take({
      original: null,
      size: count * PAGE_SIZE,
      busStart: dmaAddr(this.#slots.start),
      minAlignMask: 0,
      allocAlignMask: pagesOf(alignOrder) * PAGE_SIZE - 1,
      boundaryMask: 2 ** 52 - 1,
      cpu: 0,
    });
    return start === null ? null : physToPage(start);
  }

  release(page: Page): boolean {
    if (!this.contains(pageToPhys(page))) return false;
    this.#slots.release(pageToPhys(page), 0);
    return true;
  }

  contains(address: PhysAddr): boolean {
    return this.#slots.contains(address);
  }
}
