import type { Argv, Options } from 'yargs';
import { RUN_FORMATS, TIMING_CHOICES } from './arguments';
import type { RunArguments } from './arguments';
import { seed, suite, withMachine } from './options';
import type { Choice, Command } from './options';

const adversary = {
  type: 'string',
  requiresArg: true,
  default: 'all',
  describe: 'What caches do unasked: all, lru, random, or script:FILE',
} as const satisfies Options;

const save = {
  type: 'string',
  requiresArg: true,
  describe: "Keep the findings in a file, for 'dmabench explain'",
} as const satisfies Options;

const timing: Choice<typeof TIMING_CHOICES> = {
  choices: TIMING_CHOICES,
  requiresArg: true,
  default: 'both',
  describe: 'When, between doorbell and completion, devices move their data',
};

const drop = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: "Leave out the syncs, barriers and maintenance called at FILE:LINE, as 'mutate' does",
} as const satisfies Options;

const dmaDebug = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: 'Set dma-debug: off, entries=N, driver=NAME, version=6.1|6.12|newest',
} as const satisfies Options;

const format: Choice<typeof RUN_FORMATS> = {
  choices: RUN_FORMATS,
  requiresArg: true,
  describe: 'For a person, for a reader of test results, or everything',
  default: 'human',
};

const builder = (yargs: Argv): Argv<RunArguments> =>
  withMachine(yargs).options({
    suite,
    adversary,
    seed,
    'dma-timing': timing,
    'dma-debug': dmaDebug,
    drop,
    format,
    save,
  });

/** `dmabench run` */
export const runCommand: Command<RunArguments> = assign => ({
  command: 'run <board>',
  describe: 'Boot a machine and run the suites on it',
  builder,
  handler: args => {
    assign(async host => (await import('../run/run')).run(args, host));
  },
});
