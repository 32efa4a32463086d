import { painted, table } from '../../report/table';
import { grouped, paragraph, printable } from '../../report/text';
import type { Paint } from '../../report/text';
import type { LivelockExperimentReport, LivelockRow } from './report';

/** A table for each number of pages. */
export const livelockExperimentHuman = (
  { board, clients, wanted, rows, notes }: LivelockExperimentReport,
  paint: Paint,
  width: number,
): string => {
  const sum = clients.reduce((total, need) => total + need, 0);
  const title = `${printable(board)}: clients of ${clients.join(' and ')} objects, ${wanted} jobs each, in turn`;
  const sections = [
    [paint('bold', title)],
    ...[...new Set(rows.map(({ slots }) => slots))].map(slots => [
      paint('bold', `${slots} pages${slots === sum ? ': room for all' : ''}`),
      ...tableOf(
        rows.filter(row => row.slots === slots),
        wanted,
        paint,
        width,
      ),
    ]),
    [...notes.flatMap(note => paragraph('  - ', note, width))],
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

const tableOf = (
  rows: readonly LivelockRow[],
  wanted: number,
  paint: Paint,
  width: number,
): string[] => {
  const head = [
    'policy',
    'jobs',
    '',
    'steps',
    'binds',
    'evictions',
    'per job',
    'longest',
    'Jain',
    '',
  ];
  const cells = rows.map(row => [
    ...[row.policy, row.jobs.join('/'), verdictOf(row, wanted), grouped(row.steps)],
    ...[grouped(row.binds), grouped(row.evictions), perJob(row), grouped(row.longestWait)],
    ...[row.fairness.toFixed(2), ''],
  ]);
  const lines = table([head, ...cells], { width, indent: 2, right: [1, 3, 4, 5, 6, 7, 8] });
  return painted(painted(lines, 'LIVELOCK', paint), 'DEADLOCK', paint);
};

const jobsOf = ({ jobs }: LivelockRow): number => jobs.reduce((total, done) => total + done, 0);

/** What is seen in one schedule: that nobody gets anything done is not proven by it. */
const verdictOf = (row: LivelockRow, wanted: number): string => {
  if (row.isDeadlock) return 'DEADLOCK';
  if (jobsOf(row) === 0) return 'LIVELOCK';
  return row.jobs.every(done => done >= wanted) ? '' : 'starved';
};

const perJob = (row: LivelockRow): string =>
  jobsOf(row) === 0 ? '-' : (row.evictions / jobsOf(row)).toFixed(1);
