/** Entries; a power of two. */
const ENTRIES = 1024;
/** 32 minus log2 of ENTRIES. */
export const HASH_SHIFT = 22;
/** No page starts here: an empty slot matches nothing. */
const EMPTY = -1;

/** Flags of a page, in the low bits of `tag`, whose word index is a multiple of 1024. */
export const FLAGS = 1023;
/** A load, or a store, may take the fast path: cached write-back RAM, and the right to do so. */
export const FAST_READ = 1;
export const FAST_WRITE = 2;
/** RAM is behind the page (else a device, or nothing). */
export const IS_RAM = 4;
/** The first-level cache may hold it. */
export const IS_CACHED = 8;

/**
 * The front of translation: 4 KiB pages of privileged accesses, direct mapped by a hash, with all
 * that the fast path needs precomputed. It is a cache of Mmu.translate, flushed whenever a
 * register or the main TLB changes; what it holds may outlive the main TLB's entry, as a
 * hardware micro-TLB's may.
 */
export class MicroTlb {
  /** First virtual address of the page. */
  readonly va = new Float64Array(ENTRIES).fill(EMPTY);
  /** Word whose line is the tag of the page's lines (virtual for VIVT, else physical); flags. */
  readonly tag = new Int32Array(ENTRIES);
  /** Word whose low bits choose the set. */
  readonly index = new Int32Array(ENTRIES);
  /** Physical word index of the page, negative where there is no RAM. */
  readonly home = new Int32Array(ENTRIES);
  /** See mmu/attributes.ts; the cacheability is what this core makes of it. */
  readonly attributes = new Int32Array(ENTRIES);
  /** First physical address of the page. */
  readonly pa = new Float64Array(ENTRIES);

  /** Where a page goes: a hash of the low 20 bits of its number. */
  slotOf(va: number): number {
    return Math.imul(va >>> 12, 0x9e3779b1) >>> HASH_SHIFT;
  }

  flush(): void {
    this.va.fill(EMPTY);
    this.tag.fill(0);
  }
}

/** The word index of a page's tag, without the flags. */
export const tagWordOf = (tag: number): number => tag & ~FLAGS;
