import test from 'ava';
import { Completion } from '../../../../drivers/base/kernel/completion';
import { EINTR, ERESTARTSYS } from '../../../../drivers/base/kernel/errno';
import { Mutex } from '../../../../drivers/base/kernel/mutex';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { Scheduler, roundRobin, runToCompletion } from '../../../../drivers/base/kernel/scheduler';
import { preemptionPoint } from '../../../../drivers/base/kernel/task';
import type { Sleeping } from '../../../../drivers/base/kernel/task';
import { VirtualTime } from '../../../../drivers/base/kernel/timers';
import { DelayedWork, Workqueue } from '../../../../drivers/base/kernel/workqueue';
import {
  WaitQueue,
  sleepFor,
  waitEvent,
  waitEventInterruptible,
  waitEventInterruptibleTimeout,
  waitEventTimeout,
} from '../../../../drivers/base/kernel/wait-queue';

const setUp = (): {
  scheduler: Scheduler;
  time: VirtualTime;
  run: () => ReturnType<Scheduler['run']>;
} => {
  const scheduler = new Scheduler();
  const time = new VirtualTime();
  const run = () => scheduler.run(roundRobin(scheduler), { idle: time.idle });
  return { scheduler, time, run };
};

test('who sleeps goes on when the condition is true and somebody says so, not before', t => {
  const { scheduler, run } = setUp();
  const queue = new WaitQueue();
  let isReady = false;
  const task = scheduler.spawn(
    'sleeper',
    waitEvent(queue, () => isReady),
  );
  t.is(run(), 'deadlock');
  queue.wakeUp();
  t.is(run(), 'deadlock', 'woken, and the condition is not true');
  isReady = true;
  t.is(run(), 'deadlock', 'true, and nobody was woken');
  queue.wakeUp();
  t.is(run(), 'done');
  t.true(task.isDead);
  t.false(queue.isActive);
});

test('a wake-up wakes all that wait, and of those that wait exclusively the first', t => {
  const { scheduler, run } = setUp();
  const queue = new WaitQueue();
  let isReady = false;
  const wait = (isExclusive: boolean): Sleeping<void> =>
    waitEvent(queue, () => isReady, { isExclusive });
  const tasks = [true, false, true, false].map((is, i) => scheduler.spawn(`t${i}`, wait(is)));
  run();
  t.is(queue.digest(), 4);
  isReady = true;
  queue.wakeUp();
  run();
  t.deepEqual(
    tasks.map(task => task.isDead),
    [true, true, false, true],
  );
  queue.wakeUpAll();
  t.is(run(), 'done');
});

test('a signal ends an interruptible wait with -ERESTARTSYS, and no other', t => {
  const { scheduler, run } = setUp();
  const queue = new WaitQueue();
  const never = (): boolean => false;
  const one = scheduler.spawn('one', waitEventInterruptible(queue, never));
  const other = scheduler.spawn('other', waitEvent(queue, never));
  run();
  one.signal();
  other.signal();
  t.is(run(), 'deadlock');
  t.is(one.value, -ERESTARTSYS);
  t.is(queue.digest(), 1, 'it has left the queue');
  const ready = scheduler.spawn(
    'ready',
    waitEventInterruptible(queue, () => true),
  );
  ready.signal();
  run();
  t.is(ready.value, 0, 'what is true already is not waited for');
  let isReady = false;
  const late = scheduler.spawn(
    'late',
    waitEventInterruptible(queue, () => isReady),
  );
  run();
  isReady = true;
  late.signal();
  run();
  t.is(late.value, 0, 'what has become true counts, woken or not');
});

test('a wait with a timeout tells what is left of it, or 0', t => {
  const { scheduler, time, run } = setUp();
  const queue = new WaitQueue();
  let isReady = false;
  const condition = (): boolean => isReady;
  const early = scheduler.spawn('early', waitEventTimeout(queue, condition, 100, time.timers));
  time.timers.after(150, () => {
    isReady = true;
    queue.wakeUp();
  });
  const late = scheduler.spawn(
    'late',
    waitEventInterruptibleTimeout(queue, condition, 400, time.timers),
  );
  scheduler.step(late);
  scheduler.step(late);
  t.is(late.digest(), 'wait_event(0,400)');
  t.is(run(), 'done');
  t.is(early.value, 0);
  t.is(late.value, 250);
  t.is(time.now, 150);
  t.is(time.timers.nextAt, null, 'timers of waits that ended are stopped');
  t.is(runToCompletion(waitEventTimeout(queue, condition, 0, time.timers), time), 1);
});

test('a sleep takes as long as it says', t => {
  const time = new VirtualTime();
  runToCompletion(sleepFor(500, time.timers), time);
  t.is(time.now, 500);
});

/** Takes the lock, is preempted, and checks that nobody else had it. */
function* critical(mutex: Mutex, inside: string[], name: string): Sleeping<void> {
  for (let i = 0; i < 3; i++) {
    yield* mutex.lock();
    inside.push(name);
    yield* preemptionPoint('critical');
    if (inside.at(-1) !== name) throw new KernelOops('two inside');
    mutex.unlock();
  }
}

test('one task at a time has a mutex, and a waiter that was passed over is handed it', t => {
  const { scheduler, run } = setUp();
  const mutex = new Mutex('m');
  const inside: string[] = [];
  for (const name of ['a', 'b', 'c']) scheduler.spawn(name, critical(mutex, inside, name));
  t.is(run(), 'done');
  t.is(inside.length, 9);
  t.false(mutex.isLocked);

  t.true(mutex.tryLock());
  const waiter = scheduler.spawn('waiter', mutex.lock());
  run();
  mutex.unlock();
  t.true(mutex.tryLock(), 'taken before the waiter that was woken comes');
  scheduler.step(waiter);
  t.is(mutex.digest(), 'handoff+1');
  mutex.unlock();
  t.is(mutex.digest(), 'pickup+1');
  t.false(mutex.tryLock());
  run();
  t.true(waiter.isDead);
  t.is(mutex.digest(), 'held+0');
});

test('a wait for a mutex ends with -EINTR, and an unlock without a lock is an oops', t => {
  const { scheduler, run } = setUp();
  const mutex = new Mutex('m');
  t.true(mutex.tryLock());
  const task = scheduler.spawn('waiter', mutex.lockInterruptible());
  run();
  task.signal();
  t.is(run(), 'done');
  t.is(task.value, -EINTR);
  t.is(mutex.digest(), 'held+0');
  mutex.unlock();
  t.throws(
    () => {
      mutex.unlock();
    },
    { instanceOf: KernelOops, message: /m is unlocked/ },
  );
});

test('a completion lets as many go on as it was completed, or all', t => {
  const { scheduler, time, run } = setUp();
  const completion = new Completion();
  completion.complete();
  const tasks = ['a', 'b', 'c'].map(name => scheduler.spawn(name, completion.wait()));
  t.is(run(), 'deadlock');
  t.deepEqual(
    tasks.map(task => task.isDead),
    [true, false, false],
  );
  const hurried = scheduler.spawn('d', completion.waitTimeout(10, time.timers));
  run();
  t.is(hurried.value, 0);
  completion.completeAll();
  t.is(run(), 'done');
  t.true(completion.isDone && completion.tryWait());
  completion.reinit();
  t.false(completion.isDone);
});

test('a workqueue does one work after the other, each once however often it was queued', t => {
  const { scheduler, run } = setUp();
  const queue = new Workqueue(scheduler, 'kworker');
  const done: string[] = [];
  const work = (name: string, then: () => void) => ({
    name,
    run: (): Sleeping<void> => {
      done.push(name);
      then();
      return preemptionPoint(name);
    },
  });
  const last = work('last', () => undefined);
  const first = work('first', () => {
    if (done.length === 1) t.true(queue.queue(first), 'again, as it runs');
  });
  t.true(queue.queue(first));
  t.false(queue.queue(first));
  t.true(queue.queue(last));
  t.is(queue.digest(), '<first,last');
  run();
  t.deepEqual(done, ['first', 'last', 'first']);
  t.true(queue.queue(last) && queue.cancel(last));
  t.false(queue.cancel(last));
  run();
  t.is(done.length, 3);
});

test('delayed work is done once its last time has come, unless it is stopped before', t => {
  const { scheduler, time, run } = setUp();
  const at: number[] = [];
  const work = {
    name: 'tdr',
    run: (): null => {
      at.push(time.now);
      return null;
    },
  };
  const delayed = new DelayedWork(work, new Workqueue(scheduler, 'kworker'), time.timers);
  delayed.mod(10);
  delayed.mod(30);
  t.is(delayed.digest(), 30);
  while (time.idle()) run();
  t.deepEqual(at, [30]);
  delayed.mod(10);
  t.true(delayed.cancel());
  t.false(delayed.cancel());
  while (time.idle()) run();
  t.deepEqual(at, [30]);
  t.is(delayed.digest(), -1);
});
