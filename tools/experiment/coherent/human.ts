import { table } from '../../report/table';
import { bytes, grouped, paragraph, printable } from '../../report/text';
import type { Paint } from '../../report/text';
import { costLines, shownTime } from '../costs';
import { COHERENT_COSTS } from './measure';
import type { CoherentReport, CoherentRow } from './report';

/** The last column of a table is broken over lines: so that none of these is, it is empty. */
const HEAD = [
  ...['strategy', 'verdict', 'lost', 'TLB entries', 'table writes'],
  ...['TLB ops', 'cache ops', 'outer ops', 'time', ''],
];

/** The table, and below it what each verdict rests on and what a strategy does not serve. */
export const coherentHuman = (report: CoherentReport, paint: Paint, width: number): string => {
  const { board, model, rows, costs, notes } = report;
  const cells = [HEAD, ...rows.map(cellsOf)];
  const [head = '', ...lines] = table(cells, { width, indent: 2, right: [2, 3, 4, 5, 6, 7, 8] });
  const sections = [
    [paint('bold', `${printable(board)}: ${printable(model)}: coherent memory`)],
    [paint('bold', head), ...lines.map((line, i) => coloured(line, rows[i], paint))],
    ...rows.map(row => explained(row, paint, width)),
    [paint('bold', 'Cost table'), ...costLines(costs, COHERENT_COSTS, width)],
    [paint('bold', 'Notes'), ...notes.flatMap(note => paragraph('  - ', note, width))],
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

const cellsOf = (row: CoherentRow): string[] => {
  const { strategy, verdict, bytesLost, linearEntries, cost } = row;
  const held = [bytes(BigInt(bytesLost)), grouped(linearEntries)];
  const counts = cost && [
    cost.tableWrites,
    cost.tlbOperations,
    cost.cacheOperations,
    cost.outerOperations,
  ];
  const done = counts?.map(grouped) ?? ['-', '-', '-', '-'];
  return [strategy, verdict, ...held, ...done, cost ? shownTime(cost.nanoseconds) : '-', ''];
};

const coloured = (line: string, row: CoherentRow | undefined, paint: Paint): string =>
  row?.verdict === 'unsafe' ? paint('red', line) : line;

const explained = (row: CoherentRow, paint: Paint, width: number): string[] => {
  const { strategy, summary, isDefault, because, verdict, memory } = row;
  const whose = isDefault ? ' (what this board does)' : '';
  const with_ = memory === null ? [] : [`looked at with ${bytes(BigInt(memory))} of RAM`];
  const told = [`${verdict}: ${because}`, ...evidenceOf(row), ...refusedBy(row), ...with_];
  return [
    `${paint('bold', strategy)}  ${summary}${whose}`,
    ...told.flatMap(text => paragraph('    ', printable(text), width)),
  ];
};

const evidenceOf = ({ rules, isReplayed }: CoherentRow): string[] => {
  if (rules.length === 0) return [];
  const proof = isReplayed ? '; replayed with real caches: the wrong bytes appeared' : '';
  return [`found: ${rules.join(', ')}${proof}`];
};

/** What serves nothing has said so already. */
const refusedBy = ({ verdict, refusals }: CoherentRow): string[] =>
  verdict === 'serves nothing'
    ? []
    : refusals.map(({ what, why }) => `does not serve ${what}: ${why}`);
