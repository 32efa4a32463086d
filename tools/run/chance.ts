import { BUGS } from '../../tests/suites/bugs';
import { BugsByChance } from '../../tests/suites/bugs/by-chance';
import type { Selects } from './patterns';
import type { RunResult } from './results';
import type { RunOptions } from './runner';

const SUITE = 'bugs';
const COLUMN = 'random';

/**
 * What chance alone finds of the bugs that are to be run: to be stepped, and put beside what the
 * checker finds. Null unless somebody asks for the suite by its name: it takes a while.
 */
export const chanceOf = (
  patterns: readonly string[],
  selects: Selects,
  { adversary, plan }: RunOptions,
): BugsByChance | null => {
  const isAsked = patterns.some(pattern => pattern.split('.')[0] === SUITE);
  const bugs = BUGS.filter(({ name }) => selects(SUITE, name));
  return isAsked && adversary.kind === 'all' ? new BugsByChance(plan, bugs) : null;
};

/** The result with a column more: with how many of the seeds a wrong byte was seen. */
export const withChance = (result: RunResult, chance: BugsByChance): RunResult => ({
  ...result,
  suites: result.suites.map(suite => ({
    ...suite,
    cases: suite.cases.map(one => {
      const bug = suite.name === SUITE ? BUGS.find(({ name }) => name === one.name) : undefined;
      if (bug === undefined || one.row === null) return one;
      return { ...one, row: { ...one.row, [COLUMN]: chance.resultOf(bug) } };
    }),
  })),
});
