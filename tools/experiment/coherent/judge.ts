import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { RULES } from '../../../drivers/base/types/rules';
import type { RuleId } from '../../../drivers/base/types/rules';
import type { MachinePlan } from '../../../machines/plan';
import { dmaCoherentSuite } from '../../../tests/suites/dma-coherent';
import { allCases } from '../../run/results';
import type { CaseResult } from '../../run/results';
import { runSuites } from '../../run/runner';

/** `safe here`: on what the core guarantees, and others do not. */
export type CoherentJudgement = 'safe' | 'safe here' | 'unsafe' | 'serves nothing';

/** What the suite made of a strategy. */
export interface JudgedCoherent {
  readonly verdict: CoherentJudgement;
  /** Why, in half a sentence. */
  readonly because: string;
  readonly rules: readonly RuleId[];
  /** The wrong bytes appeared on the machine with real caches. */
  readonly isReplayed: boolean;
  /** A finding that does not replay: a defect of the checker. */
  readonly isDefect: boolean;
}

/** Of those that are alike, one: each is looked at in a second run. */
const CASES = [
  'what_the_device_writes_is_what_the_cpu_reads',
  'what_the_cpu_writes_is_what_the_device_reads',
  'memory_that_others_have_dirtied_comes_zeroed',
  'what_is_given_back_is_ordinary_memory',
  'every_cpu_sees_the_same',
  'no_mapping_stays_that_does_harm',
];
/** Witnesses are searched for so many findings of a case. */
const INVESTIGATED = 1;

/** Runs a part of the suite over all that caches may do. */
export const judgeCoherent = (board: string, plan: MachinePlan, seed: number): JudgedCoherent => {
  const result = runSuites({
    ...{ board, plan, seed, suites: [dmaCoherentSuite], streaming: ALL_STEPS },
    selects: (_suite, name) => CASES.includes(name),
    timings: ['latest'],
    adversary: { kind: 'all' },
    investigated: INVESTIGATED,
  });
  const cases = allCases(result);
  const told = result.findings.filter(({ finding }) => RULES[finding.rule].severity !== 'note');
  const rules = [...new Set(told.map(({ finding }) => finding.rule))];
  const isReplayed = told.some(({ proof }) => proof === 'replayed');
  const isDefect = told.some(({ proof }) => proof === 'not-replayed');
  return { ...verdictOf(cases, plan), rules, isReplayed, isDefect };
};

const verdictOf = (
  cases: readonly CaseResult[],
  { coherent }: MachinePlan,
): Pick<JudgedCoherent, 'verdict' | 'because'> => {
  const because = cases.find(({ row }) => row !== null)?.row?.['because'] ?? 'every master snoops';
  const [first] = cases;
  if (first?.outcome === 'skipped') {
    const why = first.lines.join('; ').replace(`${coherent}: `, '');
    return { verdict: 'serves nothing', because: why };
  }
  if (cases.some(({ outcome }) => outcome === 'failed')) return { verdict: 'unsafe', because };
  return { verdict: because.startsWith('relies on') ? 'safe here' : 'safe', because };
};
