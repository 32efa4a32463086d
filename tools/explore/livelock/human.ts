import type { PolicyName } from '../../../drivers/gpu/drm/policies';
import { POLICIES } from '../../../drivers/gpu/drm/policies';
import { painted, table } from '../../report/table';
import { paragraph } from '../../report/text';
import type { Paint } from '../../report/text';
import { verdictText } from '../verdict-text';
import type { LivelockCell, LivelockReport } from './report';

/** For a person: a table of policies against scopes; of a single cell its schedule too. */
export const livelockHuman = (report: LivelockReport, paint: Paint, width: number): string => {
  const { cells, notes } = report;
  const [only] = cells;
  const sections = [
    [paint('bold', 'Clients that share too little address space: every interleaving')],
    verdictTable(cells, paint, width),
    ...(cells.length === 1 && only !== undefined ? schedule(only) : []),
    [...notes.flatMap(note => paragraph('  - ', note, width))],
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

const columnOf = ({ scope: { slots, clients } }: LivelockCell): string =>
  `${slots} {${clients.join()}}`;

const verdictTable = (cells: readonly LivelockCell[], paint: Paint, width: number): string[] => {
  const columns = [...new Set(cells.map(columnOf))];
  const policies = [...new Set(cells.map(({ scope }) => scope.policy))];
  const cellOf = (policy: PolicyName, column: string): LivelockCell | undefined =>
    cells.find(cell => cell.scope.policy === policy && columnOf(cell) === column);
  const rows = policies.map(policy => [
    policy,
    ...columns.map(column => {
      const cell = cellOf(policy, column);
      return cell === undefined ? '' : verdictText(cell);
    }),
    '',
  ]);
  const lines = table([['policy', ...columns, ''], ...rows], { width, indent: 2 });
  return painted(painted(lines, 'LIVELOCK', paint), 'DEADLOCK', paint);
};

const schedule = ({ scope, schedule: steps, cycle, isConfirmed }: LivelockCell): string[][] => {
  if (steps === null) return [[`  ${scope.policy}: ${POLICIES[scope.policy]}`]];
  const first = steps.length - cycle;
  const line = (client: number, did: readonly string[]): string =>
    `    client ${client}: ${did.join(', ')}`;
  const lines = steps.map(({ client, did }) => line(client, did));
  const shown = isConfirmed === true ? 'run again' : 'NOT confirmed';
  if (cycle === 0) return [[`  Schedule, ${shown}: then nobody can go on`, ...lines]];
  return [
    [`  ${scope.policy}: ${POLICIES[scope.policy]}`],
    [`  To the cycle, ${first} steps:`, ...lines.slice(0, first)],
    [`  The cycle, ${cycle} steps, ${shown} twice:`, ...lines.slice(first)],
  ];
};
