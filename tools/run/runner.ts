import { LruAdversary } from '../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../arch/arm/adversary/random';
import type { Adversary } from '../../arch/arm/adversary/adversary';
import { ScriptAdversary } from '../../arch/arm/adversary/script';
import type { Script } from '../../arch/arm/adversary/script';
import { STEPS } from '../../arch/arm/concrete/whims';
import type { Step } from '../../arch/arm/concrete/whims';
import type { StreamingSteps } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { Trace } from '../../drivers/base/hw/trace';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { InputError, invariant } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { bootMachine } from '../../machines/boot';
import type { BootOptions } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import type { MachinePlan } from '../../machines/plan';
import { AbortCase, CaseContext, SkipCase } from '../../tests/suites/suite';
import type { Case, Suite } from '../../tests/suites/suite';
import type { CaseResult, Outcome, RunResult, SuiteResult } from './results';

/** The policy of what happens spontaneously, made anew for every machine that is booted. */
export type AdversaryChoice =
  | { readonly kind: 'lru' }
  | { readonly kind: 'random' }
  | { readonly kind: 'script'; readonly script: Script };

/** What is to be run, on what, and under which policies. */
export interface RunOptions {
  readonly board: string;
  readonly plan: MachinePlan;
  readonly suites: readonly Suite[];
  /** `suite.case` names that are to run; all if the function says so. */
  readonly selects: (suite: string, name: string) => boolean;
  readonly adversary: AdversaryChoice;
  readonly seed: number;
  readonly timings: readonly DmaTiming[];
  readonly streaming: StreamingSteps;
}

const makeAdversary = (choice: AdversaryChoice, random: Random): Adversary => {
  switch (choice.kind) {
    case 'lru':
      return new LruAdversary();
    case 'random':
      return new RandomAdversary(random.fork('adversary'));
    case 'script':
      return new ScriptAdversary(choice.script);
  }
};

/** A suite under one timing: what one machine is booted for. */
interface Job {
  readonly suite: Suite;
  readonly timing: DmaTiming;
  readonly results: CaseResult[];
}

/** The machine of the job that is under way. */
interface Bench {
  readonly machine: Machine;
  readonly random: Random;
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
  readonly #jobs: readonly Job[];
  readonly #trace = new Trace();
  readonly #notes: Set<string>;
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
    const { machine, random } = this.#bench;
    job.results.push(runCase(machine, job.suite, one, random.fork(one.name)));
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
      notes: [...this.#notes],
    };
  }

  #boot({ suite, timing }: Job): Bench {
    const { board, plan, streaming, seed } = this.#options;
    const random = new Random(seed).fork(`${suite.name} ${timing}`);
    const adversary = makeAdversary(this.#options.adversary, random);
    const machine = bootPlan(board, plan, { adversary, random, timing, streaming });
    for (const note of machine.notes) this.#notes.add(note);
    return { machine, random };
  }

  #finish({ results }: Job, { hardware }: Machine): void {
    this.#trace.fold(parseInt(hardware.trace.hash, 16), hardware.trace.events, results.length);
    this.#events += hardware.complex.pulse.now;
    for (const step of STEPS) {
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

/** As bootMachine(); an InputError, with the name of the board, for a machine that the kernel crashes on while it boots. */
export const bootPlan = (board: string, plan: MachinePlan, options: BootOptions): Machine => {
  try {
    return bootMachine(plan, options);
  } catch (error) {
    if (!(error instanceof KernelOops)) throw error;
    const expected = 'a machine on which the kernel boots';
    throw new InputError({ place: board, expected, found: error.message });
  }
};

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
  const texts = new Map<string, string[]>();
  for (const { timing, result } of relevant) {
    for (const line of result.lines) texts.set(line, [...(texts.get(line) ?? []), timing]);
  }
  const lines = [...texts].map(([line, timings]) =>
    timings.length === runs.length ? line : `${line} (DMA timing ${timings.join(', ')})`,
  );
  const expectations = runs.reduce((sum, { result }) => sum + result.expectations, 0);
  return { name, outcome, lines, expectations };
};

/** Why a case that ran to its end without one expectation is skipped: it has not shown anything. */
const NOTHING_TO_CHECK = 'nothing to check on this board';

const runCase = (machine: Machine, suite: Suite, one: Case, random: Random): CaseResult => {
  const { name } = one;
  const unfit = suite.unfit?.(machine) ?? one.unfit?.(machine) ?? null;
  if (unfit !== null) return { name, outcome: 'skipped', lines: [unfit], expectations: 0 };
  const context = new CaseContext(machine, random);
  const before = heldBy(machine);
  let skipped: string | null = null;
  try {
    one.run(context);
  } catch (thrown) {
    if (thrown instanceof SkipCase) skipped = thrown.message;
    else if (thrown instanceof KernelOops) context.fail(thrown.message);
    else if (!(thrown instanceof AbortCase)) throw thrown;
  }
  checkAfter(context, before);
  const isMoot = skipped !== null || context.expectations === 0;
  if (context.failures.length === 0 && isMoot) {
    return { name, outcome: 'skipped', lines: [skipped ?? NOTHING_TO_CHECK], expectations: 0 };
  }
  const more = context.dropped > 0 ? [`and ${context.dropped} more failures`] : [];
  return {
    name,
    outcome: context.failures.length > 0 ? 'failed' : 'passed',
    lines: [...context.failures, ...more],
    expectations: context.expectations,
  };
};

interface Held {
  /** In use, beside those of translation tables and of kmalloc's own reserve. */
  readonly pages: number;
  /** That kmalloc gave. */
  readonly objects: number;
}

const heldBy = ({ kernel: { mm, slab } }: Machine): Held => ({
  pages: mm.pages.managedPages - mm.pages.freePages - mm.tablePages - slab.reservePages,
  objects: slab.live,
});

/** What no case may do, however it ended: keep memory, misuse a register. */
const checkAfter = (context: CaseContext, before: Held): void => {
  const { machine } = context;
  const after = heldBy(machine);
  for (const unit of ['pages', 'objects'] as const) {
    const kept = after[unit] - before[unit];
    if (kept === 0) continue;
    context.fail(`expected all memory to be given back, ${kept} ${unit} are not`);
  }
  for (const text of machine.hardware.guestErrors.take()) {
    context.fail(`a register was misused: ${text}`);
  }
};
