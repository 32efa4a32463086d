import { parseScript } from '../../arch/arm/adversary/script';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { SUITES } from '../../tests/suites';
import type { Board } from '../board/open';
import { openBoard, planRun } from '../board/open';
import { readText } from '../board/files';
import type { RunArguments } from '../commands/arguments';
import { Exit, RunStopped } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { parseAdversary, parseSeed, planOptions, timingsOf } from '../options';
import { Progress } from '../progress';
import { toJson } from '../report/json';
import { runDocument } from '../report/run-json';
import { runHuman } from '../report/run-human';
import { runKtap } from '../report/run-ktap';
import { makeReport } from '../report/run-report';
import type { RunReport } from '../report/run-report';
import { painter, widthOf } from '../report/text';
import { selectCases } from './patterns';
import { repeatLine } from './repeat';
import { allCases, hasFailed } from './results';
import { SuiteRun } from './runner';
import type { AdversaryChoice, RunOptions } from './runner';

/** `dmabench run`: boots the board, runs the suites, reports. */
export const run = (args: RunArguments, host: Host): ExitStatus => {
  const board = openBoard(args.board, args.overlay ?? []);
  const options = runOptions(args, board);
  const repeat = repeatLine(args);
  const suites = new SuiteRun(options);
  const isInterrupted = runAll(suites, repeat, host);
  const result = suites.result();
  host.out.write(render(args.format, makeReport(result, board, options.plan, repeat), host));
  if (isInterrupted) return Exit.Interrupted;
  return hasFailed(allCases(result)) ? Exit.Failed : Exit.Passed;
};

const runOptions = (args: RunArguments, board: Board): RunOptions => ({
  board: board.source,
  plan: planRun(board, planOptions(args)),
  suites: SUITES,
  selects: selectCases(args.suite ?? [], SUITES),
  adversary: adversaryOf(args.adversary),
  seed: parseSeed(args.seed),
  timings: timingsOf(args['dma-timing']),
  streaming: ALL_STEPS,
});

const adversaryOf = (text: string): AdversaryChoice => {
  const adversary = parseAdversary(text);
  if (adversary.kind !== 'script') return adversary;
  return { kind: 'script', script: parseScript(readText(adversary.file), adversary.file) };
};

/** Steps the run to its end, or to where the user interrupts it; true if so. */
const runAll = (suites: SuiteRun, repeat: string, host: Host): boolean => {
  const progress = new Progress(host);
  try {
    return host.untilInterrupted(() => {
      const { next } = suites;
      if (next === null) return false;
      progress.show(next, suites.done, suites.total);
      try {
        suites.step();
      } catch (error) {
        throw new RunStopped(next, repeat, error);
      }
      return suites.next !== null;
    });
  } finally {
    progress.clear();
  }
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
