import { parseScript } from '../../arch/arm/adversary/script';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { BugsByChance } from '../../tests/suites/bugs/by-chance';
import type { Board } from '../board/open';
import { openBoard, planRun } from '../board/open';
import { readText } from '../board/files';
import type { RunArguments } from '../commands/arguments';
import { Exit, RunStopped } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { parseAdversary, parseDmaDebug, parseSeed, planOptions, timingsOf } from '../options';
import { withPlugins } from '../plugin/load';
import type { Loaded } from '../plugin/load';
import { Progress } from '../progress';
import { toJson } from '../report/json';
import { runDocument } from '../report/run-json';
import { runHuman } from '../report/run-human';
import { runKtap } from '../report/run-ktap';
import { makeReport } from '../report/run-report';
import type { RunReport } from '../report/run-report';
import { painter, widthOf } from '../report/text';
import { PlaceGate } from '../mutate/site-gate';
import { chanceOf, withChance } from './chance';
import { selectCases } from './patterns';
import { repeatLine } from './repeat';
import { allCases, hasFailed } from './results';
import { saveRun, withWitnesses } from './save';
import { SuiteRun } from './runner';
import type { AdversaryChoice } from './job';
import type { RunOptions } from './runner';

/** `dmabench run`: boots the board, runs the suites, reports. */
export const run = (args: RunArguments, host: Host): ExitStatus =>
  withPlugins(args.load, loaded => runWith(args, loaded, host));

const runWith = (args: RunArguments, loaded: Loaded, host: Host): ExitStatus => {
  const board = openBoard(args.board, args.overlay ?? []);
  const gate = args.drop === undefined ? null : new PlaceGate(args.drop);
  const options = { ...runOptions(args, board, loaded), ...(gate === null ? {} : { gate }) };
  const repeat = repeatLine(args);
  const suites = new SuiteRun(options);
  const chance = chanceOf(args.suite ?? [], options.selects, options);
  const isInterrupted = runAll(suites, chance, repeat, host);
  const { save } = args;
  const ran = suites.result();
  if (!isInterrupted) gate?.checkCalled();
  const bare = chance === null ? ran : withChance(ran, chance);
  const findings = save === undefined ? bare.findings : withWitnesses(bare.findings, save);
  const notes = [...bare.notes, ...loaded.notes(options.plan)];
  const result = { ...bare, findings, notes };
  if (save !== undefined) saveRun(save, args, findings);
  host.out.write(
    render(
      args.format,
      makeReport(result, board, options.plan, repeat, args.suite !== undefined),
      host,
    ),
  );
  if (isInterrupted) return Exit.Interrupted;
  if (findings.some(({ proof }) => proof === 'not-replayed')) return Exit.Defect;
  return hasFailed(allCases(result)) ? Exit.Failed : Exit.Passed;
};

const runOptions = (args: RunArguments, board: Board, loaded: Loaded): RunOptions => ({
  board: board.source,
  plan: planRun(board, planOptions(args, loaded.modules)),
  suites: loaded.suites,
  selects: selectCases(loaded.patterns(args.suite), loaded.suites),
  placeOf: loaded.placeOf,
  adversary: adversaryOf(args.adversary),
  seed: parseSeed(args.seed),
  timings: timingsOf(args['dma-timing']),
  streaming: ALL_STEPS,
  dmaDebug: parseDmaDebug(args['dma-debug'] ?? []),
});

const adversaryOf = (text: string): AdversaryChoice => {
  const adversary = parseAdversary(text);
  if (adversary.kind !== 'script') return adversary;
  return { kind: 'script', script: parseScript(readText(adversary.file), adversary.file) };
};

/** Steps the run to its end, or to where the user interrupts it; true if so. */
const runAll = (
  suites: SuiteRun,
  chance: BugsByChance | null,
  repeat: string,
  host: Host,
): boolean => {
  const progress = new Progress(host);
  try {
    return host.untilInterrupted(() => {
      const { next } = suites;
      if (next === null) return stepChance(chance, progress);
      progress.show(next, suites.done, suites.total);
      try {
        suites.step();
      } catch (error) {
        throw new RunStopped(next, repeat, error);
      }
      return suites.next !== null || chance !== null;
    });
  } finally {
    progress.clear();
  }
};

/** False if there is nothing more to do. */
const stepChance = (chance: BugsByChance | null, progress: Progress): boolean => {
  if (chance === null || chance.done === chance.total) return false;
  progress.show('the bugs by chance', chance.done, chance.total);
  chance.step();
  return true;
};

const render = (format: RunArguments['format'], report: RunReport, { out }: Host): string => {
  switch (format) {
    case 'human':
      return runHuman(report, painter(out), widthOf(out));
    case 'ktap':
      return runKtap(report);
    case 'json':
      return toJson(runDocument(report));
  }
};
