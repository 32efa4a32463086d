import type { DevicePool, PoolBlock } from '../drivers/base/kernel/dma-pools';
import { KernelOops } from '../drivers/base/kernel/oops';
import type { PgMemory, UserVma } from '../drivers/base/kernel/user-vma';
import type { CpuAddr, DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { hexCpu, offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';
import { Bitmap } from './bitmap';
import { mmapPages } from './dma-user';
import { pfnToPage, physToPage } from './page-alloc';
import { memset } from './string';
import type { Accesses } from './string';
import { getOrder, pagesOf } from './zone';

/** How the CPU reaches such a pool (memremap with MEMREMAP_WC). */
export const POOL_MEMORY: PgMemory = 'writecombine';

/** What a pool is made of. */
export interface CoherentPoolFields {
  readonly name: string;
  readonly phys: PhysAddr;
  /** Bytes, whole pages. */
  readonly size: number;
  /** Where the CPU has it, as POOL_MEMORY; nothing else maps it. */
  readonly cpuAddr: CpuAddr;
  /** Where the bus has it (dma_declare_coherent_memory); null: where a device's windows say. */
  readonly deviceBase: DmaAddr | null;
  /** Loads and stores without barriers. */
  readonly io: Accesses;
}

/**
 * Coherent memory that was set aside for a device, or for all that have none
 * (kernel/dma/coherent.c): a bitmap of pages, from which runs of a power of two are taken, aligned to
 * their size within the pool.
 */
export class CoherentPool implements DevicePool {
  readonly name: string;
  readonly phys: PhysAddr;
  readonly size: number;
  readonly cpuAddr: CpuAddr;
  readonly #deviceBase: DmaAddr | null;
  readonly #io: Accesses;
  readonly #bitmap: Bitmap;

  constructor({ name, phys, size, cpuAddr, deviceBase, io }: CoherentPoolFields) {
    invariant(size > 0 && size % PAGE_SIZE === 0, `a pool of ${size} bytes`);
    this.name = name;
    this.phys = phys;
    this.size = size;
    this.cpuAddr = cpuAddr;
    this.#deviceBase = deviceBase;
    this.#io = io;
    this.#bitmap = new Bitmap(size / PAGE_SIZE);
  }

  /** Pages in use. */
  get used(): number {
    return this.#bitmap.weight;
  }

  alloc(size: number): PoolBlock | null {
    const pages = pagesOf(getOrder(size));
    const first = this.#bitmap.findZeroArea(pages, pages);
    if (first === null) return null;
    this.#bitmap.take(first, pages);
    return this.#blockAt(first * PAGE_SIZE, size);
  }

  release(cpuAddr: CpuAddr, size: number): boolean {
    if (!this.#contains(cpuAddr, 1)) return false;
    const first = Math.floor((cpuAddr - this.cpuAddr) / PAGE_SIZE);
    const pages = pagesOf(getOrder(size));
    if (!this.#bitmap.isTaken(first, pages)) {
      const what = `${size} bytes at ${hexCpu(cpuAddr)} of ${this.name}`;
      throw new KernelOops(`free of ${what}, which are not allocated`);
    }
    this.#bitmap.release(first, pages);
    return true;
  }

  mmap(vma: UserVma, cpuAddr: CpuAddr, size: number): number | null {
    if (!this.#contains(cpuAddr, size)) return null;
    const first = physToPage(offsetBy(this.phys, cpuAddr - this.cpuAddr));
    return mmapPages(vma, size, POOL_MEMORY, index => pfnToPage(first + index));
  }

  #contains(address: CpuAddr, size: number): boolean {
    return address >= this.cpuAddr && address + size <= this.cpuAddr + this.size;
  }

  #blockAt(offset: number, size: number): PoolBlock {
    const cpuAddr = offsetBy(this.cpuAddr, offset);
    memset(this.#io, cpuAddr, 0, size);
    const block = { cpuAddr, phys: offsetBy(this.phys, offset) };
    const base = this.#deviceBase;
    return base === null ? block : { ...block, dmaHandle: offsetBy(base, offset) };
  }
}
