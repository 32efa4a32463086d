import yargs from 'yargs';
import type { Argv } from 'yargs';
import { benchCommand } from './commands/bench';
import { boardsCommand } from './commands/boards';
import { describeCommand } from './commands/describe';
import { experimentCommand } from './commands/experiment';
import { explainCommand } from './commands/explain';
import { exploreCommand } from './commands/explore';
import type { Task } from './commands/options';
import { mutateCommand } from './commands/mutate';
import { renderCommand } from './commands/render';
import { rulesCommand } from './commands/rules';
import { runCommand } from './commands/run';
import { suitesCommand } from './commands/suites';
import { Exit, UsageError, explain } from './exit';
import type { ExitStatus } from './exit';
import type { Host } from './host';
import { widthOf } from './report/text';
import { version } from './version';

/** The command line `dmabench ...argv`: what it prints goes to the host; answers how to exit. */
export const main = async (argv: readonly string[], host: Host): Promise<ExitStatus> => {
  try {
    const { task, output } = await read(argv, host);
    if (task !== null) return await task(host);
    host.out.write(`${output}\n`);
    return Exit.Passed;
  } catch (error) {
    const { status, text } = explain(error, (host.env['DMABENCH_DEBUG'] ?? '') !== '');
    host.err.write(text);
    return status;
  }
};

const COMMANDS = [
  'run',
  'mutate',
  'experiment',
  'explore',
  'render',
  'explain',
  'rules',
  'describe',
  'bench',
  'boards',
  'suites',
  'completion',
];

/** Options that may be given several times. */
const REPEATABLE = ['_', 'boards', 'suite', 'drop', 'quirk', 'overlay', 'load', 'dma-debug'];

/** What the arguments ask for: a task, or help and the like, which yargs has the text of. */
const read = async (
  argv: readonly string[],
  host: Host,
): Promise<{ readonly task: Task | null; readonly output: string }> => {
  const asked: { task: Task | null; output: string } = { task: null, output: '' };
  const assign = (task: Task): void => {
    asked.task = task;
  };
  const parser = yargs()
    .command(runCommand(assign))
    .command(mutateCommand(assign))
    .command(experimentCommand(assign))
    .command(renderCommand(assign))
    .command(exploreCommand(assign))
    .command(explainCommand(assign))
    .command(rulesCommand(assign))
    .command(describeCommand(assign))
    .command(benchCommand(assign))
    .command(boardsCommand(assign))
    .command(suitesCommand(assign))
    .fail((message: string | null, error: Error | undefined) => {
      if (message === null && error !== undefined) throw error;
      const [command = ''] = argv.filter(word => COMMANDS.includes(word));
      throw new UsageError(command, usageText(command, message ?? 'wrong use'));
    });
  await settle(parser, host).parseAsync(plain(argv), {}, (_error, _args, output) => {
    asked.output = output;
  });
  return asked;
};

/**
 * The command line without its `--`, behind which every word is positional: yargs would keep those
 * from the commands and say nothing. What looks like an option there is a file in this folder, and
 * so is a `-`, of which yargs makes nothing at all.
 */
const plain = (argv: readonly string[]): readonly string[] => {
  // A shell that asks what to offer ends with the word as far as it is typed.
  if (argv[0] === '--get-yargs-completions') return argv;
  const words = argv.map((word, i) => (word === '-' ? file(word, argv[i - 1]) : word));
  const dashes = words.indexOf('--');
  if (dashes < 0) return words;
  const before = words.slice(0, dashes);
  const after = words.slice(dashes + 1).map(word => file(word));
  // An option right before `--` has no value: what follows is none.
  const option = before.at(-1)?.startsWith('-') === true ? before.splice(-1) : [];
  return [...before, ...after, ...option];
};

/** A word that stands for a file, unless it is the value of the option before it. */
const file = (word: string, before = ''): string =>
  word.startsWith('-') && !before.startsWith('--') ? `./${word}` : word;

/** Strict, in English whatever the locale, and never exiting by itself. */
const settle = (parser: Argv, host: Host): Argv =>
  parser
    .scriptName('dmabench')
    .usage('$0 COMMAND\n\nRuns driver code on an ARM machine whose caches hold really stale data.')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .locale('en')
    .strict()
    .recommendCommands()
    .demandCommand(1, 'which command?')
    .check(args => {
      for (const [name, value] of Object.entries(args)) {
        if (!Array.isArray(value) || REPEATABLE.includes(name)) continue;
        throw new Error(`--${name} may be given once`);
      }
      return true;
    })
    .completion('completion', 'Print a script with which a shell completes commands')
    .epilogue('Exit status: 0 passed, 1 failed, 2 wrong use or input, 3 a defect of dmabench.')
    .version(version())
    .help()
    .wrap(widthOf(host.out))
    .exitProcess(false);

/** What is missing where it is not a board. */
const MISSING: Readonly<Record<string, string>> = {
  explain: 'which finding?',
  explore: 'which exploration?',
  render: 'which scene?',
};

/** What yargs says, on one line. */
const usageText = (command: string, message: string): string =>
  message.startsWith('Not enough non-option arguments')
    ? (MISSING[command] ?? 'which board?')
    : message.replace(/\s*\n\s*/g, ' ');
