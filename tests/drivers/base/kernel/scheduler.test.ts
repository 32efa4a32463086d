import test from 'ava';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import {
  Scheduler,
  roundRobin,
  runToCompletion,
  scheduled,
  seeded,
} from '../../../../drivers/base/kernel/scheduler';
import type { Chooser, SleepServices } from '../../../../drivers/base/kernel/scheduler';
import {
  inFrame,
  preemptionPoint,
  sleepUntil,
  userMode,
} from '../../../../drivers/base/kernel/task';
import type { Sleeping, Wake } from '../../../../drivers/base/kernel/task';
import { BenchError, InputError } from '../../../../drivers/base/types/errors';
import { Random } from '../../../../drivers/base/types/random';

/** Writes its name so many times, and may be preempted after each. */
function* writer(out: string[], name: string, times: number): Sleeping<number> {
  for (let left = times; left > 0; left--) {
    out.push(name);
    yield* preemptionPoint('writer', () => [left]);
  }
  return times;
}

const writers = (chooserOf: (scheduler: Scheduler) => Chooser): string => {
  const scheduler = new Scheduler();
  const out: string[] = [];
  for (const name of ['a', 'b', 'c']) scheduler.spawn(name, writer(out, name, 3));
  scheduler.run(chooserOf(scheduler));
  return out.join('');
};

test('round robin gives each runnable task a step in turn', t => {
  t.is(writers(roundRobin), 'abcabcabc');
});

test('a seeded run is the same for the same seed, and another for another', t => {
  const run = (seed: number): string => writers(() => seeded(new Random(seed)));
  t.is(run(1), run(1));
  t.not(run(1), run(2));
});

test('a list of tasks is the schedule, and refuses a task that is not runnable', t => {
  const run = (list: number[]): string => writers(s => scheduled(s, list, roundRobin(s)));
  t.is(run([2, 2, 2, 1, 0, 0]), 'cccbaaabb');
  t.throws(() => run([3]), { instanceOf: InputError, message: /one of 0, 1, 2, found 3/ });
});

test('a task sleeps until what it waits for is so, and nobody runnable is a deadlock', t => {
  const scheduler = new Scheduler();
  let isOpen = false;
  const task = scheduler.spawn(
    'sleeper',
    sleepUntil('gate', () => isOpen),
  );
  t.is(scheduler.run(roundRobin(scheduler)), 'deadlock');
  t.is(scheduler.describeBlocked(), 'sleeper in gate');
  t.throws(
    () => {
      scheduler.step(task);
    },
    { instanceOf: BenchError },
  );
  isOpen = true;
  t.is(scheduler.run(roundRobin(scheduler)), 'done');
  t.is(task.value, 'run');
});

test('kernel threads that sleep do not keep a run from being done', t => {
  const scheduler = new Scheduler();
  scheduler.spawn(
    'kworker',
    sleepUntil('worker_thread', () => false),
    { isDaemon: true },
  );
  scheduler.spawn('user', preemptionPoint('once'));
  t.is(scheduler.run(roundRobin(scheduler)), 'done');
});

test('a task that never sleeps uses up the steps', t => {
  const scheduler = new Scheduler();
  scheduler.spawn('writer', writer([], 'x', 100));
  t.is(scheduler.run(roundRobin(scheduler), { steps: 50 }), 'limit');
  t.is(scheduler.steps, 50);
});

function* twice(interruptible: boolean, wakes: Wake[]): Sleeping<void> {
  for (let i = 0; i < 2; i++) wakes.push(yield* sleepUntil('wait', () => false, { interruptible }));
  yield* userMode('user');
  wakes.push(yield* sleepUntil('wait', () => false, { interruptible }));
}

test('a signal ends every interruptible sleep until the task was in user mode', t => {
  const scheduler = new Scheduler();
  const wakes: Wake[] = [];
  const task = scheduler.spawn('client', twice(true, wakes));
  t.is(scheduler.run(roundRobin(scheduler)), 'deadlock');
  task.signal();
  t.is(scheduler.run(roundRobin(scheduler)), 'deadlock');
  t.deepEqual(wakes, ['signal', 'signal']);
  t.false(task.isSignalled);
});

test('a signal ends no other sleep', t => {
  const scheduler = new Scheduler();
  const task = scheduler.spawn('client', twice(false, []));
  scheduler.run(roundRobin(scheduler));
  task.signal();
  t.is(scheduler.run(roundRobin(scheduler)), 'deadlock');
  t.is(task.digest(), 'wait!');
});

test('what was waited for wins over a signal that came with it', t => {
  const scheduler = new Scheduler();
  let isThere = false;
  const task = scheduler.spawn(
    'client',
    sleepUntil('wait', () => isThere, { interruptible: true }),
  );
  scheduler.step(task);
  task.signal();
  isThere = true;
  scheduler.step(task);
  t.is(task.value, 'run');
});

test('a digest names the place and the live values of the whole stack', t => {
  const scheduler = new Scheduler();
  const frame = inFrame('submit', () => [7], writer([], 'x', 2));
  const task = scheduler.spawn('client', frame);
  t.is(scheduler.digest(), 'new');
  scheduler.step(task);
  t.is(scheduler.digest(), 'submit/writer(7,2)');
  scheduler.step(task);
  t.is(scheduler.digest(), 'submit/writer(7,1)');
  scheduler.step(task);
  t.is(scheduler.digest(), 'dead');
  t.is(task.value, 2);
});

test('what a task throws comes out of the step, and the task is dead', t => {
  const scheduler = new Scheduler();
  const body = (function* (): Sleeping<void> {
    yield* preemptionPoint('before');
    throw new KernelOops('boom');
  })();
  const task = scheduler.spawn('client', body);
  scheduler.step(task);
  t.throws(
    () => {
      scheduler.step(task);
    },
    { instanceOf: KernelOops },
  );
  t.true(task.isDead);
  t.is(scheduler.current, null);
});

/** Time that passes in steps of 10 ns. */
const clockwork = (): SleepServices & { now: number } => {
  const time = {
    now: 0,
    waitUntil: (done: () => boolean, limit: number): boolean => {
      const end = time.now + limit;
      while (!done()) {
        if (time.now >= end) return false;
        time.now += 10;
      }
      return true;
    },
  };
  return time;
};

test('synchronous code runs what sleeps while time passes', t => {
  const time = clockwork();
  const body = (function* (): Sleeping<string> {
    yield* sleepUntil('alarm', () => time.now >= 95);
    return 'done';
  })();
  t.is(runToCompletion(body, time), 'done');
  t.is(time.now, 100);
});

test('synchronous code that waits for ever or never ends is an oops, and leaves no task behind', t => {
  const scheduler = new Scheduler();
  const options = { name: 'ioctl', scheduler, limit: 1000, steps: 1000 };
  const hang = sleepUntil('fence', () => false);
  t.throws(() => runToCompletion(hang, clockwork(), options), {
    instanceOf: KernelOops,
    message: 'blocked for more than 1000 ns: ioctl in fence',
  });
  t.throws(() => runToCompletion(writer([], 'x', Infinity), clockwork(), options), {
    message: 'soft lockup: ioctl does not end',
  });
  t.deepEqual(scheduler.tasks, []);
});

test('kernel threads of the scheduler run while synchronous code waits', t => {
  const scheduler = new Scheduler();
  let [isAsked, isServed] = [false, false];
  const server = (function* (): Sleeping<void> {
    yield* sleepUntil('worker_thread', () => isAsked);
    isServed = true;
  })();
  scheduler.spawn('kworker', server, { isDaemon: true });
  const client = (function* (): Sleeping<number> {
    isAsked = true;
    yield* sleepUntil('completion', () => isServed);
    return 0;
  })();
  t.is(runToCompletion(client, clockwork(), { scheduler }), 0);
});
