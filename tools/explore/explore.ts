import { InputError } from '../../drivers/base/types/errors';
import type { ExploreArguments } from '../commands/arguments';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { exploreIova } from './iova/iova';
import { exploreLivelock } from './livelock/livelock';

/** Programs whose every interleaving can be looked at. */
const EXPLORATIONS: readonly {
  readonly name: string;
  readonly run: (args: ExploreArguments, host: Host) => ExitStatus;
}[] = [
  { name: 'livelock', run: exploreLivelock },
  { name: 'iova', run: exploreIova },
];

/** `dmabench explore`; InputError for a name that none has. */
export const explore = (args: ExploreArguments, host: Host): ExitStatus => {
  const found = EXPLORATIONS.find(({ name }) => name === args.name);
  if (found !== undefined) return found.run(args, host);
  throw new InputError({
    place: 'explore',
    expected: EXPLORATIONS.map(({ name }) => name).join(', '),
    found: `'${args.name}'`,
  });
};
