import test from 'ava';
import { RecentAccesses } from '../../../../arch/arm/concrete/recent';
import { Sightings } from '../../../../arch/arm/concrete/sightings';

test('of the accesses without a cache the last sixteen are remembered, the oldest first', t => {
  const recent = new RecentAccesses();
  for (let word = 0; word < 20; word++) recent.note(word, 100 + word);
  recent.note(7, 3);
  t.is(recent.count, 16);
  t.deepEqual(
    Array.from({ length: 16 }, (_, n) => recent.at(n)),
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 7],
  );
  t.is(recent.attributesOf(7), 3, 'as it was accessed last');
  t.is(recent.attributesOf(4), -1, 'forgotten');
  const copy = new RecentAccesses();
  copy.note(99, 1);
  copy.restoreState(recent.saveState());
  t.deepEqual(copy.saveState(), recent.saveState());
});

test('a snapshot of accesses that are too many, or lack their attributes, is refused', t => {
  const refused = (words: number, attributes: number): void => {
    const state = { words: new Int32Array(words), attributes: new Int32Array(attributes) };
    t.throws(
      () => {
        new RecentAccesses().restoreState(state);
      },
      { name: 'InputError', message: /snapshot of recent accesses/ },
    );
  };
  refused(17, 17);
  refused(3, 2);
});

test('a snapshot whose sightings are no pages is refused', t => {
  const pagesOf = (pages: Int32Array | Float64Array) => () => {
    new Sightings().restoreState({ frames: Int32Array.of(4), pages: [pages] });
  };
  t.notThrows(pagesOf(Float64Array.of(1, 2, 3, 4)));
  const expected = { name: 'InputError', message: /sightings\.pages\[0\]/ };
  t.throws(pagesOf(Int32Array.of(1)), expected);
  t.throws(pagesOf(new Float64Array(0)), expected);
  t.throws(pagesOf(new Float64Array(5)), expected);
});
