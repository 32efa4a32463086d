import type { Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { CmaPool } from '../drivers/base/kernel/dma-pools';
import type { Gfp } from '../drivers/base/kernel/gfp';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { cmaAlignOrder } from './cma';
import type { PageAllocator } from './page-alloc';
import { getOrder } from './zone';

/*
 * Contiguous pages for devices (kernel/dma/contiguous.c, __dma_direct_alloc_pages of
 * kernel/dma/direct.c).
 */

/** Pages in one piece for one request, from wherever its device may have them. */
export interface PageSource {
  /** Null: there are none. `highmem`: it need not be in the linear map. */
  take(highmem: boolean): Page | null;
  release(page: Page): void;
}

/** Zones, from the highest that a mask may reach down to the lowest. */
const ALL_ZONES: readonly Gfp[] = [{}, { dma32: true }, { dma: true }];

/**
 * Pages of the allocator for which `isUsable` holds, their contents undefined: what is out of reach
 * goes back, and a lower zone is asked. Null if there are none, `unreachable` if none is usable.
 * Nobody is told of them until whoever asks for them tells.
 */
export const takeFromZones = (
  pages: PageAllocator,
  order: number,
  gfp: Gfp,
  isUsable: (page: Page) => boolean,
  zones: readonly Gfp[] = ALL_ZONES,
): Page | 'unreachable' | null => {
  for (const zone of zones) {
    const wanted = { ...gfp, ...zone, highmem: false, zero: false };
    const page = pages.allocKernelPages(wanted, order);
    if (page === null) return null;
    if (isUsable(page)) return page;
    pages.freePagesAt(page, order);
  }
  return 'unreachable';
};

/** What contiguous pages are taken from. */
export interface ContiguousMemory {
  readonly pages: PageAllocator;
  /** Largest address of ZONE_DMA, null without one. */
  readonly dmaZoneLimit: number | null;
  /** For everybody's contiguous memory (dma_contiguous_default_area). */
  readonly setAside: { readonly cma: CmaPool | null };
}

/** Contiguous pages of CMA areas and of the allocator, and how they go back. */
export class ContiguousPages {
  readonly #memory: ContiguousMemory;

  constructor(memory: ContiguousMemory) {
    this.#memory = memory;
  }

  /**
   * Of the device's CMA area or, if it is more than a page, everybody's: null without any, and for
   * who cannot sleep (dma_alloc_contiguous).
   */
  allocContiguous(dev: Device, bytes: number, gfp: Gfp): Page | null {
    if (gfp.atomic === true) return null;
    const area = dev.dma.cma ?? (bytes > PAGE_SIZE ? this.#memory.setAside.cma : null);
    return area?.alloc(bytes / PAGE_SIZE, cmaAlignOrder(bytes), gfp.noWarn === true) ?? null;
  }

  /**
   * Pages for which `isUsable` holds, below `limit`: contiguous memory first, then those of the
   * allocator; of a restricted device, those of its pool. Null without any; their contents are
   * undefined (__dma_direct_alloc_pages).
   */
  alloc(
    dev: Device,
    bytes: number,
    gfp: Gfp,
    limit: number,
    isUsable: (page: Page) => boolean,
  ): Page | null {
    const { restricted } = dev.dma;
    if (restricted !== null) {
      const own = restricted.alloc(bytes / PAGE_SIZE, getOrder(bytes), gfp.noWarn === true);
      if (own === null || isUsable(own)) return own;
      restricted.release(own, bytes / PAGE_SIZE);
      return null;
    }
    const contiguous = this.allocContiguous(dev, bytes, gfp);
    if (contiguous !== null) {
      if (isUsable(contiguous)) return contiguous;
      this.free(dev, contiguous, bytes);
    }
    const { pages } = this.#memory;
    const page = takeFromZones(pages, getOrder(bytes), gfp, isUsable, this.#zonesFor(limit));
    return page === 'unreachable' ? null : page;
  }

  /** Gives back what either of them gave (dma_free_contiguous). */
  free(dev: Device, page: Page, bytes: number): void {
    const { pages, setAside } = this.#memory;
    const count = bytes / PAGE_SIZE;
    if (dev.dma.restricted?.release(page, count) === true) return;
    if (dev.dma.cma?.release(page, count) === true) return;
    if (setAside.cma?.release(page, count) === true) return;
    pages.freePagesAt(page, getOrder(bytes));
  }

  /** The zone that a limit falls into, then the lower ones (dma_direct_optimal_gfp_mask). */
  #zonesFor(limit: number): readonly Gfp[] {
    const { dmaZoneLimit } = this.#memory;
    if (dmaZoneLimit !== null && limit <= dmaZoneLimit) return ALL_ZONES.slice(2);
    return limit <= 2 ** 32 - 1 ? ALL_ZONES.slice(1) : ALL_ZONES;
  }
}
