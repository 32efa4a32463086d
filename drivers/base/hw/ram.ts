import { hex } from '../types/address';
import { i32, movedInto } from '../types/arrays';
import { PAGE_SIZE } from '../types/bits';
import { BenchError, InputError, invariant } from '../types/errors';
import { StateReader } from '../types/state';
import type { Stateful, StateValue } from '../types/state';
import type { Shadow } from './shadow';
import { int32State } from './state-arrays';

export const PAGE_WORDS = PAGE_SIZE / 4;
/** log2 of PAGE_WORDS. */
export const PAGE_WORDS_SHIFT = 10;
const DIRECTORY_PAGES = 1024;
/** Word indices are signed 32-bit numbers: 2^21 frames of 2^10 words. */
const MAX_FRAMES = 2 ** 21;
const FRAME_LOW_MASK = 2 ** 20;
/** Stands for every directory of which no page was touched: addresses without RAM cost nothing. */
const NO_DIRECTORY = new Int32Array(DIRECTORY_PAGES);

/** One RAM chip: a size and the pages of it that were ever touched. */
export class RamBlock {
  readonly name: string;
  readonly size: number;
  /** Page number inside the block to the page's first word in the pool. */
  readonly pages = new Map<number, number>();

  constructor(name: string, size: number) {
    invariant(size > 0 && size % PAGE_SIZE === 0, `RAM ${name}: size ${size} is not whole pages`);
    this.name = name;
    this.size = size;
  }
}

/** Says which RAM, if any, answers at a physical page. */
export type PageResolver = (
  page: number,
) => { readonly block: RamBlock; readonly blockPage: number } | null;

/**
 * All RAM of a machine, sparse, as one pool of little-endian 32-bit words.
 *
 * A *frame* is a physical page that was touched, numbered in order of first touch. A *word
 * index* (frame * 1024 + word) names four bytes of physical address space in 31 bits: it is what
 * caches carry as their tag. Two frames may be the same RAM seen at two physical addresses; they
 * are then different to every cache, as on hardware, and share their pool page.
 */
export class Ram implements Stateful {
  /** The pool. Replaced when it grows: never keep it across a touch. */
  words = new Int32Array(1 << 16);
  bytes = new Uint8Array(this.words.buffer);
  /** Frame to the first pool word of its page. */
  frameBase = new Int32Array(256);
  /** Frame to the low 20 bits of its physical page number: what set indices are made of. */
  frameLow = new Int32Array(256);
  /** Frame to its physical page number. */
  framePage = new Float64Array(256);
  frames = 0;
  /** In check mode: which bytes of the pool are of the latest version. */
  shadow: Shadow | null = null;

  readonly #resolve: PageResolver;
  /** Those of which a page was touched. */
  readonly #blocks = new Set<RamBlock>();
  #poolUsed = 0;
  readonly #directories = new Map<number, Int32Array>();
  #lastKey = -1;
  #lastDirectory: Int32Array = NO_DIRECTORY;

  constructor(resolve: PageResolver) {
    this.#resolve = resolve;
  }

  /** The frame of a physical page, made at its first touch; -1 where no RAM answers. */
  frameOf(page: number): number {
    const key = Math.floor(page / DIRECTORY_PAGES);
    if (key !== this.#lastKey) {
      this.#lastDirectory = this.#directories.get(key) ?? NO_DIRECTORY;
      this.#lastKey = key;
    }
    const slot = page - key * DIRECTORY_PAGES;
    const entry = i32(this.#lastDirectory, slot);
    return entry !== 0 ? entry - 1 : this.#touch(page, key, slot);
  }

  /** The word index of a physical address, -1 where no RAM answers. */
  wordOf(address: number): number {
    const page = Math.floor(address / PAGE_SIZE);
    const frame = this.frameOf(page);
    if (frame < 0) return -1;
    return frame * PAGE_WORDS + ((address - page * PAGE_SIZE) >>> 2);
  }

  /** The physical address of a word index. */
  addressOf(word: number): number {
    const page = this.framePage[word >>> PAGE_WORDS_SHIFT];
    if (page === undefined) throw new BenchError(`word index ${word} names no frame`);
    return page * PAGE_SIZE + (word & (PAGE_WORDS - 1)) * 4;
  }

  /** Where in the pool a word index lives. */
  poolIndex(word: number): number {
    return i32(this.frameBase, word >>> PAGE_WORDS_SHIFT) + (word & (PAGE_WORDS - 1));
  }

  readWord(word: number): number {
    const index = this.poolIndex(word);
    if (this.shadow !== null) this.shadow.read(this.words, index);
    return i32(this.words, index);
  }

  writeWord(word: number, value: number): void {
    const index = this.poolIndex(word);
    this.words[index] = value;
    if (this.shadow !== null) this.shadow.write(this.words, index, -1, -1);
  }

  /** Replaces the bits of a word that `mask` names; `fresh` is for the shadow. */
  mergeWord(word: number, value: number, mask: number, fresh = -1): void {
    const index = this.poolIndex(word);
    this.words[index] = (i32(this.words, index) & ~mask) | (value & mask);
    if (this.shadow !== null) this.shadow.write(this.words, index, mask, fresh);
  }

  /** Copies `words` from a word index on; they must not cross a page. */
  readLine(word: number, words: number, to: Int32Array, at: number): void {
    const from = this.poolIndex(word);
    const pool = this.words;
    for (let i = 0; i < words; i++) to[at + i] = i32(pool, from + i);
    if (this.shadow !== null) this.shadow.copy(pool, from, to, at, words);
  }

  /** Copies `words` to a word index on; they must not cross a page. */
  writeLine(word: number, words: number, from: Int32Array, at: number): void {
    const to = this.poolIndex(word);
    const pool = this.words;
    for (let i = 0; i < words; i++) pool[to + i] = i32(from, at + i);
    if (this.shadow !== null) this.shadow.copy(from, at, pool, to, words);
  }

  /** The pages that were touched, in their order, which gives the frames their numbers. */
  saveState(): StateValue {
    return {
      pages: this.framePage.slice(0, this.frames),
      words: this.words.slice(0, this.#poolUsed),
    };
  }

  /** InputError if this machine's RAM is elsewhere. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'RAM');
    const words = int32State(reader.value('words'), 'RAM.words');
    this.#forget();
    for (const page of reader.numbers('pages')) this.#mustTouch(page);
    if (words.length !== this.#poolUsed) {
      const found = `${words.length} words`;
      throw new InputError({
        place: 'snapshot of RAM',
        expected: `${this.#poolUsed} words`,
        found,
      });
    }
    this.words.set(words);
  }

  #forget(): void {
    for (const block of this.#blocks) block.pages.clear();
    this.#blocks.clear();
    this.#directories.clear();
    this.#lastKey = -1;
    this.#lastDirectory = NO_DIRECTORY;
    // Pages that are touched from now on are as they were at power-on.
    this.words.fill(0, 0, this.#poolUsed);
    this.#poolUsed = 0;
    this.frames = 0;
  }

  #mustTouch(page: number): void {
    const expectedFrame = this.frames;
    if (this.frameOf(page) === expectedFrame) return;
    const found = `a page at ${hex(page * PAGE_SIZE)}`;
    throw new InputError({ place: 'snapshot of RAM', expected: 'pages of this machine', found });
  }

  #touch(page: number, key: number, slot: number): number {
    const answer = this.#resolve(page);
    if (answer === null) return -1;
    let base = answer.block.pages.get(answer.blockPage);
    if (base === undefined) {
      base = this.#allocatePoolPage();
      answer.block.pages.set(answer.blockPage, base);
      this.#blocks.add(answer.block);
    }
    const frame = this.#newFrame();
    this.frameBase[frame] = base;
    this.frameLow[frame] = page % FRAME_LOW_MASK;
    this.framePage[frame] = page;
    this.#directoryOf(key)[slot] = frame + 1;
    return frame;
  }

  /** The directory that `key` names, which is the last that was looked into; made if need be. */
  #directoryOf(key: number): Int32Array {
    if (this.#lastDirectory === NO_DIRECTORY) {
      this.#lastDirectory = new Int32Array(DIRECTORY_PAGES);
      this.#directories.set(key, this.#lastDirectory);
    }
    return this.#lastDirectory;
  }

  #allocatePoolPage(): number {
    const base = this.#poolUsed;
    this.#poolUsed += PAGE_WORDS;
    if (this.#poolUsed > this.words.length) {
      const grown = grownInt32(this.words);
      if (this.shadow !== null) this.shadow.replace(this.words, grown);
      this.words = grown;
      this.bytes = new Uint8Array(grown.buffer);
    }
    return base;
  }

  #newFrame(): number {
    const frame = this.frames++;
    if (frame >= MAX_FRAMES) {
      throw new BenchError('a run touched more than 8 GiB of RAM: the bench holds no more');
    }
    if (frame >= this.frameBase.length) {
      this.frameBase = grownInt32(this.frameBase);
      this.frameLow = grownInt32(this.frameLow);
      const pages = new Float64Array(this.framePage.length * 2);
      this.framePage = movedInto(pages, this.framePage);
    }
    return frame;
  }
}

const grownInt32 = (array: Int32Array): Int32Array<ArrayBuffer> =>
  movedInto(new Int32Array(array.length * 2), array);
