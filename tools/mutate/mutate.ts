import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { openBoard, planRun } from '../board/open';
import type { MutateArguments } from '../commands/arguments';
import { Exit, RunStopped } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { parseSeed, planOptions, timingsOf } from '../options';
import { withPlugins } from '../plugin/load';
import type { Loaded } from '../plugin/load';
import { Progress } from '../progress';
import { toJson } from '../report/json';
import { painter, widthOf } from '../report/text';
import { mutateLine } from '../run/repeat';
import { selectCases } from '../run/patterns';
import { mutateHuman } from './mutate-human';
import type { MutationReport } from './mutate-human';
import { MutationRun } from './mutation-run';

/** `dmabench mutate`: which calls of the software a suite needs, on each of several boards. */
export const mutate = (args: MutateArguments, host: Host): ExitStatus =>
  withPlugins(args.load, loaded => mutateWith(args, loaded, host));

const mutateWith = (args: MutateArguments, loaded: Loaded, host: Host): ExitStatus => {
  const suites = loaded.patterns(args.suite);
  const selects = selectCases(suites, loaded.suites);
  const boards = args.boards.map(name => {
    const board = openBoard(name, args.overlay ?? []);
    return {
      ...{ board: board.source, plan: planRun(board, planOptions(args, loaded.modules)), selects },
      ...{ suites: loaded.suites, placeOf: loaded.placeOf },
      ...{ adversary: { kind: 'all' } as const, seed: parseSeed(args.seed) },
      ...{ timings: timingsOf('both'), streaming: ALL_STEPS },
    };
  });
  const run = new MutationRun(boards);
  const isInterrupted = stepAll(run, args, host);
  const report: MutationReport = {
    boards: boards.map(({ board }) => board),
    suites: suites.length === 0 ? ['all suites'] : suites,
    ...run.result(),
    isComplete: !isInterrupted,
  };
  const human = (): string => mutateHuman(report, painter(host.out), widthOf(host.out));
  host.out.write(args.format === 'json' ? toJson(documentOf(report)) : human());
  if (isInterrupted) return Exit.Interrupted;
  return report.failing.length > 0 ? Exit.Failed : Exit.Passed;
};

/** True if the user interrupted. */
const stepAll = (run: MutationRun, args: MutateArguments, host: Host): boolean => {
  const progress = new Progress(host);
  try {
    return host.untilInterrupted(() => {
      const { next } = run;
      if (next === null) return false;
      const { done, total } = run.progress;
      progress.show(next, done, total);
      try {
        run.step();
      } catch (error) {
        throw new RunStopped(next, mutateLine(args), error);
      }
      return run.next !== null;
    });
  } finally {
    progress.clear();
  }
};

/** What `mutate --format json` prints: an effect for each board, in their order. */
const documentOf = ({ boards, suites, sites, failing, isComplete }: MutationReport): unknown => ({
  format: 'dmabench-mutate-1',
  boards,
  suites,
  complete: isComplete,
  failing,
  sites: sites.map(({ site, effects }) => ({ ...site, effects })),
});
