import type { Options } from 'yargs';
import type { ExploreArguments } from './arguments';
import { withListFormat } from './options';
import type { Command } from './options';

const text = (describe: string): Options & { readonly type: 'string' } => ({
  type: 'string',
  requiresArg: true,
  describe,
});

const DEFAULT_STATES = '1000000';

const options = {
  slots: text('Pages of the address space that clients share, or frames of the aperture'),
  clients: text('What each client needs at once: 3,3'),
  policy: text('How a client gets what it needs: one by name, and not all'),
  states: { ...text('How many states to look at, at most'), default: DEFAULT_STATES },
};

/** `dmabench explore` */
export const exploreCommand: Command<ExploreArguments> = assign => ({
  command: 'explore <name>',
  describe: 'Look at every interleaving of clients that share too little',
  builder: yargs =>
    withListFormat(
      yargs.positional('name', {
        type: 'string',
        describe:
          'livelock: clients of one GPU address space, under each policy; iova: devices that map lists in one aperture',
        demandOption: true,
      }),
    ).options(options),
  handler: args => {
    assign(async host => (await import('../explore/explore')).explore(args, host));
  },
});
