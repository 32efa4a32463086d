import type { Step } from '../../arch/arm/concrete/whims';

/** What became of a case; of several runs of it (one per timing) the worst counts. */
export type Outcome = 'passed' | 'failed' | 'skipped';

/** What became of a case; of several timings, the worst. */
export interface CaseResult {
  readonly name: string;
  readonly outcome: Outcome;
  /** Why it was skipped, or what failed, a line each. */
  readonly lines: readonly string[];
  readonly expectations: number;
}

/** A suite, and its cases in the order of the suite. */
export interface SuiteResult {
  readonly name: string;
  readonly cases: readonly CaseResult[];
}

/** What a run was made with: enough to repeat it. */
export interface RunParameters {
  readonly board: string;
  readonly model: string;
  readonly adversary: string;
  readonly seed: number;
  readonly timings: readonly string[];
}

/** All that a run has shown. */
export interface RunResult {
  readonly parameters: RunParameters;
  readonly suites: readonly SuiteResult[];
  /** False if it was stopped: cases are missing, and `trace` and `events` say nothing. */
  readonly isComplete: boolean;
  /** One hash over everything that happened, in every suite under every timing. */
  readonly trace: string;
  /** Loads, stores, maintenance, DMA: events of all CPUs and devices. */
  readonly events: number;
  /** What the machine did that nobody asked for: how often each step that it took. */
  readonly unasked: Readonly<Partial<Record<Step, number>>>;
  readonly notes: readonly string[];
}

/** Cases by outcome. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** How many cases had which outcome. */
export const countCases = (cases: readonly CaseResult[]): Counts => {
  const count = (outcome: Outcome): number =>
    cases.filter(result => result.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
};

/** The cases of all suites, in the order in which they ran. */
export const allCases = ({ suites }: Pick<RunResult, 'suites'>): CaseResult[] =>
  suites.flatMap(suite => suite.cases);

/** A suite passes if none of its cases failed. */
export const hasFailed = (cases: readonly CaseResult[]): boolean =>
  cases.some(result => result.outcome === 'failed');
