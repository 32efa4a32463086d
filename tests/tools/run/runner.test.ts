import test from 'ava';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import { BenchError, InputError } from '../../../drivers/base/types/errors';
import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import { openBoard, planBoard } from '../../../tools/board/open';
import type { CaseResult } from '../../../tools/run/results';
import { SuiteRun, runSuites } from '../../../tools/run/runner';
import type { RunOptions } from '../../../tools/run/runner';
import type { Case, Suite } from '../../suites/suite';

/** The lightest board: one core, no outer cache. */
const PLAN = planBoard(openBoard('versatile-pb', []), { memory: null, quirks: [] });

const suiteOf = (name: string, cases: Readonly<Record<string, Case['run']>>): Suite => ({
  name,
  summary: '',
  cases: Object.entries(cases).map(([one, run]) => ({ name: one, run })),
});

const optionsOf = (suites: readonly Suite[], change: Partial<RunOptions> = {}): RunOptions => ({
  board: 'versatile-pb',
  plan: PLAN,
  suites,
  selects: () => true,
  adversary: { kind: 'lru' },
  seed: 1,
  timings: ['earliest'],
  streaming: ALL_STEPS,
  ...change,
});

/** Of a case without findings that tells nothing besides. */
const BARE = { findings: [], row: null };

/** The result of the one case that is run. */
const resultOf = (run: Case['run'], change: Partial<RunOptions> = {}): CaseResult => {
  const [suite] = runSuites(optionsOf([suiteOf('s', { c: run })], change)).suites;
  const [result] = suite?.cases ?? [];
  if (result === undefined) throw new Error('no case was run');
  return result;
};

test('a case passes that expects nothing wrong, fails that does, and is skipped if it says so', t => {
  const passed = resultOf(c => {
    c.ok(true, 'truth');
    c.equal(1, 1, 'one');
  });
  t.deepEqual(passed, { name: 'c', outcome: 'passed', lines: [], expectations: 2, ...BARE });
  const failed = resultOf(c => {
    c.equal(1, 2, 'one');
    c.ok(false, 'truth');
  });
  t.is(failed.outcome, 'failed');
  t.deepEqual(failed.lines, ['expected one to be 2, but it is 1', 'expected truth']);
  const skipped = resultOf(c => {
    c.skip('no clock');
  });
  t.deepEqual(skipped, {
    name: 'c',
    outcome: 'skipped',
    lines: ['no clock'],
    expectations: 0,
    ...BARE,
  });
});

test('a case that expected nothing has not passed: there was nothing to check', t => {
  const { outcome, lines } = resultOf(() => undefined);
  t.deepEqual([outcome, ...lines], ['skipped', 'nothing to check on this board']);
  let runs = 0;
  const once = resultOf(
    c => {
      if (runs++ === 0) c.ok(true, 'truth');
    },
    { timings: ['earliest', 'latest'] },
  );
  t.deepEqual(once, { name: 'c', outcome: 'passed', lines: [], expectations: 1, ...BARE });
});

test('what is needed and missing ends the case, and it fails', t => {
  let goesOn = false;
  const { outcome, lines } = resultOf(c => {
    c.need(null, 'a clock');
    goesOn = true;
  });
  t.deepEqual(
    { outcome, lines, goesOn },
    { outcome: 'failed', lines: ['needed a clock'], goesOn: false },
  );
});

test('a kernel that crashes fails the case, and the next one is run', t => {
  const suite = suiteOf('s', {
    crashes: () => {
      throw new KernelOops('kernel BUG: sample');
    },
    passes: c => {
      c.ok(true, 'truth');
    },
  });
  const [result] = runSuites(optionsOf([suite])).suites;
  t.deepEqual(
    result?.cases.map(({ outcome, lines }) => [outcome, ...lines]),
    [['failed', 'kernel BUG: sample'], ['passed']],
  );
});

test('memory that a case keeps fails it', t => {
  const { outcome, lines } = resultOf(({ machine }) => {
    machine.kernel.mm.pages.allocPages(GFP_KERNEL, 1);
  });
  t.is(outcome, 'failed');
  t.deepEqual(lines, ['expected all memory to be given back, 2 pages are not']);
});

test('an object of kmalloc that a case keeps fails it', t => {
  const { outcome, lines } = resultOf(({ machine }) => {
    machine.kernel.slab.kmalloc(24, GFP_KERNEL);
  });
  t.is(outcome, 'failed');
  t.deepEqual(lines, ['expected all memory to be given back, 1 objects are not']);
});

test('a case that skips itself answers for what it did until then, and the next one does not', t => {
  const suite = suiteOf('s', {
    misuses: c => {
      c.machine.hardware.guestErrors.note('CTRL: reserved bits');
      c.skip('no clock');
    },
    fails: c => {
      c.fail('first');
      c.skip('no clock');
    },
    passes: c => {
      c.ok(true, 'truth');
    },
  });
  const [result] = runSuites(optionsOf([suite])).suites;
  t.deepEqual(
    result?.cases.map(({ outcome, lines }) => [outcome, ...lines]),
    [['failed', 'a register was misused: CTRL: reserved bits'], ['failed', 'first'], ['passed']],
  );
});

test('a register that is misused again and again fails the case once, with how often', t => {
  const { outcome, lines } = resultOf(({ machine }) => {
    for (let i = 0; i < 3; i++) machine.hardware.guestErrors.note('CTRL: reserved bits');
  });
  t.is(outcome, 'failed');
  t.deepEqual(lines, ['a register was misused: CTRL: reserved bits (3 times)']);
});

test('of very many failures a few are told and the rest counted', t => {
  const { lines } = resultOf(c => {
    for (let i = 0; i < 100; i++) c.fail(`failure ${i}`);
  });
  t.is(lines.length, 9);
  t.is(lines.at(-1), 'and 92 more failures');
});

test('a case fails if it does under one of two timings, and says under which', t => {
  let runs = 0;
  const { outcome, lines } = resultOf(
    c => {
      c.ok(runs++ === 0, 'the first timing');
      c.fail('always');
    },
    { timings: ['earliest', 'latest'] },
  );
  t.is(outcome, 'failed');
  t.deepEqual([...lines].sort(), ['always', 'expected the first timing (DMA timing latest)']);
});

test('a case that is unfit for the machine is skipped with the reason', t => {
  const suite: Suite = {
    ...suiteOf('s', { c: () => undefined }),
    unfit: ({ kernel }) => (kernel.cpu.online === 1 ? 'one CPU' : null),
  };
  const [result] = runSuites(optionsOf([suite])).suites;
  t.deepEqual(result?.cases[0]?.lines, ['one CPU']);
});

test('only the cases that are selected are run, and suites without any do not appear', t => {
  const suites = [
    suiteOf('a', { one: () => undefined, two: () => undefined }),
    suiteOf('b', { one: () => undefined }),
  ];
  const { suites: results } = runSuites(
    optionsOf(suites, { selects: (suite, name) => suite === 'a' && name === 'two' }),
  );
  t.deepEqual(
    results.map(({ name, cases }) => [name, ...cases.map(one => one.name)]),
    [['a', 'two']],
  );
});

test('each suite has a machine of its own under each timing', t => {
  const machines = new Set<unknown>();
  const remember: Case['run'] = ({ machine }) => {
    machines.add(machine);
  };
  const suites = [suiteOf('a', { one: remember, two: remember }), suiteOf('b', { one: remember })];
  runSuites(optionsOf(suites, { timings: ['earliest', 'latest'] }));
  t.is(machines.size, 4);
});

test('a defect of the bench is no failure of a case', t => {
  const thrown = t.throws(() =>
    resultOf(() => {
      throw new BenchError('sample');
    }),
  );
  t.true(thrown instanceof BenchError);
});

test('a run can be stopped between cases, and what was run has its result', t => {
  const suites = [
    suiteOf('a', { one: () => undefined, two: () => undefined }),
    suiteOf('b', { one: () => undefined }),
  ];
  const run = new SuiteRun(optionsOf(suites));
  t.deepEqual([run.next, run.done, run.total], ['a.one', 0, 3]);
  run.step();
  t.deepEqual([run.next, run.done], ['a.two', 1]);
  const { suites: partial, isComplete } = run.result();
  t.false(isComplete);
  t.deepEqual(
    partial.map(({ name, cases }) => [name, ...cases.map(one => one.name)]),
    [['a', 'one']],
  );
  run.step();
  run.step();
  t.is(run.next, null);
  t.true(run.result().isComplete);
  t.throws(() => {
    run.step();
  });
});

test('a machine that the kernel does not boot on is wrong input', t => {
  const [bank] = PLAN.memory.banks;
  if (bank === undefined) throw new Error('no RAM');
  const plan = { ...PLAN, memory: { ...PLAN.memory, banks: [{ ...bank, size: 4096n }] } };
  const error = t.throws(() =>
    runSuites(optionsOf([suiteOf('s', { c: () => undefined })], { plan })),
  );
  t.true(error instanceof InputError);
  t.regex(error.message, /^versatile-pb: expected a machine on which the kernel boots, found /);
});
