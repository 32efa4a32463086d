import type { AtomicPool, PoolBlock } from '../drivers/base/kernel/dma-pools';
import { GFP_DMA, GFP_DMA32, GFP_KERNEL } from '../drivers/base/kernel/gfp';
import type { Gfp } from '../drivers/base/kernel/gfp';
import type { KernelLog } from '../drivers/base/kernel/kernel-log';
import { KernelOops } from '../drivers/base/kernel/oops';
import type { CpuAddr, PhysAddr } from '../drivers/base/types/address';
import { hexCpu, offsetBy } from '../drivers/base/types/address';
import { KIB, PAGE_SIZE } from '../drivers/base/types/bits';
import { Bitmap } from './bitmap';
import { memset } from './string';
import type { Accesses } from './string';
import { MAX_ORDER, getOrder, pagesOf } from './zone';

/*
 * Coherent memory for those who cannot sleep, made while somebody can (kernel/dma/pool.c of 6.12).
 */

/** What 32-bit ARM prepares (DEFAULT_DMA_COHERENT_POOL_SIZE); `coherent_pool=` says otherwise. */
export const DEFAULT_COHERENT_POOL = 256 * KIB;

/** Where a pool has its memory from: uncached already, `size` bytes; null without any. */
export type PoolBacking = (size: number, gfp: Gfp) => PoolBlock | null;

/** What the pools need of a kernel. */
export interface AtomicPoolKernel {
  readonly backing: PoolBacking;
  /** The zones that there are: a pool for each. */
  readonly zones: readonly ('Normal' | 'DMA32' | 'DMA')[];
  /** Loads and stores without barriers. */
  readonly io: Accesses;
  readonly log: KernelLog;
  /** Runs something soon, where one may sleep (schedule_work). */
  readonly scheduleWork: (work: () => void) => void;
}

/** A run of a pool's memory, and which of its pages are in use. */
interface Chunk extends PoolBlock {
  readonly bitmap: Bitmap;
}

/** The memory of one zone (struct gen_pool): first fit, aligned to the order of the size. */
class ZonePool {
  readonly gfp: Gfp;
  readonly #chunks: Chunk[] = [];

  constructor(gfp: Gfp) {
    this.gfp = gfp;
  }

  /** Bytes in all, and bytes that are free. */
  get size(): number {
    return this.#chunks.reduce((sum, { bitmap }) => sum + bitmap.size * PAGE_SIZE, 0);
  }

  get available(): number {
    const used = this.#chunks.reduce((sum, { bitmap }) => sum + bitmap.weight, 0);
    return this.size - used * PAGE_SIZE;
  }

  add(block: PoolBlock, size: number): void {
    this.#chunks.push({ ...block, bitmap: new Bitmap(size / PAGE_SIZE) });
  }

  alloc(size: number): PoolBlock | null {
    const count = Math.ceil(size / PAGE_SIZE);
    const align = pagesOf(getOrder(size));
    for (const { cpuAddr, phys, bitmap } of this.#chunks) {
      const first = bitmap.findZeroArea(count, align);
      if (first === null) continue;
      bitmap.take(first, count);
      const offset = first * PAGE_SIZE;
      return { cpuAddr: offsetBy(cpuAddr, offset), phys: offsetBy(phys, offset) };
    }
    return null;
  }

  chunkOf(address: CpuAddr): Chunk | undefined {
    return this.#chunks.find(
      ({ cpuAddr, bitmap }) => address >= cpuAddr && address < cpuAddr + bitmap.size * PAGE_SIZE,
    );
  }

  free(address: CpuAddr, size: number): boolean {
    const chunk = this.chunkOf(address);
    if (chunk === undefined) return false;
    const first = (address - chunk.cpuAddr) / PAGE_SIZE;
    const count = Math.ceil(size / PAGE_SIZE);
    if (!chunk.bitmap.isTaken(first, count)) {
      const what = `${size} bytes at ${hexCpu(address)}`;
      throw new KernelOops(`free of ${what} of the atomic pool, which are not allocated`);
    }
    chunk.bitmap.release(first, count);
    return true;
  }
}

const ZONE_GFP = { Normal: GFP_KERNEL, DMA32: GFP_DMA32, DMA: GFP_DMA } as const;

/**
 * The atomic pools of a kernel. What is taken out of one is soon replaced by as much again, where
 * somebody may sleep: until then, exhaustion is an answer.
 */
export class AtomicPools implements AtomicPool {
  readonly #kernel: AtomicPoolKernel;
  readonly #size: number;
  readonly #pools: readonly ZonePool[];
  #isScheduled = false;

  /** Prepares `size` bytes of each zone, or less where there is not so much in one piece. */
  constructor(kernel: AtomicPoolKernel, size: number = DEFAULT_COHERENT_POOL) {
    this.#kernel = kernel;
    this.#size = size;
    this.#pools = kernel.zones.flatMap(zone => {
      const pool = new ZonePool(ZONE_GFP[zone]);
      if (this.#expand(pool, size)) return [pool];
      kernel.log.print(
        'err',
        `DMA: failed to allocate ${size / KIB} KiB pool for atomic allocation`,
      );
      return [];
    });
  }

  /** Bytes of all pools, in use or not. */
  get size(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.size, 0);
  }

  /** Bytes of all pools that nobody uses. */
  get available(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.available, 0);
  }

  alloc(size: number, isReachable: (address: PhysAddr, size: number) => boolean): PoolBlock | null {
    for (const pool of this.#pools) {
      const block = pool.alloc(size);
      if (block === null) continue;
      if (!isReachable(block.phys, size)) {
        pool.free(block.cpuAddr, size);
        continue;
      }
      if (pool.available < this.#size) this.#schedule();
      memset(this.#kernel.io, block.cpuAddr, 0, size);
      return block;
    }
    const { log } = this.#kernel;
    log.once('atomic pool', () => {
      const text = `${this.size / KIB} KiB atomic DMA coherent pool is too small!`;
      log.print('err', `${text} Please increase it with coherent_pool= kernel parameter!`);
    });
    return null;
  }

  free(cpuAddr: CpuAddr, size: number): boolean {
    return this.#pools.some(pool => pool.free(cpuAddr, size));
  }

  contains(cpuAddr: CpuAddr): boolean {
    return this.#pools.some(pool => pool.chunkOf(cpuAddr) !== undefined);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#kernel.scheduleWork(() => {
      this.#isScheduled = false;
      for (const pool of this.#pools) {
        if (pool.available < this.#size) this.#expand(pool, pool.size);
      }
    });
  }

  /** Adds memory to a pool, half as much and so on if there is not that much (atomic_pool_expand). */
  #expand(pool: ZonePool, size: number): boolean {
    for (let order = Math.min(getOrder(size), MAX_ORDER); order >= 0; order--) {
      const bytes = pagesOf(order) * PAGE_SIZE;
      const block = this.#kernel.backing(bytes, pool.gfp);
      if (block === null) continue;
      pool.add(block, bytes);
      return true;
    }
    return false;
  }
}
