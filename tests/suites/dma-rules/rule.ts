import { KernelOops } from '../../../drivers/base/kernel/oops';
import { RULES } from '../../../drivers/base/types/rules';
import type { RuleId } from '../../../drivers/base/types/rules';
import { RuleBench } from './bench';
import type { Case, CaseContext } from '../suite';

/** A wrong use of the API. */
export interface Misuse {
  /** Findings of which each says what is wrong: one of them must be made. */
  readonly caughtBy: readonly RuleId[];
  /** What else comes of it. */
  readonly consequences?: readonly RuleId[];
  /** Nothing can come of it by this back end, and nothing is found. */
  readonly isHarmless?: (bench: RuleBench) => boolean;
  /** The kernel itself stops there, whoever watches. */
  readonly stops?: (bench: RuleBench) => boolean;
  readonly run: (bench: RuleBench) => void;
}

/** A numbered rule of the kernel's documents on DMA, by which a machine is held. */
export interface DmaRule {
  readonly number: number;
  /** Of the case, behind its number. */
  readonly name: string;
  /** Why the rule says nothing of a device, or null. */
  readonly unfit?: (bench: RuleBench) => string | null;
  /** What is right works, and nobody complains. */
  readonly right?: (bench: RuleBench) => void;
  /** Where Linux itself does not keep the rule: what is found even of what is right; else null. */
  readonly notKept?: (bench: RuleBench) => RuleId | null;
  readonly wrong?: readonly Misuse[];
}

/** The rule as it is, with the types of what it is made of. */
export const dmaRule = (rule: DmaRule): DmaRule => rule;

const isNote = (rule: RuleId): boolean => RULES[rule].severity === 'note';

const checkRight = (t: CaseContext, bench: RuleBench, right: (bench: RuleBench) => void): void => {
  right(bench);
  const found = t.takeFindings().filter(rule => !isNote(rule));
  t.ok(found.length === 0, `no finding by ${bench.backEnd}, not ${found.join(', ')}`);
};

/** Where the kernel does not keep it, what should be right is found wrong. */
const checkNotKept = (
  t: CaseContext,
  { backEnd }: RuleBench,
  right: () => void,
  expected: RuleId,
): void => {
  right();
  t.ok(t.takeFindings().includes(expected), `${backEnd}: a finding of ${expected}`);
};

/** The kernel stops at a misuse: a BUG, or a bad dereference. */
const checkStops = (t: CaseContext, bench: RuleBench, run: (bench: RuleBench) => void): string => {
  try {
    run(bench);
  } catch (error) {
    if (!(error instanceof KernelOops)) throw error;
    t.takeFindings();
    return 'oops';
  }
  t.fail(`${bench.backEnd}: the kernel goes on`);
  return 'nothing';
};

/** What it is caught by. */
const checkWrong = (t: CaseContext, bench: RuleBench, misuse: Misuse): string => {
  const { caughtBy, consequences = [], run } = misuse;
  if (misuse.isHarmless?.(bench) === true) {
    checkRight(t, bench, run);
    return 'harmless';
  }
  if (misuse.stops?.(bench) === true) return checkStops(t, bench, run);
  run(bench);
  const found = t.takeFindings();
  const caught = caughtBy.find(rule => found.includes(rule)) ?? null;
  t.ok(
    caught !== null,
    `${bench.backEnd}: a finding of ${caughtBy.join(' or ')}, not of ${found.join(', ')}`,
  );
  const known: readonly RuleId[] = [...caughtBy, ...consequences];
  for (const other of new Set(found.filter(rule => !known.includes(rule) && !isNote(rule)))) {
    t.fail(`${bench.backEnd}: a misuse makes a finding of ${other}`);
  }
  return caught ?? 'nothing';
};

/**
 * `kept`, or what its misuses are caught by, or what is found as the kernel does not keep the rule;
 * null if nothing can be shown.
 */
const showOn = (t: CaseContext, rule: DmaRule, bench: RuleBench): string | null => {
  const { right, wrong = [] } = rule;
  // Nobody watches but under `all`, and a misuse that nobody sees shows nothing.
  const misuses = t.machine.findings === null ? [] : wrong;
  const notKept = rule.notKept?.(bench) ?? null;
  if (notKept !== null && t.machine.findings === null) return null;
  if (right === undefined && misuses.length === 0) return null;
  const caught = new Set<string>();
  bench.asItIs(() => {
    if (right !== undefined && notKept !== null) {
      checkNotKept(
        t,
        bench,
        () => {
          right(bench);
        },
        notKept,
      );
    } else if (right !== undefined) {
      checkRight(t, bench, right);
    }
    for (const misuse of misuses) caught.add(checkWrong(t, bench, misuse));
  });
  if (notKept !== null) return `not kept: ${notKept}`;
  return caught.size === 0 ? 'kept' : [...caught].join(', ');
};

/** In place of what a rule shows by a back end: why it shows nothing. */
const UNFIT = '– ';

/** True for a cell that says only why there is nothing in it. */
export const isUnfit = (cell: string): boolean => cell.startsWith(UNFIT);

/** The rule as a case, which every back end of the machine has to pass. */
export const caseOf = (rule: DmaRule): Case => ({
  name: `rule_${String(rule.number).padStart(2, '0')}_${rule.name}`,
  run: t => {
    t.takeFindings();
    const row: Record<string, string> = {};
    let reason = 'no master of this board reaches RAM';
    for (const bench of RuleBench.all(t)) {
      const unfit = bench.asItIs(() => rule.unfit?.(bench) ?? null);
      const shown = unfit === null ? showOn(t, rule, bench) : null;
      if (shown === null) reason = unfit ?? 'only a run under `all` has findings';
      row[bench.backEnd] = shown ?? `${UNFIT}${reason}`;
    }
    if (Object.values(row).every(isUnfit)) t.skip(reason);
    t.row = row;
  },
});
