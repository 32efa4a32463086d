import { UnmodelledError } from '../../drivers/base/types/errors';
import type { RuleId } from '../../drivers/base/types/rules';
import type { KeptFinding } from '../run/findings';
import type { RunResult } from '../run/results';
import { SuiteRun } from '../run/runner';
import type { RunOptions } from '../run/runner';
import { SiteGate, siteKey } from './site-gate';
import type { Site } from './site-gate';

/** What became of a suite without the calls of one place, on one board. */
export type Effect =
  /** Something may go wrong without them: the rule, if a finding says so, and where it was made. */
  | {
      readonly kind: 'needed';
      readonly rule: RuleId | null;
      readonly inCase: string;
      readonly text: string;
    }
  /** Nothing can, under all behaviours of the caches and at both DMA timings. */
  | { readonly kind: 'not needed' }
  /** The suite does not come there on this board. */
  | { readonly kind: 'not exercised' }
  /** Without them the software does what is not modelled. */
  | { readonly kind: 'not modelled'; readonly text: string };

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

/** A board's part of the work. */
interface BoardWork {
  readonly options: RunOptions;
  readonly gate: SiteGate;
  /** By their keys: the sites, and in which cases each is called. */
  readonly sites: Map<string, { readonly site: Site; readonly cases: Set<string> }>;
  readonly effects: Map<string, Effect>;
  baseline: RunResult | null;
}

/** Nothing is to be said of a finding beyond the first: it is looked at again, others are not. */
const INVESTIGATED = 1;

/**
 * Repeats suites with the calls of one place after another left out, board by board. Whoever steps
 * it may show how far it is, or stop and take what there is.
 */
export class MutationRun {
  readonly #boards: readonly BoardWork[];
  #board = 0;
  #todo: readonly string[] | null = null;
  #next = 0;

  /** The options of each board, under `all` and both timings, all of the same suites. */
  constructor(boards: readonly Omit<RunOptions, 'gate' | 'investigated'>[]) {
    this.#boards = boards.map(options => {
      const gate = new SiteGate();
      return {
        options: { ...options, gate, investigated: INVESTIGATED },
        ...{ gate, sites: new Map(), effects: new Map(), baseline: null },
      };
    });
  }

  /** What step() would do, for people; null when all is done. */
  get next(): string | null {
    const work = this.#boards[this.#board];
    if (work === undefined) return null;
    const site = this.#todo?.[this.#next];
    return site === undefined
      ? `${work.options.board}: all calls`
      : `${work.options.board}: ${site}`;
  }

  /** How far it is, in steps; of boards to come nobody knows how many there are. */
  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#next, total: this.#todo?.length ?? 0 };
  }

  step(): void {
    const work = this.#boards[this.#board];
    if (work === undefined) return;
    if (this.#todo === null) {
      this.#todo = this.#runBaseline(work);
    } else {
      const key = this.#todo[this.#next] ?? '';
      work.effects.set(key, this.#withoutCalls(work, key));
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
    for (const { sites } of this.#boards) for (const [key, { site }] of sites) all.set(key, site);
    const sites = [...all]
      .sort(([, a], [, b]) => compareSites(a, b))
      .map(([key, site]) => ({
        site,
        effects: this.#boards.map(
          ({ effects }): Effect => effects.get(key) ?? { kind: 'not exercised' },
        ),
      }));
    const failing = this.#boards.flatMap(({ options, baseline }) => {
      const cases = baseline === null ? [] : [...failuresOf(baseline).keys()];
      return cases.length === 0 ? [] : [{ board: options.board, cases }];
    });
    return { sites, failing };
  }

  /** All calls in place: where they are, and what fails even so. */
  #runBaseline(work: BoardWork): readonly string[] {
    const run = new SuiteRun(work.options);
    for (let { next } = run; next !== null; { next } = run) {
      run.step();
      for (const site of work.gate.take()) {
        const key = siteKey(site);
        const known = work.sites.get(key) ?? { site, cases: new Set() };
        known.cases.add(next);
        work.sites.set(key, known);
      }
    }
    work.baseline = run.result();
    return [...work.sites.keys()];
  }

  /** The cases that come there, on machines of their own, to the first that something is found in. */
  #withoutCalls({ options, gate, sites, baseline }: BoardWork, key: string): Effect {
    const selects = (suite: string, name: string): boolean =>
      options.selects(suite, name) && sites.get(key)?.cases.has(`${suite}.${name}`) === true;
    const run = new SuiteRun({ ...options, selects });
    gate.dropped = key;
    try {
      while (run.next !== null) {
        run.step();
        const effect = effectOf(run.result(), baseline);
        if (effect !== null) return effect;
      }
      return { kind: 'not needed' };
    } catch (error) {
      if (error instanceof UnmodelledError) return { kind: 'not modelled', text: error.message };
      throw error;
    } finally {
      gate.dropped = null;
      gate.take();
    }
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

/** What may not be the doing of the call that was left out. */
const failuresOf = (result: RunResult): ReadonlyMap<string, readonly string[]> =>
  new Map(
    result.suites.flatMap(({ name, cases }) =>
      cases
        .filter(({ outcome }) => outcome === 'failed')
        .map(one => [`${name}.${one.name}`, one.lines] as const),
    ),
  );

/** What is worse than with all calls in place; null if nothing is. */
const effectOf = (result: RunResult, baseline: RunResult | null): Effect | null => {
  const before = new Set((baseline?.findings ?? []).map(sameness));
  const fresh = result.findings.find(
    kept => kept.finding.severity !== 'note' && !before.has(sameness(kept)),
  );
  if (fresh !== undefined) {
    const { rule, access } = fresh.finding;
    const text = access.at === null ? access.kind : `${access.kind} at ${access.at}`;
    return { kind: 'needed', rule, inCase: fresh.cases[0] ?? '', text };
  }
  if (result.findings.some(({ finding }) => finding.severity !== 'note')) return null;
  const known = baseline === null ? new Map<string, readonly string[]>() : failuresOf(baseline);
  for (const [inCase, lines] of failuresOf(result)) {
    if (!known.has(inCase)) return { kind: 'needed', rule: null, inCase, text: lines[0] ?? '' };
  }
  return null;
};

const sameness = ({ finding: { rule, device, access } }: KeptFinding): string =>
  JSON.stringify([rule, device, access.kind, access.at]);
