import test from 'ava';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { StreamingStep, StreamingSteps } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { DmaDirection } from '../../drivers/base/kernel/dma-mapping';
import type { MachinePlan } from '../../machines/plan';
import { openBoard, planBoard } from '../../tools/board/open';
import { runSuites } from '../../tools/run/runner';
import { cacheSuite } from '../suites/cache';
import { dmaStreamingSuite } from '../suites/dma-streaming';
import { mmuSuite } from '../suites/mmu';
import type { Suite } from '../suites/suite';
import { corpusPath } from '../support/corpus';
import * as mutants from './mutants';
import type { Spoil } from './mutants';

/*
 * What the suites are worth: a kernel with one thing forgotten must fail one of them on a board
 * that needs the thing, and none on a board that does not.
 */

const SEED = 1;
const TIMINGS: readonly DmaTiming[] = ['earliest', 'latest'];

const planOf = (board: string): MachinePlan =>
  planBoard(openBoard(board, []), { memory: null, quirks: [] });

/** The cases that fail, by name: of all, or of the one that is asked for. */
const failing = (
  plan: MachinePlan,
  suite: Suite,
  timings: readonly DmaTiming[],
  streaming: StreamingSteps,
  only: string | null = null,
): string[] =>
  runSuites({
    board: 'mutant',
    plan,
    suites: [suite],
    selects: (_suite, name) => only === null || name === only,
    adversary: { kind: 'random' },
    seed: SEED,
    timings,
    streaming,
  }).suites.flatMap(({ cases }) =>
    cases.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name),
  );

const STEPS: readonly StreamingStep[] = (['inner', 'outer'] as const).flatMap(caches => [
  ...[DmaDirection.Bidirectional, DmaDirection.ToDevice, DmaDirection.FromDevice].map(
    direction => ({ caches, phase: 'map' as const, direction }),
  ),
  ...[DmaDirection.Bidirectional, DmaDirection.FromDevice].map(direction => ({
    caches,
    phase: 'unmap' as const,
    direction,
  })),
]);

const nameOf = ({ caches, phase, direction }: StreamingStep): string =>
  `${caches} ${phase} ${['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE'][direction] ?? ''}`;

/** A kernel that forgets these steps. */
const without =
  (dropped: readonly StreamingStep[]): StreamingSteps =>
  (step, run) => {
    if (!dropped.some(one => nameOf(one) === nameOf(step))) run();
  };

/**
 * Steps that a board cannot do without. Before the transfer: always. After it, what was
 * invalidated before need not be again where nothing fills a line unasked; a BIDIRECTIONAL buffer
 * was cleaned only, except by v4wb, which flushes it.
 */
const isRequired = (plan: MachinePlan, { caches, phase, direction }: StreamingStep): boolean => {
  const [cpu] = plan.cpus;
  if (caches === 'outer') return plan.outer !== null;
  if (phase === 'map') return true;
  if (cpu?.core.speculativeFill === true) return true;
  return direction === DmaDirection.Bidirectional && cpu?.core.architecture !== 'v5';
};

/** One board for each maintenance table: and v7 with an outer cache and without one. */
const BOARDS: Readonly<Record<string, string | undefined>> = {
  'versatile-pb, v4wb': 'versatile-pb',
  'rpi-b, v6': 'rpi-b',
  'beagle-xm, v7': 'beagle-xm',
  'imx6q-sabresd, v7 with PL310': 'imx6q-sabresd',
  'vexpress-a15, v7 with LPAE': 'vexpress-a15',
  'rpi-4, v8': 'rpi-4',
  'armhf/stm32h750i-art-pi, v7-M': corpusPath('armhf/stm32h750i-art-pi'),
};

for (const [title, board] of Object.entries(BOARDS)) {
  const name = `${title}: each step of streaming maintenance that is needed is missed, no other is`;
  if (board === undefined) {
    test.skip(name, t => {
      t.fail();
    });
    continue;
  }
  test(name, t => {
    const plan = planOf(board);
    const needless = STEPS.filter(step => !isRequired(plan, step));
    t.deepEqual(failing(plan, dmaStreamingSuite, TIMINGS, without(needless)), []);
    STEPS.filter(one => isRequired(plan, one)).forEach((step, i) => {
      // One timing in turn: that each is enough by itself is seen on the boards together.
      const timing = TIMINGS[i % TIMINGS.length] ?? 'latest';
      const names = failing(plan, dmaStreamingSuite, [timing], without([step]));
      t.true(names.length > 0, `without ${nameOf(step)}, ${timing}`);
    });
  });
}

/** A mutant, the suite that finds it, the case that it must fail on some boards, and others. */
interface Mutant {
  readonly name: string;
  readonly spoil: Spoil;
  readonly suite: Suite;
  readonly fails: string;
  readonly on: readonly string[];
  /** Boards that do not need the thing. */
  readonly notOn?: readonly string[];
}

const MANY = ['rpi-b', 'beagle-xm', 'imx6q-sabresd', 'vexpress-a15', 'rpi-4'];

const MUTANTS: readonly Mutant[] = [
  {
    name: 'writel() without its barrier',
    spoil: mutants.noBarrierBeforeWrites,
    suite: dmaStreamingSuite,
    fails: 'what_is_stored_before_the_doorbell_is_there_when_it_rings',
    on: MANY,
    notOn: ['versatile-pb'],
  },
  {
    name: 'readl() and writel() without their barriers',
    spoil: mutants.noIoBarriers,
    suite: dmaStreamingSuite,
    fails: 'what_the_device_wrote_is_read_after_its_status',
    on: ['imx6q-sabresd', 'vexpress-a15', 'rpi-4', 'imx8mm'],
  },
  {
    name: 'wmb() without a sync of the outer cache',
    spoil: mutants.noOuterSync,
    suite: dmaStreamingSuite,
    fails: 'what_is_stored_before_the_doorbell_is_there_when_it_rings',
    on: ['imx6q-sabresd'],
    notOn: ['beagle-xm'],
  },
  {
    name: 'a PL310 that is never switched on',
    spoil: mutants.outerStaysOff,
    suite: cacheSuite,
    fails: 'the_outer_cache_is_on_and_takes_what_the_inner_caches_write_back',
    on: ['imx6q-sabresd'],
  },
  {
    name: 'outer maintenance without its cache sync',
    spoil: mutants.outerWithout('CACHE_SYNC'),
    suite: cacheSuite,
    fails: 'clean_by_address_reaches_memory',
    on: ['imx6q-sabresd'],
  },
  {
    name: 'an outer flush that flushes no way',
    spoil: mutants.outerWithout('CLEAN_INV_WAY'),
    suite: cacheSuite,
    fails: 'outer_maintenance_by_way_reaches_every_line',
    on: ['imx6q-sabresd'],
  },
  {
    name: 'no TLB invalidation after unmapping kernel addresses',
    spoil: mutants.noTlb('flushKernelRange'),
    suite: mmuSuite,
    fails: 'ioremap_reaches_registers_until_iounmap',
    on: ['versatile-pb', ...MANY],
  },
  {
    name: 'no TLB invalidation after unmapping user addresses',
    spoil: mutants.noTlb('flushUserPage'),
    suite: mmuSuite,
    fails: 'a_replaced_page_is_seen_after_break_before_make',
    on: ['versatile-pb', ...MANY],
  },
  {
    name: 'a user page that is replaced without break before make',
    spoil: mutants.replacedWithoutBreak,
    suite: mmuSuite,
    fails: 'a_replaced_page_is_seen_after_break_before_make',
    on: ['versatile-pb', ...MANY],
  },
  {
    name: 'no TLB invalidation when the ASIDs wrap around',
    spoil: mutants.noTlb('flushAll'),
    suite: mmuSuite,
    fails: 'asids_wrap_around_without_mixing_spaces',
    on: MANY,
    notOn: ['versatile-pb'],
  },
  {
    name: 'no TLB invalidation at a switch',
    spoil: mutants.noTlb('flushLocal'),
    suite: mmuSuite,
    fails: 'address_spaces_do_not_see_each_other',
    on: ['versatile-pb'],
    notOn: ['rpi-b'],
  },
  {
    name: 'table entries that are never cleaned',
    spoil: mutants.noCache('cleanTableEntry'),
    suite: mmuSuite,
    fails: 'a_replaced_page_is_seen_after_break_before_make',
    on: ['versatile-pb', 'rpi-b', 'beagle-xm'],
    notOn: ['imx6q-sabresd', 'vexpress-a15', 'rpi-4'],
  },
  {
    name: 'no flush of a virtually tagged cache at a switch',
    spoil: mutants.noCache('flushKernAll'),
    suite: mmuSuite,
    fails: 'address_spaces_do_not_see_each_other',
    on: ['versatile-pb'],
    notOn: ['beagle-xm'],
  },
  ...(['dmaCleanRange', 'dmaInvRange', 'dmaFlushRange'] as const).map(routine => ({
    name: `${routine}() that does nothing`,
    spoil: mutants.noCache(routine),
    suite: cacheSuite,
    fails: 'range_routines_reach_every_line_of_the_range',
    on: ['versatile-pb', ...MANY],
  })),
  {
    name: 'no dsb anywhere',
    spoil: mutants.noDsb,
    suite: dmaStreamingSuite,
    fails: 'what_the_cpu_wrote_is_what_the_device_reads',
    on: MANY,
  },
];

const plans = new Map<string, MachinePlan>();
const knownPlan = (board: string): MachinePlan => {
  const plan = plans.get(board) ?? planOf(board);
  plans.set(board, plan);
  return plan;
};

MUTANTS.forEach(({ name, spoil, suite, fails, on, notOn = [] }, i) => {
  // Of many boards every second, in turn: they are named as they have different caches and tables.
  const boards = on.filter((_, j) => on.length < 3 || (i + j) % 2 === 0);
  test(`${name}: ${suite.name}.${fails} fails where that matters`, t => {
    const spoilt = mutants.onSpoilt(suite, spoil);
    const failingOn = (board: string, only: string | null): string[] =>
      failing(knownPlan(board), spoilt, ['earliest'], ALL_STEPS, only);
    for (const board of boards) t.deepEqual(failingOn(board, fails), [fails], board);
    for (const board of notOn) t.deepEqual(failingOn(board, null), [], board);
  });
});

test('a machine of which nothing is replaced fails nothing', t => {
  const spoil = mutants.replacing(() => undefined);
  for (const suite of [cacheSuite, mmuSuite, dmaStreamingSuite]) {
    const found = failing(
      knownPlan('imx6q-sabresd'),
      mutants.onSpoilt(suite, spoil),
      ['earliest'],
      ALL_STEPS,
    );
    t.deepEqual(found, [], suite.name);
  }
});
