import type { DevicePool, PoolBlock } from '../drivers/base/kernel/dma-pools';
import { ENXIO } from '../drivers/base/kernel/errno';
import { KernelOops } from '../drivers/base/kernel/oops';
import type { PgMemory, UserVma } from '../drivers/base/kernel/user-vma';
import type { CpuAddr, DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { hexCpu, offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';
import { physToPage } from './page-alloc';
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
  /** 1: in use. */
  readonly #bitmap: Uint8Array;

  constructor({ name, phys, size, cpuAddr, deviceBase, io }: CoherentPoolFields) {
    invariant(size > 0 && size % PAGE_SIZE === 0, `a pool of ${size} bytes`);
    this.name = name;
    this.phys = phys;
    this.size = size;
    this.cpuAddr = cpuAddr;
    this.#deviceBase = deviceBase;
    this.#io = io;
    this.#bitmap = new Uint8Array(size / PAGE_SIZE);
  }

  /** Pages in use. */
  get used(): number {
    return this.#bitmap.reduce((sum, bit) => sum + bit, 0);
  }

  alloc(size: number): PoolBlock | null {
    const pages = pagesOf(getOrder(size));
    for (let first = 0; first + pages <= this.#bitmap.length; first += pages) {
      if (this.#bitmap.subarray(first, first + pages).includes(1)) continue;
      this.#bitmap.fill(1, first, first + pages);
      return this.#blockAt(first * PAGE_SIZE, size);
    }
    return null;
  }

  release(cpuAddr: CpuAddr, size: number): boolean {
    if (!this.#contains(cpuAddr, 1)) return false;
    const first = Math.floor((cpuAddr - this.cpuAddr) / PAGE_SIZE);
    const end = first + pagesOf(getOrder(size));
    if (end > this.#bitmap.length || this.#bitmap.subarray(first, end).includes(0)) {
      const what = `${size} bytes at ${hexCpu(cpuAddr)} of ${this.name}`;
      throw new KernelOops(`free of ${what}, which are not allocated`);
    }
    this.#bitmap.fill(0, first, end);
    return true;
  }

  mmap(vma: UserVma, cpuAddr: CpuAddr, size: number): number | null {
    if (!this.#contains(cpuAddr, size)) return null;
    const count = alignUp(size, PAGE_SIZE) / PAGE_SIZE;
    const wanted = vma.size / PAGE_SIZE;
    if (wanted > count - vma.pgoff) return -ENXIO;
    const first = physToPage(offsetBy(this.phys, cpuAddr - this.cpuAddr)) + vma.pgoff;
    for (let i = 0; i < wanted; i++) {
      const page = physToPage(((first + i) * PAGE_SIZE) as PhysAddr);
      const result = vma.insertPage(vma.start + i * PAGE_SIZE, page, POOL_MEMORY);
      if (result !== 0) return result;
    }
    return 0;
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
