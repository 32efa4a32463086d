import { PAGE_SIZE, alignDown } from '../drivers/base/types/bits';
import type { ByteRange } from '../drivers/base/types/finding';
import type { DmaMemoryCall, DmaMemoryRange } from '../drivers/base/types/observer';
import { hexPointer } from './dma-debug-text';
import type { TypeWidths } from './dma-debug-text';
import { PageIndex } from './page-index';

/** The stack of the task that runs: whole pages. */
export interface KernelStack {
  /** Its lowest address. */
  readonly virtualAddress: number;
  /** Its physical pages, ascending by virtual address. */
  readonly pages: readonly number[];
  /** CONFIG_VMAP_STACK: its pages lie anywhere. */
  readonly isVmapped: boolean;
}

/** What dma-debug knows of the kernel that it is built into. */
export interface DebugAreas {
  /** Text and read-only data of the kernel: physical. */
  readonly kernel: ByteRange;
  readonly stack: KernelStack | null;
  /** Addresses of vmalloc, null without an MMU. */
  readonly vmalloc: { readonly start: number; readonly end: number } | null;
  /** The lowmem address of a physical one; null for highmem. */
  readonly physToVirt: (address: number) => number | null;
  /** The physical address of a lowmem one; null for any other. */
  readonly virtToPhys: (address: number) => number | null;
  /** There is a struct page for it, and it is not reserved. */
  readonly isRam: (address: number) => boolean;
  readonly widths: TypeWidths;
  /** L1_CACHE_BYTES of the kernel's build. */
  readonly lineBytes: number;
  /** dma_get_cache_alignment. */
  readonly cacheAlignment: number;
  /** CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC, and the device has a swiotlb (is_swiotlb_active). */
  readonly bouncesUnaligned: (device: string) => boolean;
}

/** Memory that must not be mapped: which check says so, and what it says. */
interface WrongPlace {
  readonly check: number;
  readonly what: string;
}

/** Memory that the DMA API has allocated, by its virtual addresses. */
interface VirtualRange extends ByteRange {
  readonly pieces: DmaMemoryRange['pieces'];
}

/** Which memory an address is of, as the kernel's own address map has it. */
export class DebugAddresses {
  readonly #areas: DebugAreas;
  readonly #allocated = new PageIndex<VirtualRange>();

  constructor(areas: DebugAreas) {
    this.#areas = areas;
  }

  /** is_vmalloc_addr. */
  isVmalloc(virtual: number): boolean {
    const { vmalloc } = this.#areas;
    return vmalloc !== null && virtual >= vmalloc.start && virtual < vmalloc.end;
  }

  /** virt_addr_valid. */
  isLinear(virtual: number): boolean {
    return this.#areas.virtToPhys(virtual) !== null;
  }

  /** What the kernel reaches in either way. */
  isKernel(virtual: number): boolean {
    return this.isVmalloc(virtual) || this.isLinear(virtual);
  }

  /** From now on these virtual addresses have this memory. */
  add({ virtualAddress: start, size, pieces }: DmaMemoryRange): void {
    this.#allocated.add({ start, size, pieces });
  }

  delete({ virtualAddress }: DmaMemoryCall): void {
    const range = this.#startingAt(virtualAddress);
    if (range !== undefined) this.#allocated.delete(range);
  }

  /** virt_to_paddr; 0 for an address of vmalloc that has no memory, where Linux reads anything. */
  physicalOf(virtual: number): number {
    const linear = this.#areas.virtToPhys(virtual);
    if (linear !== null) return linear;
    const [range] = this.#allocated.overlapping(virtual, 1);
    let offset = virtual - (range?.start ?? 0);
    for (const { address, size } of range?.pieces ?? []) {
      if (offset < size) return address + offset;
      offset -= size;
    }
    return 0;
  }

  /** check_for_stack and check_for_illegal_area: a page of highmem is none of the kernel image. */
  wrongsOf(address: number, size: number): readonly WrongPlace[] {
    const virtual = this.#areas.physToVirt(address);
    const found: WrongPlace[] = [];
    const onStack = this.#stackAddress(address, virtual);
    if (onStack !== null) found.push(onStack);
    const { kernel } = this.#areas;
    const isKernels = address < kernel.start + kernel.size && kernel.start < address + size;
    if (isKernels && virtual !== null) {
      const what = `kernel text or rodata [addr=${this.#pointer(virtual)}] [len=${size}]`;
      found.push({ check: 13, what });
    }
    return found;
  }

  #stackAddress(address: number, virtual: number | null): WrongPlace | null {
    const { stack } = this.#areas;
    const index = stack?.pages.indexOf(alignDown(address, PAGE_SIZE)) ?? -1;
    if (stack === null || index < 0) return null;
    if (!stack.isVmapped) {
      if (virtual === null) return null;
      return { check: 11, what: `stack [addr=${this.#pointer(virtual)}]` };
    }
    const probable = stack.virtualAddress + index * PAGE_SIZE + (address % PAGE_SIZE);
    return { check: 12, what: `stack [probable addr=${this.#pointer(probable)}]` };
  }

  #startingAt(virtual: number): VirtualRange | undefined {
    return this.#allocated.overlapping(virtual, 1).find(({ start }) => start === virtual);
  }

  #pointer(address: number): string {
    return hexPointer(address, this.#areas.widths);
  }
}
