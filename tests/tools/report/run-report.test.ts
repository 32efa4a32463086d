import { deepStrictEqual } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { runDocument } from '../../../tools/report/run-json';
import { runHuman } from '../../../tools/report/run-human';
import { runKtap } from '../../../tools/report/run-ktap';
import type { RunReport } from '../../../tools/report/run-report';
import { allCases, countCases } from '../../../tools/run/results';
import type { CaseResult, RunResult } from '../../../tools/run/results';
import { painter } from '../../../tools/report/text';
import { KeptOutput, temporaryFolder } from '../../support/host';

const passed = (name: string): CaseResult => ({
  name,
  outcome: 'passed',
  lines: [],
  expectations: 2,
  findings: [],
  row: null,
});
const skipped = (name: string, reason: string): CaseResult => ({
  name,
  outcome: 'skipped',
  lines: [reason],
  expectations: 0,
  findings: [],
  row: null,
});
const failed = (name: string, ...lines: readonly string[]): CaseResult => ({
  name,
  outcome: 'failed',
  lines,
  expectations: 1,
  findings: [],
  row: null,
});

const reportOf = (change: Partial<RunResult> = {}): RunReport => ({
  result: {
    parameters: {
      board: 'panda',
      model: 'Panda\u001b[2J',
      adversary: 'random',
      seed: 7,
      timings: ['earliest', 'latest'],
    },
    suites: [
      {
        name: 'memory',
        cases: [
          passed('reads'),
          failed('writes', 'expected 1, but it is 2', 'a\nb # c'),
          skipped('waits', 'no clock'),
        ],
      },
      { name: 'mmu', cases: [passed('maps'), skipped('unmaps', 'no clock')] },
    ],
    isComplete: true,
    unasked: {},
    trace: '0123abcd',
    events: 12_345,
    stale: [],
    lost: [],
    dmaDebug: [],
    findings: [],
    notes: [],
    ...change,
  },
  hash: 'f'.repeat(64),
  cores: ['2 × cortex-a9'],
  memory: 2n ** 30n,
  notes: ['a note'],
  repeat: 'dmabench run panda --seed 7',
  hasTables: false,
});

const plain = (_style: string, text: string): string => text;

test('a person reads first what it was, then what failed and why, then how to repeat it', t => {
  t.is(
    runHuman(reportOf(), plain, 80),
    `panda: Panda\\x1b[2J
  machine     2 × cortex-a9, 1 GiB of RAM
  adversary   random, seed 7
  DMA timing  earliest and latest

  memory  1 passed  1 failed  1 skipped
  mmu     1 passed            1 skipped

Failed
  memory.writes
    expected 1, but it is 2
    a\\x0ab # c

Skipped
  no clock
    memory.waits
    mmu.unmaps

Notes
  - a note

1 FAILED, 2 passed, 2 skipped  (12,345 events, trace 0123abcd)

To repeat it: dmabench run panda --seed 7
`,
  );
});

test('a person reads what the machine did unasked, by kind', t => {
  const unasked = { 'fill-inner': 1200, 'fill-outer': 34, 'read-early': 5 };
  const text = runHuman(reportOf({ unasked }), plain, 80);
  const expected = [
    'What the machine did that no program asked for',
    '  1,234  lines fetched',
    '      5  words read before their time',
  ];
  t.true(text.includes(`\n${expected.join('\n')}\n\n1 FAILED`));
  t.deepEqual(runDocument(reportOf({ unasked })).unasked, unasked);
});

test('a suite that one reason skips whole is one line', t => {
  const suites = [
    { name: 'memory', cases: [skipped('waits', 'no clock'), passed('reads')] },
    { name: 'gpu', cases: [skipped('draws', 'no GPU'), skipped('stops', 'no GPU')] },
    { name: 'mixed', cases: [skipped('draws', 'no GPU'), skipped('waits', 'no clock')] },
  ];
  const text = runHuman(reportOf({ suites }), plain, 80);
  const expected = [
    'Skipped',
    '  no clock',
    '    memory.waits',
    '    mixed.waits',
    '  no GPU',
    '    gpu.* (all 2 cases)',
    '    mixed.draws',
  ];
  t.true(text.includes(`\n${expected.join('\n')}\n`), text);
});

test('what is not there takes no room', t => {
  const text = runHuman(
    { ...reportOf({ suites: [{ name: 'mmu', cases: [passed('maps')] }] }), notes: [] },
    plain,
    80,
  );
  t.false(/Failed|Skipped|Notes|failed|FAILED/.test(text));
  t.true(text.includes('\n1 passed  (12,345 events, trace 0123abcd)\n'));
});

test('a run that was interrupted says so and has no trace', t => {
  const report = reportOf({ isComplete: false });
  const text = runHuman(report, plain, 80);
  t.true(text.includes('(interrupted: not all cases were run)'));
  t.false(text.includes('0123abcd'));
  const { complete, trace, events } = runDocument(report);
  t.deepEqual({ complete, trace, events }, { complete: false, trace: null, events: null });
  t.true(runKtap(report).endsWith('# interrupted\n'));
});

test('colour adds nothing that is not in the text', t => {
  const painted = runHuman(reportOf(), painter(new KeptOutput(80)), 80);
  t.true(painted.includes('\u001b[31m'));
  t.is(stripVTControlCharacters(painted), runHuman(reportOf(), plain, 80));
});

test('KTAP has a subtest for each suite, and what failed before the result', t => {
  t.is(
    runKtap(reportOf()),
    `KTAP version 1
1..2
    KTAP version 1
    # Subtest: memory
    1..3
    ok 1 reads
    # writes: expected 1, but it is 2
    # writes: a\\x0ab # c
    not ok 2 writes
    ok 3 waits # SKIP no clock
# memory: pass:1 fail:1 skip:1 total:3
not ok 1 memory
    KTAP version 1
    # Subtest: mmu
    1..2
    ok 1 maps
    ok 2 unmaps # SKIP no clock
# mmu: pass:1 fail:0 skip:1 total:2
ok 2 mmu
# Totals: pass:2 fail:1 skip:2 total:5
# note: a note
# repeat: dmabench run panda --seed 7
# trace: 0123abcd, 12345 events
`,
  );
});

test('JSON has everything, in an order that stays', t => {
  const document = runDocument(reportOf());
  t.deepEqual(Object.keys(document), [
    ...['format', 'version', 'machine', 'parameters', 'repeat', 'complete', 'totals', 'events'],
    ...['trace', 'unasked', 'notes', 'suites', 'stale', 'lost', 'dmaDebug', 'findings'],
  ]);
  t.deepEqual(document.totals, { passed: 2, failed: 1, skipped: 2 });
  t.deepEqual(document.machine, {
    board: 'panda',
    model: 'Panda\u001b[2J',
    hash: 'f'.repeat(64),
    cores: ['2 × cortex-a9'],
    memory: 2 ** 30,
  });
  t.deepEqual(document.suites[0], {
    name: 'memory',
    totals: { passed: 1, failed: 1, skipped: 1 },
    cases: [
      { name: 'reads', outcome: 'passed', expectations: 2, lines: [], findings: [], row: null },
      {
        name: 'writes',
        outcome: 'failed',
        expectations: 1,
        lines: ['expected 1, but it is 2', 'a\nb # c'],
        findings: [],
        row: null,
      },
      {
        name: 'waits',
        outcome: 'skipped',
        expectations: 0,
        lines: ['no clock'],
        findings: [],
        row: null,
      },
    ],
  });
});

/** The kernel's own reader of KTAP, where .ci/run has brought it. */
const KUNIT = join(
  __dirname,
  '../../../.cache/kunit/linux-source-6.1/tools/testing/kunit/kunit.py',
);
const hasKunit = existsSync(KUNIT) && spawnSync('python3', ['--version']).status === 0;
const kunitTest = hasKunit ? test : test.skip;

const kunit = (path: string): { readonly status: number | null; readonly summary: string } => {
  const { status, stdout } = spawnSync('python3', [KUNIT, 'parse', path], { encoding: 'utf8' });
  return { status, summary: /Testing complete\. (.*)/.exec(stdout)?.[1] ?? stdout };
};

kunitTest('kunit.py counts what we count, and finds nothing wrong with the form', t => {
  const file = join(temporaryFolder(t), 'ktap');
  const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/);
  const line = fc.string({ maxLength: 30 });
  const one: fc.Arbitrary<CaseResult> = fc.oneof(
    name.map(passed),
    fc.tuple(name, line).map(([text, reason]) => skipped(text, reason)),
    fc
      .tuple(name, fc.array(line, { minLength: 1, maxLength: 3 }))
      .map(([text, lines]) => failed(text, ...lines)),
  );
  const suite = fc
    .record({ name, cases: fc.array(one, { minLength: 1, maxLength: 5 }) })
    // kunit.py takes the result of such a case for that of its suite; no suite may have one.
    .filter(({ name: own, cases }) => cases.every(({ name: other }) => other !== own));
  const suites = fc.array(suite, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(suites, list => {
      const { result, ...rest } = reportOf({ suites: list });
      writeFileSync(file, runKtap({ result, ...rest }));
      const { status, summary } = kunit(file);
      const counts = countCases(allCases(result));
      const parts = [
        [counts.passed, 'passed'],
        [counts.failed, 'failed'],
        [counts.skipped, 'skipped'],
      ] as const;
      const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${what}: ${count}`);
      const total = counts.passed + counts.failed + counts.skipped;
      // What is skipped altogether is no success to kunit.py. A failure of AVA's own hides the seed.
      deepStrictEqual(
        { summary, status },
        {
          summary: `Ran ${total} tests: ${told.join(', ')}`,
          status: counts.failed === 0 && counts.passed > 0 ? 0 : 1,
        },
      );
    }),
    { numRuns: 15 },
  );
  t.pass();
});
