import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { StoreBuffer } from '../../../../arch/arm/concrete/store-buffer';
import { i32 } from '../../../../drivers/base/types/arrays';

const WORDS = 6;

/** One step: a store of one word or two, a barrier, a drain, or a device store. */
type Op = readonly [kind: number, word: number, value: number, mask: number];
const op: fc.Arbitrary<Op> = fc.tuple(
  fc.nat(13),
  fc.nat(WORDS - 1),
  fc.integer(),
  fc.constantFrom(-1, -1, 0xff, 0xffff_0000 | 0),
);

/** When a store was issued. */
interface Drained {
  readonly epoch: number;
  readonly group: number;
}

class Bench {
  readonly memory = new Int32Array(WORDS);
  /** What the program's own loads must see. */
  readonly latest = new Int32Array(WORDS);
  readonly drained: Drained[] = [];
  readonly buffer: StoreBuffer;

  constructor(capacity: number) {
    this.buffer = new StoreBuffer(capacity, slot => {
      const { word, value, mask } = this.buffer;
      // The tests give the epoch and the group of a store in place of its addresses in the cache.
      const epoch = i32(this.buffer.tagWord, slot);
      const group = i32(this.buffer.indexWord, slot);
      this.drained.push({ epoch, group });
      merge(this.memory, i32(word, slot), i32(value, slot), i32(mask, slot));
    });
  }

  store(words: readonly number[], value: number, mask: number): void {
    const group = this.buffer.nextGroup();
    const { epoch } = this.buffer;
    for (const word of words) {
      merge(this.latest, word, value + word, mask);
      this.buffer.write(word, epoch, group, 2, false, value + word, mask);
      this.buffer.push(group);
    }
  }
}

const merge = (memory: Int32Array, word: number, value: number, mask: number): void => {
  memory[word] = ((memory[word] ?? 0) & ~mask) | (value & mask);
};

const run = (bench: Bench, [kind, word, value, mask]: Op): void => {
  const { buffer } = bench;
  if (kind < 5) bench.store([word], value, mask);
  else if (kind < 7) bench.store([word - (word % 2), word - (word % 2) + 1], value, -1);
  else if (kind < 11) buffer.drain(Math.abs(value) % Math.max(1, buffer.count));
  else if (kind === 11) buffer.drainRange(word, word + 1);
  else if (kind === 12) buffer.epoch++;
  else buffer.drainBefore(buffer.epoch);
};

test('a CPU sees its own stores, and memory ends as the program says', t => {
  fc.assert(
    fc.property(
      fc.array(op, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 8 }),
      (ops, capacity) => {
        const bench = new Bench(capacity);
        for (const step of ops) {
          run(bench, step);
          assert.ok(bench.buffer.count <= capacity);
          for (let word = 0; word < WORDS; word++) {
            const seen = bench.buffer.forward(word, bench.memory[word] ?? 0);
            assert.equal(seen, bench.latest[word], `word ${word}`);
            if (!bench.buffer.holds(word)) assert.equal(bench.memory[word], bench.latest[word]);
          }
        }
        bench.buffer.drainAll();
        assert.equal(bench.buffer.count, 0);
        assert.deepEqual(bench.memory, bench.latest);
      },
    ),
    { numRuns: 1500, includeErrorInReport: true },
  );
  t.pass();
});

test('stores drain in the order of their epochs, halves of a pair together', t => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60, size: 'max' }), ops => {
      const bench = new Bench(8);
      for (const step of ops) {
        run(bench, step);
        const epochs = bench.drained.map(({ epoch }) => epoch);
        assert.deepEqual(
          epochs,
          [...epochs].sort((a, b) => a - b),
        );
        const groups = bench.drained.map(({ group }) => group);
        const runs = groups.filter((group, i) => group !== groups[i - 1]);
        assert.equal(new Set(runs).size, runs.length, 'a group drains in one go');
      }
    }),
    { numRuns: 500, includeErrorInReport: true },
  );
  t.pass();
});

test('later stores may pass earlier ones of the same epoch and never those before a barrier', t => {
  const bench = new Bench(8);
  bench.store([0], 10, -1);
  bench.store([1], 20, -1);
  bench.buffer.drain(1);
  t.deepEqual([...bench.memory.slice(0, 2)], [0, 21]);
  bench.buffer.epoch++;
  bench.store([2], 30, -1);
  bench.buffer.drain(1);
  t.deepEqual([...bench.memory.slice(0, 3)], [10, 21, 32]);
});

test('a device store waits for the stores before the last barrier and for no others', t => {
  const bench = new Bench(8);
  bench.store([0], 10, -1);
  bench.buffer.drainBefore(bench.buffer.epoch);
  t.is(bench.memory[0], 0);
  bench.buffer.epoch++;
  bench.store([1], 20, -1);
  bench.buffer.drainBefore(bench.buffer.epoch);
  t.deepEqual([...bench.memory.slice(0, 2)], [10, 0]);
});

test('a pair passes no store to either of its words', t => {
  const bench = new Bench(8);
  bench.store([1], 100, -1);
  bench.store([0, 1], 200, -1);
  bench.store([0], 300, -1);
  bench.buffer.drain(3);
  t.deepEqual([...bench.memory.slice(0, 2)], [300, 201]);
  bench.buffer.drainAll();
  t.deepEqual([...bench.memory.slice(0, 2)], [300, 201]);
});

test('a snapshot keeps what waits, and one of another buffer is refused', t => {
  const bench = new Bench(3);
  bench.store([0], 10, -1);
  bench.buffer.epoch++;
  bench.store([1, 2], 20, 0xff);
  const state = bench.buffer.saveState();
  const copy = new Bench(3);
  copy.store([5], 1, -1);
  copy.buffer.restoreState(state);
  t.deepEqual(copy.buffer.saveState(), state);
  copy.buffer.drain(2);
  t.deepEqual([...copy.memory], [10, 21, 22, 0, 0, 0]);
  t.throws(
    () => {
      new Bench(2).buffer.restoreState(state);
    },
    { message: /snapshot of a store buffer: .*at most 2 stores/ },
  );
});
