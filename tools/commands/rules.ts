import type { RulesArguments } from './arguments';
import { withListFormat } from './options';
import type { Command } from './options';

/** `dmabench rules` */
export const rulesCommand: Command<RulesArguments> = assign => ({
  command: 'rules [rule]',
  describe: 'List the rules of findings, or explain one with wrong and right code',
  builder: yargs =>
    withListFormat(
      yargs.positional('rule', { type: 'string', describe: 'The rule to explain; all if none' }),
    ),
  handler: args => {
    assign(async host => (await import('../rules/rules')).rules(args, host));
  },
});
