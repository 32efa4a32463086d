import type { CpuAddr } from '../drivers/base/types/address';
import { cpuAddr, hexCpu } from '../drivers/base/types/address';
import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';
import { KernelOops } from '../drivers/base/kernel/oops';

/** A run of kernel virtual addresses in the vmalloc range (struct vm_struct). */
export interface VmArea {
  readonly start: CpuAddr;
  /** Bytes that are mapped; a guard page follows. */
  readonly size: number;
  readonly caller: string;
}

/**
 * The vmalloc range: address space for vmalloc, vmap and ioremap, first fit, with an unmapped
 * guard page behind each area (mm/vmalloc.c).
 */
export class VmallocSpace {
  readonly start: CpuAddr;
  readonly end: CpuAddr;
  /** In ascending order. */
  readonly #areas: VmArea[] = [];

  constructor(start: CpuAddr, end: CpuAddr) {
    this.start = start;
    this.end = end;
  }

  get areas(): readonly VmArea[] {
    return this.#areas;
  }

  /** An area of `size` bytes (rounded up to pages), or null for none and if the range is full. */
  reserve(size: number, caller: string, align = PAGE_SIZE): VmArea | null {
    if (size <= 0) return null;
    const bytes = alignUp(size, PAGE_SIZE);
    let at: number = alignUp(this.start, align);
    let index = 0;
    for (const area of this.#areas) {
      if (at + bytes + PAGE_SIZE <= area.start) break;
      at = alignUp(area.start + area.size + PAGE_SIZE, align);
      index++;
    }
    if (at + bytes + PAGE_SIZE > this.end) return null;
    const area: VmArea = { start: cpuAddr(at), size: bytes, caller };
    this.#areas.splice(index, 0, area);
    return area;
  }

  /** The area that starts at an address; freeing any other is a kernel bug. */
  release(address: CpuAddr): VmArea {
    const index = this.#areas.findIndex(area => area.start === address);
    const [area] = index < 0 ? [] : this.#areas.splice(index, 1);
    if (area === undefined) {
      throw new KernelOops(`Trying to vfree() nonexistent vm area (${hexCpu(address)})`);
    }
    return area;
  }
}
