import test from 'ava';
import fc from 'fast-check';
import { Pulse } from '../../../../drivers/base/hw/pulse';

test('the events that pass before a whim are as many as were asked for', t => {
  for (const events of [0, 1, 5]) {
    const pulse = new Pulse();
    pulse.arm(events);
    const due = Array.from({ length: events + 1 }, () => pulse.tick());
    t.deepEqual(due, [...new Array<boolean>(events).fill(false), true]);
  }
});

test('events are counted, whatever is armed when, in the middle too', t => {
  const step = fc.record({ ticks: fc.nat(20), arm: fc.option(fc.nat(30)), restore: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      let pulse = new Pulse();
      let count = 0;
      for (const { ticks, arm, restore } of steps) {
        if (arm !== null) pulse.arm(arm);
        for (let i = 0; i < ticks; i++) {
          count++;
          if (pulse.tick()) pulse.arm(3);
        }
        if (restore) {
          const saved = pulse.saveState();
          pulse = new Pulse();
          pulse.restoreState(saved);
          t.deepEqual(pulse.saveState(), saved);
        }
        t.is(pulse.now, count);
      }
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('a whim that was armed comes at the same event after a restore', t => {
  const pulse = new Pulse();
  pulse.arm(4);
  pulse.tick();
  const copy = new Pulse();
  copy.restoreState(pulse.saveState());
  const rest = (one: Pulse): boolean[] => [1, 2, 3, 4].map(() => one.tick());
  t.deepEqual(rest(copy), [false, false, false, true]);
  t.deepEqual(rest(pulse), [false, false, false, true]);
});

test('nothing is armed at power-on, nor further away than can be counted', t => {
  const pulse = new Pulse();
  const never = pulse.countdown;
  pulse.arm(1e15);
  t.is(pulse.countdown, never);
  t.false(pulse.tick());
  t.is(pulse.now, 1);
});
