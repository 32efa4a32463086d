import type { Device } from '../../../base/kernel/device';
import { ENOMEM } from '../../../base/kernel/errno';
import { GFP_KERNEL } from '../../../base/kernel/gfp';
import { bugOn } from '../../../base/kernel/oops';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { PAGE_SIZE, hi32 } from '../../../base/types/bits';
import {
  DmaDirection,
  dmaAllocNoncoherent,
  dmaAllocWc,
  dmaFreeNoncoherent,
  dmaFreeWc,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
} from '../../../../mm/dma-mapping-common';
import { ENTRY, MMUV2, addressBits } from '../regs/page-tables';

/*
 * The tables of an address space of MMUv2 (etnaviv_iommu_v2.c): a page of entries that lead to pages of
 * entries. What they say is in memory and nowhere else.
 */

/**
 * What tables are kept in: write-combined memory, of which nothing has to be cleaned (ordinary memory for
 * a GPU that snoops); or cached memory that is synced a run of entries at a time. The latter is not for
 * faults: the GPU is amid a transfer when what it met is mended.
 */
export type TableMemory = 'wc' | 'cached';

const WORD = 4;
const { ToDevice } = DmaDirection;

/** What one table, of a page, is. */
interface Table {
  readonly cpuAddr: CpuAddr;
  readonly dmaHandle: DmaAddr;
}

/** How tables are written, counted for whoever compares. */
export class TableWriter {
  /** Entries stored in tables that there are: what a new one is filled with is not among them. */
  words = 0;
  /** Tables there are. */
  tables = 0;
  readonly dev: Device;
  readonly #memory: TableMemory;

  constructor(dev: Device, memory: TableMemory) {
    this.dev = dev;
    this.#memory = memory;
  }

  /** A table of entries that are all `entry`; null without memory. */
  alloc(entry: number): Table | null {
    const table =
      this.#memory === 'wc'
        ? dmaAllocWc(this.dev, PAGE_SIZE, GFP_KERNEL)
        : dmaAllocNoncoherent(this.dev, PAGE_SIZE, ToDevice, GFP_KERNEL);
    if (table === null) return null;
    this.tables++;
    this.#store(table, 0, Array<number>(PAGE_SIZE / WORD).fill(entry));
    if (this.#memory === 'cached') {
      dmaSyncSingleForDevice(this.dev, table.dmaHandle, PAGE_SIZE, ToDevice);
    }
    return table;
  }

  free({ cpuAddr, dmaHandle }: Table): void {
    this.tables--;
    if (this.#memory === 'wc') dmaFreeWc(this.dev, PAGE_SIZE, cpuAddr, dmaHandle);
    else dmaFreeNoncoherent(this.dev, PAGE_SIZE, cpuAddr, dmaHandle, ToDevice);
  }

  /** Stores entries that follow one another, from the `first` on; they are the CPU's meanwhile. */
  write(table: Table, first: number, entries: readonly number[]): void {
    this.words += entries.length;
    if (this.#memory === 'wc') {
      this.#store(table, first, entries);
      return;
    }
    const at = offsetBy(table.dmaHandle, first * WORD);
    dmaSyncSingleForCpu(this.dev, at, entries.length * WORD, ToDevice);
    this.#store(table, first, entries);
    dmaSyncSingleForDevice(this.dev, at, entries.length * WORD, ToDevice);
  }

  #store({ cpuAddr }: Table, first: number, entries: readonly number[]): void {
    const { relaxed } = this.dev.services.io;
    entries.forEach((entry, i) => {
      relaxed.writel(entry, offsetBy(cpuAddr, (first + i) * WORD));
    });
  }
}

/** What leads nowhere raises an exception. */
const NO_ENTRY = ENTRY.EXCEPTION.at(1);

const tableEntry = ({ dmaHandle }: Table): number =>
  (addressBits(dmaHandle) | ENTRY.PRESENT.at(1)) >>> 0;

const pageEntry = (address: number, isWritable: boolean): number =>
  (addressBits(address) | ENTRY.PRESENT.at(1) | ENTRY.WRITEABLE.at(isWritable ? 1 : 0)) >>> 0;

/** The tables of one address space. */
export class PageTables {
  readonly #writer: TableWriter;
  readonly #root: Table;
  /** By place in the root; those of others are not this one's to free. */
  readonly #own = new Map<number, Table>();
  readonly #shared = new Set<number>();

  private constructor(writer: TableWriter, root: Table) {
    this.#writer = writer;
    this.#root = root;
  }

  /** Tables that lead nowhere; null without memory. */
  static make(writer: TableWriter): PageTables | null {
    const root = writer.alloc(NO_ENTRY);
    if (root === null) return null;
    // The state that says where the root is has 32 bits.
    if (hi32(root.dmaHandle) === 0) return new PageTables(writer, root);
    writer.free(root);
    return null;
  }

  /** Where the device finds the root (MTLB). */
  get address(): DmaAddr {
    return this.#root.dmaHandle;
  }

  /**
   * Leads [va, va + size) to a run of the device's addresses, all whole pages: 0 or -ENOMEM, and then
   * nothing leads there.
   */
  map(va: number, address: DmaAddr, size: number, isWritable: boolean): number {
    for (let done = 0; done < size;) {
      const part = partOf(va + done, size - done);
      const table = this.#tableFor(part.root);
      if (table === null) {
        this.unmap(va, done);
        return -ENOMEM;
      }
      const entries = Array.from({ length: part.count }, (_, i) =>
        pageEntry(address + done + i * PAGE_SIZE, isWritable),
      );
      this.#writer.write(table, part.first, entries);
      done += part.count * PAGE_SIZE;
    }
    return 0;
  }

  /** From here on nothing is there, but for what the device keeps of it. Tables stay. */
  unmap(va: number, size: number): void {
    for (let done = 0; done < size;) {
      const part = partOf(va + done, size - done);
      const table = this.#own.get(part.root);
      if (table !== undefined) {
        this.#writer.write(table, part.first, Array<number>(part.count).fill(NO_ENTRY));
      }
      done += part.count * PAGE_SIZE;
    }
  }

  /** The addresses from `va` on, as many as a table leads to, lead where `other` has them. */
  share(other: PageTables, va: number): number {
    const { root } = partOf(va, PAGE_SIZE);
    const table = other.#tableFor(root);
    if (table === null) return -ENOMEM;
    this.#shared.add(root);
    this.#writer.write(this.#root, root, [tableEntry(table)]);
    return 0;
  }

  /** Nobody uses the address space, and the device has forgotten it. */
  free(): void {
    for (const table of this.#own.values()) this.#writer.free(table);
    this.#own.clear();
    this.#writer.free(this.#root);
  }

  #tableFor(root: number): Table | null {
    bugOn(this.#shared.has(root), 'addresses of another are mapped');
    const known = this.#own.get(root);
    if (known !== undefined) return known;
    const table = this.#writer.alloc(NO_ENTRY);
    if (table === null) return null;
    this.#own.set(root, table);
    // Whoever finds the table finds what is in it.
    this.#writer.dev.services.barriers.dmaWmb();
    this.#writer.write(this.#root, root, [tableEntry(table)]);
    return table;
  }
}

/** The part of a range that one table has: which, and its entries. */
const partOf = (
  va: number,
  size: number,
): { readonly root: number; readonly first: number; readonly count: number } => {
  const first = Math.floor(va / PAGE_SIZE) % MMUV2.ENTRIES;
  return {
    root: Math.floor(va / MMUV2.TABLE_SPAN),
    first,
    count: Math.min(MMUV2.ENTRIES - first, size / PAGE_SIZE),
  };
};
