import type { CpuAddr } from '../drivers/base/types/address';
import { hexCpu, offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE, roundupPowerOfTwo } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import type { SoftwareObserver } from '../drivers/base/types/observer';
import type { LinearMap } from '../drivers/base/kernel/device';
import { KernelOops, bugOn } from '../drivers/base/kernel/oops';
import type { Gfp } from '../drivers/base/kernel/gfp';
import type { PageAllocator } from './page-alloc';
import { pageToPhys, physToPage } from './page-alloc';
import { getOrder } from './zone';

interface Cache {
  readonly objectSize: number;
  readonly gfp: Gfp;
  readonly order: number;
  readonly free: CpuAddr[];
}

/** Where an object came from: a cache of objects, or whole pages. */
type Origin = { readonly cache: Cache } | { readonly order: number };

/** Objects up to this come from caches of a power of two, larger ones are pages. */
const LARGEST_OBJECT = 8192;

/**
 * Bytes of the object that so many of kmalloc are of, where it has objects of any size
 * (kmalloc_size_roundup of a kernel with ARCH_KMALLOC_MINALIGN 8, which arm64 is).
 */
export const kmallocSizeRoundup = (size: number): number => {
  if (size > 64 && size <= 96) return 96;
  return size > 128 && size <= 192 ? 192 : Math.max(8, roundupPowerOfTwo(size));
};

/**
 * kmalloc: objects of a power of two, aligned to their size and at least to ARCH_DMA_MINALIGN,
 * so that two of them never share a cache line (mm/slab_common.c).
 */
export class Slab {
  readonly #pages: PageAllocator;
  readonly #memory: LinearMap;
  readonly #minimum: number;
  /** By size, those of ZONE_DMA (kmalloc-dma) apart. */
  readonly #caches = new Map<string, Cache>();
  readonly #objects = new Map<CpuAddr, Origin>();
  /** Pages that the caches of objects hold, in use or not: they are kept. */
  reservePages = 0;
  /** Told of objects, with the room that each has; null: nobody watches. */
  observer: SoftwareObserver | null = null;

  constructor(pages: PageAllocator, memory: LinearMap, dmaMinAlign: number) {
    this.#pages = pages;
    this.#memory = memory;
    this.#minimum = Math.max(dmaMinAlign, 64);
  }

  /** Objects that are allocated now. */
  get live(): number {
    return this.#objects.size;
  }

  /**
   * Memory of the linear map, or null: too much, as a negative size is to a size_t. The content is
   * what was there before.
   */
  kmalloc(size: number, gfp: Gfp): CpuAddr | null {
    bugOn(!Number.isInteger(size), 'kmalloc of a number of bytes that is not whole');
    if (size < 0) return null;
    bugOn(gfp.dma32 === true || gfp.highmem === true, 'kmalloc has caches of lowmem and ZONE_DMA');
    const object = size > LARGEST_OBJECT ? this.#large(size, gfp) : this.#small(size, gfp);
    if (object !== null && this.observer !== null) this.#tell(this.observer, 'allocated', object);
    return object;
  }

  /** Gives back what kmalloc gave; anything else, or a second time, is a kernel bug (kfree). */
  kfree(object: CpuAddr): void {
    const origin = this.#objects.get(object);
    if (origin === undefined) {
      throw new KernelOops(`kfree of ${hexCpu(object)}, which is not allocated`);
    }
    if (this.observer !== null) this.#tell(this.observer, 'freed', object);
    this.#objects.delete(object);
    if ('cache' in origin) {
      origin.cache.free.push(object);
      return;
    }
    const physical = this.#memory.virtToPhys(object);
    if (physical !== null) this.#pages.freePagesAt(physToPage(physical), origin.order);
  }

  #tell(observer: SoftwareObserver, what: 'allocated' | 'freed', object: CpuAddr): void {
    const origin = this.#objects.get(object);
    const physical = this.#memory.virtToPhys(object);
    if (origin === undefined || physical === null) return;
    const room = 'cache' in origin ? origin.cache.objectSize : PAGE_SIZE * 2 ** origin.order;
    observer[what](physical, room, callSite());
  }

  #small(size: number, gfp: Gfp): CpuAddr | null {
    const cache = this.#cacheFor(size, gfp);
    if (cache.free.length === 0 && !this.#grow(cache)) return null;
    const object = cache.free.pop();
    if (object === undefined) return null;
    this.#objects.set(object, { cache });
    return object;
  }

  #large(size: number, gfp: Gfp): CpuAddr | null {
    const order = getOrder(size);
    const address = this.#allocate(order, gfp);
    if (address !== null) this.#objects.set(address, { order });
    return address;
  }

  #cacheFor(size: number, { dma = false }: Gfp): Cache {
    const objectSize = Math.max(this.#minimum, roundupPowerOfTwo(Math.max(1, size)));
    const name = `kmalloc-${dma ? 'dma-' : ''}${objectSize}`;
    let cache = this.#caches.get(name);
    if (cache === undefined) {
      cache = { objectSize, gfp: { dma }, order: getOrder(objectSize), free: [] };
      this.#caches.set(name, cache);
    }
    return cache;
  }

  #grow(cache: Cache): boolean {
    const slab = this.#allocate(cache.order, cache.gfp);
    if (slab === null) return false;
    this.reservePages += 2 ** cache.order;
    const bytes = PAGE_SIZE * 2 ** cache.order;
    for (let offset = bytes - cache.objectSize; offset >= 0; offset -= cache.objectSize) {
      cache.free.push(offsetBy(slab, offset));
    }
    return true;
  }

  #allocate(order: number, gfp: Gfp): CpuAddr | null {
    const page = this.#pages.allocKernelPages(gfp, order);
    return page === null ? null : this.#memory.physToVirt(pageToPhys(page));
  }
}
