import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { CoherentName } from '../../mm/arch-dma';
import { BOARD_FILES } from '../../tools/board/board-files';
import { loadBoard } from '../../machines/boards';
import { planMachine } from '../../machines/plan';
import { allCases } from '../../tools/run/results';
import type { RunResult } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { dmaCoherentSuite } from '../suites/dma-coherent';

/*
 * The product suite under strategies that are not the board's own; under its own it runs with all
 * others (boards.test.ts).
 */

const RECEIVES = 'what_the_device_writes_is_what_the_cpu_reads';
const ALIAS = 'no_mapping_stays_that_does_harm';

const run = (board: string, coherent: CoherentName, ...cases: readonly string[]): RunResult =>
  runSuites({
    board,
    plan: planMachine(loadBoard(board, BOARD_FILES), {
      ...{ memory: null, quirks: [], coherent, dmaMemory: { iommuPassthrough: true } },
    }),
    suites: [dmaCoherentSuite],
    selects: (_suite, name) => cases.length === 0 || cases.includes(name),
    timings: ['latest'],
    adversary: { kind: 'all' },
    seed: 1,
    streaming: ALL_STEPS,
    investigated: 1,
  });

const outcomes = (result: RunResult): readonly string[] =>
  allCases(result).map(({ outcome }) => outcome);

const because = (result: RunResult): string | undefined =>
  allCases(result).find(({ name }) => name === ALIAS)?.row?.['because'];

test('pandaboard: what was remapped in 2011 is wrong, with a witness that is replayed', t => {
  const result = run('pandaboard', 'legacy-remap', RECEIVES, ALIAS);
  t.deepEqual(outcomes(result), ['failed', 'failed']);
  const rules = new Set(result.findings.map(({ finding }) => finding.rule));
  t.true(rules.has('cacheability-mismatch'));
  t.true(rules.has('refill-after-invalidate') || rules.has('stale-cpu-read'));
  t.true(result.findings.some(({ proof }) => proof === 'replayed'));
  t.false(result.findings.some(({ proof }) => proof === 'not-replayed'));
  t.regex(because(result) ?? '', /^cortex-a9 fills lines by the cacheable mapping/);
});

test('pandaboard: a witness is replayed if another CPU reads than the one that allocated', t => {
  const { findings } = run('pandaboard', 'legacy-remap', 'every_cpu_sees_the_same');
  const proofs = new Set(findings.map(({ proof }) => proof));
  t.true(proofs.has('replayed'));
  t.false(proofs.has('not-replayed'));
});

for (const strategy of ['highmem', 'carveout', 'uncached-in-place'] as const) {
  test(`pandaboard: ${strategy} passes`, t => {
    const result = run('pandaboard', strategy);
    t.deepEqual(new Set(outcomes(result)), new Set(['passed']));
    t.is(because(result), 'no cacheable mapping stays');
  });
}

for (const [board, reason] of [
  ['versatile-pb', /^relies on arm926ej-s to fill no line unasked/],
  ['juno', /^relies on uncached accesses of cortex-a57 to ignore clean lines/],
] as const) {
  test(`${board}: a remapped page is right, and the run says what that relies on`, t => {
    const result = run(board, 'legacy-remap', RECEIVES, ALIAS);
    t.deepEqual(outcomes(result), ['passed', 'passed']);
    t.deepEqual(result.findings, []);
    t.regex(because(result) ?? '', reason);
  });
}

test('a strategy that a board cannot serve skips what needs memory, and says why', t => {
  const result = run('versatile-pb', 'highmem', RECEIVES);
  t.deepEqual(outcomes(result), ['skipped']);
  t.deepEqual(allCases(result)[0]?.lines, ['highmem: no highmem on this machine']);
});
