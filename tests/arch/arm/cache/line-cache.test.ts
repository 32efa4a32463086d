import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { DIRTY, LineCache, NONE, SHARED } from '../../../../arch/arm/cache/line-cache';
import type { Replacement } from '../../../../arch/arm/cache/line-cache';
import { BenchError, UnmodelledError } from '../../../../drivers/base/types/errors';
import { Random } from '../../../../drivers/base/types/random';

const WAYS = 4;
const SETS = 2;
const GEOMETRY = { size: WAYS * SETS * 32, ways: WAYS, line: 32 };

const makeCache = (replacement: Replacement, extraWays = 1): LineCache =>
  new LineCache('test', GEOMETRY, replacement, new Random(7), extraWays);

/** An access as a level does it: a hit is touched, a miss takes the victim's slot. */
const access = (cache: LineCache, key: number): { slot: number; evicted: number | null } => {
  const found = cache.find(key, key);
  if (found !== NONE) {
    cache.touch(found);
    return { slot: found, evicted: null };
  }
  const slot = cache.victim(key);
  const evicted = cache.isValid(slot) ? cache.firstWord(slot) / cache.lineWords : null;
  cache.drop(slot);
  cache.install(slot, key, 0);
  return { slot, evicted };
};

const keys = fc.array(fc.tuple(fc.nat(15), fc.nat(9)), { maxLength: 120, size: 'max' });

test('LRU replaces the line that a list in order of use has last', t => {
  fc.assert(
    fc.property(keys, fc.boolean(), (steps, isLate) => {
      const cache = makeCache('lru');
      // Late: ages are renumbered on the way.
      if (isLate) cache.clock = 2 ** 30 - 20;
      const lists: number[][] = [[], []];
      for (const [key, choice] of steps) {
        const list = lists[key % SETS] ?? [];
        const at = list.indexOf(key);
        if (choice === 0) {
          const slot = cache.find(key, key);
          assert.equal(slot !== NONE, at >= 0);
          if (slot !== NONE) cache.drop(slot);
          if (at >= 0) list.splice(at, 1);
          continue;
        }
        const { evicted } = access(cache, key);
        if (at >= 0) list.splice(at, 1);
        list.unshift(key);
        assert.equal(evicted, list.length > WAYS ? list.pop() : null);
        assert.equal([...cache.occupied()].length, lists.flat().length);
      }
    }),
    { numRuns: 200, includeErrorInReport: true },
  );
  t.pass();
});

test('round-robin takes the ways of a full set in turn, whatever was used last', t => {
  const cache = makeCache('round-robin');
  for (let key = 0; key < WAYS * SETS; key++) access(cache, key);
  const slots: number[] = [];
  for (let n = 0; n < 2 * WAYS; n++) {
    for (const slot of cache.occupied()) cache.touch(slot);
    slots.push(access(cache, 100 + n * SETS).slot);
  }
  t.deepEqual(slots, [0, 1, 2, 3, 0, 1, 2, 3]);
});

test('random takes a free way first, then any way of the set and of no other', t => {
  const cache = makeCache('random');
  const first = new Set<number>();
  for (let n = 0; n < WAYS; n++) first.add(access(cache, 1 + n * SETS).slot);
  t.is(first.size, WAYS);
  const later = new Set<number>();
  for (let n = 0; n < 200; n++) later.add(access(cache, 101 + n * SETS).slot);
  t.deepEqual([...later].sort(), [4, 5, 6, 7]);
});

test('with extra ways a set holds that many more lines and refuses to lose one', t => {
  for (const replacement of ['lru', 'random', 'round-robin'] as const) {
    const cache = makeCache(replacement, 3);
    for (let n = 0; n < 3 * WAYS; n++) t.is(access(cache, n * SETS).evicted, null);
    for (let n = 0; n < 3 * WAYS; n++) t.not(cache.find(n * SETS, 0), NONE);
    t.throws(() => access(cache, 1000), { instanceOf: UnmodelledError });
    t.is(cache.find(0, 0), 0, 'the refused access changed nothing');
  }
});

test('a line keeps its flags, its words and its name until it is dropped', t => {
  const cache = makeCache('lru');
  const { slot } = access(cache, 13);
  cache.setFlag(slot, DIRTY);
  cache.setFlag(slot, SHARED);
  cache.clearFlag(slot, DIRTY);
  t.false(cache.isDirty(slot));
  t.true(cache.isShared(slot));
  t.is(cache.firstWord(slot), 13 * 8);
  t.is(cache.dataIndex(slot, 13 * 8 + 5), slot * 8 + 5);
  t.is(cache.find(13, 13), slot);
  t.is(cache.find(13, 12), NONE, 'another set is another place');
  cache.drop(slot);
  t.is(cache.find(13, 13), NONE);
});

test('a restored cache replaces as the saved one would', t => {
  for (const replacement of ['lru', 'random', 'round-robin'] as const) {
    const cache = makeCache(replacement);
    for (let key = 0; key < 23; key++) access(cache, key);
    const restored = makeCache(replacement);
    restored.restoreState(cache.saveState());
    for (let key = 50; key < 90; key++) {
      t.deepEqual(access(restored, key), access(cache, key), replacement);
    }
  }
});

test('a geometry that cannot be built is refused', t => {
  const make = (size: number, ways: number, line: number) => () =>
    new LineCache('test', { size, ways, line }, 'lru', new Random(1));
  t.throws(make(1024, 4, 24), { instanceOf: BenchError });
  t.throws(make(1024, 4, 8), { instanceOf: BenchError });
  t.throws(make(96 * 4, 4, 32), { instanceOf: BenchError });
});
