import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { KernelOops } from '../../drivers/base/kernel/oops';
import type { CpuAddr } from '../../drivers/base/types/address';
import { cpuAddr, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { GFP_DMA, GFP_DMA32, GFP_HIGHUSER, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { PageAllocator } from '../../mm/page-alloc';
import { Slab } from '../../mm/slab';
import { MAX_ORDER } from '../../mm/zone';

const OFFSET = 0xc000_0000;
/** Frames 16 to 31 are ZONE_DMA, those up to 96 lowmem, the rest highmem. */
const LAYOUT = { ranges: [{ start: 16, end: 128 }], dmaEnd: 32, dma32End: null, lowEnd: 96 };
const LOW_PAGES = 80;

const make = (minAlign = 64): { pages: PageAllocator; slab: Slab } => {
  const pages = new PageAllocator(LAYOUT, { clearPage: () => undefined });
  const linear = {
    physToVirt: (address: number) => cpuAddr(address + OFFSET),
    virtToPhys: (address: number) => physAddr(address - OFFSET),
  };
  return { pages, slab: new Slab(pages, linear, minAlign) };
};

/** What an object takes: a power of two, at least the minimum, and whole pages beyond 8 KiB. */
const roomOf = (size: number, minimum: number): number => {
  let room = minimum;
  while (room < size) room *= 2;
  return room;
};

test('objects are aligned, never share a byte, and lie in the zone that was asked for', t => {
  const step = fc.record({
    size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 5 * PAGE_SIZE })),
    dma: fc.boolean(),
    free: fc.option(fc.nat(100)),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.constantFrom(64, 128),
      (steps, minAlign) => {
        const { pages, slab } = make(minAlign);
        const live = new Map<CpuAddr, { room: number; pages: number }>();
        for (const { size, dma, free } of steps) {
          const room = roomOf(size, minAlign);
          const object = slab.kmalloc(size, dma ? GFP_DMA : GFP_KERNEL);
          if (object !== null) {
            const end = object + room;
            assert.equal(object % room, 0, `${size} bytes at ${object}`);
            assert.ok(
              object >= OFFSET + 16 * PAGE_SIZE && end <= OFFSET + (dma ? 32 : 96) * PAGE_SIZE,
            );
            for (const [other, { room: length }] of live) {
              assert.ok(end <= other || other + length <= object, `${size} bytes at ${object}`);
            }
            live.set(object, { room, pages: size > 8192 ? room / PAGE_SIZE : 0 });
          }
          const gone = free === null ? undefined : [...live.keys()][free % Math.max(1, live.size)];
          if (gone !== undefined) {
            slab.kfree(gone);
            live.delete(gone);
          }
          assert.equal(slab.live, live.size);
          const large = [...live.values()].reduce((sum, one) => sum + one.pages, 0);
          assert.equal(pages.freePages + slab.reservePages + large, pages.managedPages);
        }
      },
    ),
    { numRuns: 60, includeErrorInReport: true },
  );
  t.pass();
});

test('what is freed is used again before new pages are', t => {
  const { slab } = make();
  const objects = Array.from({ length: 64 }, () => slab.kmalloc(64, GFP_KERNEL));
  t.is(slab.reservePages, 1);
  for (const object of objects) slab.kfree(object ?? cpuAddr(0));
  const again = Array.from({ length: 64 }, () => slab.kmalloc(33, GFP_KERNEL));
  t.deepEqual(again.toSorted(), objects.toSorted());
  t.is(slab.reservePages, 1);
});

test('memory is given to the last object, then there is none, and highmem is never touched', t => {
  for (const [size, perPage, gfp, pagesThere] of [
    [PAGE_SIZE, 1, GFP_KERNEL, LOW_PAGES],
    [1024, 4, GFP_DMA, 16],
    [2 * PAGE_SIZE, 1 / 2, GFP_KERNEL, LOW_PAGES],
    [3 * PAGE_SIZE, 1 / 4, GFP_KERNEL, LOW_PAGES],
  ] as const) {
    const { pages, slab } = make();
    const objects: CpuAddr[] = [];
    for (let o = slab.kmalloc(size, gfp); o !== null; o = slab.kmalloc(size, gfp)) objects.push(o);
    t.is(objects.length, pagesThere * perPage);
    t.is(slab.kmalloc(size, gfp), null);
    t.is(pages.freePages, pages.managedPages - pagesThere);
    const [freed = cpuAddr(0)] = objects;
    slab.kfree(freed);
    t.is(slab.kmalloc(size, gfp), freed);
  }
});

test('large objects are whole pages, given back when they are freed', t => {
  const { pages, slab } = make();
  const before = pages.freePages;
  const object = slab.kmalloc(8193, GFP_KERNEL) ?? cpuAddr(0);
  t.is(pages.freePages, before - 4);
  t.is(slab.reservePages, 0);
  slab.kfree(object);
  t.is(pages.freePages, before);
  t.is(slab.kmalloc(PAGE_SIZE * 2 ** MAX_ORDER + 1, GFP_KERNEL), null);
});

test('a second kfree, one of the middle of an object and one of nothing at all is an oops', t => {
  for (const size of [100, 3 * PAGE_SIZE]) {
    const { slab } = make();
    const object = slab.kmalloc(size, GFP_KERNEL) ?? cpuAddr(0);
    const freeing = (address: number) => (): void => {
      slab.kfree(cpuAddr(address));
    };
    const oops = { instanceOf: KernelOops, message: /^kfree of .*, which is not allocated$/ };
    t.throws(freeing(object + 64), oops);
    t.throws(freeing(0), oops);
    slab.kfree(object);
    t.throws(freeing(object), oops);
    t.is(slab.live, 0);
    const other = slab.kmalloc(size, GFP_KERNEL);
    t.not(other, null);
    t.not(slab.kmalloc(size, GFP_KERNEL), other, 'it is in the free list once');
  }
});

test('there are no caches of ZONE_DMA32 or highmem', t => {
  const { slab } = make();
  for (const gfp of [GFP_DMA32, GFP_HIGHUSER]) {
    t.throws(() => slab.kmalloc(64, gfp), { instanceOf: KernelOops });
  }
});
