import { InputError } from '../../../drivers/base/types/errors';
import type { ExploreArguments } from '../../commands/arguments';
import { Exit } from '../../exit';
import type { ExitStatus } from '../../exit';
import type { Host } from '../../host';
import { toJson } from '../../report/json';
import { painted, table } from '../../report/table';
import { painter, paragraph, widthOf } from '../../report/text';
import { stepClient } from '../explorer';
import { parseCount, parseScope } from '../options';
import { search } from '../search';
import type { Finding } from '../search';
import type { Lasso } from '../verdict';
import { verdictText } from '../verdict-text';
import { IovaWorld, MAPPINGS, iovaScenario } from './world';
import type { IovaScope, MappingName } from './world';

/** Columns: the aperture in one part or in two, what was unmapped free at once or later. */
const COLUMNS = [
  { title: 'one part', isFragmented: false, isLazy: false },
  { title: 'two parts', isFragmented: true, isLazy: false },
  { title: 'one part, lazy', isFragmented: false, isLazy: true },
  { title: 'two parts, lazy', isFragmented: true, isLazy: true },
] as const;

const NOTES = [
  'With each verdict the number of states: every order in which devices, and the timer of the flush queue, can go on was looked at, over the real IovaDomain.',
  'Two parts: a reserved region halves the aperture. Lazy: what was unmapped stays allocated until the timer of the flush queue expires, which is any time.',
  'all-at-once takes an aligned power of two. Where no part holds one, DEADLOCK says that nobody is ever served: alone neither.',
  'progress*: a device may starve while the other is served. With --policy the schedules are told. Not reduced: states that differ in addresses are two.',
];

/** One cell: a way to map, in a scope. */
export interface IovaCell extends Omit<Finding, 'lasso'> {
  readonly scope: IovaScope;
  /** Steps to where it ends, or to the cycle and once round; null: all make progress. */
  readonly schedule: readonly string[] | null;
  /** How many of the last steps are the cycle. */
  readonly cycle: number;
}

const mappingsOf = (asked: string | undefined): readonly MappingName[] => {
  const all = Object.keys(MAPPINGS) as MappingName[];
  const found = all.filter(name => asked === undefined || name === asked);
  if (found.length > 0) return found;
  throw new InputError({ place: '--policy', expected: all.join(', '), found: `'${asked ?? ''}'` });
};

/** `dmabench explore iova`: which ways to map a list let two devices starve each other, and how. */
export const exploreIova = (args: ExploreArguments, host: Host): ExitStatus => {
  const mappings = mappingsOf(args.policy);
  const { slots, clients } = parseScope(args, 'list');
  const limit = parseCount('--states', args.states, 100_000_000);
  const cells: IovaCell[] = [];
  for (const mapping of mappings) {
    for (const { isFragmented, isLazy } of COLUMNS) {
      const cell = exploreIovaCell({ mapping, slots, clients, isFragmented, isLazy }, limit, host);
      if (cell === null) return Exit.Interrupted;
      cells.push(cell);
    }
  }
  const isTold = args.policy !== undefined;
  host.out.write(
    args.format === 'json' ? toJson({ cells, notes: NOTES }) : human(cells, isTold, host),
  );
  const isBad = cells.some(({ kind, isConfirmed }) => kind === 'unknown' || isConfirmed === false);
  const isAsked = isTold && cells.some(({ kind }) => kind !== 'progress');
  return isBad || isAsked ? Exit.Failed : Exit.Passed;
};

/** Null: interrupted. */
export const exploreIovaCell = (scope: IovaScope, limit: number, host: Host): IovaCell | null => {
  const finding = search(iovaScenario(scope), limit, host, scope.mapping);
  if (finding === null) return null;
  const { lasso, starved, ...rest } = finding;
  return {
    ...{ scope, ...rest },
    // The timer has no work of its own that could be done.
    starved: starved !== null && starved.client < scope.clients.length ? starved : null,
    schedule: lasso === null ? null : tell(scope, lasso),
    cycle: lasso?.cycle.length ?? 0,
  };
};

/** A schedule run again: who has how many ranges after each step, and who sleeps. */
const tell = (scope: IovaScope, { path, cycle }: Lasso): string[] => {
  const world = new IovaWorld(scope);
  return [...path, ...cycle].map(client => {
    stepClient(world, client);
    const task = world.clients[client];
    const held = world.held[client];
    const ranges = held === undefined ? '' : ` has ${held.map(({ pfn }) => pfn).join() || 'none'},`;
    const does = task?.isRunnable === true ? 'goes on from' : 'sleeps in';
    return `${task?.name ?? ''}${ranges} ${does} ${task?.point?.at ?? ''}`;
  });
};

const titleOf = ({ scope }: IovaCell): string =>
  COLUMNS.find(
    ({ isFragmented, isLazy }) => isFragmented === scope.isFragmented && isLazy === scope.isLazy,
  )?.title ?? '';

const human = (cells: readonly IovaCell[], isTold: boolean, host: Host): string => {
  const [paint, width] = [painter(host.out), widthOf(host.out)];
  const scope = cells[0]?.scope;
  const mappings = [...new Set(cells.map(cell => cell.scope.mapping))];
  const rows = mappings.map(mapping => [
    mapping,
    ...cells.filter(cell => cell.scope.mapping === mapping).map(verdictText),
    '',
  ]);
  const head = ['mapping', ...COLUMNS.map(({ title }) => title), ''];
  const lines = table([head, ...rows], { width, indent: 2 });
  const title = `Lists of ${scope?.clients.join(' and ') ?? ''} pieces in an aperture of ${scope?.slots ?? 0} frames: every interleaving`;
  const sections = [
    [paint('bold', title)],
    painted(painted(lines, 'LIVELOCK', paint), 'DEADLOCK', paint),
    mappings.map(mapping => `  ${mapping}: ${MAPPINGS[mapping]}`),
    ...(isTold ? cells.flatMap(scheduleOf) : []),
    NOTES.flatMap(note => paragraph('  - ', note, width)),
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

const scheduleOf = (cell: IovaCell): string[][] => {
  const { schedule, cycle, isConfirmed } = cell;
  if (schedule === null) return [];
  const shown = isConfirmed === true ? 'run again' : 'NOT confirmed';
  const end = cycle === 0 ? 'then nobody can go on' : `the last ${cycle} are the cycle`;
  return [[`  ${titleOf(cell)}, ${shown}: ${end}`, ...schedule.map(step => `    ${step}`)]];
};
