import { bugOn } from '../drivers/base/kernel/oops';
import { offsetBy } from '../drivers/base/types/address';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { f64, u8 } from '../drivers/base/types/arrays';
import { PAGE_SIZE, alignUp, isPowerOfTwo } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';

/** A slot (IO_TLB_SIZE), and how many in a row one mapping can have (IO_TLB_SEGSIZE). */
export const SLOT_SIZE = 2048;
export const SEGMENT_SLOTS = 128;

/** No slot of a mapping (INVALID_PHYS_ADDR). */
const NOBODY = -1;

/** What is to be put into slots. Masks are of low bits: a power of two, less one. */
export interface SlotRequest {
  /** Null: the slots are memory of their own, to which nothing is copied (swiotlb_alloc). */
  readonly original: PhysAddr | null;
  readonly size: number;
  /** Where the device finds the first slot. */
  readonly busStart: DmaAddr;
  /** Low bits that the device's address of the slot and the original have in common. */
  readonly minAlignMask: number;
  /** Low bits of the first slot that are 0, and to which the size is rounded up. */
  readonly allocAlignMask: number;
  /** No mapping crosses a multiple of this + 1 on the bus. */
  readonly boundaryMask: number;
  /** The area to begin with: the CPU's number. */
  readonly cpu: number;
}

/** What of a mapping a byte of it leads to. */
export interface SlotOriginal {
  readonly original: PhysAddr;
  /** Bytes from here to the end of the mapping; less than 1 beyond it. */
  readonly left: number;
}

/** Slots that are enough for `size` bytes (nr_slots). */
const slotsFor = (size: number): number => Math.ceil(size / SLOT_SIZE);

/** Low bits of an address by which it is off a slot (swiotlb_align_offset). */
const alignOffset = (minAlignMask: number, allocAlignMask: number, address: number): number =>
  address % Math.min(minAlignMask + 1, Math.max(allocAlignMask + 1, SLOT_SIZE));

/**
 * Which slots of a run of memory are taken, and by what (struct io_tlb_pool). Areas, one a CPU, are
 * searched one after the other, each from where it was left; no mapping crosses the end of an area or
 * of a segment. What Linux cannot tell from a slot alone it is not told here either: a mapping that
 * is ended by an address in its midst loses its tail only.
 */
export class SlotPool {
  readonly start: PhysAddr;
  readonly slots: number;
  readonly areas: number;
  readonly #areaSlots: number;
  /** Free slots from here to the end of the segment, or to the next that is taken. */
  readonly #run: Uint8Array;
  /** The original address that a slot shows, and the bytes from there to the end of the mapping. */
  readonly #original: Float64Array;
  readonly #left: Float64Array;
  /** Slots that were skipped in front of a mapping's first, for its alignment. */
  readonly #padding: Uint8Array;
  /** Where each area is searched from, and how many of its slots are taken. */
  readonly #next: Float64Array;
  readonly #used: Float64Array;

  /** `start` is aligned to a page, `areas` a power of two; of several, each has whole segments. */
  constructor(start: PhysAddr, slots: number, areas: number) {
    invariant(isPowerOfTwo(areas), `${areas} areas of slots`);
    invariant(
      slots > 0 && (areas === 1 || slots % (areas * SEGMENT_SLOTS) === 0),
      `${slots} slots in ${areas} areas`,
    );
    this.start = start;
    this.slots = slots;
    this.areas = areas;
    this.#areaSlots = slots / areas;
    this.#run = new Uint8Array(slots);
    for (let i = 0; i < slots; i++) {
      this.#run[i] = Math.min(SEGMENT_SLOTS - (i % SEGMENT_SLOTS), slots - i);
    }
    this.#original = new Float64Array(slots).fill(NOBODY);
    this.#left = new Float64Array(slots);
    this.#padding = new Uint8Array(slots);
    this.#next = new Float64Array(areas);
    this.#used = new Float64Array(areas);
  }

  /** Slots that are taken (mem_used). */
  get used(): number {
    return this.#used.reduce((sum, used) => sum + used, 0);
  }

  contains(address: PhysAddr): boolean {
    return address >= this.start && address < this.start + this.slots * SLOT_SIZE;
  }

  /** Takes slots: the address of the first byte, or null without room (swiotlb_find_slots). */
  take(request: SlotRequest): PhysAddr | null {
    const { minAlignMask, allocAlignMask } = request;
    const original = request.original ?? 0;
    bugOn(!isPowerOfTwo(minAlignMask + 1), 'min_align_mask is no mask of low bits');
    const offset = alignOffset(minAlignMask, allocAlignMask, original);
    const size = alignUp(request.size + offset, allocAlignMask + 1);
    const index = this.#search(request, size);
    if (index === null) return null;
    const padding = Math.floor(offset / SLOT_SIZE);
    const first = index + padding;
    this.#padding[first] = padding;
    const shown = request.original === null ? 0 : slotsFor(size) - padding;
    for (let i = 0; i < shown; i++) this.#original[first + i] = original + i * SLOT_SIZE;
    return offsetBy(this.start, first * SLOT_SIZE + (offset % SLOT_SIZE));
  }

  /** The original of a byte in a slot; null: the slot is nobody's. */
  originalOf(address: PhysAddr, minAlignMask: number): SlotOriginal | null {
    const index = Math.floor((address - this.start) / SLOT_SIZE);
    const original = f64(this.#original, index);
    if (original === NOBODY) return null;
    const delta = (address % SLOT_SIZE) - alignOffset(minAlignMask, 0, original);
    return {
      original: (original + delta) as PhysAddr,
      left: f64(this.#left, index) - delta,
    };
  }

  /** Gives back the slots of the mapping that begins here (swiotlb_release_slots). */
  release(address: PhysAddr, minAlignMask: number): void {
    const offset = alignOffset(minAlignMask, 0, address);
    const shown = Math.floor((address - offset - this.start) / SLOT_SIZE);
    const index = shown - u8(this.#padding, shown);
    const count = slotsFor(f64(this.#left, index) + offset);
    const end = index + count;
    const segmentEnd = Math.min(alignUp(index + 1, SEGMENT_SLOTS), this.slots);
    let run = end < segmentEnd ? u8(this.#run, end) : 0;
    for (let i = end - 1; i >= index; i--) {
      this.#run[i] = ++run;
      this.#original[i] = NOBODY;
      this.#padding[i] = 0;
    }
    this.#lengthenRuns(index, run);
    const area = Math.floor(index / this.#areaSlots);
    this.#used[area] = f64(this.#used, area) - count;
  }

  #search(request: SlotRequest, size: number): number | null {
    const first = request.cpu % this.areas;
    for (let i = 0; i < this.areas; i++) {
      const index = this.#searchArea((first + i) % this.areas, request, size);
      if (index !== null) return index;
    }
    return null;
  }

  /** A free run in one area, taken; `size` with what precedes the first byte (swiotlb_search_pool_area). */
  #searchArea(area: number, request: SlotRequest, size: number): number | null {
    const { busStart, minAlignMask, boundaryMask } = request;
    const original = request.original ?? 0;
    const count = slotsFor(size);
    if (count > this.#areaSlots - f64(this.#used, area)) return null;
    const align = firstSlotAlign(request, size);
    const both = minAlignMask + 1;
    const boundary = Math.floor(boundaryMask / SLOT_SIZE) + 1;
    const stride = Math.max(align, both) / SLOT_SIZE;
    const base = area * this.#areaSlots;
    let index = f64(this.#next, area);
    for (let checked = 0; checked < this.#areaSlots;) {
      const slot = base + index;
      const bus = busStart + slot * SLOT_SIZE;
      const isAligned =
        bus % align === 0 &&
        (both <= align ||
          Math.floor((bus % both) / align) === Math.floor((original % both) / align));
      const crosses = (Math.floor(bus / SLOT_SIZE) % boundary) + count > boundary;
      if (isAligned && !crosses && u8(this.#run, slot) >= count) {
        this.#claim(slot, count, size - alignOffset(minAlignMask, 0, original));
        this.#next[area] = index + count < this.#areaSlots ? index + count : 0;
        this.#used[area] = f64(this.#used, area) + count;
        return slot;
      }
      const step = isAligned ? stride : 1;
      index = index + step < this.#areaSlots ? index + step : 0;
      checked += step;
    }
    return null;
  }

  #claim(slot: number, count: number, bytes: number): void {
    for (let i = 0; i < count; i++) {
      this.#run[slot + i] = 0;
      this.#left[slot + i] = bytes - i * SLOT_SIZE;
    }
    this.#lengthenRuns(slot, 0);
  }

  /** Counts anew the free slots of the segment in front of `index`, where a run of `run` begins. */
  #lengthenRuns(index: number, run: number): void {
    let length = run;
    for (let i = index - 1; (i + 1) % SEGMENT_SLOTS !== 0 && u8(this.#run, i) > 0; i--) {
      this.#run[i] = ++length;
    }
  }
}

/** A slot's first bytes lie at a multiple of this: a page for what fills one and has no other wish. */
const firstSlotAlign = ({ minAlignMask, allocAlignMask }: SlotRequest, size: number): number => {
  const isPaged = minAlignMask === 0 && allocAlignMask === 0 && size >= PAGE_SIZE;
  return isPaged ? PAGE_SIZE : Math.max(allocAlignMask + 1, SLOT_SIZE);
};
