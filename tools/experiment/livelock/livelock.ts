import { writeFileSync } from 'node:fs';
import { InputError } from '../../../drivers/base/types/errors';
import { POLICIES } from '../../../drivers/gpu/drm/policies';
import type { PolicyName } from '../../../drivers/gpu/drm/policies';
import { openBoard } from '../../board/open';
import type { ExperimentArguments } from '../../commands/arguments';
import { Exit } from '../../exit';
import type { ExitStatus } from '../../exit';
import type { Host } from '../../host';
import { parseSeed } from '../../options';
import { Progress } from '../../progress';
import { linePlot } from '../../report/line-plot';
import { toJson } from '../../report/json';
import { painter, widthOf } from '../../report/text';
import { livelockExperimentHuman } from './human';
import { MOST_STEPS, measurePolicy } from './measure';
import type { LivelockExperimentReport, LivelockRow } from './report';

const CLIENTS = [6, 6];
/** Around the sum of what the clients need. */
const SLOTS = [6, 7, 8, 9, 10, 11, 12, 13, 14];
/** For a person; the plot and the JSON have all. */
const SHOWN_SLOTS = [8, 11, 12];
const WANTED = 50;
const NAMES = Object.keys(POLICIES) as PolicyName[];

const NOTES = [
  `Clients go in turn, each to the next place where the kernel can be preempted, until each has its jobs done or after ${MOST_STEPS.toLocaleString('en-US')} steps. The submission code is the driver's, the GPU takes no time and has no tables: the counts are the same on every board.`,
  'LIVELOCK is what this one order shows; explore livelock looks at all of them, and finds it for release-retry too, which does well here.',
  'per job: evictions. longest: the most steps between two jobs of one client. Jain: fairness when the first client has all its jobs done, 1 is fair.',
];

const PLOTTED: readonly PolicyName[] = [
  'incremental-lru',
  'pin-wait',
  'release-retry',
  'oldest-ticket',
  'all-or-nothing',
  'global-lock',
];

/** Jobs in a thousand steps, for each number of pages: where they suffice there is a cliff. */
export const cliffPlot = (rows: readonly LivelockRow[]): string =>
  linePlot({
    title: 'Two clients of six objects each: the cliff',
    subtitle: 'Jobs that get done while the clients go in turn; 12 pages are room for all',
    x: 'pages of address space',
    y: 'jobs in 1000 steps',
    curves: PLOTTED.map(name => ({
      name,
      points: rows
        .filter(({ policy }) => policy === name)
        .map(({ slots, jobs, steps }) => {
          const done = jobs.reduce((total, each) => total + each, 0);
          return [slots, (1000 * done) / Math.max(1, steps)] as const;
        }),
    })),
  });

/** `dmabench experiment livelock BOARD`: who gets jobs done when address space is short, and at what price. */
export const livelockExperiment = (args: ExperimentArguments, host: Host): ExitStatus => {
  const board = openBoard(args.board, args.overlay ?? []);
  const seed = parseSeed(args.seed);
  const todo = SLOTS.flatMap(slots => NAMES.map(policy => ({ slots, policy })));
  const rows: LivelockRow[] = [];
  const progress = new Progress(host);
  const isInterrupted = host.untilInterrupted(() => {
    const next = todo[rows.length];
    if (next === undefined) return false;
    progress.show(`${next.policy}, ${next.slots} pages`, rows.length, todo.length);
    rows.push(measurePolicy(next.policy, next.slots, CLIENTS, WANTED, seed));
    return true;
  });
  progress.clear();
  if (args.plot !== undefined && !isInterrupted) writePlot(args.plot, rows);
  const report: LivelockExperimentReport = {
    ...{ board: board.source, clients: CLIENTS, wanted: WANTED, notes: NOTES },
    rows: args.format === 'json' ? rows : rows.filter(({ slots }) => SHOWN_SLOTS.includes(slots)),
  };
  const human = (): string => livelockExperimentHuman(report, painter(host.out), widthOf(host.out));
  host.out.write(args.format === 'json' ? toJson(report) : human());
  return isInterrupted ? Exit.Interrupted : Exit.Passed;
};

const writePlot = (file: string, rows: readonly LivelockRow[]): void => {
  try {
    writeFileSync(file, cliffPlot(rows));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new InputError({ place: '--plot', expected: 'a file that can be written', found });
  }
};
