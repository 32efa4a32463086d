import test from 'ava';
import { MIB } from '../../../drivers/base/types/bits';
import { COSTS } from '../../../tools/experiment/costs';
import { batchedFrom } from '../../../tools/experiment/binding/human';
import { BindingBench, MODES, bootGpuBoard } from '../../../tools/experiment/binding/measure';
import type { BindingRow, ModeName } from '../../../tools/experiment/binding/report';
import { WORKLOADS } from '../../../tools/experiment/binding/workloads';
import { openBoard, planBoard } from '../../../tools/board/open';
import { inputError } from '../../support/input-error';

const planOf = (overlays: string[]) =>
  planBoard(openBoard('versatile-pb', overlays), { memory: 32 * MIB, quirks: [] });

const bench = new BindingBench(bootGpuBoard('versatile-pb', planOf(['gpu-versatile-pb'])));

const measure = (name: string): ReadonlyMap<ModeName, BindingRow> => {
  const workload = WORKLOADS.find(one => one.name === name);
  if (workload === undefined) throw new Error(name);
  return new Map(MODES.map(mode => [mode, bench.measure(workload, mode, COSTS)]));
};

test('all objects of a job bound at once take one flush, however many they are', t => {
  const rows = measure('many small');
  t.is(rows.get('batched')?.flushes, 1);
  t.is(rows.get('incremental')?.flushes, 32);
  t.is(rows.get('batched')?.entries, rows.get('incremental')?.entries);
  t.is(rows.get('batched')?.faults, 0);
});

test('what is not touched is not bound on fault, and a set takes one fault', t => {
  const rows = measure('sparse touch');
  t.is(rows.get('fault, page')?.faults, 2);
  t.is(rows.get('fault, set')?.faults, 1);
  const entries = (mode: ModeName): number => rows.get(mode)?.entries ?? NaN;
  t.true(entries('fault, page') < entries('fault, object'));
  t.true(entries('fault, object') < entries('batched'));
});

test('what is bound stays bound for the jobs after', t => {
  const rows = measure('re-use');
  t.is(rows.get('batched')?.flushes, 1);
  t.is(rows.get('fault, object')?.faults, 8);
});

test('the crossover is the first point at which no way that faults is cheaper', t => {
  const row = (mode: ModeName, nanoseconds: number): BindingRow => ({
    ...{ mode, nanoseconds, counts: {}, entries: 0, flushes: 0, faults: 0 },
  });
  const point = (touched: number, lazy: number) => ({
    ...{ touched, of: 4 },
    rows: [row('batched', 50), row('fault, page', lazy), row('fault, set', lazy + 1)],
  });
  t.is(batchedFrom([point(1, 20), point(2, 50), point(4, 90)]), 2);
  t.is(batchedFrom([point(1, 20), point(2, 30)]), null);
});

test('a board without a GPU is told that it has none', t => {
  const text = inputError(() => bootGpuBoard('versatile-pb', planOf([])));
  t.regex(text, /a board with a GPU/);
});
