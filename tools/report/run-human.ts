import { allCases, countCases } from '../run/results';
import type { Step } from '../../arch/arm/concrete/whims';
import type { Counts, RunResult } from '../run/results';
import type { RunReport } from './run-report';
import { table } from './table';
import { bytes, grouped, paragraph, plural, printable } from './text';
import type { Paint } from './text';

/** A run for a person: what failed stands out, the rest is short. */
export const runHuman = (report: RunReport, paint: Paint, width: number): string => {
  const { result, notes, repeat } = report;
  const sections = [
    headLines(report, paint, width),
    suiteLines(result, paint, width),
    failureLines(result, paint, width),
    skipLines(result, paint, width),
    noteLines(notes, paint, width),
    unaskedLines(result, paint, width),
    endLines(result, paint),
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

/** By reason, as one reason often skips several cases. */
const skipLines = ({ suites }: RunResult, paint: Paint, width: number): string[] => {
  const byReason = new Map<string, string[]>();
  for (const { name: suite, cases } of suites) {
    for (const { name, outcome, lines } of cases) {
      if (outcome !== 'skipped') continue;
      const reason = printable(lines.join('; '));
      byReason.set(reason, [...(byReason.get(reason) ?? []), `${suite}.${name}`]);
    }
  }
  if (byReason.size === 0) return [];
  const rows = [...byReason].flatMap(([reason, names]) => [
    ...paragraph('  ', reason, width),
    ...names.map(name => paint('dim', `    ${name}`)),
  ]);
  return [paint('bold', 'Skipped'), ...rows];
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
