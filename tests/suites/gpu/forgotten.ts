import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { USER_START } from '../../../drivers/gpu/vivante/driver/context';
import { OPCODE, Opcode } from '../../../drivers/gpu/vivante/regs/command-stream';
import type { RingStep } from '../../../drivers/gpu/vivante/driver/ring';
import { all, anywhere, buffersStores, sharedStoresWait } from '../rules/conditions';
import type { Condition } from '../rules/conditions';
import type { Case, CaseContext } from '../suite';
import { GpuBench } from './bench';
import { findingsOf, renderCase } from './render-bench';
import type { RenderBench } from './render-bench';
import { BLOCK, copy, fill, flush, poke } from './streams';

/* What the ring must not forget, forgotten: each is found, by the rule that it is. */

const NOP: readonly number[] = [OPCODE.at(Opcode.Nop), 0];
/** As long as some jobs, in simulated ns. */
const SHORT = 100_000;
const COPY = USER_START + PAGE_SIZE;

const pinned = (object: ReturnType<RenderBench['object']>) => ({
  objects: [{ object, at: USER_START, isWrite: true }],
});

/** Two objects in turns at one address; what is kept of the tables leads to the other one. */
const withoutTlbFlush = (bench: RenderBench): void => {
  const client = bench.client('swaps');
  const [a, b] = [bench.object(), bench.object()];
  for (const object of [a, b, a]) bench.exec(client, fill(USER_START, BLOCK, 1), pinned(object));
};

/** The 2D engine keeps what it has drawn; the resolve engine reads memory. */
const withoutCacheFlush = (bench: RenderBench): void => {
  const client = bench.client('draws');
  const [object, to] = [bench.object(), bench.object()];
  const draw = poke(USER_START, [{ offset: 8, value: 0x1234 }]);
  // What the client itself flushes is left out, too.
  bench.exec(client, draw.slice(0, draw.length - flush('DE').length), pinned(object));
  const objects = [
    { object, at: USER_START },
    { object: to, at: COPY, isWrite: true },
  ];
  bench.exec(client, copy(COPY, USER_START, BLOCK), { objects });
};

/**
 * The word that sends the front end on may be there before the one that says where, and before what it is
 * sent to. Where it ends up then is nobody's guess: it is reset.
 */
const withoutBarriers = ({ machine, gpu }: RenderBench): void => {
  const bench = GpuBench.on(machine);
  const { va } = bench.place(PAGE_SIZE, 'cached', 'pages');
  for (let i = 0; i < 3; i++) bench.run(fill(va, BLOCK, i), SHORT);
  if (gpu.ring.forgets !== null) {
    gpu.ring.forgets = null;
    gpu.recover();
    machine.hardware.guestErrors.take();
  }
  bench.close();
};

interface Forgotten {
  readonly name: string;
  readonly step: RingStep;
  readonly run: (bench: RenderBench) => void;
  readonly rules: readonly string[];
  readonly unfit?: Condition;
}

const FORGOTTEN_STEPS: readonly Forgotten[] = [
  {
    name: 'a_forgotten_tlb_flush_is_found',
    step: 'TLB flush',
    run: withoutTlbFlush,
    rules: ['stale-translation'],
  },
  {
    name: 'a_forgotten_flush_of_the_gpu_caches_is_found',
    step: 'cache flush',
    run: withoutCacheFlush,
    rules: ['stale-device-cache'],
  },
  {
    name: 'forgotten_barriers_of_the_kick_are_found',
    step: 'barriers of the kick',
    run: withoutBarriers,
    rules: ['missing-write-barrier', 'stale-device-read'],
    unfit: all(buffersStores, sharedStoresWait),
  },
];

const check = (t: CaseContext, bench: RenderBench, { step, run, rules }: Forgotten): void => {
  findingsOf(t);
  bench.gpu.ring.forgets = step;
  try {
    run(bench);
  } finally {
    bench.gpu.ring.forgets = null;
  }
  const found = findingsOf(t);
  t.ok(
    found.some(rule => rules.includes(rule)),
    `${rules.join(' or ')}, not ${found.join(', ')}`,
  );
  // What the GPU still keeps, it gives up after this.
  bench.exec(bench.client('settles'), NOP, { objects: [] });
  findingsOf(t);
  run(bench);
  const left = findingsOf(t);
  t.ok(left.length === 0, `no finding with it: ${left.join(', ')}`);
};

const isChecked: Condition = machine =>
  machine.findings === null ? 'only a run under `all` has findings' : null;

const caseOf = (forgotten: Forgotten): Case =>
  renderCase(
    forgotten.name,
    (t, bench) => {
      check(t, bench, forgotten);
    },
    all(isChecked, forgotten.unfit ?? anywhere),
  );

export const FORGOTTEN: readonly Case[] = FORGOTTEN_STEPS.map(caseOf);
