import { UnmodelledError, invariant } from '../../drivers/base/types/errors';
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
  /** Nothing can, under all behaviours of the caches and at both DMA timings; and why. */
  | ({ readonly kind: 'not needed' } & Because)
  /** The suite does not come there on this board. */
  | { readonly kind: 'not exercised' }
  /** Without them the software does what is not modelled. */
  | { readonly kind: 'not modelled'; readonly text: string };

/** Why calls are not needed. */
export type Because =
  /** They do nothing here: without them the machine does the same, event by event. */
  | { readonly because: 'idle' }
  /** Those of another place do as much: without both something may go wrong. */
  | { readonly because: 'spare'; readonly beside: Site }
  /** Nothing depends on them, not even without all others of which the same was said before. */
  | { readonly because: 'nothing depends on it' };

/** A place, and the cases that come there, as `suite.case`. */
interface Exercised {
  readonly site: Site;
  readonly cases: Set<string>;
}

/** What came of some cases without some calls. */
interface Outcome {
  /** What is worse than with all calls in place; null if nothing is. */
  readonly effect: Effect | null;
  /** The hash of all that happened; of use where `effect` is null. */
  readonly trace: string;
}

/** Nothing is to be said of a finding beyond the first: it is looked at again, others are not. */
const INVESTIGATED = 1;

/** Suites on one board, again and again with some of the software's calls left out. */
export class BoardMutation {
  readonly board: string;
  readonly effects = new Map<string, Effect>();
  readonly #options: RunOptions;
  readonly #gate = new SiteGate();
  /** By their keys. */
  readonly #sites = new Map<string, Exercised>();
  /** By the cases that were run: the trace with all calls in place. */
  readonly #traces = new Map<string, string>();
  /** Calls on which nothing depends, not even if all of them are left out together. */
  readonly #needless: string[] = [];
  #baseline: RunResult | null = null;

  /** The options of a run under `all` and both timings. */
  constructor(options: Omit<RunOptions, 'gate' | 'investigated'>) {
    this.board = options.board;
    this.#options = { ...options, gate: this.#gate, investigated: INVESTIGATED };
  }

  get sites(): readonly Site[] {
    return [...this.#sites.values()].map(({ site }) => site);
  }

  /** The cases that fail with all calls in place. */
  get failing(): readonly string[] {
    return this.#baseline === null ? [] : [...failuresOf(this.#baseline).keys()];
  }

  /** All calls in place: the keys of where they are. What fails even so is kept. */
  runBaseline(): readonly string[] {
    const run = new SuiteRun(this.#options);
    for (let { next } = run; next !== null; { next } = run) {
      run.step();
      for (const site of this.#gate.take()) {
        const key = siteKey(site);
        const known = this.#sites.get(key) ?? { site, cases: new Set() };
        known.cases.add(next);
        this.#sites.set(key, known);
      }
    }
    this.#baseline = run.result();
    return [...this.#sites.keys()];
  }

  /** Leaves the calls of a place out, and finds out what comes of it and why. */
  mutate(key: string): void {
    const { effect, trace } = this.#without([key], key);
    this.effects.set(
      key,
      effect ?? { kind: 'not needed', ...this.#reason(key, trace, this.#casesOf(key)) },
    );
  }

  #reason(key: string, trace: string, cases: ReadonlySet<string>): Because {
    if (trace === this.#traceOf(key, cases)) return { because: 'idle' };
    // Only what is called in the same cases can have done as much.
    const others = this.#needless.filter(other =>
      [...this.#casesOf(other)].some(name => cases.has(name)),
    );
    if (others.length === 0 || this.#without([...others, key], key).effect === null) {
      this.#needless.push(key);
      return { because: 'nothing depends on it' };
    }
    return { because: 'spare', beside: this.#partner(others, key) };
  }

  /** Of the shortest beginning of a list that may not be left out with a call, the last. */
  #partner(others: readonly string[], key: string): Site {
    let [least, most] = [1, others.length];
    while (least < most) {
      const middle = Math.floor((least + most) / 2);
      const { effect } = this.#without([...others.slice(0, middle), key], key);
      if (effect === null) least = middle + 1;
      else most = middle;
    }
    const partner = this.#sites.get(others[most - 1] ?? '');
    invariant(partner !== undefined, `${key}: no partner among ${others.length}`);
    return partner.site;
  }

  #casesOf(key: string): ReadonlySet<string> {
    return this.#sites.get(key)?.cases ?? new Set();
  }

  /** The trace of the cases of a place with all calls in place. */
  #traceOf(key: string, cases: ReadonlySet<string>): string {
    const name = [...cases].join(' ');
    const known = this.#traces.get(name) ?? this.#without([], key).trace;
    this.#traces.set(name, known);
    return known;
  }

  /** The cases that come to a place, on machines of their own, to the first that goes wrong. */
  #without(dropped: readonly string[], key: string): Outcome {
    const cases = this.#casesOf(key);
    const selects = (suite: string, name: string): boolean =>
      this.#options.selects(suite, name) && cases.has(`${suite}.${name}`);
    const run = new SuiteRun({ ...this.#options, selects });
    this.#gate.dropped = new Set(dropped);
    try {
      while (run.next !== null) {
        run.step();
        const effect = effectOf(run.result(), this.#baseline);
        if (effect !== null) return { effect, trace: '' };
      }
      return { effect: null, trace: run.result().trace };
    } catch (error) {
      if (!(error instanceof UnmodelledError)) throw error;
      return { effect: { kind: 'not modelled', text: error.message }, trace: '' };
    } finally {
      this.#gate.dropped = new Set();
      this.#gate.take();
    }
  }
}

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
