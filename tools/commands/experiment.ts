import type { Argv, Options } from 'yargs';
import type { ExperimentArguments } from './arguments';
import { seed, withListFormat, withMachine } from './options';
import type { Command } from './options';

const cost = {
  type: 'string',
  array: true,
  requiresArg: true,
  describe: 'A figure of the cost table in ns: NAME=NS',
} as const satisfies Options;

const plot = {
  type: 'string',
  requiresArg: true,
  describe: 'A file for the plot of livelock (.svg)',
} as const satisfies Options;

const builder = (yargs: Argv): Argv<ExperimentArguments> =>
  withListFormat(
    withMachine(yargs)
      .positional('name', {
        type: 'string',
        describe:
          'coherent: ways of making coherent memory, what they cost and which are safe; iommu: what mapping costs directly and behind IOMMUs; livelock: clients that share too few GPU addresses; noncoherent: memory that is write-combined, uncached, or cached and synced',
        demandOption: true,
      })
      .options({ seed, cost, plot }),
  );

/** `dmabench experiment` */
export const experimentCommand: Command<ExperimentArguments> = assign => ({
  command: 'experiment <name> <board>',
  describe: 'Compare ways of doing one thing on a board',
  builder,
  handler: args => {
    assign(async host => (await import('../experiment/experiment')).experiment(args, host));
  },
});
