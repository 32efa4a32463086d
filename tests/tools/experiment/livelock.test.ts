import test from 'ava';
import { cliffPlot } from '../../../tools/experiment/livelock/livelock';
import { jain, measurePolicy } from '../../../tools/experiment/livelock/measure';
import { linePlot } from '../../../tools/report/line-plot';

const NEEDS = [6, 6];
const JOBS = 10;

test('twelve pages are room for all, and with one less the clients starve each other', t => {
  const enough = measurePolicy('incremental-lru', 12, NEEDS, JOBS, 1);
  t.like(enough, { jobs: [JOBS, JOBS], binds: 12, evictions: 0, isDeadlock: false });
  const short = measurePolicy('incremental-lru', 11, NEEDS, JOBS, 1);
  t.deepEqual(short.jobs, [0, 0]);
  t.true(short.evictions > short.steps - 20, 'each step evicts');
});

test('each policy does with eight pages what it is known for', t => {
  t.like(measurePolicy('pin-wait', 8, NEEDS, JOBS, 1), { jobs: [0, 0], isDeadlock: true });
  for (const policy of [
    'release-retry',
    'oldest-ticket',
    'all-or-nothing',
    'global-lock',
  ] as const) {
    const { jobs, evictions } = measurePolicy(policy, 8, NEEDS, JOBS, 1);
    t.deepEqual(jobs, [JOBS, JOBS], policy);
    t.true(evictions > 0);
  }
});

test('what is left to chance is the seed', t => {
  const run = (seed: number): unknown => measurePolicy('random-backoff', 8, NEEDS, JOBS, seed);
  t.deepEqual(run(3), run(3));
  t.notDeepEqual(run(3), run(4));
});

test("Jain's index is 1 where all have the same, and 1/n where one has all", t => {
  t.is(jain([5, 5, 5]), 1);
  t.is(jain([5, 0]), 0.5);
  t.is(jain([0, 0]), 1);
});

test('the plot has a curve for each policy, and an axis from zero', t => {
  const svg = cliffPlot([11, 12].map(slots => measurePolicy('global-lock', slots, NEEDS, 2, 1)));
  t.regex(svg, /^<svg /);
  t.regex(svg, />global-lock</);
  t.regex(svg, />0</);
  const plot = { title: 'a<b', subtitle: '', x: 'x', y: 'y' };
  t.regex(
    linePlot({
      ...plot,
      curves: [
        {
          name: 'c',
          points: [
            [1, 3],
            [2, 900],
          ],
        },
      ],
    }),
    /a&lt;b/,
  );
});
