import { rowsOf, rowsState } from '../../drivers/base/hw/state-arrays';
import { PAGE_WORDS } from '../../drivers/base/hw/ram';
import { PAGE_SHIFT } from '../../drivers/base/types/bits';
import { f64, i32 } from '../../drivers/base/types/arrays';
import { StateReader } from '../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../drivers/base/types/state';

const PLACE = 'a micro-TLB';
/** Numbers of a slot in a snapshot. */
const ROW = 7;

/** Entries; a power of two. */
const ENTRIES = 1024;
/** A page goes to the top bits of this times its number: 2^32 divided by the golden ratio. */
export const HASH_FACTOR = 0x9e37_79b1;
/** 32 minus log2 of ENTRIES. */
export const HASH_SHIFT = 22;
/** No page starts here, nor does any distance from it compare: an empty slot matches nothing. */
const EMPTY = NaN;

/** Flags of a page, in the low bits of `tag`, whose word index is a multiple of PAGE_WORDS. */
export const FLAGS = PAGE_WORDS - 1;
/** A load, or a store, may take the fast path: cached write-back RAM, and the right to do so. */
export const FAST_READ = 1;
export const FAST_WRITE = 2;
/** RAM is behind the page (else a device, or nothing). */
export const IS_RAM = 4;
/** The first-level cache may hold it. */
export const IS_CACHED = 8;
/** Somebody asks about each access to it. */
export const IS_TOLD = 16;

/**
 * The front of translation: 4 KiB pages of privileged accesses, direct mapped by a hash, with all
 * that the fast path needs precomputed. It is a cache of Mmu.translate, flushed whenever a
 * register or the main TLB changes; what it holds may outlive the main TLB's entry, as a
 * hardware micro-TLB's may.
 */
export class MicroTlb implements Stateful {
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
    return Math.imul(va >>> PAGE_SHIFT, HASH_FACTOR) >>> HASH_SHIFT;
  }

  /** No access finds what is in a slot any more. */
  forget(slot: number): void {
    this.va[slot] = EMPTY;
  }

  flush(): void {
    this.va.fill(EMPTY);
    this.tag.fill(0);
  }

  /** The slots that hold a page: to fill them again would be a walk that the saved run had not. */
  saveState(): StateValue {
    const rows: number[][] = [];
    this.va.forEach((va, slot) => {
      if (Number.isNaN(va)) return;
      const { tag, index, home, attributes } = this;
      const words = [tag, index, home, attributes].map(array => i32(array, slot));
      rows.push([slot, va, f64(this.pa, slot), ...words]);
    });
    return { slots: rowsState(rows) };
  }

  restoreState(state: StateValue): void {
    const numbers = new StateReader(state, PLACE).numbers('slots');
    this.flush();
    for (const row of rowsOf(numbers, ROW, PLACE)) {
      const [slot = 0, va = 0, pa = 0, tag = 0, index = 0, home = 0, attributes = 0] = row;
      this.va[slot] = va;
      this.pa[slot] = pa;
      this.tag[slot] = tag;
      this.index[slot] = index;
      this.home[slot] = home;
      this.attributes[slot] = attributes;
    }
  }
}

/** The word index of a page's tag, without the flags. */
export const tagWordOf = (tag: number): number => tag & ~FLAGS;
