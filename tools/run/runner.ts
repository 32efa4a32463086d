import { CpuComplex } from '../../arch/arm/complex';
import type { StaleAccess } from '../../arch/arm/concrete/versions';
import { STEPS } from '../../arch/arm/concrete/whims';
import type { Step } from '../../arch/arm/concrete/whims';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { Trace } from '../../drivers/base/hw/trace';
import { invariant } from '../../drivers/base/types/errors';
import type { Machine } from '../../machines/machine';
import { filesOf } from '../../mm/dma-debug-files';
import type { Suite } from '../../tests/suites/suite';
import type { BareResult } from './case';
import { RunFindings } from './findings';
import type { CountedFinding, KeptFinding } from './findings';
import { investigate } from './investigate';
import { bootJob, finishScript, lostBytes, runCaseOf } from './job';
import type { Bench, BenchOptions, Job } from './job';
import type {
  CaseResult,
  DmaDebugResult,
  Outcome,
  LostWrite,
  RunResult,
  StaleRead,
  SuiteResult,
} from './results';

/** What is to be run, on what, and under which policies. */
export interface RunOptions extends BenchOptions {
  readonly suites: readonly Suite[];
  /** `suite.case` names that are to run; all if the function says so. */
  readonly selects: (suite: string, name: string) => boolean;
  readonly timings: readonly DmaTiming[];
  /** Of one case so many findings about values are looked at in a second run; 16 unless told. */
  readonly investigated?: number;
}

/** A job, and what became of its cases so far. */
interface StartedJob extends Job {
  readonly results: CaseResult[];
}

/**
 * A run of suites, each on a machine of its own under each timing, one case at a time: whoever
 * steps it may show how far it is, or stop and take what there is.
 */
export class SuiteRun {
  /** Cases to run, once for each timing. */
  readonly total: number;
  readonly #options: RunOptions;
  readonly #suites: readonly Suite[];
  readonly #jobs: readonly StartedJob[];
  readonly #trace = new Trace();
  readonly #notes: Set<string>;
  readonly #findings = new RunFindings();
  readonly #stale: StaleRead[] = [];
  readonly #lost: LostWrite[] = [];
  readonly #dmaDebug: DmaDebugResult[] = [];
  #job = 0;
  #done = 0;
  #events = 0;
  readonly #unasked: Partial<Record<Step, number>> = {};
  #bench: Bench | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#suites = options.suites
      .map(suite => ({
        ...suite,
        cases: suite.cases.filter(({ name }) => options.selects(suite.name, name)),
      }))
      .filter(({ cases }) => cases.length > 0);
    this.#jobs = this.#suites.flatMap(suite =>
      options.timings.map(timing => ({ suite, timing, results: [] })),
    );
    this.total = this.#jobs.reduce((sum, { suite }) => sum + suite.cases.length, 0);
    this.#notes = new Set(options.plan.notes);
  }

  /** How many of `total` are done. */
  get done(): number {
    return this.#done;
  }

  /** What step() would run, as `suite.case`; null when all is done. */
  get next(): string | null {
    const job = this.#jobs[this.#job];
    const one = job?.suite.cases[job.results.length];
    return job === undefined || one === undefined ? null : `${job.suite.name}.${one.name}`;
  }

  /** Runs the next case, on a machine that is booted first if its suite begins. */
  step(): void {
    const job = this.#jobs[this.#job];
    const one = job?.suite.cases[job.results.length];
    invariant(job !== undefined && one !== undefined, 'a step of a run that is done');
    this.#bench ??= this.#boot(job);
    const result = runCaseOf(this.#bench, job, job.results.length);
    const { machine } = this.#bench;
    this.#noteLost(this.#bench, job, one.name);
    machine.observer?.finish();
    job.results.push(this.#withFindings(job, result, machine.findings?.take() ?? []));
    this.#done += 1;
    if (job.results.length === job.suite.cases.length) this.#finish(job, machine);
  }

  /**
   * The outcome of every case that was run; the run need not be done. InputError if it is, and a
   * step of its script was taken on none of its machines: the witness was not replayed.
   */
  result(): RunResult {
    const { board, plan, adversary, seed, timings } = this.#options;
    const isComplete = this.#done === this.total;
    if (adversary.kind === 'script' && isComplete) adversary.script.checkTaken();
    return {
      parameters: { board, model: plan.model, adversary: adversary.kind, seed, timings },
      suites: this.#suites
        .map(suite => this.#suiteResult(suite))
        .filter(({ cases }) => cases.length > 0),
      isComplete,
      trace: this.#trace.hash,
      events: this.#events,
      unasked: this.#unasked,
      stale: this.#stale,
      lost: this.#lost,
      dmaDebug: this.#dmaDebug,
      findings: this.#findings.list(),
      notes: [...this.#notes],
    };
  }

  #boot(job: Job): Bench {
    const bench = bootJob(this.#options, job);
    for (const note of bench.machine.notes) this.#notes.add(note);
    return bench;
  }

  /** After the last case, what the script has for after it. */
  #noteLost(bench: Bench, { suite, timing, results }: StartedJob, name: string): void {
    const { adversary } = this.#options;
    if (adversary.kind !== 'script') return;
    if (results.length + 1 === suite.cases.length) finishScript(bench, adversary.script);
    const inCase = `${suite.name}.${name}`;
    const lost = lostBytes(bench, adversary.script);
    this.#lost.push(...lost.map(bytes => ({ inCase, timing, bytes })));
  }

  /** The result of the case, which its findings may fail. */
  #withFindings(
    { suite, timing, results }: StartedJob,
    result: BareResult,
    found: readonly CountedFinding[],
  ): CaseResult {
    if (found.length === 0) return { ...result, findings: [] };
    const job = { suite, timing };
    const investigated = investigate(
      ...([this.#options, job, results.length, found] as const),
      this.#options.investigated,
    );
    const cases = suite.cases.slice(0, results.length + 1).map(({ name }) => name);
    const all = this.#options.suites.find(({ name }) => name === suite.name)?.cases.length;
    const replay = { suite: suite.name, cases, timing, isWhole: suite.cases.length === all };
    const ids = investigated.map(one => this.#findings.add(one, replay));
    return judged(result, [...new Set(ids)], this.#findings.list());
  }

  #finish({ suite, timing, results }: StartedJob, { hardware, observer }: Machine): void {
    const { complex } = hardware;
    if (observer !== null) {
      this.#dmaDebug.push({ suite: suite.name, timing, ...filesOf(observer.dmaDebug) });
    }
    if (complex instanceof CpuComplex && complex.versions !== null) {
      const { stale } = complex.versions;
      this.#stale.push(...stale.map(access => staleRead(suite.name, timing, access)));
    }
    this.#trace.fold(parseInt(hardware.trace.hash, 16), hardware.trace.events, results.length);
    this.#events += hardware.complex.pulse.now;
    for (const step of this.#options.adversary.kind === 'all' ? [] : STEPS) {
      const taken = hardware.complex.unasked(step);
      if (taken > 0) this.#unasked[step] = (this.#unasked[step] ?? 0) + taken;
    }
    this.#bench = null;
    this.#job += 1;
  }

  #suiteResult(suite: Suite): SuiteResult {
    const jobs = this.#jobs.filter(job => job.suite === suite);
    const cases = suite.cases.flatMap((one, i) => {
      const runs = jobs.flatMap(({ timing, results }) => {
        const result = results[i];
        return result === undefined ? [] : [{ timing, result }];
      });
      return runs.length === 0 ? [] : [worst(one.name, runs)];
    });
    return { name: suite.name, cases };
  }
}

/** Runs suites to the end; a case fails if any run of it does. */
export const runSuites = (options: RunOptions): RunResult => {
  const run = new SuiteRun(options);
  while (run.next !== null) run.step();
  return run.result();
};

const RANK: Readonly<Record<Outcome, number>> = { skipped: 0, passed: 1, failed: 2 };

/** The worst of several runs of a case; failures say under which timing, if they differ. */
const worst = (
  name: string,
  runs: readonly { readonly timing: string; readonly result: CaseResult }[],
): CaseResult => {
  const outcome = runs.reduce<Outcome>(
    (sofar, { result }) => (RANK[result.outcome] > RANK[sofar] ? result.outcome : sofar),
    'skipped',
  );
  const relevant = runs.filter(({ result }) => result.outcome === outcome);
  const texts = new Map<string, Set<string>>();
  for (const { timing, result } of relevant) {
    for (const line of result.lines) texts.set(line, (texts.get(line) ?? new Set()).add(timing));
  }
  const lines = [...texts].map(([line, timings]) =>
    timings.size === runs.length ? line : `${line} (DMA timing ${[...timings].join(', ')})`,
  );
  const expectations = runs.reduce((sum, { result }) => sum + result.expectations, 0);
  const findings = [...new Set(runs.flatMap(({ result }) => result.findings))];
  const row = runs.find(({ result }) => result.row !== null)?.result.row ?? null;
  return { name, outcome, lines, expectations, findings, row };
};

const staleRead = (suite: string, timing: string, access: StaleAccess): StaleRead => {
  const { event, by, address, size, valuesDiffer } = access;
  const who = by.kind === 'device' ? by.name : `CPU${by.cpu}`;
  const bytes = { start: address, size };
  return { suite, timing, event, access: `${who} ${access.access}`, bytes, valuesDiffer };
};

/** A case that was right to the byte fails all the same if something could have been wrong. */
const judged = (
  result: BareResult,
  findings: readonly number[],
  all: readonly KeptFinding[],
): CaseResult => {
  const wrong = all.flatMap(({ finding: { id, rule, severity } }) =>
    findings.includes(id) && severity !== 'note' ? [`finding ${id}: ${rule}`] : [],
  );
  if (wrong.length === 0) return { ...result, findings };
  const lines = result.outcome === 'failed' ? result.lines : [];
  return { ...result, outcome: 'failed', lines: [...lines, ...wrong], findings };
};
