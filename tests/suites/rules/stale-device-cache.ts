import { Recipient } from '../../../drivers/gpu/vivante/regs/command-stream';
import type { DriverBench } from '../driver-bench';
import { GpuBench, withoutGpu } from '../gpu/bench';
import { BLOCK, copy, flush, poke, stall } from '../gpu/streams';
import type { RuleExample } from './example';

/** Draws with the 2D engine, and has the resolve engine copy it after what `between` does. */
const drawAndCopy = ({ machine }: DriverBench, between: readonly number[]): void => {
  const bench = GpuBench.on(machine);
  const drawn = bench.place(BLOCK, 'cached');
  const copied = bench.place(BLOCK, 'cached');
  const drawing = poke(drawn.va, [{ offset: 0, value: 7 }]).slice(0, -flush('DE').length);
  bench.run([...drawing, ...between, ...copy(copied.va, drawn.va, BLOCK)]);
  bench.close();
};

/** The engine is done, and some of what it drew is in its cache. */
export const wrong = (bench: DriverBench): void => {
  drawAndCopy(bench, stall(Recipient.DE));
};

/** Its cache is written back, and then it is done. */
export const right = (bench: DriverBench): void => {
  drawAndCopy(bench, flush('DE'));
};

export const example: RuleExample = {
  rule: 'stale-device-cache',
  overlay: board => `gpu-${board}`,
  applies: withoutGpu,
  consequences: ['never-written-bytes'],
  wrong,
  right,
};
