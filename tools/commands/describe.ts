import type { DescribeArguments } from './arguments';
import { withListFormat, withMachine } from './options';
import type { Command } from './options';

/** `dmabench describe` */
export const describeCommand: Command<DescribeArguments> = assign => ({
  command: 'describe <board>',
  describe: 'Say what is made of a device tree, and where each fact is from',
  builder: yargs => withListFormat(withMachine(yargs)),
  handler: args => {
    assign(async host => (await import('../describe/describe')).describe(args, host));
  },
});
