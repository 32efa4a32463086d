import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { findingLine, findingLines } from '../../../tools/report/findings-human';
import { runDocument } from '../../../tools/report/run-json';
import { runHuman } from '../../../tools/report/run-human';
import { runKtap } from '../../../tools/report/run-ktap';
import type { RunReport } from '../../../tools/report/run-report';
import { painter } from '../../../tools/report/text';
import type { KeptFinding } from '../../../tools/run/findings';
import type { CaseRow } from '../../../tools/run/results';
import { finding, kept } from '../../support/findings';
import { KeptOutput } from '../../support/host';

const plain = (_style: string, text: string): string => text;

const reportOf = (findings: readonly KeptFinding[], row: CaseRow | null = null): RunReport => ({
  result: {
    parameters: { board: 'b', model: 'B', adversary: 'all', seed: 1, timings: ['latest'] },
    suites: [
      {
        name: 'eth',
        cases: [
          {
            ...{ name: 'receives', outcome: 'failed', lines: ['finding 1: x'], expectations: 1 },
            ...{ findings: findings.map(one => one.finding.id), row },
          },
        ],
      },
    ],
    ...{
      isComplete: true,
      trace: '0123abcd',
      events: 1,
      unasked: {},
      stale: [],
      lost: [],
      dmaDebug: [],
      notes: [],
    },
    findings,
  },
  ...{
    hash: '',
    cores: [],
    memory: 2n ** 30n,
    notes: [],
    repeat: 'dmabench run b',
    hasTables: true,
  },
});

test('a finding is a block: rule, access, buffer, what is missing and where it belongs', t => {
  t.deepEqual(findingLines(kept(), plain, 80), [
    '   1  error: refill-after-invalidate',
    '      A line was invalidated before the device wrote only: it may have been',
    '      fetched again since.',
    '      access   CPU load at drivers/net/eth.ts:40',
    '      bytes    0x80012344, 4 bytes',
    '      device   /ocp/dma-controller@4a056000',
    '      buffer   0x80012340, 256 bytes',
    '               allocated at drivers/net/eth.ts:20',
    '               mapped at drivers/net/eth.ts:21',
    '      missing  dmaSyncSingleForCpu(0x80012340, 256)',
    '               after  drivers/net/eth.ts:30',
    '               before drivers/net/eth.ts:40',
    '      in       eth.receives',
    '      proof    replayed on the machine with real caches: the wrong bytes',
    '               appeared',
  ]);
});

test('what is not known of a finding takes no room', t => {
  const bare = { device: null, buffer: null, missing: null };
  const lines = findingLines(kept({ finding: finding(bare), proof: 'evidence' }), plain, 80);
  t.false(lines.some(line => /^ +(?:device|buffer|missing|proof|times) |null/.test(line)));
});

test('how often, and in which cases, is told', t => {
  const cases = ['a.a', 'a.b', 'a.c', 'a.d', 'a.e'];
  const text = findingLines(kept({ finding: finding({ count: 12_632 }), cases }), plain, 80).join();
  t.true(text.includes('times    12,632'));
  t.true(text.includes('a.a, a.b, a.c and 2 more'));
});

test('a barrier that is missing has no range', t => {
  const missing = { call: 'dmaRmb', range: { start: 0, size: 4 }, between: [null, 'a:1'] } as const;
  const text = findingLines(kept({ finding: finding({ missing }) }), plain, 80).join('\n');
  t.true(text.includes('missing  dmaRmb()\n               before a:1\n'));
});

test('what a file brings in cannot steer the terminal', t => {
  const device = 'dma\u001b[2J';
  const text = findingLines(kept({ finding: finding({ device }) }), plain, 80).join();
  t.true(text.includes('dma\\x1b[2J'));
});

test('colour adds nothing to the findings of a report', t => {
  const report = reportOf([kept(), kept({ finding: finding({ id: 2, severity: 'note' }) })]);
  const painted = runHuman(report, painter(new KeptOutput(80)), 80);
  t.true(painted.includes('\u001b[31m'));
  t.is(stripVTControlCharacters(painted), runHuman(report, plain, 80));
});

test('of very many findings the first are shown, the rest counted', t => {
  const many = Array.from({ length: 60 }, (_, i) => kept({ finding: finding({ id: i + 1 }) }));
  const text = runHuman(reportOf(many), plain, 80);
  t.true(text.includes('  50  error: '));
  t.false(text.includes('  51  error: '));
  t.true(text.includes('and 10 more, which --format json or --save has'));
});

test('a value finding that was not confirmed is a defect, in plain words', t => {
  const unconfirmed = kept({ proof: 'not-replayed', finding: finding({ confirmed: false }) });
  const text = runHuman(reportOf([unconfirmed]), plain, 100);
  t.true(text.includes('NOT CONFIRMED'));
  t.regex(text, /Finding 1 was not confirmed: .* a defect of\s+dmabench, not of the driver\./s);
});

test('KTAP has each finding of a case before its result', t => {
  const lines = runKtap(reportOf([kept()])).split('\n');
  const at = lines.findIndex(line => line.startsWith('    # finding 1 error '));
  t.is(
    lines[at],
    '    # finding 1 error refill-after-invalidate: CPU load at drivers/net/eth.ts:40; bytes ' +
      '0x80012344, 4 bytes; device /ocp/dma-controller@4a056000; missing ' +
      'dmaSyncSingleForCpu(0x80012340, 256) after drivers/net/eth.ts:30 and before ' +
      'drivers/net/eth.ts:40',
  );
  t.is(lines[at + 2], '    not ok 1 receives');
});

test('a line of a finding has no line breaks, whatever it names', t => {
  t.false(findingLine(kept({ finding: finding({ device: 'a\nb' }) })).includes('\n'));
});

test('JSON has each finding once, of exactly this shape, and its cases name it', t => {
  const { findings, suites } = runDocument(reportOf([kept()]));
  t.deepEqual(Object.keys(findings[0] ?? {}), [
    ...['id', 'rule', 'severity', 'device', 'buffer', 'bytes', 'access', 'missing', 'witness'],
    ...['confirmed', 'count'],
  ]);
  t.deepEqual(findings, [finding()]);
  t.deepEqual(suites[0]?.cases[0]?.findings, [1]);
});

test('what cases tell by column is a table of their suite', t => {
  const report = reportOf([], { bug: '58979ad', checker: 'found', random: '3 of 100' });
  const lines = runHuman(report, plain, 80).split('\n');
  const at = lines.findIndex(line => line.trim().startsWith('eth   ') && line.includes('bug'));
  t.deepEqual(lines.slice(at, at + 2), [
    '  eth       bug      checker  random',
    '  receives  58979ad  found    3 of 100',
  ]);
});

test('a table that is too wide for its lines becomes a block for each case', t => {
  const report = reportOf([], { bug: 'a'.repeat(60), checker: 'b '.repeat(30).trim() });
  const lines = runHuman(report, plain, 80).split('\n');
  const at = lines.indexOf('  receives');
  t.is(lines[at - 1], 'eth');
  t.is(lines[at + 1], `    bug      ${'a'.repeat(60)}`);
  t.true(lines.every(line => line.length <= 80));
  t.false(runHuman({ ...report, hasTables: false }, plain, 80).includes('aaa'));
});

test('reads of what was not the latest are shown, of a run under a script', t => {
  const { result, ...rest } = reportOf([]);
  const bytes = { start: 0x8000_0000, size: 4 };
  const read = { suite: 'eth', timing: 'latest', event: 1234, access: 'CPU0 load', bytes };
  const stale = Array.from({ length: 10 }, (_, i) => ({ ...read, valuesDiffer: i > 0 }));
  const text = runHuman({ result: { ...result, stale }, ...rest }, plain, 100);
  t.true(text.includes('\nWhat was read and was not the latest\n  event 1,234  CPU0 load  0x8000'));
  t.true(text.includes('eth, latest: an older write of the same value\n'));
  t.true(text.includes('\n  and 2 more\n'));
});

test('bytes that are nowhere any more are shown, of a run under a script', t => {
  const { result, ...rest } = reportOf([]);
  const bytes = { start: 0x8000_0001, size: 31 };
  const lost = [{ inCase: 'eth.receives', timing: 'latest', bytes }];
  const text = runHuman({ result: { ...result, lost }, ...rest }, plain, 100);
  t.true(
    text.includes('is nowhere any more\n  0x80000001, 31 bytes  after eth.receives, latest\n'),
  );
});
