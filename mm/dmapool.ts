import type { Device } from '../drivers/base/kernel/device';
import type { DmaMemory } from '../drivers/base/kernel/dma-map-ops';
import type { Gfp } from '../drivers/base/kernel/gfp';
import type { CpuAddr, DmaAddr } from '../drivers/base/types/address';
import { hex, hexCpu, offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE, alignUp, isPowerOfTwo } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
import type { DmaPoolBlock, SoftwareObserver } from '../drivers/base/types/observer';
import { dmaAllocCoherent, dmaFreeCoherent } from './dma-alloc';
import { callerOf, tellWarning } from './dma-observed';
import { memchrInv, memset } from './string';

/*
 * Small blocks of coherent memory for descriptors and the like (mm/dmapool.c of 6.12, with the
 * checks of DMAPOOL_DEBUG). Which blocks are free stands in ordinary TypeScript, not in the blocks:
 * a device that writes to a free block breaks no list, and the check of its poison covers all of it.
 *
 * Not modelled: devres (dmam_pool_create).
 */

/** What a free block is filled with, and one that was just given (include/linux/poison.h). */
const POOL_POISON_FREED = 0xa7;
const POOL_POISON_ALLOCATED = 0xa9;
/** sizeof(struct dma_block) where bus addresses have 64 bits: no block is smaller. */
const SMALLEST_BLOCK = 16;
const INT_MAX = 2 ** 31 - 1;

/** Where a pool has its pages from (dma_alloc_coherent, dma_free_coherent). */
export interface CoherentMemory {
  alloc(dev: Device, size: number, gfp: Gfp): DmaMemory | null;
  free(dev: Device, size: number, memory: DmaMemory): void;
}

const COHERENT: CoherentMemory = {
  alloc: dmaAllocCoherent,
  free: (dev, size, { cpuAddr, dmaHandle }) => {
    dmaFreeCoherent(dev, size, cpuAddr, dmaHandle);
  },
};

/** How a kernel was built. */
export interface DmaPoolOptions {
  /** dma_alloc_coherent if absent. */
  readonly memory?: CoherentMemory;
  /** DMAPOOL_DEBUG: free blocks are filled with poison, which is looked at when they are given. */
  readonly poison?: boolean;
  /** The pool is the DMA layer's own: nobody is told of its blocks. */
  readonly isInternal?: boolean;
}

/** One allocation of coherent memory, and which of its blocks are in use, by their offset. */
interface PoolPage extends DmaMemory {
  readonly inUse: Set<number>;
}

/** As many blocks as fit between the boundaries, from the first byte on. */
const blockOffsets = ({
  size,
  boundary,
  allocation,
}: Pick<DmaPool, 'size' | 'boundary' | 'allocation'>): number[] => {
  const offsets: number[] = [];
  let offset = 0;
  while (offset + size <= allocation) {
    const next = alignUp(offset + 1, boundary);
    if (offset + size <= next) {
      offsets.push(offset);
      offset += size;
    } else offset = next;
  }
  return offsets;
};

/** A pool of blocks of one size. Drivers pass it to the functions below; its fields tell what is so. */
export class DmaPool {
  readonly name: string;
  readonly dev: Device;
  /** Bytes of a block, and of what is allocated at a time. */
  readonly size: number;
  readonly allocation: number;
  /** No block crosses a multiple of this. */
  readonly boundary: number;
  readonly memory: CoherentMemory;
  readonly poison: boolean;
  readonly isInternal: boolean;
  readonly pages: PoolPage[] = [];
  /** Where the blocks of an allocation begin. */
  readonly offsets: ReadonlySet<number>;
  /** Blocks that are free, the one that is given next last. */
  readonly free: { readonly page: PoolPage; readonly offset: number }[] = [];

  constructor(
    fields: Pick<DmaPool, 'name' | 'dev' | 'size' | 'allocation' | 'boundary'>,
    { memory = COHERENT, poison = false, isInternal = false }: DmaPoolOptions,
  ) {
    this.name = fields.name;
    this.dev = fields.dev;
    this.size = fields.size;
    this.allocation = fields.allocation;
    this.boundary = fields.boundary;
    this.memory = memory;
    this.poison = poison;
    this.isInternal = isInternal;
    this.offsets = new Set(blockOffsets(fields));
  }

  /** Blocks that are in use (nr_active). */
  get active(): number {
    return this.pages.reduce((sum, { inUse }) => sum + inUse.size, 0);
  }
}

/**
 * A pool for blocks of `size` bytes, aligned to `align`, none across a multiple of `boundary`; 0
 * for either: no wish. Null if that cannot be: a size of 0 or beyond an int, an alignment or a
 * boundary that is no power of two, a boundary below the size.
 */
export const dmaPoolCreate = (
  name: string,
  dev: Device,
  size: number,
  align: number,
  boundary: number,
  options: DmaPoolOptions = {},
): DmaPool | null => {
  mightSleep(dev, 'dma_pool_create');
  const granule = align === 0 ? 1 : align;
  if (!isPowerOfTwo(granule) || size <= 0 || size > INT_MAX) return null;
  const block = alignUp(Math.max(size, SMALLEST_BLOCK), granule);
  if (boundary !== 0 && (boundary < block || !isPowerOfTwo(boundary))) return null;
  const allocation = Math.max(block, PAGE_SIZE);
  const edge = boundary === 0 ? allocation : Math.min(boundary, allocation);
  const fields = { name: name.slice(0, 31), dev, size: block, allocation, boundary: edge };
  return new DmaPool(fields, options);
};

/** A block, or null without memory. Its content is what was there, unless `gfp.zero`. */
export const dmaPoolAlloc = (pool: DmaPool, gfp: Gfp): DmaMemory | null => {
  if (gfp.atomic !== true) mightSleep(pool.dev, 'dma_pool_alloc');
  if (pool.free.length === 0 && !grow(pool, gfp)) return null;
  const block = pool.free.pop();
  if (block === undefined) return null;
  const { page, offset } = block;
  page.inUse.add(offset);
  const memory = {
    cpuAddr: offsetBy(page.cpuAddr, offset),
    dmaHandle: offsetBy(page.dmaHandle, offset),
  };
  observerOf(pool)?.poolAllocated(told(pool, memory.dmaHandle), callSite());
  checkPoison(pool, memory.cpuAddr, gfp);
  if (gfp.zero === true) memset(pool.dev.services.io.relaxed, memory.cpuAddr, 0, pool.size);
  return memory;
};

/** As dmaPoolAlloc, zeroed. */
export const dmaPoolZalloc = (pool: DmaPool, gfp: Gfp): DmaMemory | null =>
  dmaPoolAlloc(pool, { ...gfp, zero: true });

/**
 * Gives a block back, by the two addresses it came with. What is no block of the pool that is in use
 * is refused, and told of.
 */
export const dmaPoolFree = (pool: DmaPool, cpuAddr: CpuAddr, dmaHandle: DmaAddr): void => {
  const page = pool.pages.find(
    candidate =>
      dmaHandle >= candidate.dmaHandle && dmaHandle < candidate.dmaHandle + pool.allocation,
  );
  const offset = page === undefined ? -1 : dmaHandle - page.dmaHandle;
  const wrong = problemOf(pool, page, cpuAddr, dmaHandle);
  if (page === undefined || wrong !== null) {
    if (wrong !== null) complain(pool.dev, wrong);
    return;
  }
  page.inUse.delete(offset);
  if (pool.poison) {
    memset(pool.dev.services.io.relaxed, cpuAddr, POOL_POISON_FREED, pool.size);
  }
  observerOf(pool)?.poolFreed(told(pool, dmaHandle), callSite());
  pool.free.push({ page, offset });
};

/** Ends a pool; with a block in use that is a bug, told in the log, and its memory is never freed. */
export const dmaPoolDestroy = (pool: DmaPool | null): void => {
  if (pool === null) return;
  const { dev, memory, allocation } = pool;
  mightSleep(dev, 'dma_pool_destroy');
  const isBusy = pool.active > 0;
  if (isBusy) complain(dev, `dma_pool_destroy ${pool.name} busy`);
  for (const page of pool.pages.splice(0)) {
    if (!isBusy) memory.free(dev, allocation, page);
  }
  pool.free.length = 0;
};

/** Why this is no block that can be freed, in the kernel's words; null: it is one. */
const problemOf = (
  pool: DmaPool,
  page: PoolPage | undefined,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
): string | null => {
  const place = `pool_block_err ${pool.name}`;
  const offset = page === undefined ? 0 : dmaHandle - page.dmaHandle;
  const isBlock = page !== undefined && pool.offsets.has(offset);
  if (!isBlock) return `${place}, ${hexCpu(cpuAddr)}/${hex(dmaHandle)} (bad dma)`;
  // 6.12 takes the wrong address for the block; the kernels before 6.3 said this.
  if (cpuAddr - page.cpuAddr !== offset) {
    return `${place}, ${hexCpu(cpuAddr)} (bad vaddr)/${hex(dmaHandle)}`;
  }
  return page.inUse.has(offset) ? null : `${place}, dma ${hex(dmaHandle)} already free`;
};

/** Takes more coherent memory and cuts it into blocks (pool_alloc_page, pool_initialise_page). */
const grow = (pool: DmaPool, gfp: Gfp): boolean => {
  const { dev, allocation } = pool;
  const memory = pool.memory.alloc(dev, allocation, { ...gfp, zero: false });
  if (memory === null) return false;
  if (pool.poison) {
    memset(dev.services.io.relaxed, memory.cpuAddr, POOL_POISON_FREED, allocation);
  }
  const page = { ...memory, inUse: new Set<number>() };
  pool.pages.push(page);
  for (const offset of [...pool.offsets].reverse()) pool.free.push({ page, offset });
  return true;
};

/** A call that takes a mutex, or may wait for memory, where nobody can wait (might_alloc). */
const mightSleep = (dev: Device, call: string): void => {
  if (!dev.services.irqsDisabled()) return;
  complain(dev, `BUG: sleeping function called from invalid context: ${call}()`);
};

/** What a driver does wrong stands in the kernel's log, and is told to whoever watches. */
const complain = (dev: Device, text: string): void => {
  dev.services.log.device('err', dev, text);
  tellWarning(dev, text);
};

/** Looks whether anybody wrote to the block while it was free (pool_check_block). */
const checkPoison = (pool: DmaPool, block: CpuAddr, gfp: Gfp): void => {
  if (!pool.poison) return;
  const io = pool.dev.services.io.relaxed;
  if (memchrInv(io, block, POOL_POISON_FREED, pool.size) !== null) {
    complain(pool.dev, `pool_check_block ${pool.name}, ${hexCpu(block)} (corrupted)`);
  }
  if (gfp.zero !== true) memset(io, block, POOL_POISON_ALLOCATED, pool.size);
};

const observerOf = ({ dev, isInternal }: DmaPool): SoftwareObserver | null =>
  isInternal ? null : dev.services.observer;

const told = (pool: DmaPool, busAddress: DmaAddr): DmaPoolBlock => ({
  ...callerOf(pool.dev),
  pool: pool.name,
  busAddress,
  size: pool.size,
});
