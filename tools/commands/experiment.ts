import type { Argv } from 'yargs';
import type { ExperimentArguments } from './arguments';
import { seed, withListFormat, withMachine } from './options';
import type { Command } from './options';

const builder = (yargs: Argv): Argv<ExperimentArguments> =>
  withListFormat(
    withMachine(yargs)
      .positional('name', {
        type: 'string',
        describe:
          'coherent: ways of making coherent memory, what they cost and which are safe; iommu: what mapping costs directly and behind IOMMUs',
        demandOption: true,
      })
      .options({ seed }),
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
