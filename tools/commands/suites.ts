import type { ListArguments } from './arguments';
import { withListFormat } from './options';
import type { Command } from './options';

/** `dmabench suites` */
export const suitesCommand: Command<ListArguments> = assign => ({
  command: 'suites',
  describe: 'List the suites and their cases',
  builder: withListFormat,
  handler: ({ format }) => {
    assign(async host => (await import('../run/list')).listSuites(format, host));
  },
});
