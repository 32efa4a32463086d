import test from 'ava';
import { COSTS, costTable, shownTime, timeOf } from '../../../tools/experiment/costs';
import type { CostName } from '../../../tools/experiment/costs';
import { noncoherentHuman } from '../../../tools/experiment/noncoherent/human';
import { bootBench, measureWorkload } from '../../../tools/experiment/noncoherent/measure';
import { cachedFrom } from '../../../tools/experiment/noncoherent/noncoherent';
import type { Measured, WayName } from '../../../tools/experiment/noncoherent/report';
import { WORKLOADS } from '../../../tools/experiment/noncoherent/workloads';
import { planOf } from '../../support/booted';
import { inputError } from '../../support/input-error';

const SIZE = 256;
const WORDS = SIZE / 4;
const LINES = SIZE / 32;

const BENCHES = new Map(
  ['pandaboard', 'versatile-pb'].map(board => [board, bootBench(board, planOf(board))]),
);

/** What is not 0 of what a workload does by one way. */
const counted = (board: string, name: string, way: WayName): Partial<Record<CostName, number>> => {
  const bench = BENCHES.get(board);
  const workload = WORKLOADS.find(one => one.name === name);
  if (bench === null || bench === undefined || workload === undefined) throw new Error(name);
  const measured = measureWorkload(bench, workload, SIZE, COSTS).find(one => one.way === way);
  const counts = Object.entries(measured?.counts ?? {}).filter(([, count]) => count > 0);
  return Object.fromEntries(counts);
};

test('uncached loads wait each, uncached stores of a line leave together; nothing is maintained', t => {
  t.deepEqual(counted('pandaboard', 'read', 'uncached'), { 'uncached-load': WORDS });
  t.deepEqual(counted('pandaboard', 'fill', 'write-combined'), { burst: LINES, barrier: 1 });
  const mixed = { 'uncached-load': 4 * WORDS, 'uncached-store': 4 * WORDS, barrier: 1 };
  t.deepEqual(counted('pandaboard', 'work', 'write-combined'), mixed, 'a load ends a burst');
});

test('cached memory is maintained by its lines, inside and outside, and filled again', t => {
  t.deepEqual(counted('pandaboard', 'read', 'cached + sync'), {
    ...{ access: WORDS, 'fill-memory': LINES },
    ...{ line: 2 * LINES, 'outer-line': 2 * LINES, barrier: 2 },
  });
  t.deepEqual(counted('pandaboard', 'work', 'cached + sync'), {
    ...{ access: 8 * WORDS, 'fill-memory': LINES, 'dirty-line': 2 * LINES },
    ...{ line: 2 * LINES, 'outer-line': 2 * LINES, barrier: 2 },
  });
});

test('on ARMv5 uncached stores leave one by one, and a cached store that misses leaves too', t => {
  t.deepEqual(counted('versatile-pb', 'fill', 'uncached'), { 'uncached-store': WORDS, barrier: 1 });
  t.deepEqual(counted('versatile-pb', 'fill', 'write-combined'), { burst: LINES, barrier: 1 });
  const cached = { access: WORDS, burst: LINES, line: LINES, barrier: 1 };
  t.deepEqual(counted('versatile-pb', 'fill', 'cached + sync'), cached);
});

test('counts become times by the cost table, which takes other figures', t => {
  t.is(timeOf(COSTS, { 'uncached-load': 2, barrier: 1 }), 400);
  const costs = costTable(['uncached-load=7.5', 'barrier=0']);
  t.is(timeOf(costs, { 'uncached-load': 2, barrier: 1, access: 3 }), 18);
  t.is(costs['uncached-load'].source, '--cost');
  t.regex(
    inputError(() => costTable(['burts=1'])),
    /^--cost: .*did you mean burst\?$/,
  );
  for (const wrong of ['tlb', 'tlb=', 'tlb=-1', 'tlb=1e3', 'tlb=9999999999', '=1']) {
    t.regex(
      inputError(() => costTable([wrong])),
      /^--cost: /,
      wrong,
    );
  }
});

test('times are told with two digits', t => {
  const shown = [0, 7.5, 999.4, 999.5, 9940, 9960, 123_456, 3e6, 5e9, 1e13].map(shownTime);
  const small = ['0 ns', '8 ns', '999 ns', '1.0 µs', '9.9 µs', '10 µs'];
  t.deepEqual(shown, [...small, '123 µs', '3.0 ms', '5.0 s', '10000 s']);
});

const row = (way: WayName, size: number, nanoseconds: number | null): Measured => ({
  ...{ way, size, nanoseconds },
  counts: nanoseconds === null ? null : { access: nanoseconds },
});

test('the crossover is the least size from which on nothing is faster than cached memory', t => {
  const cached = [9, 20, 30].map((time, i) => row('cached + sync', 4 ** (i + 1), time));
  const others = (times: readonly (number | null)[]): readonly Measured[] => [
    ...cached,
    ...times.map((time, i) => row('uncached', 4 ** (i + 1), time)),
  ];
  t.is(cachedFrom(others([5, 20, 40])), 16);
  t.is(cachedFrom(others([50, 5, 40])), 64);
  t.is(cachedFrom(others([50, 50, null])), 4);
  t.is(cachedFrom(others([50, 50, 5])), null);
});

test('a person gets times by size, counts of one size, and the figures', t => {
  const measured = [
    ...[row('uncached', 4, 150), row('cached + sync', 4, 400)],
    ...[row('uncached', 16384, null), row('cached + sync', 16384, 4096)],
  ];
  const text = noncoherentHuman(
    {
      ...{ board: 'b', model: 'B', device: 'a master', shownSize: 16384, costs: COSTS },
      workloads: [{ name: 'read', summary: 'the CPU loads', measured, cachedFrom: 16384 }],
      notes: ['of one turn'],
    },
    (_style, plain) => plain,
    100,
  );
  t.true(
    text.startsWith(`b: B: memory for CPU and device
  by a master

read: the CPU loads
    size  uncached  cached + sync  fastest
     4 B    150 ns         400 ns  uncached
  16 KiB         -         4.1 µs  cached + sync
  Cached memory with syncs is the fastest from 16 KiB on.

Counts of 16 KiB
                       cached    time
  read  uncached            -       -
  read  cached + sync   4,096  4.1 µs
`),
    text,
  );
  t.true(text.endsWith('\nNotes\n  - of one turn\n'));
  t.true(text.split('\n').every(line => line.length <= 100));
});
