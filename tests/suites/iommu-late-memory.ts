import { join64 } from '../../drivers/base/types/bits';
import type { CpuAddr } from '../../drivers/base/types/address';
import type { TableMemory } from '../../mm/iommu/types';
import type { Kernel } from '../../machines/kernel';
import { pageToPhys, physToPage } from '../../mm/page-alloc';

interface Word {
  readonly low: number;
  /** Null of a word of 32 bits. */
  readonly high: number | null;
}

/**
 * Memory for tables whose stores come late: while `isLate`, a store waits until `carryOut`, after the
 * maintenance that was meant for it, as if that had been left out. While `isForgetful`, tables do not
 * invalidate what walkers keep of them.
 */
export class LateTableMemory implements TableMemory {
  isLate = false;
  isForgetful = false;
  /** Tables that were given back. */
  frees = 0;
  high = 0;
  readonly #kernel: Kernel;
  readonly #waiting = new Map<CpuAddr, Word>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  alloc(order: number): CpuAddr | null {
    const { pages, layout } = this.#kernel.mm;
    const page = pages.allocKernelPages({ zero: true }, order);
    return page === null ? null : layout.physToVirt(pageToPhys(page));
  }

  readonly mayInvalidate = (): boolean => !this.isForgetful;

  free(address: CpuAddr, order: number): void {
    this.frees++;
    const { pages, layout } = this.#kernel.mm;
    const physical = layout.virtToPhys(address);
    if (physical !== null) pages.freePagesAt(physToPage(physical), order);
  }

  load(address: CpuAddr): number {
    return this.#waiting.get(address)?.low ?? join64(this.#kernel.cpu.load32(address), 0);
  }

  store(address: CpuAddr, value: number): void {
    this.#put(address, { low: value, high: null });
  }

  load64(address: CpuAddr): number {
    const { cpu } = this.#kernel;
    const waiting = this.#waiting.get(address);
    const low = waiting?.low ?? join64(cpu.load64(address), 0);
    this.high = waiting?.high ?? join64(cpu.high, 0);
    return low;
  }

  store64(address: CpuAddr, low: number, high: number): void {
    this.#put(address, { low, high });
  }

  /** All that waits is stored, and nothing is late any more. */
  carryOut(): void {
    this.isLate = false;
    for (const [address, word] of this.#waiting) this.#put(address, word);
    this.#waiting.clear();
  }

  #put(address: CpuAddr, word: Word): void {
    const { cpu } = this.#kernel;
    if (this.isLate) this.#waiting.set(address, word);
    else if (word.high === null) cpu.store32(address, word.low);
    else cpu.store64(address, word.low, word.high);
  }
}
