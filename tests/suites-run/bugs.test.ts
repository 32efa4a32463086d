import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { RuleId } from '../../drivers/base/types/rules';
import { RULES } from '../../drivers/base/types/rules';
import type { Machine } from '../../machines/machine';
import { openBoard, planBoard } from '../../tools/board/open';
import type { KeptFinding } from '../../tools/run/findings';
import { runSuites } from '../../tools/run/runner';
import { SUITES } from '../suites';
import { BUGS, LEFT_OUT, SHOWN_ELSEWHERE, benchesFor } from '../suites/bugs';
import type { Bug } from '../suites/bugs/bug';
import type { DriverBench } from '../suites/driver-bench';
import type { Suite } from '../suites/suite';

/*
 * What a finding of a bug says once it has been investigated, on a board where it must be found.
 */

const mustShow = (machine: Machine, bug: Bug): DriverBench | undefined =>
  benchesFor(machine, bug).find(bench => bug.shows(bench) === 'must');

/** The drivers with a bug as a suite that leaves its findings to the run. */
const suiteOf = (bugs: readonly Bug[]): Suite => ({
  name: 'bugs',
  summary: 'left as they are',
  cases: bugs.map(bug => ({
    name: bug.name,
    unfit: machine =>
      bug.unfit(machine) ?? (mustShow(machine, bug) === undefined ? 'harmless here' : null),
    run: t => {
      bug.buggy(t.need(mustShow(t.machine, bug), 'a device that shows it'));
      t.ok(true, 'the end to be reached');
    },
  })),
});

/** What the drivers with these bugs were found for on a board, by bug; only bugs that ran. */
const investigated = (
  board: string,
  bugs: readonly Bug[],
): ReadonlyMap<Bug, readonly KeptFinding[]> => {
  const result = runSuites({
    board,
    plan: planBoard(openBoard(board, []), { memory: null, quirks: [] }),
    suites: [suiteOf(bugs)],
    selects: () => true,
    adversary: { kind: 'all' },
    seed: 1,
    timings: ['latest'],
    streaming: ALL_STEPS,
  });
  const ran = result.suites.flatMap(({ cases }) =>
    cases.filter(({ outcome }) => outcome !== 'skipped').map(({ name }) => name),
  );
  return new Map(
    bugs
      .filter(({ name }) => ran.includes(name))
      .map(bug => [bug, result.findings.filter(({ cases }) => cases.includes(`bugs.${bug.name}`))]),
  );
};

const isNote = (rule: RuleId): boolean => RULES[rule].severity === 'note';

/** Between them they show every bug. */
const BOARDS = ['imx6q-sabresd', 'versatile-pb', 'vexpress-a15'];
const seen = new Set<Bug>();

/** What is wrong with what was found of a bug. */
const problemsOf = (bug: Bug, kept: readonly KeptFinding[]): readonly string[] => {
  const { name, rules, provisional = [], consequences = [] } = bug;
  const found = kept.map(({ finding }) => finding.rule);
  const expected: readonly RuleId[] = [...rules, ...provisional, ...consequences];
  const isFound = found.some(rule => rules.includes(rule));
  const others = found.filter(rule => !isNote(rule) && !expected.includes(rule));
  const unproven = kept.filter(({ finding }) => !finding.confirmed);
  return [
    ...(isFound ? [] : [`${name}: not found for ${rules.join(', ')} but ${found.join(', ')}`]),
    ...others.map(rule => `${name}: ${rule}`),
    ...unproven.map(({ finding, proof }) => `${name}: ${finding.rule}, ${proof}`),
  ];
};

for (const board of BOARDS) {
  test.serial(`${board}: bugs are found for what they are, with proof`, t => {
    const results = [
      ...investigated(
        board,
        BUGS.filter(bug => !seen.has(bug)),
      ),
    ];
    for (const [bug] of results) seen.add(bug);
    t.deepEqual(
      results.flatMap(([bug, kept]) => problemsOf(bug, kept)),
      [],
    );
  });
}

test.serial('every bug is found on one of these boards', t => {
  t.deepEqual(
    BUGS.filter(bug => !seen.has(bug)).map(({ name }) => name),
    [],
  );
});

test('bugs have names of their own, and say where they are from', t => {
  t.is(new Set(BUGS.map(({ name }) => name)).size, BUGS.length);
  for (const { name, source, title } of [...BUGS]) {
    t.regex(name, /^[a-z0-9_]+$/);
    t.true(source.length > 0 && title.length > 0);
  }
  for (const { needs } of LEFT_OUT) t.true(needs.length > 0);
  const cases = SUITES.flatMap(({ name, cases }) => cases.map(one => `${name}.${one.name}`));
  for (const { where } of SHOWN_ELSEWHERE) t.true(cases.includes(where), where);
});
