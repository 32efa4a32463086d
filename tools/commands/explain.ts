import type { ExplainArguments } from './arguments';
import { withListFormat } from './options';
import type { Command } from './options';

/** `dmabench explain` */
export const explainCommand: Command<ExplainArguments> = assign => ({
  command: 'explain <finding>',
  describe: 'Tell the story of a finding that a run has saved',
  builder: yargs =>
    withListFormat(
      yargs.positional('finding', {
        type: 'string',
        describe: 'FILE#N for finding N of a saved run, FILE for a list of them',
        demandOption: true,
      }),
    ),
  handler: args => {
    assign(async host => (await import('../explain/explain')).explain(args, host));
  },
});
