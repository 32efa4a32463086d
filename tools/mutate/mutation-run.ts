import type { RunOptions } from '../run/runner';
import { BoardMutation } from './board-mutation';
import type { Effect } from './board-mutation';
import { siteKey } from './site-gate';
import type { Site } from './site-gate';

export type { Effect };

/** One line of the table. */
export interface MutatedSite {
  readonly site: Site;
  /** One for each board. */
  readonly effects: readonly Effect[];
}

/** A board on which the suite already fails with all calls in place. */
export interface FailingBaseline {
  readonly board: string;
  readonly cases: readonly string[];
}

/**
 * Repeats suites with the calls of one place after another left out, board by board. Whoever steps
 * it may show how far it is, or stop and take what there is.
 */
export class MutationRun {
  readonly #boards: readonly BoardMutation[];
  #board = 0;
  #todo: readonly string[] | null = null;
  #next = 0;

  /** The options of each board, under `all` and both timings, all of the same suites. */
  constructor(boards: readonly Omit<RunOptions, 'gate' | 'investigated'>[]) {
    this.#boards = boards.map(options => new BoardMutation(options));
  }

  /** What step() would do, for people; null when all is done. */
  get next(): string | null {
    const board = this.#boards[this.#board];
    if (board === undefined) return null;
    return `${board.board}: ${this.#todo?.[this.#next] ?? 'all calls'}`;
  }

  /** How far it is, in steps; of boards to come nobody knows how many there are. */
  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#next, total: this.#todo?.length ?? 0 };
  }

  step(): void {
    const board = this.#boards[this.#board];
    if (board === undefined) return;
    if (this.#todo === null) {
      this.#todo = board.runBaseline();
    } else {
      board.mutate(this.#todo[this.#next] ?? '');
      this.#next += 1;
    }
    if (this.#next < this.#todo.length) return;
    this.#board += 1;
    this.#todo = null;
    this.#next = 0;
  }

  /** By place; of a run that was stopped, with what is known. */
  result(): {
    readonly sites: readonly MutatedSite[];
    readonly failing: readonly FailingBaseline[];
  } {
    const all = new Map<string, Site>();
    for (const { sites } of this.#boards) for (const site of sites) all.set(siteKey(site), site);
    const sites = [...all]
      .sort(([, a], [, b]) => compareSites(a, b))
      .map(([key, site]) => ({
        site,
        effects: this.#boards.map(
          ({ effects }): Effect => effects.get(key) ?? { kind: 'not exercised' },
        ),
      }));
    const failing = this.#boards.flatMap(({ board, failing: cases }) =>
      cases.length === 0 ? [] : [{ board, cases }],
    );
    return { sites, failing };
  }
}

/** In the order of files and lines. */
const compareSites = (a: Site, b: Site): number => {
  const [fileA, lineA] = splitPlace(a.at);
  const [fileB, lineB] = splitPlace(b.at);
  if (fileA !== fileB) return fileA < fileB ? -1 : 1;
  return lineA - lineB || (siteKey(a) < siteKey(b) ? -1 : 1);
};

/** `file:line` in two. */
export const splitPlace = (at: string): readonly [file: string, line: number] => {
  const colon = at.lastIndexOf(':');
  return [at.slice(0, colon), Number(at.slice(colon + 1))];
};
