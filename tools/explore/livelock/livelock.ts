import { InputError } from '../../../drivers/base/types/errors';
import { POLICIES } from '../../../drivers/gpu/drm/policies';
import type { PolicyName } from '../../../drivers/gpu/drm/policies';
import type { ExploreArguments } from '../../commands/arguments';
import { Exit } from '../../exit';
import type { ExitStatus } from '../../exit';
import type { Host } from '../../host';
import { toJson } from '../../report/json';
import { painter, widthOf } from '../../report/text';
import { parseCount, parseScope } from '../options';
import { search } from '../search';
import { livelockHuman } from './human';
import type { LivelockCell, LivelockReport } from './report';
import { tellSchedule } from './schedule';
import { livelockScenario } from './world';
import type { Scope } from './world';

/** What is looked at if nothing is asked for: all of it takes some seconds. */
export const SCOPES: readonly Omit<Scope, 'policy'>[] = [
  { slots: 4, clients: [3, 3] },
  { slots: 5, clients: [3, 3] },
  { slots: 6, clients: [3, 3] },
  { slots: 4, clients: [3, 2] },
  { slots: 4, clients: [2, 2, 2] },
];

/** In the table; the others are asked for by name, as their states are many. */
const SHOWN: readonly PolicyName[] = [
  'incremental-lru',
  'pin-wait',
  'release-retry',
  'random-backoff',
  'oldest-ticket',
  'all-or-nothing',
  'global-lock',
  'fault-lru',
  'fault-batch',
];

const NOTES = [
  'N {a,b}: so many pages for clients whose jobs need a and b of them at once; with each verdict the number of states. Every order in which the real submission code can run was looked at.',
  'LIVELOCK: a cycle in which every client goes on again and again, or cannot, and nobody gets a job done. DEADLOCK: nobody can go on.',
  'progress*: somebody always gets a job done, but an order of events exists in which one client never does.',
  'With --policy, --slots and --clients the schedule is told. States that differ in clients of equal need, or in addresses, are one; of steps that nobody else sees one order was taken.',
];

const policiesOf = (asked: string | undefined, isTable: boolean): readonly PolicyName[] => {
  const all = Object.keys(POLICIES) as PolicyName[];
  if (asked === undefined) return isTable ? SHOWN : all;
  const found = all.find(name => name === asked);
  if (found !== undefined) return [found];
  throw new InputError({ place: '--policy', expected: all.join(', '), found: `'${asked}'` });
};

const scopesOf = (args: ExploreArguments): readonly Omit<Scope, 'policy'>[] =>
  args.slots === undefined && args.clients === undefined ? SCOPES : [parseScope(args, 'job')];

/** `dmabench explore livelock`: which policies let clients starve each other, and by which schedule. */
export const exploreLivelock = (args: ExploreArguments, host: Host): ExitStatus => {
  const scopes = scopesOf(args);
  const policies = policiesOf(args.policy, scopes.length > 1);
  const limit = parseCount('--states', args.states, 100_000_000);
  const cells: LivelockCell[] = [];
  for (const policy of policies) {
    for (const place of scopes) {
      const cell = exploreCell({ ...place, policy }, limit, host);
      if (cell === null) return Exit.Interrupted;
      cells.push(cell);
    }
  }
  const report: LivelockReport = { cells, notes: NOTES };
  const human = (): string => livelockHuman(report, painter(host.out), widthOf(host.out));
  host.out.write(args.format === 'json' ? toJson(report) : human());
  const isBad = cells.some(({ kind, isConfirmed }) => kind === 'unknown' || isConfirmed === false);
  const isOne = cells.length === 1 && cells[0]?.kind !== 'progress';
  return isBad || isOne ? Exit.Failed : Exit.Passed;
};

/** Null: interrupted. */
export const exploreCell = (scope: Scope, limit: number, host: Host): LivelockCell | null => {
  const name = `${scope.policy} ${scope.slots} {${scope.clients.join()}}`;
  const finding = search(livelockScenario(scope), limit, host, name);
  if (finding === null) return null;
  const { lasso, ...rest } = finding;
  return {
    scope,
    ...rest,
    schedule: lasso === null ? null : tellSchedule(scope, lasso),
    cycle: lasso?.cycle.length ?? 0,
  };
};
