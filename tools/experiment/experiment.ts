import { InputError } from '../../drivers/base/types/errors';
import type { ExperimentArguments } from '../commands/arguments';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { EXPERIMENTS } from './registry';

/** `dmabench experiment`; InputError for a name that none has. */
export const experiment = (args: ExperimentArguments, host: Host): ExitStatus => {
  const found = EXPERIMENTS.find(({ name }) => name === args.name);
  if (found !== undefined) return found.run(args, host);
  throw new InputError({
    place: 'experiment',
    expected: EXPERIMENTS.map(({ name }) => name).join(', '),
    found: `'${args.name}'`,
  });
};
