import type { Finding } from '../../drivers/base/types/finding';
import { allCases, countCases } from '../run/results';
import type {
  CaseRow,
  Counts,
  DmaDebugResult,
  LostWrite,
  Outcome,
  RunResult,
  StaleRead,
} from '../run/results';
import { version } from '../version';
import type { RunReport } from './run-report';

/**
 * A run as `run --format json` prints it. Fields stand in this order and are all present; new
 * ones may be added.
 */
export interface RunDocument {
  readonly format: 'dmabench-run-1';
  /** Of dmabench. */
  readonly version: string;
  readonly machine: {
    /** The board as it was named, overlays included. */
    readonly board: string;
    readonly model: string;
    /** sha256 of the device tree's normal form. */
    readonly hash: string;
    readonly cores: readonly string[];
    /** Bytes of RAM. */
    readonly memory: number;
  };
  readonly parameters: {
    readonly adversary: string;
    readonly seed: number;
    readonly timings: readonly string[];
  };
  /** A command line that repeats the run. */
  readonly repeat: string;
  /** False if it was interrupted: cases are missing, and `trace` and `events` are null. */
  readonly complete: boolean;
  readonly totals: Counts;
  readonly events: number | null;
  /** Eight hexadecimal digits; equal where everything that happened is. */
  readonly trace: string | null;
  /** Steps that nobody asked for and the machine took: how often each. */
  readonly unasked: RunResult['unasked'];
  readonly notes: readonly string[];
  readonly suites: readonly {
    readonly name: string;
    readonly totals: Counts;
    readonly cases: readonly {
      readonly name: string;
      readonly outcome: Outcome;
      readonly expectations: number;
      /** What failed, or why it was skipped. */
      readonly lines: readonly string[];
      /** The ids of the findings that were made in it. */
      readonly findings: readonly number[];
      /** What it tells beside its outcome, by column. */
      readonly row: CaseRow | null;
    }[];
  }[];
  /** Reads that did not get the latest bytes, under a script. */
  readonly stale: readonly StaleRead[];
  /** Bytes of which no copy was left, under a script. */
  readonly lost: readonly LostWrite[];
  /** What /sys/kernel/debug/dma-api says when a suite is over, under `all`. */
  readonly dmaDebug: readonly DmaDebugResult[];
  /** Each once, however many cases it was made in. */
  readonly findings: readonly Finding[];
}

/** A run as a document; of one that was stopped, `events` and `trace` are null. */
export const runDocument = ({
  result,
  hash,
  cores,
  memory,
  notes,
  repeat,
}: RunReport): RunDocument => {
  const { parameters, suites, isComplete, events, trace, unasked } = result;
  const { stale, lost, dmaDebug, findings } = result;
  const { board, model, adversary, seed, timings } = parameters;
  return {
    format: 'dmabench-run-1',
    version: version(),
    machine: { board, model, hash, cores, memory: Number(memory) },
    parameters: { adversary, seed, timings },
    repeat,
    complete: isComplete,
    totals: countCases(allCases(result)),
    events: isComplete ? events : null,
    trace: isComplete ? trace : null,
    unasked,
    notes,
    suites: suites.map(({ name, cases }) => ({
      name,
      totals: countCases(cases),
      cases: cases.map(one => ({
        ...{ name: one.name, outcome: one.outcome, expectations: one.expectations },
        ...{ lines: one.lines, findings: one.findings, row: one.row },
      })),
    })),
    stale,
    lost,
    dmaDebug,
    findings: findings.map(({ finding }) => finding),
  };
};
