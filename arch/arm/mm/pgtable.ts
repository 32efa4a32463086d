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
    const { isa, memory } = this.#context;
    const address = memory.virtual(table) + index * 4;
    isa.store32(address, value);
    this.#visible(address, 4);
  }

  /** The low half; the high half is in isa.high. */
  read64(table: PhysAddr, index: number): number {
    const { isa, memory } = this.#context;
    return isa.load64(memory.virtual(table) + index * 8);
  }

  write64(table: PhysAddr, index: number, low: number, high: number): void {
    const { isa, memory } = this.#context;
    const address = memory.virtual(table) + index * 8;
    isa.store64(address, low, high);
    this.#visible(address, 8);
  }

  /** A fresh table: its zeroes must be visible before an entry points at it. */
  clear(table: PhysAddr, size: number): void {
    const { isa, memory, info, cache } = this.#context;
    const address = memory.virtual(table);
    for (let offset = 0; offset < size; offset += 4) isa.store32(address + offset, 0);
    if (info.mustCleanTables) cache.cleanTableEntry(address, size);
    else isa.dsb();
  }

  #visible(address: number, size: number): void {
    this.writes++;
    const { info, cache, isa } = this.#context;
    if (info.mustCleanTables) cache.cleanTableEntry(address, size);
    else isa.dsb();
  }
}
