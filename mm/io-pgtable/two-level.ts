import { hex, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { EINVAL, ENOMEM, ERANGE } from '../../drivers/base/kernel/errno';
import type { Device } from '../../drivers/base/kernel/device';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { IotlbGather } from '../iommu/gather';
import { IommuProt } from '../iommu/types';
import type { Mapped, TableMemory } from '../iommu/types';
import { gatedFlush } from './gated-flush';
import type { IoPgtable, PgtableFlush } from './types';
import { WordTable } from './word-table';

/** What one word says. */
export interface Decoded {
  /** `nothing`; a table; a page or block of `size` bytes. */
  readonly kind: 'nothing' | 'table' | 'page';
  readonly address: number;
  readonly size: number;
}

/** What the words of a format with two levels are like. */
export interface TwoLevelFormat {
  readonly name: string;
  /** Bytes that a word of each level translates. */
  readonly firstSpan: number;
  readonly secondSpan: number;
  /** Sizes of pages that can be asked for, as a sum. */
  readonly pageSizes: number;
  /** Sizes that a word can say, the smallest, `secondSpan`, first: others are made of that. */
  readonly sizes: readonly number[];
  /** First address that no word can hold. */
  readonly limit: number;
  /** What a driver answers where something is mapped: a positive errno. */
  readonly existing: number;
  /** What becomes of a page when part of it is unmapped. */
  readonly partialUnmap: 'refuse' | 'whole';
  /** A table that has no entry any more is given back. */
  readonly freesEmpty: boolean;
  /** The word for a table, and for a page of this size. */
  table(address: number): number;
  page(address: number, size: number, prot: number): number;
  decode(level: 1 | 2, word: number): Decoded;
}

/** What a table is made with. */
export interface TwoLevelParts {
  /** The first IOMMU that walks it. */
  readonly dev: Device;
  readonly memory: TableMemory;
  readonly flush: PgtableFlush;
}

const NOTHING = 0;
const FIRST_LEVEL_BYTES = 2 ** 32;
const bitsOf = (limit: number): number => Math.round(Math.log2(limit));

/**
 * Tables of two levels of words for 32-bit addresses: Exynos's, OMAP's and Rockchip's. Pages that are
 * larger than the span of a word are as many equal words.
 */
export class TwoLevelTable implements IoPgtable {
  readonly pageSizes: number;
  readonly ias = 32;
  readonly oas: number;
  readonly apertureStart = 0;
  readonly apertureEnd = FIRST_LEVEL_BYTES - 1;
  readonly #format: TwoLevelFormat;
  readonly #parts: TwoLevelParts;
  readonly #root: WordTable;
  /** Tables of the second level, by the index of their word. */
  readonly #second = new Map<number, WordTable>();
  readonly #readers = new Set<Device>();
  /** Words that tables which are gone had stored. */
  #writesBefore = 0;

  private constructor(format: TwoLevelFormat, parts: TwoLevelParts, root: WordTable) {
    this.#format = format;
    this.#parts = parts;
    this.#root = root;
    this.pageSizes = format.pageSizes;
    this.oas = bitsOf(format.limit);
  }

  /** One that maps nothing; null without memory that the walker can have. */
  static make(format: TwoLevelFormat, parts: TwoLevelParts): TwoLevelTable | null {
    const words = FIRST_LEVEL_BYTES / format.firstSpan;
    const root = WordTable.make([], parts.memory, words, toPhysOf(parts.dev));
    if (root === null) return null;
    const flush = gatedFlush(parts.flush, parts.memory);
    const table = new TwoLevelTable(format, { ...parts, flush }, root);
    if (table.addReader(parts.dev)) return table;
    table.free();
    return null;
  }

  /** Another IOMMU walks these tables too; false if it does not reach them. */
  addReader(dev: Device): boolean {
    if (this.#readers.has(dev)) return true;
    const tables = [this.#root, ...this.#second.values()];
    this.#readers.add(dev);
    if (tables.every(table => table.addReader(dev))) return true;
    this.removeReader(dev);
    return false;
  }

  /** It does no more. */
  removeReader(dev: Device): void {
    this.#readers.delete(dev);
    for (const table of [this.#root, ...this.#second.values()]) table.removeReader(dev);
  }

  /** What the hardware is given. */
  get address(): PhysAddr {
    return this.#root.address;
  }

  get writes(): number {
    const tables = [this.#root, ...this.#second.values()];
    return tables.reduce((sum, { writes }) => sum + writes, this.#writesBefore);
  }

  get tables(): number {
    return 1 + this.#second.size;
  }

  free(): void {
    for (const table of this.#second.values()) table.free();
    this.#second.clear();
    this.#root.free();
  }

  map(
    iova: DmaAddr,
    address: PhysAddr,
    pageSize: number,
    count: number,
    prot: number,
    mapped: Mapped,
  ): number {
    const { limit, pageSizes, sizes, secondSpan } = this.#format;
    if (!isOneOf(pageSize, pageSizes) || !permitsAnything(prot)) return -EINVAL;
    const bytes = pageSize * count;
    if (iova + bytes > FIRST_LEVEL_BYTES || address + bytes > limit) return -ERANGE;
    const size = sizes.includes(pageSize) ? pageSize : secondSpan;
    for (let done = 0; done < bytes;) {
      const result = this.#mapRun(iova + done, address + done, bytes - done, size, prot);
      if (result < 0) return result;
      done += result;
      mapped.bytes += result;
    }
    return 0;
  }

  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather | null): number {
    const { flush } = this.#parts;
    const bytes = pageSize * count;
    let unmapped = 0;
    while (unmapped < bytes) {
      const at = iova + unmapped;
      if (pageSize >= this.#format.firstSpan && this.#unmapTable(at, gather !== null)) {
        unmapped += this.#format.firstSpan;
        continue;
      }
      const run = this.#runAt(at, bytes - unmapped);
      if (run === null) break;
      run.table.fill(run.index, run.words, () => NOTHING);
      for (let page = run.start; gather !== null && page < run.end; page += run.pageSize) {
        flush.addPage(gather, page, run.pageSize);
      }
      if (this.#format.freesEmpty) this.#freeIfEmpty(run.start, gather !== null);
      unmapped = run.end - iova;
    }
    return unmapped;
  }

  iovaToPhys(iova: DmaAddr): PhysAddr | null {
    const page = this.#pageAt(iova);
    return page === null ? null : physAddr(page.address + (iova - page.start));
  }

  /** The words that translate an address, for whoever reports a fault; null where there is no table. */
  wordsAt(iova: number): readonly [first: number, second: number | null] {
    const second = this.#second.get(this.#firstIndex(iova));
    return [this.#root.load(this.#firstIndex(iova)), second?.load(this.#secondIndex(iova)) ?? null];
  }

  /** Pages of one size, as many as are in one table: their bytes, or -errno. */
  #mapRun(iova: number, address: number, most: number, pageSize: number, prot: number): number {
    const { firstSpan, secondSpan } = this.#format;
    const isBlock = pageSize >= firstSpan;
    const table = isBlock ? this.#root : this.#tableFor(iova);
    if (typeof table === 'number') return table;
    const bytes = isBlock ? most : Math.min(most, firstSpan - (iova % firstSpan));
    const index = isBlock ? this.#firstIndex(iova) : this.#secondIndex(iova);
    const span = isBlock ? firstSpan : secondSpan;
    const words = bytes / span;
    for (let i = 0; i < words; i++) {
      if (this.#isFree(isBlock, table, index + i)) continue;
      return this.#existing(iova + i * span);
    }
    if (isBlock) this.#dropEmpty(index, words);
    const pageOf = (i: number): number => address + Math.floor((i * span) / pageSize) * pageSize;
    table.fill(index, words, i => this.#format.page(pageOf(i), pageSize, prot));
    return bytes;
  }

  /** A block may take the place of a table without entries. */
  #isFree(isBlock: boolean, table: WordTable, index: number): boolean {
    const { kind } = this.#format.decode(isBlock ? 1 : 2, table.load(index));
    const second = isBlock ? this.#second.get(index) : undefined;
    return kind === 'nothing' || (second !== undefined && this.#isEmpty(second));
  }

  /** Tables without entries make room for blocks: first nothing leads there, then the blocks do. */
  #dropEmpty(index: number, count: number): void {
    for (let at = index; at < index + count; at++) {
      const table = this.#second.get(at);
      if (table !== undefined) this.#drop(at, table, true);
    }
  }

  /** The table of the second level that translates an address: found, or made; or -errno. */
  #tableFor(iova: number): WordTable | number {
    const index = this.#firstIndex(iova);
    const found = this.#second.get(index);
    if (found !== undefined) return found;
    if (!this.#isFree(true, this.#root, index)) return this.#existing(iova);
    const { dev, memory } = this.#parts;
    const readers = [...this.#readers];
    const made = WordTable.make(readers, memory, this.#secondWords, toPhysOf(dev));
    if (made === null) return -ENOMEM;
    if (made.address + PAGE_SIZE > this.#format.limit) {
      made.free();
      return -ENOMEM;
    }
    this.#second.set(index, made);
    this.#root.fill(index, 1, () => this.#format.table(made.address));
    return made;
  }

  #existing(iova: number): number {
    this.#warn(`iova ${hex(iova)} is mapped already`);
    return -this.#format.existing;
  }

  #isEmpty(table: WordTable): boolean {
    for (let i = 0; i < table.words; i++) {
      if (this.#format.decode(2, table.load(i)).kind !== 'nothing') return false;
    }
    return true;
  }

  /** All that a word of the first level leads to goes with its table; false where nothing is mapped. */
  #unmapTable(iova: number, isInForce: boolean): boolean {
    const index = this.#firstIndex(iova);
    const table = this.#second.get(index);
    if (table === undefined || this.#isEmpty(table)) return false;
    this.#drop(index, table, isInForce);
    return true;
  }

  /** A table without entries goes. */
  #freeIfEmpty(iova: number, isInForce: boolean): void {
    const index = this.#firstIndex(iova);
    const table = this.#second.get(index);
    if (table !== undefined && this.#isEmpty(table)) this.#drop(index, table, isInForce);
  }

  /** Takes a table away, and gives it back once no walk can come to it. */
  #drop(index: number, table: WordTable, isInForce: boolean): void {
    this.#second.delete(index);
    this.#root.fill(index, 1, () => NOTHING);
    this.#free(table, isInForce ? index * this.#format.firstSpan : null);
  }

  /** `iova`: what it translated, null if no walker ever saw it. */
  #free(table: WordTable, iova: number | null): void {
    const { firstSpan, secondSpan } = this.#format;
    if (iova !== null) this.#parts.flush.flushWalk(iova, firstSpan, secondSpan);
    this.#writesBefore += table.writes;
    table.free();
  }

  /** The page that translates an address. */
  #pageAt(iova: number): TablePage | null {
    const { firstSpan, secondSpan } = this.#format;
    if (iova >= FIRST_LEVEL_BYTES) return null;
    const first = this.#firstIndex(iova);
    const block = this.#format.decode(1, this.#root.load(first));
    if (block.kind === 'page') return pageOf(block, this.#root, iova, firstSpan, 0);
    const table = this.#second.get(first);
    if (block.kind === 'nothing' || table === undefined) return null;
    const page = this.#format.decode(2, table.load(this.#secondIndex(iova)));
    return page.kind === 'page' ? pageOf(page, table, iova, secondSpan, first * firstSpan) : null;
  }

  /**
   * Pages of one size from an address on that are to be unmapped, in one table and of at most so many
   * bytes; null: nothing is mapped, or only a part of a page is meant where that is refused.
   */
  #runAt(iova: number, most: number): TableRun | null {
    const first = this.#pageAt(iova);
    if (first === null) return null;
    const { table, index, start, size, words } = first;
    const isPart = start < iova || size > most;
    if (isPart && this.#format.partialUnmap === 'refuse') {
      this.#warn(`${hex(most)} bytes at iova ${hex(iova)} are part of a page of ${hex(size)}`);
      return null;
    }
    let end = start + size;
    for (let next = this.#pageAt(end); next !== null; next = this.#pageAt(end)) {
      if (next.table !== table || next.size !== size || end + size > iova + most) break;
      end += size;
    }
    return { table, index, start, end, pageSize: size, words: (words * (end - start)) / size };
  }

  get #secondWords(): number {
    return this.#format.firstSpan / this.#format.secondSpan;
  }

  #firstIndex(iova: number): number {
    return Math.floor(iova / this.#format.firstSpan);
  }

  #secondIndex(iova: number): number {
    const { firstSpan, secondSpan } = this.#format;
    return Math.floor((iova % firstSpan) / secondSpan);
  }

  #warn(text: string): void {
    const { dev } = this.#parts;
    dev.services.log.device('warn', dev, `${this.#format.name}: ${text}`);
  }
}

/** A page and the words that say it. */
interface TablePage {
  readonly table: WordTable;
  readonly index: number;
  readonly words: number;
  readonly start: number;
  readonly size: number;
  readonly address: number;
}

/** Pages of one size next to each other, and the words that say them. */
interface TableRun {
  readonly table: WordTable;
  readonly index: number;
  readonly words: number;
  readonly start: number;
  readonly end: number;
  readonly pageSize: number;
}

/** `span`: of a word of the table, which begins to translate at `base`. */
const pageOf = (
  { address, size }: Decoded,
  table: WordTable,
  iova: number,
  span: number,
  base: number,
): TablePage => {
  const start = iova - (iova % size);
  return { table, index: (start - base) / span, words: size / span, start, size, address };
};

const toPhysOf =
  (dev: Device) =>
  (at: CpuAddr): PhysAddr | null =>
    dev.services.memory.virtToPhys(at);

const isOneOf = (size: number, sizes: number): boolean =>
  size > 0 && Number.isInteger(Math.log2(size)) && Math.floor(sizes / size) % 2 === 1;

const permitsAnything = (prot: number): boolean =>
  prot % 2 === IommuProt.Read || Math.floor(prot / IommuProt.Write) % 2 === 1;
