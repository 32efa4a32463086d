import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { boardNames } from '../../machines/boards';
import { BOARD_FILES } from '../../tools/board/board-files';
import { openBoard, planBoard } from '../../tools/board/open';
import { allCases } from '../../tools/run/results';
import type { RunResult } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { SUITES } from '../suites';

/*
 * That nothing fails on any board, tests/tools/boards-pass.test.ts shows. Here: that every case is
 * run somewhere, that it expects something where it is, and that a seed decides everything.
 */

const run = (
  board: string,
  change: {
    kind?: 'lru' | 'random' | 'all';
    seed?: number;
    selects?: (suite: string, name: string) => boolean;
    timings?: readonly DmaTiming[];
    lazy?: boolean;
  } = {},
): RunResult =>
  runSuites({
    board,
    plan: planBoard(openBoard(board, []), {
      memory: null,
      quirks: [],
      dmaMemory: { iommuStrict: change.lazy !== true },
    }),
    suites: SUITES,
    selects: change.selects ?? (() => true),
    adversary: { kind: change.kind ?? 'random' },
    seed: change.seed ?? 1,
    timings: change.timings ?? ['latest'],
    streaming: ALL_STEPS,
  });

/** What a seed has the most to decide in. */
const ofCaches = (suite: string): boolean => suite === 'cache' || suite === 'dma-streaming';

/** One for each kind of caches and tables, small ones. */
const BOARDS = ['rpi-b', 'imx6q-sabresd', 'virt'];

for (const board of BOARDS) {
  test(`${board}: one seed gives one trace and one result, in one process`, t => {
    const timings = ['earliest', 'latest'] as const;
    const selects = ofCaches;
    const first = run(board, { timings, selects });
    t.deepEqual(run(board, { timings, selects }), first);
    t.true(first.events > 10_000);
  });
}

test('another seed gives another trace and the same verdict', t => {
  const results = [1, 2, 3].map(seed => run('rpi-b', { seed, selects: ofCaches }));
  t.is(new Set(results.map(({ trace }) => trace)).size, 3);
  const verdicts = results.map(result => allCases(result).map(({ outcome }) => outcome));
  t.deepEqual(verdicts[1], verdicts[0]);
  t.deepEqual(verdicts[2], verdicts[0]);
});

test('nothing that a run does depends on what was run before it', t => {
  const alone = run('rpi-b', { seed: 7, selects: ofCaches });
  run('stm32mp1', { kind: 'lru' });
  t.is(run('rpi-b', { seed: 7, selects: ofCaches }).trace, alone.trace);
});

test('every case of every suite is run on some board, and expects something there', t => {
  const idle = new Set(
    SUITES.flatMap(({ name, cases }) => cases.map(one => `${name}.${one.name}`)),
  );
  // The window of lazy invalidation is none of a board's own.
  const runs = [
    ...boardNames(BOARD_FILES).map(board => [board, false] as const),
    ['mixed', true] as const,
  ];
  for (const [board, lazy] of runs) {
    const { suites } = run(board, {
      kind: 'all',
      lazy,
      selects: (suite, name) => idle.has(`${suite}.${name}`),
    });
    for (const { name: suite, cases } of suites) {
      for (const { name, outcome, expectations } of cases) {
        if (outcome === 'passed' && expectations > 0) idle.delete(`${suite}.${name}`);
      }
    }
    if (idle.size === 0) break;
  }
  t.deepEqual([...idle], []);
});
