import test from 'ava';
import { costTable } from '../../../tools/experiment/costs';
import { coherentHuman } from '../../../tools/experiment/coherent/human';
import type { CoherentReport, CoherentRow } from '../../../tools/experiment/coherent/report';
import { main } from '../../../tools/main';
import { TestHost } from '../../support/host';

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const experiment = async (...argv: readonly string[]): Promise<Answer> => {
  const host = new TestHost();
  const status = await main(['experiment', ...argv], host);
  return { status, out: host.out.text, err: host.err.text };
};

/** One strategy on a board, as a program gets it. */
const rowOf = async (board: string, strategy: string): Promise<CoherentRow> => {
  const { status, out } = await experiment(
    ...['coherent', board, '--coherent', strategy, '--format', 'json'],
  );
  const report: unknown = JSON.parse(out);
  const isReport = (value: unknown): value is CoherentReport =>
    typeof value === 'object' && value !== null && 'rows' in value;
  const [row] = isReport(report) ? report.rows : [];
  if (row === undefined || status !== 0) throw new Error(`${status}: ${out}`);
  return row;
};

test('what was remapped in 2011 is unsafe on a pandaboard, and its wrong bytes are shown', async t => {
  const row = await rowOf('pandaboard', 'legacy-remap');
  t.is(row.verdict, 'unsafe');
  t.true(row.isReplayed);
  t.true(row.rules.includes('cacheability-mismatch'));
  t.false(row.isDefect);
  t.false(row.isDefault);
  // Four pages are mapped and unmapped; their lines are flushed once, inside and outside.
  const lines = (4 * 4096) / 32;
  t.deepEqual(row.cost, {
    tableWrites: 8,
    tlbOperations: 4,
    cacheOperations: lines,
    outerOperations: lines,
    // What is counted, each line dirty in both caches once, and 12 barriers.
    nanoseconds: 8 * 10 + 4 * 1000 + lines * (10 + 50) + 2 * lines * 30 + 12 * 100,
  });
  t.is(row.linearEntries, 768);
});

test('the same is safe on a Versatile PB and on a Juno, on what their cores guarantee', async t => {
  const old = await rowOf('versatile-pb', 'legacy-remap');
  t.is(old.verdict, 'safe here');
  t.regex(old.because, /^relies on arm926ej-s to fill no line unasked/);
  t.true(old.isDefault);
  const young = await rowOf('juno', 'legacy-remap');
  t.is(young.verdict, 'safe here');
  t.regex(young.because, /^relies on uncached accesses of cortex-a57 to ignore clean lines/);
  t.is(young.cost?.outerOperations, 0);
});

test('a cure is safe, loses what it sets aside, and says what it does not serve', async t => {
  const row = await rowOf('versatile-pb', 'atomic-pool');
  t.is(row.verdict, 'safe');
  t.is(row.bytesLost, 264 * 1024);
  const none = { tableWrites: 0, tlbOperations: 0, cacheOperations: 0, outerOperations: 0 };
  // A barrier after the memory was zeroed.
  t.deepEqual(row.cost, { ...none, nanoseconds: 100 });
  t.deepEqual(
    row.refusals.map(({ what }) => what),
    ['1 MiB in one piece', '8 MiB in one piece'],
  );
});

test('what a board cannot serve is a row that says why', async t => {
  const row = await rowOf('versatile-pb', 'highmem');
  t.is(row.verdict, 'serves nothing');
  t.is(row.because, 'no highmem on this machine');
  t.is(row.cost, null);
});

test('a person gets a table, and below it what each verdict rests on', t => {
  const row: CoherentRow = {
    ...{ strategy: 'legacy-remap', summary: 'remapped', isDefault: true, memory: 2 ** 29 },
    ...{ verdict: 'unsafe', because: 'lines come back', rules: ['stale-cpu-read'] },
    ...{ isReplayed: true, isDefect: false, bytesLost: 4096, linearEntries: 1000 },
    cost: {
      ...{ tableWrites: 8, tlbOperations: 4, cacheOperations: 512, outerOperations: 2048 },
      nanoseconds: 123_456,
    },
    refusals: [{ what: '8 MiB in one piece', why: 'no free block' }],
  };
  const costs = costTable(['tlb=5']);
  const report = { board: 'b', model: 'B', rows: [row], costs, notes: ['of one buffer'] };
  const text = coherentHuman(report, (_style, plain) => plain, 100);
  t.is(
    text,
    `b: B: coherent memory

  strategy      verdict   lost  TLB entries  table writes  TLB ops  cache ops  outer ops    time
  legacy-remap  unsafe   4 KiB        1,000             8        4        512      2,048  123 µs

legacy-remap  remapped (what this board does)
    unsafe: lines come back
    found: stale-cpu-read; replayed with real caches: the wrong bytes appeared
    does not serve 8 MiB in one piece: no free block
    looked at with 512 MiB of RAM

Cost table
  ns, by which counts become times; --cost NAME=NS for another figure:
    table-write   10  an entry of a translation table (assumed)
    tlb            5  an invalidation of TLB entries (--cost)
    line          10  maintenance of a line that is not there, or clean (assumed)
    dirty-line    30  so much more for a line that is written back (Cortex-A17, 1.25 GHz: a flush of
                      288 KiB takes 200 µs or more, 43 ns a line)
    outer-line    50  maintenance of a line of the outer cache: a register write (assumed)
    barrier      100  a dsb that waits for maintenance or stores (assumed)

Notes
  - of one buffer
`,
  );
});

test('an experiment that there is none of is wrong input', async t => {
  const { status, out, err } = await experiment('magic', 'virt');
  t.is(status, 2);
  t.is(out, '');
  t.is(
    err,
    "dmabench: experiment: expected binding, coherent, iommu, livelock, noncoherent, found 'magic'\n",
  );
});
