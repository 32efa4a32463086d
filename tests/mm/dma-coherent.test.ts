import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { ENOMEM, ENXIO } from '../../drivers/base/kernel/errno';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, offsetBy, physAddr } from '../../drivers/base/types/address';
import type { DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { CoherentPool } from '../../mm/dma-coherent';

const PAGES = 24;
const CPU = cpuAddr(0xf000_0000);
const PHYS = physAddr(0x9000_3000);

/** A pool of which every byte is 0xee at first. */
const make = (deviceBase: DmaAddr | null = null): { pool: CoherentPool; bytes: Uint8Array } => {
  const bytes = new Uint8Array(PAGES * PAGE_SIZE).fill(0xee);
  const view = new DataView(bytes.buffer);
  const io = {
    readb: (at: number) => view.getUint8(at - CPU),
    readl: (at: number) => view.getUint32(at - CPU, true),
    writeb: (value: number, at: number) => {
      view.setUint8(at - CPU, value);
    },
    writel: (value: number, at: number) => {
      view.setUint32(at - CPU, value, true);
    },
  };
  const fields = {
    name: 'pool',
    phys: PHYS,
    size: PAGES * PAGE_SIZE,
    cpuAddr: CPU,
    deviceBase,
    io,
  };
  return { pool: new CoherentPool(fields), bytes };
};

test('pieces are zeroed, apart, in the pool, aligned to their size in it, and come back', t => {
  const step = fc.record({
    size: fc.integer({ min: 1, max: 9 * PAGE_SIZE }),
    free: fc.option(fc.nat(9)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const { pool, bytes } = make();
      const live: { at: number; size: number; pages: number }[] = [];
      for (const { size, free } of steps) {
        const block = pool.alloc(size);
        if (block !== null) {
          const at = block.cpuAddr - CPU;
          let pages = 1;
          while (pages * PAGE_SIZE < size) pages *= 2;
          assert.equal(block.phys - PHYS, at);
          assert.equal(at % (pages * PAGE_SIZE), 0);
          assert.ok(at + pages * PAGE_SIZE <= PAGES * PAGE_SIZE);
          assert.ok(!bytes.subarray(at, at + size).some(byte => byte !== 0));
          bytes.fill(0xee, at, at + size);
          for (const other of live) {
            assert.ok(at + size <= other.at || other.at + other.size <= at);
          }
          live.push({ at, size, pages });
        }
        const [gone] = free === null ? [] : live.splice(free % Math.max(1, live.length), 1);
        if (gone !== undefined) assert.ok(pool.release(offsetBy(CPU, gone.at), gone.size));
        assert.equal(
          pool.used,
          live.reduce((sum, { pages }) => sum + pages, 0),
        );
      }
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('a pool that is used up gives nothing, and only takes back what it gave', t => {
  const { pool } = make();
  t.is(pool.alloc(PAGES * PAGE_SIZE), null);
  const first = pool.alloc(16 * PAGE_SIZE);
  t.is(first?.cpuAddr, CPU);
  t.is(pool.alloc(8 * PAGE_SIZE)?.cpuAddr, offsetBy(CPU, 16 * PAGE_SIZE));
  t.is(pool.alloc(1), null);
  t.false(pool.release(offsetBy(CPU, -1), PAGE_SIZE));
  t.false(pool.release(offsetBy(CPU, PAGES * PAGE_SIZE), PAGE_SIZE));
  t.true(pool.release(CPU, 16 * PAGE_SIZE));
  t.throws(() => pool.release(CPU, 1), { instanceOf: KernelOops });
  const beyond = offsetBy(CPU, 23 * PAGE_SIZE);
  t.throws(() => pool.release(beyond, 2 * PAGE_SIZE), { instanceOf: KernelOops });
});

test('memory that was declared has the bus address it was declared with', t => {
  const { pool } = make(dmaAddr(0x100));
  pool.alloc(1);
  t.is(pool.alloc(1)?.dmaHandle, dmaAddr(0x100 + PAGE_SIZE));
  t.false('dmaHandle' in (make().pool.alloc(1) ?? {}));
});

test('what is mapped to user mode is the piece, from the page that is asked for', t => {
  const { pool } = make();
  pool.alloc(PAGE_SIZE);
  const piece = pool.alloc(4 * PAGE_SIZE);
  assert.ok(piece !== null);
  const mapped: string[] = [];
  const mmap = (pgoff: number, pages: number, at = piece.cpuAddr, room = Infinity): number | null =>
    pool.mmap(
      {
        start: 0x1_0000,
        size: pages * PAGE_SIZE,
        pgoff,
        insertPage: (address, page, memory) => {
          if (mapped.length >= room) return -ENOMEM;
          mapped.push(`${address.toString(16)} ${page.toString(16)} ${memory}`);
          return 0;
        },
      },
      at,
      3 * PAGE_SIZE + 1,
    );
  t.is(mmap(2, 2), 0);
  t.deepEqual(mapped, ['10000 90009 writecombine', '11000 9000a writecombine']);
  t.is(mmap(2, 3), -ENXIO);
  t.is(mmap(4, 1), -ENXIO);
  t.is(mmap(0, 1, cpuAddr(0x1000)), null);
  t.is(mmap(0, 1, offsetBy(CPU, (PAGES - 3) * PAGE_SIZE)), null);
  t.is(mmap(0, 4, piece.cpuAddr, 3), -ENOMEM);
});
