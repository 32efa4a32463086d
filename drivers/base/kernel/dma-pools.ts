import type { CpuAddr, DmaAddr, PhysAddr } from '../types/address';
import type { Page } from './dma-mapping';
import type { UserVma } from './user-vma';

/** A piece of a device's own pool: where the CPU and where the bus finds it. */
export interface PoolBlock {
  readonly cpuAddr: CpuAddr;
  readonly phys: PhysAddr;
  /** Where the bus has it, if it was declared so; absent: where the device's windows say. */
  readonly dmaHandle?: DmaAddr;
}

/** Coherent memory that one device, or the whole system, has set aside (kernel/dma/coherent.c). */
export interface DevicePool {
  readonly name: string;
  /** Zeroed memory of at least `size` bytes, or null: whoever has a pool gets memory nowhere else. */
  alloc(size: number): PoolBlock | null;
  /** Takes a piece back; false if it is not of this pool. */
  release(cpuAddr: CpuAddr, size: number): boolean;
  /** Maps a piece to user mode: 0 or a negative errno; null if it is not of this pool. */
  mmap(vma: UserVma, cpuAddr: CpuAddr, size: number): number | null;
}

/** An area of contiguous memory that movable pages use until a device needs it (mm/cma.c). */
export interface CmaPool {
  readonly name: string;
  /** `count` contiguous pages, aligned to 2^alignOrder of them; null if there are none. */
  alloc(count: number, alignOrder: number, noWarn: boolean): Page | null;
  /** Takes pages back; false if they are not of this area (cma_release). */
  release(page: Page, count: number): boolean;
}

/** All the memory that a device may have, in which it is bounced (`restricted-dma-pool`). */
export interface RestrictedPool extends CmaPool {
  contains(address: PhysAddr): boolean;
}

/** Coherent memory that was prepared at boot, for callers that cannot sleep (kernel/dma/pool.c). */
export interface AtomicPool {
  /** Zeroed memory for which `isReachable` holds; null if there is none left. */
  alloc(size: number, isReachable: (address: PhysAddr, size: number) => boolean): PoolBlock | null;
  /** Takes memory back; false if it is not of this pool. */
  free(cpuAddr: CpuAddr, size: number): boolean;
  /** True if this is an address of the pools' memory, in use or not. */
  contains(cpuAddr: CpuAddr): boolean;
}
