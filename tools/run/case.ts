import { KernelOops } from '../../drivers/base/kernel/oops';
import { BenchError, InputError, UnmodelledError } from '../../drivers/base/types/errors';
import type { Random } from '../../drivers/base/types/random';
import type { Machine } from '../../machines/machine';
import { AbortCase, CaseContext, SkipCase } from '../../tests/suites/suite';
import type { Case, Suite } from '../../tests/suites/suite';
import type { CaseResult } from './results';

/** Why a case that ran to its end without one expectation is skipped: it has not shown anything. */
const NOTHING_TO_CHECK = 'nothing to check on this board';

/** What a case has shown, before its findings are looked at. */
export type BareResult = Omit<CaseResult, 'findings'>;

/** The place in a user's module that an error came by; null for an error that is not theirs. */
export type PlaceOf = (error: unknown) => string | null;

/**
 * Runs a case to its end, however it ends; what it left behind fails it, and so does what the case
 * of a user throws.
 */
export const runCase = (
  machine: Machine,
  suite: Suite,
  one: Case,
  random: Random,
  placeOf: PlaceOf = () => null,
): BareResult => {
  const { name } = one;
  const unfit = suite.unfit?.(machine) ?? one.unfit?.(machine) ?? null;
  if (unfit !== null) return skipped(name, unfit);
  const context = new CaseContext(machine, random);
  const before = heldBy(machine);
  let reason: string | null = null;
  try {
    // A user's may answer anything.
    const run: (t: CaseContext) => unknown = one.run.bind(one);
    const answer = run(context);
    if (answer instanceof Promise) refuse(context, answer);
  } catch (thrown) {
    if (thrown instanceof SkipCase) reason = thrown.message;
    else if (thrown instanceof KernelOops) context.fail(thrown.message);
    else if (!(thrown instanceof AbortCase)) context.fail(usersMistake(thrown, placeOf));
  }
  checkAfter(context, before);
  const isMoot = reason !== null || context.expectations === 0;
  if (context.failures.length === 0 && isMoot) {
    return skipped(name, reason ?? NOTHING_TO_CHECK);
  }
  const more = context.dropped > 0 ? [`and ${context.dropped} more failures`] : [];
  return {
    name,
    outcome: context.failures.length > 0 ? 'failed' : 'passed',
    lines: [...context.failures, ...more],
    expectations: context.expectations,
    row: context.row,
  };
};

/** What a case does after a wait would be nobody's: the machine stands still, or is another's. */
const refuse = (context: CaseContext, promise: Promise<unknown>): void => {
  promise.catch(() => undefined);
  context.fail('expected a case that is done when it returns, but it answers a promise');
};

/** What a user's code did wrong, in a line; throws on what is not their doing. */
const usersMistake = (thrown: unknown, placeOf: PlaceOf): string => {
  const isOurs = [BenchError, InputError, UnmodelledError].some(kind => thrown instanceof kind);
  const place = isOurs ? null : placeOf(thrown);
  if (place === null || !(thrown instanceof Error)) throw thrown;
  return `${place}: ${thrown.name}: ${thrown.message}`;
};

const skipped = (name: string, reason: string): BareResult => ({
  name,
  outcome: 'skipped',
  lines: [reason],
  expectations: 0,
  row: null,
});

interface Held {
  /** In use, beside those of translation tables and of kmalloc's own reserve. */
  readonly pages: number;
  /** That kmalloc gave. */
  readonly objects: number;
}

const heldBy = ({ kernel }: Machine): Held => ({
  pages: kernel.usedPages - kernel.slab.reservePages - kernel.poolPages,
  objects: kernel.slab.live,
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
