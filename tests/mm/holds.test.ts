import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { Hold, Holds } from '../../mm/holds';
import { PageIndex } from '../../mm/page-index';
import { site } from './watched-memory';

const START = 100;
const END = 140;
const HOLDS = ['device', 'cpu', 'shared'].map(owner => new Hold(owner as 'cpu', site(owner)));

test('runs of bytes agree with one entry for each byte, whatever is set, and never grow beyond what differs', t => {
  const step = fc.record({
    start: fc.integer({ min: START - 5, max: END + 5 }),
    size: fc.integer({ min: -2, max: 20 }),
    hold: fc.constantFrom(...HOLDS),
    isStore: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const [initial = new Hold('cpu', site('x'))] = HOLDS;
      const holds = new Holds(START, END, initial);
      const bytes = new Map<number, Hold>();
      for (let at = START; at < END; at++) bytes.set(at, initial);
      for (const { start, size, hold, isStore } of steps) {
        const end = start + size;
        if (isStore) holds.update(start, end, one => (one.owner === 'cpu' ? one.written : one));
        else holds.set(start, end, hold);
        for (let at = Math.max(start, START); at < Math.min(end, END); at++) {
          const before = bytes.get(at) ?? initial;
          const stored = before.owner === 'cpu' ? before.written : before;
          bytes.set(at, isStore ? stored : hold);
        }
        const all = [...bytes.values()];
        for (const [at, expected] of bytes) assert.equal(holds.at(at), expected, `byte ${at}`);
        assert.equal(holds.runs, all.filter((one, i) => one !== all[i - 1]).length);
        const isCpus = (one: Hold): boolean => one.owner === 'cpu';
        assert.equal(
          holds.some(start, end, isCpus),
          [...bytes].some(([at, one]) => at >= start && at < end && isCpus(one)),
        );
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('an index by pages finds exactly what has a byte in common, each once', t => {
  const item = fc.record({ start: fc.nat(5 * 4096), size: fc.nat(3 * 4096) });
  fc.assert(
    fc.property(
      fc.array(item, { maxLength: 12 }),
      fc.array(fc.nat(11)),
      item,
      (items, gone, at) => {
        const index = new PageIndex<{ start: number; size: number }>();
        for (const one of items) index.add(one);
        const left = items.filter((_, i) => !gone.includes(i));
        for (const one of items) if (!left.includes(one)) index.delete(one);
        const expected = left.filter(
          ({ start, size }) =>
            Math.max(start, at.start) < Math.min(start + size, at.start + at.size),
        );
        const found = index.overlapping(at.start, at.size);
        assert.equal(found.length, expected.length);
        assert.ok(expected.every(one => found.includes(one)));
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});
