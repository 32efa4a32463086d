import type { ListArguments } from './arguments';
import { withListFormat } from './options';
import type { Command } from './options';

/** `dmabench boards` */
export const boardsCommand: Command<ListArguments> = assign => ({
  command: 'boards',
  describe: 'List the boards that come with dmabench',
  builder: withListFormat,
  handler: ({ format }) => {
    assign(async host => (await import('../board/list')).listBoards(format, host));
  },
});
