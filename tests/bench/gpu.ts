import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { offsetBy } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { Random } from '../../drivers/base/types/random';
import { vivanteDriver } from '../../drivers/gpu/vivante/driver';
import { LINK, OPCODE, Opcode, loadState } from '../../drivers/gpu/vivante/regs/command-stream';
import { RS } from '../../drivers/gpu/vivante/regs/rs';
import { bootMachine } from '../../machines/boot';
import { boundBy } from '../../machines/bound';
import { dmaAllocCoherent } from '../../mm/dma-alloc';
import { openBoard, planRun } from '../../tools/board/open';
import { GpuBench, RING, page } from '../drivers/gpu/vivante/gpu-bench';
import { benchPixels } from './gpu-pixels';
import { benchStates } from './gpu-states';
import { ROUNDS, millionsPerSecond, printTable, ratio } from './measure';

const NOP = [OPCODE.at(Opcode.Nop), 0];
/** Four states and a NOP, padded: what the stream repeats, and how often, so that it fits a page. */
const PART = [loadState(RS.registers.FILL_VALUE.at, 4), 1, 2, 3, 4, 0, ...NOP];
const PARTS = 112;
const WORDS = PARTS * PART.length;
const LOOPS = 300;
const JUMP_NANOSECONDS = 40;

/** Loads states again and again, and begins anew where `self` is. */
const stream = (self: number): number[] => [
  ...Array.from({ length: PARTS }, () => PART).flat(),
  OPCODE.at(Opcode.Link) + LINK.PREFETCH.at(WORDS / 2 + 1),
  self,
];

/** A GPU that is about to go round the stream, and how time passes for it. */
interface Runner {
  readonly name: string;
  readonly pass: (nanoseconds: number) => void;
}

const alone = (name: string, isTranslated: boolean, looksPast: boolean): Runner => {
  const bench = new GpuBench({ looksPast });
  if (isTranslated) bench.enableMmu(page(RING));
  bench.poke(RING, ...stream(isTranslated ? 0 : RING));
  bench.start(isTranslated ? 0 : RING, WORDS / 2 + 1);
  return {
    name,
    pass: nanoseconds => {
      bench.pass(nanoseconds);
    },
  };
};

const onMachine = (name: string, isChecked: boolean): Runner => {
  const plan = planRun(openBoard('pandaboard', ['gpu-pandaboard']), { memory: null, quirks: [] });
  const machine = bootMachine(plan, {
    adversary: isChecked ? 'all' : new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });
  const [gpu] = boundBy(machine, vivanteDriver);
  const memory = gpu === undefined ? null : dmaAllocCoherent(gpu.dev, PAGE_SIZE, GFP_KERNEL);
  if (gpu === undefined || memory === null) throw new Error('no GPU on a pandaboard with one');
  const { regs, dev } = gpu;
  regs.CLOCK_CONTROL.write({ SOFT_RESET: 1 });
  regs.CLOCK_CONTROL.write({ SOFT_RESET: 0 });
  stream(memory.dmaHandle).forEach((word, i) => {
    machine.kernel.cpu.store32(offsetBy(memory.cpuAddr, 4 * i), word);
  });
  dev.services.barriers.mb();
  regs.COMMAND_ADDRESS.write(memory.dmaHandle);
  regs.COMMAND_CONTROL.write({ PREFETCH: WORDS / 2 + 1, ENABLE: 1 });
  return {
    name,
    pass: nanoseconds => {
      dev.services.waitUntil(() => false, nanoseconds);
    },
  };
};

/** A round of the stream takes a cycle of 2 ns for each 64-bit word, and a jump. */
const ROUND_NANOSECONDS = WORDS + JUMP_NANOSECONDS;

const benchWords = (): void => {
  const runners = [
    alone('front end alone', false, false),
    alone('through its MMU', true, false),
    alone('looking past prefetch and TLB', true, true),
    onMachine('on pandaboard, lru', false),
    onMachine('on pandaboard, all', true),
  ];
  const best = new Map<Runner, number>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const runner of runners) {
      const rate = millionsPerSecond(WORDS * LOOPS, () => {
        runner.pass(ROUND_NANOSECONDS * LOOPS);
      });
      if (round > 0) best.set(runner, Math.max(best.get(runner) ?? 0, rate));
    }
  }
  const first = best.get(runners[0] ?? onMachine('', false)) ?? 1;
  printTable(
    ['command stream', 'M words/s', 'of the first'],
    runners.map(runner => {
      const rate = best.get(runner) ?? 0;
      return [runner.name, rate.toFixed(2), ratio(rate, first)];
    }),
  );
};

/** `npm run bench -- gpu`: words of the front end, pixels of the engines, states of the explorer. */
export const benchGpu = (): void => {
  benchWords();
  benchPixels();
  benchStates();
};
