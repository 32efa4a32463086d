import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { openBoard, planBoard } from '../../tools/board/open';
import { allCases } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { SUITES } from '../suites';

/*
 * The suites are correct code: over all that the caches of a board may do, they make no finding.
 */

/** Suites that break rules on purpose. */
const WRONG_ON_PURPOSE = ['rules', 'bugs'];
const QUIET = SUITES.filter(({ name }) => !WRONG_ON_PURPOSE.includes(name));

/** Under one timing each: the next board has the other. */
const areQuiet = (t: ExecutionContext, board: string, index: number): void => {
  const result = runSuites({
    board,
    plan: planBoard(openBoard(board, []), { memory: null, quirks: [] }),
    suites: QUIET,
    selects: () => true,
    adversary: { kind: 'all' },
    seed: 1,
    timings: [index % 2 === 0 ? 'earliest' : 'latest'],
    streaming: ALL_STEPS,
  });
  const failed = allCases(result).filter(({ outcome }) => outcome === 'failed');
  t.deepEqual(
    failed.map(({ name, lines }) => [name, ...lines]),
    [],
  );
  const findings = result.findings.filter(({ finding }) => finding.severity !== 'note');
  t.deepEqual(
    findings.map(({ finding: { rule, access }, cases }) => [rule, access.at, ...cases]),
    [],
  );
};

/** One of each kind; `npm run test:corpus` runs hundreds. */
const BOARDS = ['versatile-pb', 'n810', 'pandaboard', 'vexpress-a15', 'juno', 'highbank'];

for (const [index, board] of BOARDS.entries()) {
  test(`${board}: no suite makes a finding`, t => {
    areQuiet(t, board, index);
  });
}
