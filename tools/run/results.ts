import type { Step } from '../../arch/arm/concrete/whims';
import type { ByteRange } from '../../drivers/base/types/finding';
import type { DmaDebugFiles } from '../../mm/dma-debug-files';
import type { KeptFinding } from './findings';

/** What became of a case; of several runs of it (one per timing) the worst counts. */
export type Outcome = 'passed' | 'failed' | 'skipped';

/** What became of a case; of several timings, the worst. */
export interface CaseResult {
  readonly name: string;
  readonly outcome: Outcome;
  /** Why it was skipped, or what failed, a line each. */
  readonly lines: readonly string[];
  readonly expectations: number;
  /** The numbers of the findings that were made in it, in the order of the run's. */
  readonly findings: readonly number[];
  /** What the case tells beside pass or fail, by column: see CaseContext.row. */
  readonly row: CaseRow | null;
}

/** A line of the table that the cases of a suite make together: a text for each column. */
export type CaseRow = Readonly<Record<string, string>>;

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

/** A read that did not get the latest bytes, on a machine that follows a script. */
export interface StaleRead {
  readonly suite: string;
  readonly timing: string;
  /** The number of the event. */
  readonly event: number;
  /** `CPU0 load`, `test-master0 device read`. */
  readonly access: string;
  /** Physical. */
  readonly bytes: ByteRange;
  /** False: an older version, whose value happens to be the same. */
  readonly valuesDiffer: boolean;
}

/** Bytes that were written and of which no copy was left when a case was over. */
export interface LostWrite {
  /** `suite.case` */
  readonly inCase: string;
  readonly timing: string;
  /** Physical. */
  readonly bytes: ByteRange;
}

/** dma-debug on the machine of a suite, when its last case was over. */
export interface DmaDebugResult extends DmaDebugFiles {
  readonly suite: string;
  readonly timing: string;
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
  /** Of runs under a script, in the order of their events; at most so many as Versions keeps. */
  readonly stale: readonly StaleRead[];
  /** Of runs under a script, among the lines that it names. */
  readonly lost: readonly LostWrite[];
  /** Of each suite under each timing, on machines under `all`. */
  readonly dmaDebug: readonly DmaDebugResult[];
  /** Each once, however many cases and timings it was made in; numbered from 1. */
  readonly findings: readonly KeptFinding[];
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
