import type { Device } from '../../../base/kernel/device';
import { GFP_KERNEL } from '../../../base/kernel/gfp';
import { bugOn } from '../../../base/kernel/oops';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { dmaAllocWc, dmaFreeWc } from '../../../../mm/dma-mapping-common';

/** Bytes of all command buffers together: 512 KiB in etnaviv, of which a bench fills little. */
export const POOL_SIZE = 32 * PAGE_SIZE;
/** What buffers are a multiple of (SUBALLOC_GRANULE). */
const GRANULE = PAGE_SIZE;

/** A piece of the pool. */
export interface CommandBuffer {
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  readonly cpuAddr: CpuAddr;
  /** Where the bus has it: what the front end is started at before the MMU is on. */
  readonly dmaAddr: DmaAddr;
}

/**
 * Memory for commands (etnaviv_cmdbuf.c): one write-combined allocation, mapped once in every address
 * space, so that no submission maps a buffer, and none flushes a TLB for it (e66774dd6f).
 */
export class CommandPool {
  readonly dmaAddr: DmaAddr;
  readonly #dev: Device;
  readonly #cpuAddr: CpuAddr;
  readonly #inUse: boolean[] = Array<boolean>(POOL_SIZE / GRANULE).fill(false);

  private constructor(dev: Device, cpuAddr: CpuAddr, dmaAddr: DmaAddr) {
    this.#dev = dev;
    this.#cpuAddr = cpuAddr;
    this.dmaAddr = dmaAddr;
  }

  /** Null without memory. */
  static make(dev: Device): CommandPool | null {
    const memory = dmaAllocWc(dev, POOL_SIZE, GFP_KERNEL);
    return memory && new CommandPool(dev, memory.cpuAddr, memory.dmaHandle);
  }

  /** Bytes in use. */
  get used(): number {
    return this.#inUse.filter(Boolean).length * GRANULE;
  }

  hasRoom(size: number): boolean {
    return this.#find(Math.ceil(size / GRANULE)) !== null;
  }

  /** At least `size` bytes; null while others have too much. */
  alloc(size: number): CommandBuffer | null {
    const count = Math.ceil(size / GRANULE);
    const first = this.#find(count);
    if (first === null) return null;
    this.#inUse.fill(true, first, first + count);
    const offset = first * GRANULE;
    return {
      offset,
      size: count * GRANULE,
      cpuAddr: offsetBy(this.#cpuAddr, offset),
      dmaAddr: offsetBy(this.dmaAddr, offset),
    };
  }

  #find(count: number): number | null {
    for (let first = 0; first + count <= this.#inUse.length; first++) {
      if (!this.#inUse.slice(first, first + count).includes(true)) return first;
    }
    return null;
  }

  free({ offset, size }: CommandBuffer): void {
    const first = offset / GRANULE;
    bugOn(this.#inUse[first] !== true, 'a command buffer is freed twice');
    this.#inUse.fill(false, first, first + size / GRANULE);
  }

  /** The device is off. */
  release(): void {
    dmaFreeWc(this.#dev, POOL_SIZE, this.#cpuAddr, this.dmaAddr);
  }
}
