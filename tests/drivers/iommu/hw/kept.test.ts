import test from 'ava';
import fc from 'fast-check';
import { InputError, UnmodelledError } from '../../../../drivers/base/types/errors';
import { EveryKept, LruKept, overlaps } from '../../../../drivers/iommu/hw/kept';
import type { KeptEntry } from '../../../../drivers/iommu/hw/kept';
import { Lookup } from '../../../../drivers/iommu/hw/lookup';
import { TableWalk } from '../../../../drivers/iommu/walk/types';
import type { TableWalker } from '../../../../drivers/iommu/walk/types';

const entry = (
  start: number,
  size: number,
  leads: number,
  { context = 0, attributes = 0 }: Partial<KeptEntry> = {},
): KeptEntry => ({ context, start, size, leads, attributes });

test('the entry that holds for an address of a context is found, whatever its size', t => {
  const kept = new LruKept(4);
  const page = entry(0x1000, 0x1000, 0x8000);
  const block = entry(0x20_0000, 0x20_0000, 0x40_0000);
  const other = entry(0x1000, 0x1000, 0x9000, { context: 7 });
  for (const each of [page, block, other]) kept.keep(each);
  t.is(kept.find(0, 0x1fff), page);
  t.is(kept.find(0, 0x3f_ffff), block);
  t.is(kept.find(7, 0x1000), other);
  t.deepEqual(
    [0x2000, 0xfff, 0x40_0000].map(at => kept.find(0, at)),
    [null, null, null],
  );
  t.deepEqual(kept.others(), []);
});

test('the entry that was used the longest time ago makes room', t => {
  const kept = new LruKept(2);
  kept.keep(entry(1, 1, 11));
  kept.keep(entry(2, 1, 12));
  kept.find(0, 1);
  kept.keep(entry(3, 1, 13));
  t.deepEqual(
    [1, 2, 3].map(at => kept.find(0, at)?.leads),
    [11, undefined, 13],
  );
  const none = new LruKept(0);
  none.keep(entry(1, 1, 11));
  t.is(none.find(0, 1), null, 'none keeps none');
});

test('an invalidation ends those of its condition, or all', t => {
  for (const kept of [new LruKept(4), new EveryKept()]) {
    const has = (at: number): boolean =>
      kept.find(0, at) !== null || kept.others(0, at, null).length > 0;
    for (const start of [0, 0x1000, 0x2000]) kept.keep(entry(start, 0x1000, 0x8000));
    const ended = kept.invalidate(each => overlaps(each, 0x1800, 0x100));
    t.deepEqual(ended, kept instanceof EveryKept ? [entry(0x1000, 0x1000, 0x8000)] : []);
    t.deepEqual([0, 0x1000, 0x2000].map(has), [true, false, true]);
    kept.invalidate(null);
    t.deepEqual([0, 0x1000, 0x2000].map(has), [false, false, false]);
  }
});

test('every cache at once tells of each entry that would lead elsewhere than memory', t => {
  const kept = new EveryKept();
  const block = entry(0x20_0000, 0x20_0000, 0x40_0000);
  const page = entry(0x20_1000, 0x1000, 0x8000);
  kept.keep(block);
  kept.keep(block);
  kept.keep(page);
  t.is(kept.find(), null, 'memory is always looked at');
  t.deepEqual(kept.others(0, 0x20_1004, null), [block, page]);
  t.deepEqual(kept.others(0, 0x20_1004, page), [block]);
  t.deepEqual(kept.others(0, 0x20_2000, null), [block]);
  t.deepEqual(kept.others(1, 0x20_2000, null), []);
  const split = entry(0x20_2000, 0x1000, 0x40_2000);
  t.deepEqual(kept.others(0, 0x20_2abc, split), [], 'a block that was split leads to the same');
  const weaker = { ...split, attributes: 1 };
  t.deepEqual(kept.others(0, 0x20_2abc, weaker), [block], 'and permits the same');
});

test('entries are found by where they lead', t => {
  for (const kept of [new LruKept(4), new EveryKept()]) {
    const table = entry(0, 0x20_0000, 0x8_0400);
    kept.keep(table);
    kept.keep(entry(0x20_0000, 0x20_0000, 0x9_0000));
    t.deepEqual(kept.leadingInto(0x8_0000, 0x1000), [table]);
    t.deepEqual(kept.leadingInto(0x8_0000, 0x400), []);
    t.deepEqual(kept.leadingInto(0x8_0401, 0x400), []);
  }
});

/** A table that is one word: which page every address leads to; its step leads to it. */
const wordWalker = (word: { leads: number }): TableWalker<number> => {
  const walk = new TableWalk(2);
  return {
    walk,
    translate: (_regime, address, from) => {
      walk.count = 0;
      if (from === null) walk.next(0, 0, 0, 0, address, 0x1_0000).leads = 0x100;
      const last = walk.next(1, 0x100, 0, 0, address, 0x1000);
      last.leads = from === null || from.leads === 0x100 ? word.leads : from.leads;
      return walk.found(last);
    },
  };
};

test('whoever is told of what was kept says whether that is used', t => {
  const word = { leads: 0x8000 };
  const walker = wordWalker(word);
  const uses: string[] = [];
  const every = { translations: new EveryKept(), steps: [new EveryKept(), new EveryKept()] };
  const lookup = new Lookup(
    every,
    what => uses.includes(what),
    () => null,
  );
  lookup.find(walker, 0, 0, 0x1004);
  word.leads = 0x9000;
  lookup.find(walker, 0, 0, 0x1004);
  t.is(lookup.entry.leads, 0x9000, 'not used');
  uses.push('translation');
  lookup.find(walker, 0, 0, 0x1004);
  t.is(lookup.entry.leads, 0x8000, 'used');

  every.translations.invalidate(null);
  every.steps[0]?.keep({ context: 0, start: 0, size: 0x1_0000, leads: 0xa000, attributes: 0 });
  lookup.find(walker, 0, 0, 0x1004);
  t.is(lookup.entry.leads, 0x9000, 'a step that is not used');
  uses.push('walk');
  lookup.find(walker, 0, 0, 0x2004);
  t.is(lookup.entry.leads, 0xa000, 'a step that is used');
});

test('a walk may go on in a table if the way to it is kept and its context is there', t => {
  const walker = wordWalker({ leads: 0x8000 });
  let isThere = true;
  const steps = [new EveryKept(), new EveryKept()];
  const lookup = new Lookup(
    { translations: new EveryKept(), steps },
    () => false,
    () => (isThere ? walker.walk : null),
  );
  t.is(lookup.stepInto(0x100, 4), null);
  lookup.find(walker, 0, 0, 0x1004);
  t.is(lookup.stepInto(0x100, 4)?.leads, 0x100);
  isThere = false;
  t.is(lookup.stepInto(0x100, 4), null);
});

test('what was saved is found in the same order', t => {
  const kept = new LruKept(2);
  kept.keep(entry(1, 1, 11, { context: 3, attributes: 5 }));
  kept.keep(entry(2, 1, 12));
  kept.find(3, 1);
  const copy = new LruKept(2);
  copy.restoreState(kept.saveState());
  copy.keep(entry(4, 1, 14));
  t.deepEqual(copy.find(3, 1), entry(1, 1, 11, { context: 3, attributes: 5 }));
  t.is(copy.find(0, 2), null);
  t.throws(
    () => {
      copy.restoreState(null);
    },
    { instanceOf: InputError },
  );
  for (const every of [
    () => new EveryKept().saveState(),
    () => {
      new EveryKept().restoreState();
    },
  ]) {
    t.throws(every, { instanceOf: UnmodelledError });
  }
});

test('a cache of any size holds only what was kept and not invalidated: what every cache has', t => {
  const operation = fc.oneof(
    fc.record({ what: fc.constant('keep' as const), page: fc.nat(7), to: fc.nat(3) }),
    fc.record({ what: fc.constant('find' as const), page: fc.nat(7) }),
    fc.record({ what: fc.constant('end' as const), page: fc.nat(7) }),
  );
  fc.assert(
    fc.property(fc.nat(4), fc.array(operation, { maxLength: 40 }), (capacity, operations) => {
      const lru = new LruKept(capacity);
      const every = new EveryKept();
      for (const each of operations) {
        const { what, page } = each;
        if (what === 'keep') {
          const made = entry(page, 1, each.to);
          if (lru.find(0, page) === null) lru.keep(made);
          every.keep(made);
        } else if (what === 'end') {
          for (const kept of [lru, every]) kept.invalidate(other => overlaps(other, page, 1));
        } else {
          const found = lru.find(0, page);
          if (found === null) continue;
          const all = every.others(0, page, null);
          if (!all.some(({ leads }) => leads === found.leads)) return false;
        }
      }
      return true;
    }),
    { numRuns: 50 },
  );
  t.pass();
});
