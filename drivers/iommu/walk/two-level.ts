import { TableWalk, WalkFault } from './types';
import type { TableReader, TableWalker, WalkStep, WalkedEntry } from './types';

const INPUTS = 2 ** 32;
const WORD = 4;

/** What a word of a table says. */
export const Word = { Nothing: 0, Table: 1, Page: 2 } as const;
export type Word = (typeof Word)[keyof typeof Word];

/** What the words of a format mean. Each leaves in the step where it leads and what it permits. */
export interface WordDecoder {
  /** Bytes that a word of each level translates. */
  readonly firstSpan: number;
  readonly secondSpan: number;
  /** `step.start` and `step.size` are those of the word: it changes them if there are more like it. */
  first(step: WalkStep): Word;
  second(step: WalkStep): Word;
}

/** Walks tables of two levels of words, from the address of the first: Exynos, OMAP, Rockchip. */
export class TwoLevelWalker implements TableWalker<number> {
  readonly walk = new TableWalk(2);
  readonly #tables: TableReader;
  readonly #decoder: WordDecoder;

  constructor(tables: TableReader, decoder: WordDecoder) {
    this.#tables = tables;
    this.#decoder = decoder;
  }

  /** Levels count from 0. */
  translate(root: number, address: number, from: WalkedEntry | null): WalkFault {
    const { walk } = this;
    const { firstSpan } = this.#decoder;
    walk.count = 0;
    if (address >= INPUTS) return walk.failed(WalkFault.Translation, 0);
    if (from !== null) return this.#second(from.leads, address);
    const at = root + Math.floor(address / firstSpan) * WORD;
    const step = this.#read(at, 0, firstSpan, address);
    if (step === null) return walk.failed(WalkFault.External, 0);
    const word = this.#decoder.first(step);
    if (word === Word.Nothing) return walk.failed(WalkFault.Translation, 0);
    return word === Word.Page ? walk.found(step) : this.#second(step.leads, address);
  }

  #second(table: number, address: number): WalkFault {
    const { firstSpan, secondSpan } = this.#decoder;
    const at = table + Math.floor((address % firstSpan) / secondSpan) * WORD;
    const step = this.#read(at, 1, secondSpan, address);
    if (step === null) return this.walk.failed(WalkFault.External, 1);
    if (this.#decoder.second(step) !== Word.Page) return this.walk.failed(WalkFault.Translation, 1);
    return this.walk.found(step);
  }

  #read(at: number, level: number, span: number, address: number): WalkStep | null {
    const low = this.#tables.readTable(at);
    return low === null ? null : this.walk.next(level, at, low, 0, address, span);
  }
}
