import type { Options } from 'yargs';
import { BENCH_DIRECTIONS } from './arguments';
import type { BenchArguments } from './arguments';
import { withListFormat, withMachine } from './options';
import type { Choice, Command } from './options';

const dir: Choice<typeof BENCH_DIRECTIONS> = {
  choices: BENCH_DIRECTIONS,
  requiresArg: true,
  describe: 'The direction of the mappings',
  default: 'BIDIRECTIONAL',
};

/** Numbers are text until their command reads them. */
interface NumberOption extends Options {
  readonly type: 'string';
  readonly default: string;
}

const number = (fallback: string, describe: string): NumberOption => ({
  type: 'string',
  requiresArg: true,
  default: fallback,
  describe,
});

const parameters = {
  threads: number('1', 'How many map in turns, each a buffer of its own'),
  iterations: number('100', 'How often each maps'),
  'dma-trans-ns': number('0', 'How long a transfer takes'),
  'dma-bits': number('32', 'Bits of the DMA mask'),
  granule: number('1', 'Pages of a mapping'),
  dir,
  node: number('-1', 'The NUMA node of the buffers: machines have one, 0'),
};

/** `dmabench bench` */
export const benchCommand: Command<BenchArguments> = assign => ({
  command: 'bench <what> <board>',
  describe: "Count what mapping costs, with the parameters of the kernel's dma_map_benchmark",
  builder: yargs =>
    withListFormat(
      withMachine(
        yargs.positional('what', {
          choices: ['map'],
          describe: 'What to measure',
          demandOption: true,
        }),
      ),
    ).options(parameters),
  handler: args => {
    assign(async host => (await import('../bench/bench')).bench(args, host));
  },
});
