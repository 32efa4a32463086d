import test from 'ava';
import fc from 'fast-check';
import { EventQueue, type Timer } from '../../../../drivers/base/hw/event-queue';
import { ticks } from '../../../../drivers/base/types/address';
import { BenchError } from '../../../../drivers/base/types/errors';

const logging = (): { queue: EventQueue; log: string[]; add: (n: string, at: number) => Timer } => {
  const queue = new EventQueue();
  const log: string[] = [];
  const add = (name: string, at: number): Timer =>
    queue.at(ticks(at), name, () => log.push(`${name}@${queue.now}`));
  return { queue, log, add };
};

test('timers fire in order of time, and first in first out at one time', t => {
  const { queue, log, add } = logging();
  add('late', 30);
  add('a', 10);
  add('b', 10);
  add('c', 10);
  add('early', 5);
  t.is(queue.nextTime(), ticks(5));
  queue.advanceTo(ticks(29));
  t.deepEqual(log, ['early@5', 'a@10', 'b@10', 'c@10']);
  t.is(queue.now, ticks(29));
  t.is(queue.pending, 1);
  queue.advanceTo(ticks(30));
  t.is(log.at(-1), 'late@30');
  t.is(queue.nextTime(), null);
});

test('a callback may schedule for its own tick, and is after those that waited already', t => {
  const { queue, log, add } = logging();
  queue.after(10, 'first', () => {
    log.push('first');
    queue.after(0, 'now', () => log.push('now'));
    queue.after(1, 'next', () => log.push('next'));
  });
  add('second', 10);
  queue.advanceTo(ticks(11));
  t.deepEqual(log, ['first', 'second@10', 'now', 'next']);
});

test('a callback may cancel another timer of its own tick, and cancelling twice is harmless', t => {
  const { queue, log, add } = logging();
  queue.after(10, 'canceller', () => {
    queue.cancel(victim);
  });
  const victim = add('victim', 10);
  t.true(victim.isPending);
  queue.advanceTo(ticks(20));
  t.deepEqual(log, []);
  t.false(victim.isPending);
  queue.cancel(victim);
  t.is(queue.pending, 0);
});

test('misuse of the clock is a defect of the bench', t => {
  const queue = new EventQueue();
  const nothing = (): void => undefined;
  queue.advanceTo(ticks(100));
  t.throws(() => queue.at(ticks(99), 'past', nothing), { instanceOf: BenchError });
  t.throws(() => queue.after(-1, 'negative', nothing), { instanceOf: BenchError });
  t.throws(() => queue.after(0.5, 'half', nothing), { instanceOf: BenchError });
  t.throws(() => queue.after(NaN, 'nan', nothing), { instanceOf: BenchError });
  t.throws(() => queue.after(Infinity, 'infinite', nothing), { instanceOf: BenchError });
  t.throws(
    () => {
      queue.advanceTo(ticks(50));
    },
    { instanceOf: BenchError },
  );
  const foreign = new EventQueue().after(1, 'foreign', nothing);
  t.throws(
    () => {
      queue.cancel(foreign);
    },
    { message: /another event queue/ },
  );
});

test('advancing from a callback is refused, and the queue is usable afterwards', t => {
  const { queue, log, add } = logging();
  queue.after(1, 'reentrant', () => {
    queue.advanceTo(ticks(5));
  });
  add('later', 2);
  t.throws(
    () => {
      queue.advanceTo(ticks(3));
    },
    { message: /one of its own callbacks/ },
  );
  queue.advanceTo(ticks(3));
  t.deepEqual(log, ['later@2']);
});

test('a timer that re-arms itself without time passing is stopped', t => {
  const queue = new EventQueue();
  const again = (): void => {
    queue.after(0, 'spinner', again);
  };
  again();
  t.throws(
    () => {
      queue.advanceTo(ticks(1));
    },
    { message: /spinner re-arms itself/ },
  );
});

test('restarting forgets every timer and sets the clock, back as well as forward', t => {
  const { queue, log, add } = logging();
  const old = add('old', 10);
  queue.advanceTo(ticks(5));
  queue.restart(ticks(3));
  t.false(old.isPending);
  add('new', 4);
  t.deepEqual(queue.timers(), [{ name: 'new', time: ticks(4) }]);
  queue.advanceTo(ticks(10));
  t.deepEqual(log, ['new@4']);
});

test('any schedule with any cancellations fires as a stable sort by time says', t => {
  const timer = fc.record({ time: fc.nat(20), cancelled: fc.boolean() });
  fc.assert(
    fc.property(fc.array(timer, { maxLength: 60 }), plan => {
      const { queue, log, add } = logging();
      const timers = plan.map(({ time }, i) => add(String(i), time));
      plan.forEach(({ cancelled }, i) => {
        const made = timers[i];
        if (cancelled && made !== undefined) queue.cancel(made);
      });
      const expected = plan
        .map(({ time, cancelled }, i) => ({ name: String(i), time, cancelled }))
        .filter(({ cancelled }) => !cancelled)
        .sort((a, b) => a.time - b.time)
        .map(({ name, time }) => ({ name, time: ticks(time) }));
      t.deepEqual(queue.timers(), expected);
      queue.advanceTo(ticks(20));
      t.deepEqual(
        log,
        expected.map(({ name, time }) => `${name}@${time}`),
      );
    }),
  );
});
