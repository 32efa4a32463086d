import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { hex, offsetBy, physAddr } from '../../../../drivers/base/types/address';
import type { PhysAddr } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { Bitmap } from '../../../../mm/bitmap';
import { getOrder, pagesOf } from '../../../../mm/zone';
import type { RamRange } from '../layout';

/** Contiguous memory that is given out and comes back in whole pages. */
export interface ContiguousArea extends RamRange {
  /** `size` bytes, whole pages, of an address that is a multiple of the size; null: none are free. */
  allocate(size: number): PhysAddr | null;
  release(phys: PhysAddr, size: number): void;
}

/** A range with a bitmap of its pages, first fit (gen_pool with its order-aligned algorithm). */
export class BitmapArea implements ContiguousArea {
  readonly base: number;
  readonly size: number;
  readonly #taken: Bitmap;

  constructor({ base, size }: RamRange) {
    this.base = base;
    this.size = size;
    this.#taken = new Bitmap(Math.floor(size / PAGE_SIZE));
  }

  allocate(size: number): PhysAddr | null {
    const count = size / PAGE_SIZE;
    const align = pagesOf(getOrder(size));
    const first = this.#taken.findZeroArea(count, align, 0, this.base / PAGE_SIZE);
    if (first === null) return null;
    this.#taken.take(first, count);
    return offsetBy(physAddr(this.base), first * PAGE_SIZE);
  }

  release(phys: PhysAddr, size: number): void {
    const first = (phys - this.base) / PAGE_SIZE;
    const count = size / PAGE_SIZE;
    if (!this.#taken.isTaken(first, count)) {
      throw new KernelOops(`${hex(phys)}: memory freed that was not given`);
    }
    this.#taken.release(first, count);
  }
}
