import test from 'ava';
import { GuestErrors } from '../../../../drivers/base/hw/guest-errors';
import { InputError } from '../../../../drivers/base/types/errors';

test('what is done again and again is told once, with how often', t => {
  const errors = new GuestErrors();
  for (let i = 0; i < 200_000; i++) errors.note('CTRL: reserved bits');
  errors.note('a read of nothing');
  t.is(errors.total, 200_001);
  t.deepEqual(errors.take(), ['CTRL: reserved bits (200000 times)', 'a read of nothing']);
  t.deepEqual([errors.total, errors.take()], [0, []]);
});

test('of very many different ones the first are kept and the rest counted', t => {
  const errors = new GuestErrors();
  for (let i = 0; i < 1000; i++) errors.note(`write of ${i}`);
  errors.note('write of 0');
  const lines = errors.take();
  t.is(lines.length, 65);
  t.is(lines[0], 'write of 0 (2 times)');
  t.is(lines.at(-1), 'and 936 more, which were not kept');
  errors.note('new');
  t.deepEqual(errors.take(), ['new']);
});

test('they survive a snapshot, and what is no snapshot of them is refused', t => {
  const errors = new GuestErrors();
  for (let i = 0; i < 70; i++) errors.note(`write of ${i}`);
  const state = errors.saveState();
  const other = new GuestErrors();
  other.note('old');
  other.restoreState(state);
  t.deepEqual(other.saveState(), state);
  t.deepEqual(other.take(), errors.take());
  const wrong = { texts: [1], counts: Float64Array.of(1), dropped: 0 };
  t.throws(
    () => {
      other.restoreState(wrong);
    },
    { instanceOf: InputError },
  );
});
