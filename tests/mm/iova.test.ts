import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { KernelTimers } from '../../drivers/base/kernel/timers';
import { DEPOT_DELAY, IovaDomain } from '../../mm/iova';
import { MAGAZINE_SIZE } from '../../mm/iova-cache';

const LOW_LIMIT = 2 ** 20 - 1;

/** CPUs among which a test moves. */
const makeCpus = (online = 2): { online: number; number: number } => ({ online, number: 0 });

/** Timers, and what lets time pass. */
const makeTimers = (): { timers: KernelTimers; pass: (nanoseconds: number) => void } => {
  let now = 0;
  const timers = new KernelTimers(() => now);
  const pass = (nanoseconds: number): void => {
    now += nanoseconds;
    timers.run();
  };
  return { timers, pass };
};

const make = (startPfn: number, endPfn: number, cpus = makeCpus()): IovaDomain =>
  new IovaDomain({ granule: 4096, startPfn, endPfn }, cpus);

/** Who has which frame, one by one, and the highest room found by trying every place. */
class Oracle {
  readonly #taken: boolean[];
  readonly #start: number;

  constructor(start: number, end: number) {
    this.#start = Math.max(1, start);
    this.#taken = Array.from({ length: end }, () => false);
  }

  highest(size: number, limit: number, align: number): number | null {
    for (let pfn = Math.min(limit + 1, this.#taken.length) - size; pfn >= this.#start; pfn--) {
      if (pfn % align === 0 && this.#isFree(pfn, size)) return pfn;
    }
    return null;
  }

  set(pfn: number, size: number, taken: boolean): void {
    for (let at = pfn; at < pfn + size && at < this.#taken.length; at++) this.#taken[at] = taken;
  }

  get free(): number {
    return this.#taken.filter((taken, pfn) => !taken && pfn >= this.#start).length;
  }

  #isFree(pfn: number, size: number): boolean {
    return !this.#taken.slice(pfn, pfn + size).includes(true);
  }
}

const alignOf = (size: number): number => {
  let align = 1;
  while (align < size) align *= 2;
  return align;
};

const SIZE = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 80 }));

test('each allocation is the highest room that a search of every frame finds', t => {
  const step = fc.record({
    size: SIZE,
    limit: fc.oneof(fc.constant(10_000), fc.integer({ min: 0, max: 400 })),
    isSizeAligned: fc.boolean(),
    free: fc.option(fc.nat(100)),
    reserve: fc.option(fc.tuple(fc.nat(420), fc.nat(30)), { freq: 8 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(40), (steps, start) => {
      const domain = make(start, 400);
      const oracle = new Oracle(start, 400);
      const live: { pfn: number; size: number }[] = [];
      for (const { size, limit, isSizeAligned, free, reserve } of steps) {
        const expected = oracle.highest(size, limit, isSizeAligned ? alignOf(size) : 1);
        const pfn = domain.alloc(size, limit, isSizeAligned);
        assert.equal(pfn, expected);
        if (pfn !== null) {
          oracle.set(pfn, size, true);
          live.push({ pfn, size });
          assert.equal(domain.sizeAt(pfn), size);
        }
        const [gone] = free === null ? [] : live.splice(free % Math.max(1, live.length), 1);
        // A range that was reserved while it was in use comes back all the same, as Linux's does.
        if (gone !== undefined && reserve === null) {
          domain.free(gone.pfn);
          oracle.set(gone.pfn, gone.size, false);
        } else if (gone !== undefined) live.push(gone);
        if (reserve !== null && live.length === 0) {
          domain.reserve(reserve[0], reserve[0] + reserve[1]);
          oracle.set(reserve[0], reserve[1] + 1, true);
        }
        assert.equal(domain.freeFrames, oracle.free);
        assert.equal(domain.live, live.length);
      }
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('through the caches nobody shares a frame, sizes are aligned and limits kept', t => {
  const step = fc.record({
    size: SIZE,
    limit: fc.constantFrom(1023, 700, 200),
    cpu: fc.nat(1),
    free: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), steps => {
      const cpus = makeCpus();
      const domain = make(1, 1024, cpus);
      const live: { pfn: number; size: number }[] = [];
      for (const { size, limit, cpu, free } of steps) {
        cpus.number = cpu;
        const pfn = domain.allocFast(size, limit, true);
        if (pfn !== null) {
          assert.ok(pfn >= 1 && pfn + size - 1 <= limit);
          assert.equal(pfn % alignOf(size), 0);
          assert.ok(live.every(other => other.pfn >= pfn + size || other.pfn + other.size <= pfn));
          live.push({ pfn, size });
        }
        if (free === 0) continue;
        const [gone] = live.splice(0, 1);
        if (gone !== undefined) domain.freeFast(gone.pfn, gone.size);
        assert.equal(domain.live, live.length);
      }
      for (const { pfn, size } of live) domain.freeFast(pfn, size);
      domain.flushCaches();
      assert.equal(domain.live, 0);
      assert.equal(domain.freeFrames, 1023);
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('a full domain gives nothing, until caches are emptied for who may ask for that', t => {
  const domain = make(1, 65);
  const taken = Array.from({ length: 63 }, () => domain.allocFast(1, 64, false));
  t.false(taken.includes(null));
  const last = domain.allocFast(1, 64, true);
  t.is(domain.allocFast(1, 64, true), null);
  for (const pfn of [...taken, last]) domain.freeFast(pfn ?? 0, 1);
  t.is(domain.freeFrames, 0);
  t.is(domain.allocFast(8, 64, false), null);
  t.is(domain.allocFast(8, 64, true), 56);
});

test('up to 32 frames are rounded up to a power of two, more are not', t => {
  const domain = make(1, 1001);
  for (const [size, taken] of [
    [17, 32],
    [32, 32],
    [33, 33],
  ] as const) {
    const before = domain.freeFrames;
    domain.allocFast(size, 1000, false);
    t.is(before - domain.freeFrames, taken);
  }
});

test('what was freed last on a CPU is what that CPU gets next, and no other CPU', t => {
  const cpus = makeCpus();
  const domain = make(1, 1000, cpus);
  const first = domain.allocFast(3, 999, false) ?? 0;
  const second = domain.allocFast(3, 999, false) ?? 0;
  t.is(second, first - 4);
  domain.freeFast(second, 3);
  domain.freeFast(first, 3);
  cpus.number = 1;
  t.is(domain.allocFast(4, 999, false), second - 4);
  cpus.number = 0;
  t.is(domain.allocFast(4, 999, false), first);
  t.not(domain.allocFast(4, first - 2, false), second);
  t.is(domain.allocFast(4, first - 1, false), second);
});

test('a full magazine too many goes to the depot, where another CPU finds it', t => {
  const cpus = makeCpus(1);
  const { timers, pass } = makeTimers();
  const domain = new IovaDomain({ granule: 4096, startPfn: 1, endPfn: 10_000 }, cpus, timers);
  const taken = Array.from({ length: 5 * MAGAZINE_SIZE }, () => domain.allocFast(1, 9999, false));
  for (const pfn of taken) domain.freeFast(pfn ?? 0, 1);
  const kept = (): number => (9999 - domain.freeFrames) / MAGAZINE_SIZE;
  const after = [0, DEPOT_DELAY - 1, 1, DEPOT_DELAY, DEPOT_DELAY].map(nanoseconds => {
    pass(nanoseconds);
    return kept();
  });
  t.deepEqual(after, [5, 5, 4, 3, 3], 'one each 100 ms, down to one for each CPU');
  cpus.number = 1;
  const before = domain.freeFrames;
  t.truthy(domain.allocFast(1, 9999, false));
  t.is(domain.freeFrames, before);
});

test('addresses below 4 GiB come first, until there are none', t => {
  const domain = make(LOW_LIMIT - 1, 2 ** 36);
  const state = { only32: true };
  const limit = 2 ** 36 - 1;
  t.deepEqual(
    [1, 1, 1].map(size => domain.allocBelow4GiBFirst(size, limit, state)),
    [LOW_LIMIT, LOW_LIMIT - 1, limit],
  );
  t.false(state.only32);
  domain.free(LOW_LIMIT);
  t.is(domain.allocBelow4GiBFirst(1, limit, state), limit - 1);
  t.is(domain.allocBelow4GiBFirst(1, LOW_LIMIT, state), LOW_LIMIT);
});

test('frame 0 is never handed out', t => {
  const domain = make(0, 4);
  t.deepEqual(
    [1, 1, 1, 1].map(size => domain.alloc(size, 100, false)),
    [3, 2, 1, null],
  );
});

test('freeing what nobody has, twice or with another size is a bug', t => {
  const domain = make(1, 100);
  const pfn = domain.allocFast(4, 99, false) ?? 0;
  const oops = { instanceOf: KernelOops };
  t.throws(() => {
    domain.free(pfn + 1);
  }, oops);
  t.throws(
    () => {
      domain.freeFast(pfn, 8);
    },
    { ...oops, message: /another size/ },
  );
  domain.freeFast(pfn, 4);
  t.throws(
    () => {
      domain.freeFast(pfn, 4);
    },
    { ...oops, message: /not allocated/ },
  );
  t.throws(() => {
    domain.free(pfn);
  }, oops);
});
