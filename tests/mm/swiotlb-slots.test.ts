import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import type { PhysAddr } from '../../drivers/base/types/address';
import { SEGMENT_SLOTS, SLOT_SIZE, SlotPool } from '../../mm/swiotlb-slots';

const START = physAddr(0x10_0000);
const SEGMENT = SEGMENT_SLOTS * SLOT_SIZE;

interface Wish {
  readonly original: number;
  readonly size: number;
  readonly min?: number;
  readonly alloc?: number;
  readonly boundary?: number;
  readonly cpu?: number;
  readonly bus?: number;
}

const take = (pool: SlotPool, wish: Wish): PhysAddr | null =>
  pool.take({
    original: physAddr(wish.original),
    size: wish.size,
    busStart: dmaAddr(wish.bus ?? START),
    minAlignMask: wish.min ?? 0,
    allocAlignMask: wish.alloc ?? 0,
    boundaryMask: wish.boundary ?? 2 ** 32 - 1,
    cpu: wish.cpu ?? 0,
  });

/** The slots that a mapping has at least: from its first byte to its last. */
const slotsOf = (at: number, size: number): number[] => {
  const first = Math.floor((at - START) / SLOT_SIZE);
  const last = Math.floor((at + size - 1 - START) / SLOT_SIZE);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
};

const wish = fc.record({
  original: fc.integer({ min: 0x80_0000, max: 0x90_0000 }),
  size: fc.oneof(
    fc.integer({ min: 1, max: 3 * SLOT_SIZE }),
    fc.integer({ min: 1, max: SEGMENT + 100 }),
  ),
  alloc: fc.constantFrom(0, 0, 0, 0xfff, 0x3fff),
  boundary: fc.constantFrom(2 ** 32 - 1, 2 ** 64 - 1, 0xffff, 0x1fff),
  cpu: fc.nat(7),
  free: fc.option(fc.nat(20)),
});

test('rules 78 and 79: no slot is shared, none crosses an area or segment, low bits agree', t => {
  const masks = fc.constantFrom(0, 0xff, 0xfff, 0x3fff);
  const bus = fc.constantFrom<number>(START, START + 0x5000_0000, 0x7000);
  const property = fc.property(
    fc.array(wish, { maxLength: 60, size: 'max' }),
    fc.constantFrom(1, 2, 4),
    masks,
    bus,
    (wishes, areas, min, busStart) => {
      const pool = new SlotPool(START, 4 * SEGMENT_SLOTS, areas);
      const live: { at: PhysAddr; size: number; original: number }[] = [];
      const taken = new Map<number, number>();
      const areaBytes = (4 * SEGMENT) / areas;
      for (const one of wishes) {
        const { original, size, alloc, boundary, free } = one;
        const at = take(pool, { ...one, min, bus: busStart });
        if (at !== null) {
          const inBus = at - START + busStart;
          assert.equal(inBus % (min + 1), original % (min + 1));
          assert.equal(
            Math.floor(inBus / (boundary + 1)),
            Math.floor((inBus + size - 1) / (boundary + 1)),
          );
          assert.equal(
            Math.floor((at - START) / areaBytes),
            Math.floor((at + size - 1 - START) / areaBytes),
          );
          assert.equal(
            Math.floor((at - START) / SEGMENT),
            Math.floor((at + size - 1 - START) / SEGMENT),
          );
          if (alloc > 0 && min === 0) assert.equal(inBus % (alloc + 1), 0);
          for (const slot of slotsOf(at, size)) {
            assert.ok(!taken.has(slot), `slot ${slot}`);
            taken.set(slot, original);
          }
          live.push({ at, size, original });
          const last = pool.originalOf(physAddr(at + size - 1), min);
          assert.equal(last?.original, original + size - 1);
          assert.ok(last.left >= 1);
        }
        const [gone] = free === null ? [] : live.splice(free % Math.max(1, live.length), 1);
        if (gone === undefined) continue;
        pool.release(gone.at, min);
        for (const slot of slotsOf(gone.at, gone.size)) taken.delete(slot);
        assert.equal(pool.originalOf(gone.at, min), null);
      }
      for (const { at } of live) pool.release(at, min);
      assert.equal(pool.used, 0);
      // All runs are whole again: every segment can be had in one piece.
      const whole = Array.from({ length: 4 }, () => take(pool, { original: 0, size: SEGMENT }));
      assert.deepEqual(new Set(whole), new Set([0, 1, 2, 3].map(i => START + i * SEGMENT)));
    },
  );
  fc.assert(property, { numRuns: 80 });
  t.pass();
});

test('rule 77: a segment can be had in one piece, and not a byte more', t => {
  const pool = new SlotPool(START, 2 * SEGMENT_SLOTS, 1);
  t.is(take(pool, { original: 0x5000, size: SEGMENT + 1 }), null);
  t.is(take(pool, { original: 0x5000, size: SEGMENT }), START);
  t.is(take(pool, { original: 0x5000, size: SEGMENT }), physAddr(START + SEGMENT));
  t.is(pool.used, 2 * SEGMENT_SLOTS);
  t.is(take(pool, { original: 0x5000, size: 1 }), null);
});

test('what fills a page begins at one, smaller things at the next slot', t => {
  const pool = new SlotPool(START, SEGMENT_SLOTS, 1);
  t.is(take(pool, { original: 0x5123, size: 100 }), START);
  t.is(take(pool, { original: 0x5123, size: 4095 }), physAddr(START + SLOT_SIZE));
  t.is(take(pool, { original: 0x5123, size: 4096 }), physAddr(START + 2 * 4096));
});

test('a search begins where the last one ended, in the area of its CPU, and goes on to the others', t => {
  const pool = new SlotPool(START, 2 * SEGMENT_SLOTS, 2);
  const second = START + SEGMENT;
  const first = take(pool, { original: 0, size: 1, cpu: 1 });
  t.is(first, physAddr(second));
  pool.release(physAddr(second), 0);
  t.is(take(pool, { original: 0, size: 1, cpu: 3 }), physAddr(second + SLOT_SIZE));
  t.is(take(pool, { original: 0, size: SEGMENT, cpu: 1 }), START);
  t.is(take(pool, { original: 0, size: SEGMENT, cpu: 0 }), null);
});

test('an alignment of more than a slot puts the first byte behind slots of padding', t => {
  const pool = new SlotPool(START, SEGMENT_SLOTS, 1);
  const at = take(pool, { original: 0x8_1a34, size: 3000, min: 0x3fff, alloc: 0x1fff }) ?? 0;
  t.is(at % 0x4000, 0x1a34);
  // 0x1a34 bytes in front, 3000 of data, rounded up to 0x2000: two times four slots.
  t.is(pool.used, 8);
  t.deepEqual(pool.originalOf(physAddr(at + 2999), 0x3fff), {
    original: physAddr(0x8_1a34 + 2999),
    left: 0x4000 - 0x1a34 - 2999,
  });
  pool.release(physAddr(at), 0x3fff);
  t.is(pool.used, 0);
});

test('a mapping that is ended in its midst loses its tail only', t => {
  const pool = new SlotPool(START, SEGMENT_SLOTS, 1);
  take(pool, { original: 0, size: 4 * SLOT_SIZE });
  pool.release(physAddr(START + 3 * SLOT_SIZE), 0);
  t.is(pool.used, 3);
});

test('a mask that is none of low bits is a bug', t => {
  const pool = new SlotPool(START, SEGMENT_SLOTS, 1);
  t.throws(() => take(pool, { original: 0, size: 1, min: 0xff0 }), { instanceOf: KernelOops });
});
