import test from 'ava';
import fc from 'fast-check';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { VmallocSpace } from '../../mm/vmalloc';

const START = 0xd080_0000;
const PAGES = 64;

const make = (pages = PAGES): VmallocSpace =>
  new VmallocSpace(cpuAddr(START), cpuAddr(START + pages * PAGE_SIZE));

/** The first page from which `count` pages and a guard page are free, tried one by one. */
const firstFit = (taken: ReadonlySet<number>, count: number, align: number): number | null => {
  for (let page = 0; page + count < PAGES; page++) {
    if ((START + page * PAGE_SIZE) % align !== 0) continue;
    const run = Array.from({ length: count + 1 }, (_, i) => page + i);
    if (run.every(one => !taken.has(one))) return page;
  }
  return null;
};

test('an area is the first that fits, guard page included, and none overlaps another', t => {
  const step = fc.record({
    bytes: fc.integer({ min: 1, max: 12 * PAGE_SIZE }),
    align: fc.constantFrom(1, 1, 2, 4, 16),
    release: fc.option(fc.nat(100), { freq: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), steps => {
      const space = make();
      /** By page of the range, mapped or guard: the start of the area that has it. */
      const taken = new Map<number, CpuAddr>();
      for (const { bytes, align, release } of steps) {
        const starts = [...new Set(taken.values())];
        const gone = release === null ? undefined : starts[release % Math.max(1, starts.length)];
        if (gone !== undefined) {
          space.release(gone);
          for (const [page, owner] of taken) if (owner === gone) taken.delete(page);
        }
        const count = Math.ceil(bytes / PAGE_SIZE);
        const expected = firstFit(new Set(taken.keys()), count, align * PAGE_SIZE);
        const area = space.reserve(bytes, 'test', align * PAGE_SIZE);
        t.is(area?.start ?? null, expected === null ? null : cpuAddr(START + expected * PAGE_SIZE));
        if (area === null || expected === null) continue;
        t.is(area.size, count * PAGE_SIZE);
        for (let i = 0; i <= count; i++) taken.set(expected + i, area.start);
        const ascending = space.areas.map(({ start }) => start);
        t.deepEqual(
          ascending,
          [...ascending].sort((a, b) => a - b),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('the range is given to the last page but one, then there is none, then all again', t => {
  const space = make(8);
  t.is(space.reserve(8 * PAGE_SIZE, 'too large', PAGE_SIZE), null);
  const all = space.reserve(7 * PAGE_SIZE, 'all');
  t.is(all?.start, space.start);
  t.is(space.reserve(1, 'one more'), null);
  space.release(space.start);
  const areas = [0, 1, 2, 3].map(() => space.reserve(PAGE_SIZE, 'each has a guard page'));
  t.deepEqual(
    areas.map(area => area?.start ?? null),
    [0, 2, 4, 6].map(page => cpuAddr(START + page * PAGE_SIZE)),
  );
  t.is(space.reserve(1, 'one more'), null);
});

test('no area has no bytes, or less than none', t => {
  const space = make();
  for (const size of [0, -1, -PAGE_SIZE, -(2 ** 40)]) t.is(space.reserve(size, 'none'), null);
  t.deepEqual(space.areas, []);
});

test('only the start of an area frees it, and only once', t => {
  const space = make();
  const start = space.reserve(2 * PAGE_SIZE, 'test')?.start ?? cpuAddr(0);
  const freeing = (address: number) => (): void => {
    space.release(cpuAddr(address));
  };
  const oops = { instanceOf: KernelOops, message: /^Trying to vfree\(\) nonexistent vm area/ };
  for (const address of [start + PAGE_SIZE, start + 1, start - PAGE_SIZE, 0]) {
    t.throws(freeing(address), oops);
  }
  t.is(space.areas.length, 1);
  t.like(space.release(start), { start, size: 2 * PAGE_SIZE, caller: 'test' });
  t.throws(freeing(start), oops);
});
