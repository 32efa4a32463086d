import type { Argv } from 'yargs';
import type { MutateArguments } from './arguments';
import { machineOptions, seed, suite, withListFormat } from './options';
import type { Command } from './options';

const builder = (yargs: Argv): Argv<MutateArguments> =>
  withListFormat(
    yargs
      .positional('boards', {
        type: 'string',
        array: true,
        describe: 'Boards, as run takes them; several make one table',
        demandOption: true,
      })
      .options({ ...machineOptions, suite, seed }),
  );

/** `dmabench mutate` */
export const mutateCommand: Command<MutateArguments> = assign => ({
  command: 'mutate <boards..>',
  describe: 'Say which syncs, barriers and maintenance of a suite matter on which board',
  builder,
  handler: args => {
    assign(async host => (await import('../mutate/mutate')).mutate(args, host));
  },
});
