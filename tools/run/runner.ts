import { LruAdversary } from '../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../arch/arm/adversary/random';
import type { Adversary } from '../../arch/arm/adversary/adversary';
import type { StreamingSteps } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { Trace } from '../../drivers/base/hw/trace';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { Random } from '../../drivers/base/types/random';
import { bootMachine } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import type { MachinePlan } from '../../machines/plan';
import { AbortCase, CaseContext, SkipCase } from '../../tests/suites/suite';
import type { Case, Suite } from '../../tests/suites/suite';
import type { CaseResult, Outcome, RunResult, SuiteResult } from './results';

/** The policy of what happens spontaneously, made anew for every machine that is booted. */
export type AdversaryChoice =
  | { readonly kind: 'lru' }
  | { readonly kind: 'random' }
  | { readonly kind: 'script'; readonly make: () => Adversary };

export interface RunOptions {
  readonly board: string;
  readonly plan: MachinePlan;
  readonly suites: readonly Suite[];
  /** `suite.case` names that are to run; all if the function says so. */
  readonly selects: (suite: string, name: string) => boolean;
  readonly adversary: AdversaryChoice;
  readonly seed: number;
  readonly timings: readonly DmaTiming[];
  /** ALL_STEPS, unless a step of streaming maintenance is to be left out or counted. */
  readonly streaming: StreamingSteps;
  /** Called before each case: what runs now, and how many of how many are done. */
  readonly onProgress: (what: string, done: number, total: number) => void;
}

const makeAdversary = (choice: AdversaryChoice, random: Random): Adversary => {
  switch (choice.kind) {
    case 'lru':
      return new LruAdversary();
    case 'random':
      return new RandomAdversary(random.fork('adversary'));
    case 'script':
      return choice.make();
  }
};

/** Runs suites, each on a machine of its own under each timing; a case fails if any run of it does. */
export const runSuites = (options: RunOptions): RunResult => {
  const { plan, timings, seed } = options;
  const selected = options.suites
    .map(suite => ({
      ...suite,
      cases: suite.cases.filter(({ name }) => options.selects(suite.name, name)),
    }))
    .filter(({ cases }) => cases.length > 0);
  const total = selected.reduce((sum, { cases }) => sum + cases.length, 0) * timings.length;
  const trace = new Trace();
  const notes = new Set<string>(plan.notes);
  let done = 0;
  let events = 0;

  const runOnce = (suite: Suite, timing: DmaTiming): CaseResult[] => {
    const random = new Random(seed).fork(`${suite.name} ${timing}`);
    const adversary = makeAdversary(options.adversary, random);
    const machine = bootMachine(plan, { adversary, random, timing, streaming: options.streaming });
    for (const note of machine.notes) notes.add(note);
    const results = suite.cases.map(one => {
      options.onProgress(`${suite.name}.${one.name}`, done++, total);
      return runCase(machine, suite, one, random.fork(one.name));
    });
    const { hardware } = machine;
    trace.fold(parseInt(hardware.trace.hash, 16), hardware.trace.events, results.length);
    events += hardware.complex.pulse.now;
    return results;
  };

  const suites = selected.map((suite): SuiteResult => {
    const runs = timings.map(timing => runOnce(suite, timing));
    const cases = suite.cases.map((one, i) =>
      worst(
        one.name,
        runs.flatMap((run, k) => {
          const result = run[i];
          return result === undefined ? [] : [{ timing: timings[k] ?? '', result }];
        }),
      ),
    );
    return { name: suite.name, cases };
  });
  return {
    parameters: {
      board: options.board,
      model: plan.model,
      adversary: options.adversary.kind,
      seed,
      timings,
    },
    suites,
    trace: trace.hash,
    events,
    notes: [...notes],
  };
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

const runCase = (machine: Machine, suite: Suite, one: Case, random: Random): CaseResult => {
  const { name } = one;
  const unfit = suite.unfit?.(machine) ?? one.unfit?.(machine) ?? null;
  if (unfit !== null) return { name, outcome: 'skipped', lines: [unfit], expectations: 0 };
  const context = new CaseContext(machine, random);
  const held = memoryHeld(machine);
  try {
    one.run(context);
  } catch (thrown) {
    if (thrown instanceof SkipCase) {
      return { name, outcome: 'skipped', lines: [thrown.message], expectations: 0 };
    }
    if (thrown instanceof KernelOops) context.fail(thrown.message);
    else if (!(thrown instanceof AbortCase)) throw thrown;
  }
  const leaked = memoryHeld(machine) - held;
  if (leaked !== 0) context.fail(`expected all memory to be given back, ${leaked} pages are not`);
  for (const text of machine.hardware.guestErrors.splice(0)) {
    context.fail(`a register was misused: ${text}`);
  }
  const more = context.dropped > 0 ? [`and ${context.dropped} more failures`] : [];
  return {
    name,
    outcome: context.failures.length > 0 ? 'failed' : 'passed',
    lines: [...context.failures, ...more],
    expectations: context.expectations,
  };
};

/** Pages in use, beside those of translation tables and of kmalloc's own reserve. */
const memoryHeld = ({ kernel }: Machine): number =>
  kernel.mm.pages.managedPages -
  kernel.mm.pages.freePages -
  kernel.mm.tablePages -
  kernel.slab.reservePages;
