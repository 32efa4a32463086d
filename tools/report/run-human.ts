import { allCases, countCases } from '../run/results';
import type { Step } from '../../arch/arm/concrete/whims';
import type { CaseResult, Counts, RunResult } from '../run/results';
import type { RunReport } from './run-report';
import { findingLines, rangeText } from './findings-human';
import { table } from './table';
import { bytes, grouped, paragraph, plural, printable } from './text';
import type { Paint } from './text';

/** A run for a person: what failed stands out, the rest is short. */
export const runHuman = (report: RunReport, paint: Paint, width: number): string => {
  const { result, notes, repeat } = report;
  const sections = [
    headLines(report, paint, width),
    suiteLines(result, paint, width),
    ...(report.hasTables ? rowLines(result, paint, width) : []),
    ...findingBlocks(result, paint, width),
    failureLines(result, paint, width),
    skipLines(result, paint, width),
    noteLines(notes, paint, width),
    unaskedLines(result, paint, width),
    staleLines(result, paint, width),
    lostLines(result, paint, width),
    endLines(result, paint),
    defectLines(result, paint, width),
    [`To repeat it: ${printable(repeat)}`],
  ];
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => `${lines.join('\n')}\n`)
    .join('\n');
};

const headLines = ({ result, cores, memory }: RunReport, paint: Paint, width: number): string[] => {
  const { board, model, adversary, seed, timings } = result.parameters;
  const title = `${printable(board)}: ${printable(model)}`;
  const facts = [
    ['machine', [...cores, `${bytes(memory)} of RAM`].join(', ')],
    ['adversary', `${adversary}, seed ${seed}`],
    ['DMA timing', timings.join(' and ')],
  ];
  return [paint('bold', title), ...table(facts, { width, indent: 2 })];
};

const suiteLines = ({ suites }: RunResult, paint: Paint, width: number): string[] => {
  const rows = suites.map(({ name, cases }) => {
    const { passed, failed, skipped } = countCases(cases);
    return [name, `${passed} passed`, count(failed, 'failed'), count(skipped, 'skipped')];
  });
  return table(rows, { width, indent: 2, right: [1, 2, 3] }).map((line, i) => {
    const hasFailures = (rows[i]?.[2] ?? '') !== '';
    return hasFailures ? paint('red', line) : line;
  });
};

const count = (number: number, what: string): string => (number === 0 ? '' : `${number} ${what}`);

/**
 * What cases tell beside pass or fail, one table for each suite that tells something; a block for
 * each case where a table would be too wide.
 */
const rowLines = ({ suites }: RunResult, paint: Paint, width: number): string[][] =>
  suites.flatMap(({ name, cases }) => {
    const told = cases.flatMap(one => (one.row === null ? [] : [{ name: one.name, row: one.row }]));
    if (told.length === 0) return [];
    const columns = [...new Set(told.flatMap(({ row }) => Object.keys(row)))];
    const rows = [
      [name, ...columns],
      ...told.map(one => [one.name, ...columns.map(column => printable(one.row[column] ?? ''))]),
    ];
    const [head = '', ...lines] = table(rows, { width, indent: 2 });
    if (lines.length === told.length && lines.every(line => line.length <= width)) {
      return [[paint('bold', head), ...lines]];
    }
    const blocks = told.flatMap(one => [
      `  ${one.name}`,
      ...table(
        columns.map(column => [column, printable(one.row[column] ?? '')]),
        { width, indent: 4 },
      ),
    ]);
    return [[paint('bold', name), ...blocks]];
  });

/** A section whose blocks stand apart. */
const findingBlocks = ({ findings }: RunResult, paint: Paint, width: number): string[][] => {
  const more = findings.length - MOST_FINDINGS;
  return [
    ...findings
      .slice(0, MOST_FINDINGS)
      .map((kept, i) => [
        ...(i === 0 ? [paint('bold', 'Findings'), ''] : []),
        ...findingLines(kept, paint, width),
      ]),
    ...(more > 0 ? [[`  and ${grouped(more)} more, which --format json or --save has`]] : []),
  ];
};

/** Of more, the others are counted. */
const MOST_FINDINGS = 50;

/** In plain words: a checker that says what no machine shows is not to be believed. */
const defectLines = ({ findings }: RunResult, paint: Paint, width: number): string[] => {
  const ids = findings.flatMap(({ finding: { id }, proof }) =>
    proof === 'not-replayed' ? [String(id)] : [],
  );
  if (ids.length === 0) return [];
  const which = ids.length === 1 ? `Finding ${ids.join()} was` : `Findings ${ids.join(', ')} were`;
  const text = `${which} not confirmed: replayed on the machine with real caches, no wrong byte appeared. That is a defect of dmabench, not of the driver.`;
  return paragraph('', text, width).map(line => paint('red', line));
};

const failureLines = ({ suites }: RunResult, paint: Paint, width: number): string[] => {
  const lines = suites.flatMap(({ name: suite, cases }) =>
    cases
      .filter(({ outcome }) => outcome === 'failed')
      .flatMap(({ name, lines: what }) => [
        paint('red', `  ${suite}.${name}`),
        ...what.flatMap(line => paragraph('    ', printable(line), width)),
      ]),
  );
  return lines.length === 0 ? [] : [paint('bold', 'Failed'), ...lines];
};

/** By reason, as one reason often skips several cases; a suite that it skips whole is one line. */
const skipLines = ({ suites }: RunResult, paint: Paint, width: number): string[] => {
  const byReason = new Map<string, string[]>();
  for (const { name: suite, cases } of suites) {
    for (const [reason, names] of skippedOf(cases)) {
      const isWhole = names.length === cases.length && names.length > 1;
      const shown = isWhole ? [`* (all ${names.length} cases)`] : names;
      const there = byReason.get(reason) ?? [];
      byReason.set(reason, [...there, ...shown.map(name => `${suite}.${name}`)]);
    }
  }
  if (byReason.size === 0) return [];
  const rows = [...byReason].flatMap(([reason, names]) => [
    ...paragraph('  ', reason, width),
    ...names.map(name => paint('dim', `    ${name}`)),
  ]);
  return [paint('bold', 'Skipped'), ...rows];
};

/** Names of the cases of a suite that were skipped, by reason. */
const skippedOf = (cases: readonly CaseResult[]): ReadonlyMap<string, readonly string[]> => {
  const byReason = new Map<string, string[]>();
  for (const { name, outcome, lines } of cases) {
    if (outcome !== 'skipped') continue;
    const reason = printable(lines.join('; '));
    byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  }
  return byReason;
};

const noteLines = (notes: readonly string[], paint: Paint, width: number): string[] =>
  notes.length === 0
    ? []
    : [paint('bold', 'Notes'), ...notes.flatMap(note => paragraph('  - ', printable(note), width))];

/** Which steps of the adversary a reader counts as one kind. */
const UNASKED: readonly (readonly [what: string, steps: readonly Step[]])[] = [
  ['lines fetched', ['fill-inner', 'fill-l2', 'fill-outer']],
  ['lines evicted', ['evict-inner', 'evict-l2', 'evict-outer']],
  ['dirty lines written back early', ['write-back-inner', 'write-back-l2', 'write-back-outer']],
  ['waiting writes let out', ['drain-store', 'drain-outer']],
  ['words read before their time', ['read-early']],
  ['pending cache operations carried out', ['complete-maintenance']],
  ['translations fetched or dropped', ['fill-tlb', 'drop-tlb']],
];

/** How hard the machine tried: a pass is worth as much as what it withstood. */
const unaskedLines = ({ unasked }: RunResult, paint: Paint, width: number): string[] => {
  const rows = UNASKED.flatMap(([what, steps]) => {
    const times = steps.reduce((sum, step) => sum + (unasked[step] ?? 0), 0);
    return times === 0 ? [] : [[grouped(times), what]];
  });
  if (rows.length === 0) return [];
  return [
    paint('bold', 'What the machine did that no program asked for'),
    ...table(rows, { width, indent: 2, right: [0] }),
  ];
};

/** Of more, the others are counted. */
const MOST_STALE = 8;

/** What a witness is replayed for. */
const staleLines = ({ stale }: RunResult, paint: Paint, width: number): string[] => {
  if (stale.length === 0) return [];
  const rows = stale
    .slice(0, MOST_STALE)
    .map(({ suite, timing, event, access, bytes, valuesDiffer }) => [
      `event ${grouped(event)}`,
      access,
      rangeText(bytes),
      `${suite}, ${timing}${valuesDiffer ? '' : ': an older write of the same value'}`,
    ]);
  const more = stale.length - rows.length;
  return [
    paint('bold', 'What was read and was not the latest'),
    ...table(
      rows.map(row => row.map(printable)),
      { width, indent: 2 },
    ),
    ...(more > 0 ? [`  and ${grouped(more)} more`] : []),
  ];
};

/** The same of what is read by nobody, for it is nowhere. */
const lostLines = ({ lost }: RunResult, paint: Paint, width: number): string[] => {
  if (lost.length === 0) return [];
  const rows = lost
    .slice(0, MOST_STALE)
    .map(({ inCase, timing, bytes: range }) => [rangeText(range), `after ${inCase}, ${timing}`]);
  const more = lost.length - rows.length;
  return [
    paint('bold', 'What was written and is nowhere any more'),
    ...table(
      rows.map(row => row.map(printable)),
      { width, indent: 2 },
    ),
    ...(more > 0 ? [`  and ${grouped(more)} more`] : []),
  ];
};

const endLines = (result: RunResult, paint: Paint): string[] => {
  const counts = countCases(allCases(result));
  const style = counts.failed > 0 ? 'red' : result.isComplete ? 'green' : 'yellow';
  const verdict = paint(style, verdictOf(counts));
  return result.isComplete
    ? [`${verdict}  (${plural(result.events, 'event')}, trace ${result.trace})`]
    : [`${verdict}  (interrupted: not all cases were run)`];
};

const verdictOf = ({ passed, failed, skipped }: Counts): string =>
  [
    failed > 0 ? `${grouped(failed)} FAILED` : '',
    `${grouped(passed)} passed`,
    count(skipped, 'skipped'),
  ]
    .filter(part => part !== '')
    .join(', ');
