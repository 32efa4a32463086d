import { at, f64 } from '../../../drivers/base/types/arrays';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { UnmodelledError, invariant } from '../../../drivers/base/types/errors';
import type { Mmu } from '../mmu/mmu';
import type { TlbEntry } from '../mmu/tlb';
import type { ReadTableWord } from '../mmu/walk';
import type { TranslatedRegion } from '../mmu/walker';
import type { Translation, TranslationIndex } from './translations-index';

/** Under one root: 4 GiB in pages of 4 KiB. Tables that lead to themselves have any number. */
const MAX_TABLES = 2048;
/** Words of four levels, eight bytes each. */
const LONGEST_WALK = 8;
const WORD = 4;

/** One table, in the place of the tree that a walk reached it in. */
export interface TableNode {
  readonly tree: TableTree;
  /** Physical addresses [start, end) of its entries. */
  readonly start: number;
  readonly end: number;
  /** What its first entry translates, and the bytes that each translates. */
  readonly va: number;
  readonly span: number;
  readonly leaves: Map<number, Translation>;
  readonly children: Map<number, TableNode>;
}

const NOWHERE: readonly TableNode[] = [];

/** Is told of an entry of a table that translates. */
type Found = (node: TableNode, index: number, entry: TlbEntry) => void;

/** Virtual addresses [start, end). */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Which pages of memory hold tables, and of which trees. */
export class TableDirectory {
  readonly #byPage = new Map<number, TableNode[]>();
  readonly #onChange: (page: number, isTable: boolean) => void;

  /** `onChange` is told of each page that comes to hold tables, or no longer does. */
  constructor(onChange: (page: number, isTable: boolean) => void) {
    this.#onChange = onChange;
  }

  /** The tables whose entry the word at a physical address is part of. */
  at(address: number): readonly TableNode[] {
    const nodes = this.#byPage.get(Math.floor(address / PAGE_SIZE)) ?? NOWHERE;
    return nodes.filter(({ start, end }) => address >= start && address < end);
  }

  add(node: TableNode): void {
    eachPage(node, page => {
      const nodes = this.#byPage.get(page);
      if (nodes !== undefined) {
        nodes.push(node);
        return;
      }
      this.#byPage.set(page, [node]);
      this.#onChange(page, true);
    });
  }

  remove(node: TableNode): void {
    eachPage(node, page => {
      const nodes = this.#byPage.get(page);
      nodes?.splice(nodes.indexOf(node), 1);
      if (nodes?.length !== 0) return;
      this.#byPage.delete(page);
      this.#onChange(page, false);
    });
  }
}

const eachPage = ({ start, end }: TableNode, visit: (page: number) => void): void => {
  const last = Math.floor((end - 1) / PAGE_SIZE);
  for (let page = Math.floor(start / PAGE_SIZE); page <= last; page++) visit(page);
};

/**
 * All translations under one root, as walks find them: found once by walking every address, with a
 * stride of what the entry at which a walk ended covers, and again where an entry has changed.
 */
export class TableTree {
  readonly region: TranslatedRegion;
  /** The CPUs whose walks go through it now. */
  readonly cpus = new Set<number>();
  /** What a Lingering names it for. */
  lingering = 0;
  /** Translations in it that belong to one address space. */
  locals = 0;
  /** Parts whose entries have changed since it was last in force. */
  #stale: Span[];
  #tables = 0;
  #root: TableNode | null = null;
  /** The tables below the root that a scan has just been in, by level. */
  #branch: (TableNode | undefined)[] = [];
  readonly #index: TranslationIndex;
  readonly #directory: TableDirectory;
  readonly #path = new Float64Array(LONGEST_WALK);

  constructor(region: TranslatedRegion, index: TranslationIndex, directory: TableDirectory) {
    this.region = region;
    this.#index = index;
    this.#directory = directory;
    this.#stale = [{ start: region.start, end: region.end }];
  }

  /** Brings what is stale up to date, by walks of an MMU in which the tree is in force. */
  refresh(mmu: Mmu, words: ReadTableWord, onFound: (translation: Translation) => void): void {
    const stale = this.#stale;
    this.#stale = [];
    for (const { start, end } of stale) {
      this.#scan(mmu, words, start, end, (node, index, entry) => {
        onFound(this.#addLeaf(node, index, entry));
      });
    }
  }

  /**
   * Takes out what the entry of a table that contains a physical address decides, and answers it:
   * it is stale until the next `refresh`.
   */
  cut(node: TableNode, address: number): Translation[] {
    const index = Math.floor((address - node.start) / this.region.entrySize);
    const start = node.va + index * node.span;
    const end = start + node.span;
    const isIn = (range: Span, other: Span): boolean =>
      other.start <= range.start && range.end <= other.end;
    const range = { start, end };
    if (!this.#stale.some(known => isIn(range, known))) {
      this.#stale = [...this.#stale.filter(known => !isIn(known, range)), range];
    }
    const taken: Translation[] = [];
    this.#takeLeaf(node, index, taken);
    const child = node.children.get(index);
    node.children.delete(index);
    if (child !== undefined) this.#take(child, taken);
    return taken;
  }

  /** Takes all of it out; the tree is of no more use. */
  clear(): Translation[] {
    const taken: Translation[] = [];
    if (this.#root !== null) this.#take(this.#root, taken);
    this.#root = null;
    return taken;
  }

  /** Each entry once: a translation that several entries give comes several times. */
  *translations(): Generator<Translation> {
    if (this.#root !== null) yield* under(this.#root);
  }

  #scan(mmu: Mmu, words: ReadTableWord, from: number, to: number, found: Found): void {
    const { entrySize } = this.region;
    const path = this.#path;
    let reads = 0;
    const read = (address: number): number | null => {
      path[reads++] = address;
      return words(address);
    };
    this.#branch = [];
    for (let va = from; va < to;) {
      reads = 0;
      const entry = walked(mmu, va, read);
      // The root itself is out of reach: nothing is translated.
      if (reads === 0) return;
      const depth = Math.ceil((reads * WORD) / entrySize) - 1;
      const node = this.#nodeAt(va, depth);
      if (entry !== null) found(node, Math.floor((va - node.va) / node.span), entry);
      va = this.#followed(words, node, va, to, entry, found);
    }
  }

  /**
   * What follows the entry for an address in its table as if it were counted on: nothing after nothing,
   * the next piece of memory, as the last was, after that. It need not be walked to: all that a walk reads
   * before is the same. Answers the first address that is not so.
   */
  #followed(
    words: ReadTableWord,
    node: TableNode,
    va: number,
    to: number,
    entry: TlbEntry | null,
    found: Found,
  ): number {
    const { entrySize } = this.region;
    const { span } = node;
    const first = Math.floor((va - node.va) / span);
    const end = Math.min(to, node.va + ((node.end - node.start) / entrySize) * span);
    let next = node.va + (first + 1) * span;
    // What is larger than its entry, or lies elsewhere, is walked to.
    if (entry !== null && (entry.span !== span || entry.va !== next - span)) return next;
    const low = words(node.start + first * entrySize);
    const high = entrySize > WORD ? words(node.start + first * entrySize + WORD) : 0;
    if (low === null || high === null) return next;
    for (let n = 1; next < end; n++) {
      const address = node.start + (first + n) * entrySize;
      const wanted = entry === null ? low >>> 0 : (low >>> 0) + n * span;
      const here = words(address);
      if (here === null || here >>> 0 !== wanted) break;
      if (entrySize > WORD && words(address + WORD) !== high) break;
      if (entry !== null) {
        found(node, first + n, { ...entry, va: entry.va + n * span, pa: entry.pa + n * span });
      }
      next += span;
    }
    return next;
  }

  /** The table at a depth of the last walk, made known with those above it. */
  #nodeAt(va: number, depth: number): TableNode {
    let node = this.#rootAt(va);
    for (let level = 1; level <= depth; level++) node = this.#below(node, va, level);
    return node;
  }

  #rootAt(va: number): TableNode {
    const { spans, start, end } = this.region;
    this.#root ??= this.#make(0, va, start, at(spans, 0), end - start);
    return this.#root;
  }

  #below(above: TableNode, va: number, level: number): TableNode {
    const known = this.#branch[level];
    if (known !== undefined && va >= known.va && va < known.va + above.span) return known;
    const place = Math.floor((va - above.va) / above.span);
    const first = above.va + place * above.span;
    let node = above.children.get(place);
    if (node === undefined) {
      node = this.#make(level, va, first, at(this.region.spans, level), above.span);
      above.children.set(place, node);
    }
    this.#branch[level] = node;
    return node;
  }

  /** The table whose entry for an address the last walk read at a level. */
  #make(level: number, va: number, first: number, span: number, covered: number): TableNode {
    if (++this.#tables > MAX_TABLES) {
      throw new UnmodelledError('translation tables', `more than ${MAX_TABLES} under one root`);
    }
    const { entrySize } = this.region;
    const read = f64(this.#path, (level * entrySize) / WORD);
    const start = read - Math.floor((va - first) / span) * entrySize;
    const end = start + (covered / span) * entrySize;
    const node = {
      tree: this,
      start,
      end,
      va: first,
      span,
      leaves: new Map(),
      children: new Map(),
    };
    this.#directory.add(node);
    return node;
  }

  #addLeaf(node: TableNode, index: number, entry: TlbEntry): Translation {
    const translation = this.#index.intern(entry);
    invariant(!node.leaves.has(index), 'an entry is found twice');
    node.leaves.set(index, translation);
    translation.trees.push(this);
    if (!translation.isGlobal) this.locals++;
    return translation;
  }

  #takeLeaf(node: TableNode, index: number, taken: Translation[]): void {
    const translation = node.leaves.get(index);
    if (translation === undefined) return;
    node.leaves.delete(index);
    translation.trees.splice(translation.trees.indexOf(this), 1);
    if (!translation.isGlobal) this.locals--;
    taken.push(translation);
  }

  #take(node: TableNode, taken: Translation[]): void {
    this.#directory.remove(node);
    this.#tables--;
    for (const index of [...node.leaves.keys()]) this.#takeLeaf(node, index, taken);
    for (const child of node.children.values()) this.#take(child, taken);
  }
}

function* under(node: TableNode): Generator<Translation> {
  yield* node.leaves.values();
  for (const child of node.children.values()) yield* under(child);
}

/** What is not modelled of tables is an error of the access that uses it, not of finding it. */
const walked = (mmu: Mmu, va: number, read: ReadTableWord): TlbEntry | null => {
  try {
    const result = mmu.walk(va, read);
    return result.ok ? result.entry : null;
  } catch (error) {
    if (error instanceof UnmodelledError) return null;
    throw error;
  }
};
