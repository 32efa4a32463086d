import type { PhysAddr } from '../../../drivers/base/types/address';
import type { Isa, SysReg } from '../../../drivers/base/types/isa';
import type { PgProt } from '../../../mm/pgprot';
import type { CacheFns } from './cache-fns';
import type { CpuInfo } from './cpu-info';

/** A translation that is to be made. All three are multiples of the page size. */
export interface MapRequest {
  readonly va: number;
  readonly pa: number;
  readonly size: number;
  readonly prot: PgProt;
  /** Sections and blocks may be used where the alignment permits. */
  readonly blocks: boolean;
}

/** Pages that are to be translated otherwise, or again. Multiples of the page size. */
export type PagesRequest = Omit<MapRequest, 'blocks'>;

/**
 * Entries that are to change. Nothing is stored before it is asked for, walks see what was stored
 * after `publish`, and the TLB is the caller's business: the order is his.
 */
export interface EntryChange {
  /** The addresses whose translation changes. */
  readonly va: number;
  readonly size: number;
  /** Bytes that one entry of a TLB may hold of what is there. */
  readonly span: number;
  /** Stores invalid entries. */
  clear(): void;
  /** Stores the new entries. */
  write(): void;
  /** Waits until walks find what was stored. */
  publish(): void;
}

/**
 * Translation tables in one format, kept in memory and written through the CPU. `root` is the
 * physical address of a first-level table. Entries are made visible to the walker; the TLB is
 * the caller's business.
 */
export interface PageTables {
  /** A new, empty first-level table. */
  createRoot(): PhysAddr;
  /** Writes entries that are invalid so far; false if a table could not be allocated. */
  map(root: PhysAddr, request: MapRequest): boolean;
  /** Clears the entries of whole pages, blocks included where the range covers them. */
  unmap(root: PhysAddr, va: number, size: number): void;
  /** Bytes that the entry of an address translates; 0: none does. */
  spanAt(root: PhysAddr, va: number): number;
  /** Other entries for pages, whether they have any now or not; null where they have no table. */
  pages(root: PhysAddr, request: PagesRequest): EntryChange | null;
  /** Where the entry of an address is, in every root that has one of its own. */
  placesOf(roots: readonly PhysAddr[], va: number): readonly PhysAddr[];
  /**
   * A table of smaller entries, with these rights, in the place of the block that translates an
   * address, in every root that has it: the table is filled when this returns. Null: no memory.
   */
  split(roots: readonly PhysAddr[], va: number, prot: PgProt): EntryChange | null;
  /** Gives a user root back, with all tables of the user's half. */
  destroyRoot(root: PhysAddr): void;
  /** Copies the entries of the kernel's half into a user root, where the format needs it. */
  copyKernelEntries(from: PhysAddr, to: PhysAddr): void;
  /** Switches translation on with `root`, caches included (early boot: it is off). */
  enable(root: PhysAddr): void;
  /** Makes `root` the table of user addresses, with its ASID. */
  switchTo(root: PhysAddr, asid: number): void;
  /** Words written so far. */
  readonly writes: number;
  /** What `enable` wrote beside SCTLR: every other CPU gets the same. */
  readonly registers: readonly SysReg[];
}

/** What the table code needs of the kernel around it. */
export interface TableMemory {
  /** `size` bytes of zeroed, size-aligned memory for a table; null if there are none. */
  allocate(size: number): PhysAddr | null;
  free(table: PhysAddr, size: number): void;
  /** How the CPU reaches a table: identity before translation is on, the linear map after. */
  virtual(table: PhysAddr): number;
}

/** What the routines of every table format work with. */
export interface TableContext {
  readonly isa: Isa;
  readonly info: CpuInfo;
  readonly cache: CacheFns;
  readonly memory: TableMemory;
}

/** Stores entries, cleans them for a walker that does not look into the caches, counts them. */
export class EntryWriter {
  writes = 0;
  readonly #context: TableContext;

  constructor(context: TableContext) {
    this.#context = context;
  }

  read32(table: PhysAddr, index: number): number {
    const { isa, memory } = this.#context;
    return isa.load32(memory.virtual(table) + index * 4);
  }

  write32(table: PhysAddr, index: number, value: number): void {
    this.store32(table, index, value);
    this.publish(table, index * 4, 4);
  }

  /** Stores an entry that walks need not see yet. */
  store32(table: PhysAddr, index: number, value: number): void {
    const { isa, memory } = this.#context;
    this.writes++;
    isa.store32(memory.virtual(table) + index * 4, value);
  }

  /** The low half; the high half is in isa.high. */
  read64(table: PhysAddr, index: number): number {
    const { isa, memory } = this.#context;
    return isa.load64(memory.virtual(table) + index * 8);
  }

  write64(table: PhysAddr, index: number, low: number, high: number): void {
    this.store64(table, index, low, high);
    this.publish(table, index * 8, 8);
  }

  /** As store32. */
  store64(table: PhysAddr, index: number, low: number, high: number): void {
    const { isa, memory } = this.#context;
    this.writes++;
    isa.store64(memory.virtual(table) + index * 8, low, high);
  }

  /** What was stored in these bytes of a table is visible to walks from here on. */
  publish(table: PhysAddr, offset: number, size: number): void {
    const { info, cache, isa, memory } = this.#context;
    if (info.mustCleanTables) cache.cleanTableEntry(memory.virtual(table) + offset, size);
    else isa.dsb();
  }

  /** A fresh table: its zeroes must be visible before an entry points at it. */
  clear(table: PhysAddr, size: number): void {
    const { isa, memory, info, cache } = this.#context;
    const address = memory.virtual(table);
    for (let offset = 0; offset < size; offset += 4) isa.store32(address + offset, 0);
    if (info.mustCleanTables) cache.cleanTableEntry(address, size);
    else isa.dsb();
  }
}
