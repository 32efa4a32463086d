import test from 'ava';
import { allCases } from '../../tools/run/results';
import { runBoard } from './run-board';

/*
 * That nothing fails on any board, `npm run test:corpus` shows. Here: that a seed decides everything.
 */

/** What a seed has the most to decide in. */
const ofCaches = (suite: string): boolean => suite === 'cache' || suite === 'dma-streaming';

/** One for each kind of caches and tables, small ones. */
const BOARDS = ['rpi-b', 'imx6q-sabresd', 'virt'];

for (const board of BOARDS) {
  test(`${board}: one seed gives one trace and one result, in one process`, t => {
    const timings = ['earliest', 'latest'] as const;
    const selects = ofCaches;
    const first = runBoard(board, { timings, selects });
    t.deepEqual(runBoard(board, { timings, selects }), first);
    t.true(first.events > 10_000);
  });
}

test('another seed gives another trace and the same verdict', t => {
  const results = [1, 2, 3].map(seed => runBoard('rpi-b', { seed, selects: ofCaches }));
  t.is(new Set(results.map(({ trace }) => trace)).size, 3);
  const verdicts = results.map(result => allCases(result).map(({ outcome }) => outcome));
  t.deepEqual(verdicts[1], verdicts[0]);
  t.deepEqual(verdicts[2], verdicts[0]);
});

test('nothing that a run does depends on what was run before it', t => {
  const alone = runBoard('rpi-b', { seed: 7, selects: ofCaches });
  runBoard('stm32mp1', { kind: 'lru' });
  t.is(runBoard('rpi-b', { seed: 7, selects: ofCaches }).trace, alone.trace);
});
