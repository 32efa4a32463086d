import type { Argv, Options } from 'yargs';
import { RUN_FORMATS, TIMING_CHOICES } from './arguments';
import type { RunArguments } from './arguments';
import { withMachine } from './options';
import type { Choice, Command } from './options';

/** Not drawn by chance: two people who type the same see the same. */
const DEFAULT_SEED = '1';

const suite = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: 'Run only suites or cases of this pattern: SUITE or SUITE.CASE, with *',
} as const satisfies Options;

const adversary = {
  type: 'string',
  requiresArg: true,
  default: 'random',
  describe: 'What the caches do unasked: lru, random, or script:FILE',
} as const satisfies Options;

const seed = {
  type: 'string',
  requiresArg: true,
  default: DEFAULT_SEED,
  describe: 'The seed of everything that is left to chance',
} as const satisfies Options;

const timing: Choice<typeof TIMING_CHOICES> = {
  choices: TIMING_CHOICES,
  requiresArg: true,
  default: 'both',
  describe: 'When, between doorbell and completion, devices move their data',
};

const format: Choice<typeof RUN_FORMATS> = {
  choices: RUN_FORMATS,
  requiresArg: true,
  describe: 'For a person, for a reader of test results, or everything',
  default: 'human',
};

const builder = (yargs: Argv): Argv<RunArguments> =>
  withMachine(yargs).options({ suite, adversary, seed, 'dma-timing': timing, format });

/** `dmabench run` */
export const runCommand: Command<RunArguments> = assign => ({
  command: 'run <board>',
  describe: 'Boot a machine and run the suites on it',
  builder,
  handler: args => {
    assign(async host => (await import('../run/run')).run(args, host));
  },
});
