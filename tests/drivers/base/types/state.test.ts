import test from 'ava';
import { InputError } from '../../../../drivers/base/types/errors';
import { StateReader, stateWords, type StateValue } from '../../../../drivers/base/types/state';

const SAVED: StateValue = {
  count: 3,
  on: true,
  words: new Uint32Array([1, 2]),
  times: new Float64Array([1e12]),
  parts: [{ count: 1 }, null],
  none: null,
};

test('a snapshot gives back what was put in, by name', t => {
  const reader = new StateReader(SAVED, 'uart');
  t.is(reader.number('count'), 3);
  t.true(reader.boolean('on'));
  t.deepEqual(reader.words('words', 2), new Uint32Array([1, 2]));
  t.deepEqual(reader.numbers('times'), new Float64Array([1e12]));
  t.is(reader.list('parts', 2)[1], null);
  t.is(reader.value('none'), null);
});

test('what is missing, or of another shape, is named with the device', t => {
  const reader = new StateReader(SAVED, 'uart');
  const refusals: [() => unknown, RegExp][] = [
    [() => reader.value('absent'), /uart\.absent: expected a value, found nothing/],
    [() => reader.number('on'), /uart\.on: expected a number, found true/],
    [() => reader.boolean('count'), /uart\.count: expected true or false, found 3/],
    [() => reader.words('words', 3), /uart\.words: expected 3 words, found 2 typed elements/],
    [() => reader.words('times', 1), /uart\.times: expected 1 words/],
    [() => reader.numbers('words'), /uart\.words: expected numbers/],
    [() => reader.list('parts', 3), /uart\.parts: expected a list of 3, found a list of 2/],
    [() => reader.list('words', 2), /expected a list of 2, found 2 typed elements/],
    [() => stateWords({}, 'uart', 1), /found a record/],
  ];
  for (const [read, message] of refusals) t.throws(read, { instanceOf: InputError, message });
});

test('a state that is no record is refused', t => {
  for (const state of [null, 1, 'text', [], new Uint32Array(1)]) {
    t.throws(() => new StateReader(state, 'uart'), {
      instanceOf: InputError,
      message: /snapshot of uart: expected a record/,
    });
  }
});

test('names that every object has are no part of a snapshot', t => {
  t.throws(() => new StateReader({}, 'uart').value('constructor'), { instanceOf: InputError });
});
