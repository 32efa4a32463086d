import test from 'ava';
import fc from 'fast-check';
import { EALREADY, EDEADLK, EINTR } from '../../../../drivers/base/kernel/errno';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { Scheduler, roundRobin, seeded } from '../../../../drivers/base/kernel/scheduler';
import { preemptionPoint } from '../../../../drivers/base/kernel/task';
import type { Sleeping } from '../../../../drivers/base/kernel/task';
import { WwClass } from '../../../../drivers/base/kernel/ww-class';
import type { WwAcquireCtx, WwAlgorithm } from '../../../../drivers/base/kernel/ww-class';
import { WwMutex } from '../../../../drivers/base/kernel/ww-mutex';
import { Random } from '../../../../drivers/base/types/random';
import { takeAll } from './ww-bench';
import { WwProgram, locksOf } from './ww-program';

/*
 * The kernel's own selftest of wound/wait mutexes (kernel/locking/test-ww_mutex.c of 6.12), by name;
 * what its debug checks find; and random programs held against the rules, written down once more.
 */

const ALGORITHMS: readonly WwAlgorithm[] = ['wait-die', 'wound-wait'];

/** Runs what never has to wait. */
const now = <Value>(body: Sleeping<Value>): Value => {
  const scheduler = new Scheduler();
  const task = scheduler.spawn('now', body);
  const outcome = scheduler.run(roundRobin(scheduler), { steps: 20 });
  if (outcome !== 'done') throw new Error(`${outcome}: ${scheduler.describeBlocked()}`);
  return task.value as Value;
};

const run = (scheduler: Scheduler): ReturnType<Scheduler['run']> =>
  scheduler.run(roundRobin(scheduler));

for (const algorithm of ALGORITHMS) {
  const makeClass = (): WwClass => new WwClass('ww', algorithm);

  test(`test_mutex: one waits while another has it, with every flag: ${algorithm}`, t => {
    for (const flags of [0, 1, 2, 3]) {
      const [isTry, withCtx] = [(flags & 1) !== 0, (flags & 2) !== 0];
      const wwClass = makeClass();
      const lock = new WwMutex(wwClass, 'l');
      const holder = withCtx ? wwClass.acquireInit() : null;
      t.is(now(lock.lock(holder)), 0);
      let hasIt = false;
      const scheduler = new Scheduler();
      const body = (function* (): Sleeping<void> {
        if (!isTry) yield* lock.lock(null);
        else while (!lock.tryLock(null)) yield* preemptionPoint('mtx->try');
        hasIt = true;
        lock.unlock();
      })();
      scheduler.spawn('test_mutex_work', body);
      t.is(scheduler.run(roundRobin(scheduler), { steps: 50 }), isTry ? 'limit' : 'deadlock');
      t.false(hasIt);
      lock.unlock();
      holder?.fini();
      t.is(run(scheduler), 'done');
      t.true(hasIt);
    }
  });

  test(`test_aa: a lock that the context has is -EALREADY, by lock and by trylock: ${algorithm}`, t => {
    for (const isTry of [false, true]) {
      const wwClass = makeClass();
      const [lock, ctx] = [new WwMutex(wwClass, 'l'), wwClass.acquireInit()];
      t.true(isTry ? lock.tryLock(ctx) : now(lock.lock(ctx)) === 0);
      t.false(lock.tryLock(null));
      t.false(lock.tryLock(ctx));
      t.is(now(lock.lock(ctx)), -EALREADY);
      lock.unlock();
      ctx.fini();
      t.false(lock.isLocked);
    }
  });

  for (const isResolved of [false, true]) {
    const what = isResolved ? 'and resolved by backing off' : 'and told to one of two';
    test(`test_abba: a deadlock of two is found, ${what}: ${algorithm}`, t => {
      for (const isTry of [false, true]) {
        const wwClass = makeClass();
        const [a, b] = [new WwMutex(wwClass, 'a'), new WwMutex(wwClass, 'b')];
        const errors: number[] = [];
        const worker = function* (first: WwMutex, second: WwMutex): Sleeping<void> {
          const ctx = wwClass.acquireInit();
          if (isTry) t.true(first.tryLock(ctx));
          else t.is(yield* first.lock(ctx), 0);
          yield* preemptionPoint('both have one');
          yield* preemptionPoint('both have one');
          let error = yield* second.lock(ctx);
          errors.push(error);
          if (isResolved && error === -EDEADLK) {
            first.unlock();
            yield* second.lockSlow(ctx);
            error = yield* first.lock(ctx);
            errors.push(error);
          }
          if (error === 0) second.unlock();
          first.unlock();
          ctx.fini();
        };
        const scheduler = new Scheduler();
        scheduler.spawn('a', worker(a, b));
        scheduler.spawn('b', worker(b, a));
        t.is(run(scheduler), 'done');
        t.deepEqual(
          errors.toSorted((x, y) => x - y),
          isResolved ? [-EDEADLK, 0, 0] : [-EDEADLK, 0],
        );
        t.is(a.digest() + b.digest(), 'free-[]free-[]');
      }
    });
  }

  test(`test_cycle: of a cycle of n at least one and not all back off: ${algorithm}`, t => {
    for (let n = 2; n <= 9; n++) {
      const wwClass = makeClass();
      const locks = locksOf(wwClass, n);
      const scheduler = new Scheduler();
      const tasks = locks.map((lock, i) => {
        const next = locks[(i + 1) % n] ?? lock;
        return scheduler.spawn(`c${i}`, takeAll({ wwClass, locks: [lock, next], rounds: 1 }));
      });
      t.is(run(scheduler), 'done');
      const backedOff = tasks.filter(task => task.value !== 0).length;
      t.true(backedOff >= 1 && backedOff < n, `${backedOff} of ${n}`);
    }
  });

  for (const injectsDeadlocks of [false, true]) {
    const with_ = injectsDeadlocks ? ', with deadlocks injected' : '';
    test(`stress: 16 locks in order, by chance, and one of 4095: ${algorithm}${with_}`, t => {
      const wwClass = new WwClass('ww', algorithm, { injectsDeadlocks });
      const random = new Random(7);
      const shuffled = (locks: readonly WwMutex[]): WwMutex[] =>
        locks
          .map(lock => ({ lock, key: random.next() }))
          .sort((a, b) => a.key - b.key)
          .map(({ lock }) => lock);
      const few = locksOf(wwClass, 16);
      const many = locksOf(wwClass, 4095);
      const scheduler = new Scheduler();
      for (let i = 0; i < 4; i++) {
        scheduler.spawn(`inorder${i}`, takeAll({ wwClass, locks: few, rounds: 4 }));
        scheduler.spawn(`reorder${i}`, takeAll({ wwClass, locks: shuffled(few), rounds: 4 }));
        const one = many.slice(random.below(4095)).slice(0, 1);
        scheduler.spawn(`one${i}`, takeAll({ wwClass, locks: one, rounds: 20 }));
      }
      t.is(scheduler.run(seeded(random)), 'done');
      const backOffs = scheduler.tasks.map(({ value }) => Number(value));
      t.true(backOffs.some(count => count > 0));
      t.true([...few, ...many].every(lock => lock.digest() === 'free-[]'));
    });
  }
}

test('all 4095 locks are taken by each of two, one after the other', t => {
  const wwClass = new WwClass('ww', 'wait-die');
  const locks = locksOf(wwClass, 4095);
  const scheduler = new Scheduler();
  scheduler.spawn('up', takeAll({ wwClass, locks, rounds: 1 }));
  scheduler.spawn('down', takeAll({ wwClass, locks: locks.toReversed(), rounds: 1 }));
  t.is(run(scheduler), 'done');
  t.deepEqual(
    scheduler.tasks.map(task => task.value),
    [0, 1],
  );
});

test('deadlocks are injected after stamp & 0xf locks, and then at growing intervals', t => {
  const wwClass = new WwClass('ww', 'wait-die', { injectsDeadlocks: true });
  const told: number[] = [];
  for (let stamp = 1; stamp <= 17; stamp++) {
    const ctx = wwClass.acquireInit();
    const locks = locksOf(wwClass, 60);
    const [first] = locks;
    for (let i = 0, asked = -1; i < locks.length; i++, asked++) {
      const lock = locks[i];
      if (lock === undefined || first === undefined) break;
      const answer = now(lock.lock(ctx));
      if (answer !== -EDEADLK) continue;
      if (stamp === 3) told.push(asked);
      else if (stamp > 14) {
        t.is(asked, stamp % 16);
        break;
      }
      locks.slice(0, i).forEach(one => {
        if (one.isLocked) one.unlock();
      });
      now(lock.lockSlow(ctx));
    }
  }
  t.deepEqual(
    told,
    [3, 3 + 1 + 3, 3 + 1 + 3 + 1 + 10, 3 + 1 + 3 + 1 + 10 + 1 + 35].slice(0, told.length),
  );
  t.true(told.length >= 3);
});

test('a signal ends a wait with -EINTR, also that for the contended lock', t => {
  const wwClass = new WwClass('ww', 'wait-die');
  const [a, b] = [new WwMutex(wwClass, 'a'), new WwMutex(wwClass, 'b')];
  const [older, younger] = [wwClass.acquireInit(), wwClass.acquireInit()];
  t.is(now(a.lock(older)), 0);
  t.is(now(b.lock(younger)), 0);
  t.is(now(a.lock(younger)), -EDEADLK);
  b.unlock();
  const scheduler = new Scheduler();
  const slow = scheduler.spawn('slow', a.lockSlowInterruptible(younger));
  t.is(run(scheduler), 'deadlock');
  slow.signal();
  t.is(run(scheduler), 'done');
  t.is(slow.value, -EINTR);
  t.is(a.digest(), 'held0[]');
  t.is(younger.digest(), '1:0:a', 'still to be taken first');
});

test('who was wounded gives up when it next has to wait, though whoever wounded it has gone', t => {
  const wwClass = new WwClass('ww', 'wound-wait');
  const [a, b, c] = ['a', 'b', 'c'].map(name => new WwMutex(wwClass, name)) as [
    WwMutex,
    WwMutex,
    WwMutex,
  ];
  const [older, younger, youngest] = [
    wwClass.acquireInit(),
    wwClass.acquireInit(),
    wwClass.acquireInit(),
  ];
  t.is(now(a.lock(older)), 0);
  t.is(now(b.lock(younger)), 0);
  t.is(now(c.lock(youngest)), 0);
  const scheduler = new Scheduler();
  const waits = scheduler.spawn('waits', b.lockInterruptible(older));
  t.is(run(scheduler), 'deadlock');
  t.true(younger.isWounded);
  waits.signal();
  t.is(run(scheduler), 'done');
  t.is(waits.value, -EINTR);
  a.unlock();
  older.fini();
  t.is(now(c.lock(younger)), -EDEADLK);
});

/** Two locks, and two contexts of which the younger is the one that is misused. */
interface Fixture {
  readonly a: WwMutex;
  readonly b: WwMutex;
  readonly older: WwAcquireCtx;
  readonly ctx: WwAcquireCtx;
}

/** The younger has b, and is told -EDEADLK at a. */
const deadlocked = ({ a, b, older, ctx }: Fixture): void => {
  if (now(a.lock(older)) !== 0 || now(b.lock(ctx)) !== 0) throw new Error('not free');
  if (now(a.lock(ctx)) !== -EDEADLK) throw new Error('no deadlock');
};

const MISUSES: Readonly<
  Record<string, readonly [message: RegExp, misuse: (fixture: Fixture) => void]>
> = {
  'a context of another class': [
    /context of other, lock of ww/,
    ({ a }) => now(a.lock(new WwClass('other', 'wait-die').acquireInit())),
  ],
  'a lock after ww_acquire_done': [
    /after ww_acquire_done/,
    ({ a, ctx }) => {
      ctx.done();
      now(a.lock(ctx));
    },
  ],
  'ww_acquire_done twice': [
    /ww_acquire_done: called twice/,
    ({ ctx }) => {
      ctx.done();
      ctx.done();
    },
  ],
  'ww_acquire_fini with a lock held': [
    /1 locks are still held/,
    ({ a, ctx }) => {
      now(a.lock(ctx));
      ctx.fini();
    },
  ],
  'a lock after ww_acquire_fini': [
    /context that has ended/,
    ({ a, ctx }) => {
      ctx.fini();
      now(a.lock(ctx));
    },
  ],
  'ww_acquire_fini twice': [
    /ww_acquire_fini: called twice/,
    ({ ctx }) => {
      ctx.fini();
      ctx.fini();
    },
  ],
  'lock_slow without -EDEADLK': [
    /without -EDEADLK/,
    ({ a, ctx }) => {
      now(a.lockSlow(ctx));
    },
  ],
  'another lock after -EDEADLK': [
    /-EDEADLK was for a, not for b/,
    fixture => {
      deadlocked(fixture);
      fixture.b.unlock();
      now(fixture.b.lock(fixture.ctx));
    },
  ],
  'a lock kept after -EDEADLK': [
    /a: locks kept after -EDEADLK/,
    fixture => {
      deadlocked(fixture);
      fixture.a.unlock();
      now(fixture.a.lockSlow(fixture.ctx));
    },
  ],
  'an unlock of what nobody has': [
    /a is unlocked/,
    ({ a }) => {
      a.unlock();
    },
  ],
};

for (const [what, [message, misuse]] of Object.entries(MISUSES)) {
  test(`the debug checks find ${what}`, t => {
    const wwClass = new WwClass('ww', 'wait-die');
    const [a, b] = [new WwMutex(wwClass, 'a'), new WwMutex(wwClass, 'b')];
    const [older, ctx] = [wwClass.acquireInit(), wwClass.acquireInit()];
    t.throws(
      () => {
        misuse({ a, b, older, ctx });
      },
      { instanceOf: KernelOops, message },
    );
  });
}

for (const algorithm of ALGORITHMS) {
  test(`random programs are answered as the rules say, and nobody is stuck: ${algorithm}`, t => {
    let deadlocks = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.nat(12)), { minLength: 80, maxLength: 120 }),
        steps => {
          const program = new WwProgram(algorithm);
          for (const [who, dice] of steps) program.step(who, dice);
          program.drain();
          deadlocks += program.deadlocks;
        },
      ),
      { numRuns: 100, includeErrorInReport: true },
    );
    t.true(deadlocks > 100, `${deadlocks} deadlocks`);
  });
}
