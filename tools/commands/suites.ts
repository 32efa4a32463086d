import type { SuitesArguments } from './arguments';
import { load, withListFormat } from './options';
import type { Command } from './options';

/** `dmabench suites` */
export const suitesCommand: Command<SuitesArguments> = assign => ({
  command: 'suites',
  describe: 'List the suites and their cases',
  builder: yargs => withListFormat(yargs.options({ load })),
  handler: args => {
    assign(async host => (await import('../run/list')).listSuites(args, host));
  },
});
