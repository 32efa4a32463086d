import { invariant } from '../../base/types/errors';
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

/** The word is one of those that say something larger: that begins where its size divides. */
export const widen = (step: WalkStep, size: number): void => {
  step.start -= step.start % size;
  step.size = size;
};

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
    if (address >= INPUTS) return this.#fault(WalkFault.Translation, 0);
    if (from !== null) return this.#second(from.leads, address);
    const at = root + Math.floor(address / firstSpan) * WORD;
    const step = this.#read(at, 0, firstSpan, address);
    if (step === null) return this.#fault(WalkFault.External, 0);
    const word = this.#decoder.first(step);
    if (word === Word.Nothing) return this.#fault(WalkFault.Translation, 0);
    return word === Word.Page ? this.#found(step) : this.#second(step.leads, address);
  }

  #second(table: number, address: number): WalkFault {
    const { firstSpan, secondSpan } = this.#decoder;
    const at = table + Math.floor((address % firstSpan) / secondSpan) * WORD;
    const step = this.#read(at, 1, secondSpan, address);
    if (step === null) return this.#fault(WalkFault.External, 1);
    if (this.#decoder.second(step) !== Word.Page) return this.#fault(WalkFault.Translation, 1);
    return this.#found(step);
  }

  #read(at: number, level: number, span: number, address: number): WalkStep | null {
    const { walk } = this;
    const low = this.#tables.readTable(at);
    if (low === null) return null;
    const step = walk.steps[walk.count];
    invariant(step !== undefined, 'a walk of more levels than there are');
    walk.count++;
    step.level = level;
    step.at = at;
    step.low = low;
    step.high = 0;
    step.start = address - (address % span);
    step.size = span;
    step.leads = 0;
    step.attributes = 0;
    return step;
  }

  #found(step: WalkStep): WalkFault {
    const { walk } = this;
    walk.fault = WalkFault.None;
    walk.level = step.level;
    walk.start = step.start;
    walk.size = step.size;
    walk.leads = step.leads;
    walk.attributes = step.attributes;
    return WalkFault.None;
  }

  #fault(fault: WalkFault, level: number): WalkFault {
    this.walk.fault = fault;
    this.walk.level = level;
    return fault;
  }
}
