import { DmaDirection } from '../../drivers/base/kernel/dma-mapping';
import { InputError } from '../../drivers/base/types/errors';
import type { BenchArguments } from '../commands/arguments';
import type { MapParameters } from './map';

/* The limits of the kernel's dma_map_benchmark, and its defaults but for the time, which is counted here. */

const DIRECTIONS = {
  BIDIRECTIONAL: DmaDirection.Bidirectional,
  TO_DEVICE: DmaDirection.ToDevice,
  FROM_DEVICE: DmaDirection.FromDevice,
} as const;

/** A direction as the kernel's program prints it. */
export const directionName = (dir: MapParameters['dir']): string =>
  Object.entries(DIRECTIONS).find(([, value]) => value === dir)?.[0] ?? '';

/** All threads together: some minutes. */
const MOST_ITERATIONS = 1_000_000;

/** What the arguments ask for; InputError for what the kernel's program refuses. */
export const parseMapParameters = (args: BenchArguments): MapParameters => {
  const threads = within('--threads', args.threads, 1, 1024);
  within('--node', args.node, -1, 0);
  return {
    threads,
    iterations: within('--iterations', args.iterations, 1, Math.floor(MOST_ITERATIONS / threads)),
    dmaTransNs: within('--dma-trans-ns', args['dma-trans-ns'], 0, 10_000_000),
    dmaBits: within('--dma-bits', args['dma-bits'], 20, 64),
    granule: within('--granule', args.granule, 1, 1024),
    dir: DIRECTIONS[args.dir],
  };
};

const within = (option: string, text: string, least: number, most: number): number => {
  const value = /^-?[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  const expected = `an integer from ${least} to ${most}`;
  throw new InputError({ place: option, expected, found: `'${text}'` });
};
