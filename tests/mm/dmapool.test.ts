import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DmaMemory } from '../../drivers/base/kernel/dma-map-ops';
import { GFP_ATOMIC, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { dmaAddr, hex, hexCpu, offsetBy } from '../../drivers/base/types/address';
import {
  dmaPoolAlloc,
  dmaPoolCreate,
  dmaPoolDestroy,
  dmaPoolFree,
  dmaPoolZalloc,
} from '../../mm/dmapool';
import type { DmaPool } from '../../mm/dmapool';
import { pageToPhys } from '../../mm/page-alloc';
import { getOrder } from '../../mm/zone';
import { boot } from '../support/booted';

const { kernel } = boot('versatile-pb');
/** Bus addresses are not physical ones: a mistake between the two shows. */
const BUS = 0x4000_0000;

/** A device of its own, with a log of its own, and coherent memory that is counted. */
const makeBench = (): {
  readonly log: string[];
  readonly irqs: { areDisabled: boolean };
  readonly live: Map<number, number>;
  limit: number;
  pool: (size: number, align: number, boundary: number, poison?: boolean) => DmaPool | null;
} => {
  const log = new KernelLog();
  const irqs = { areDisabled: false };
  const dev = new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf({}),
    registers: [],
    irqs: [],
    services: { ...kernel.services, log, irqsDisabled: () => irqs.areDisabled },
  });
  const live = new Map<number, number>();
  const bench = {
    irqs,
    live,
    limit: Infinity,
    get log() {
      return log.lines.map(({ level, text }) => `${level}: ${text}`);
    },
    pool: (size: number, align: number, boundary: number, poison = true) =>
      dmaPoolCreate('rings', dev, size, align, boundary, { memory, poison }),
  };
  const memory = {
    alloc: (_dev: Device, bytes: number, gfp: Gfp): DmaMemory | null => {
      // The pool zeroes what it gives: a page at a time would be for nothing.
      assert.notEqual(gfp.zero, true);
      if (live.size >= bench.limit) return null;
      const page = kernel.mm.pages.allocPages(GFP_KERNEL, getOrder(bytes));
      assert.ok(page !== null);
      const cpuAddr = kernel.mm.layout.physToVirt(pageToPhys(page));
      assert.ok(cpuAddr !== null);
      live.set(cpuAddr, bytes);
      return { cpuAddr, dmaHandle: dmaAddr(pageToPhys(page) + BUS) };
    },
    free: (_dev: Device, bytes: number, { cpuAddr, dmaHandle }: DmaMemory): void => {
      assert.equal(live.get(cpuAddr), bytes);
      live.delete(cpuAddr);
      const page = Math.floor((dmaHandle - BUS) / 4096) as Parameters<
        typeof kernel.mm.pages.freePagesAt
      >[0];
      kernel.mm.pages.freePagesAt(page, getOrder(bytes));
    },
  };
  return bench;
};

const must = <Value>(value: Value | null): Value => {
  assert.ok(value !== null);
  return value;
};

const shape = ({ size, allocation, boundary }: DmaPool): number[] => [size, allocation, boundary];

test('rules 11 and 12: what a pool rounds up and what it refuses', t => {
  const { pool } = makeBench();
  for (const [args, expected] of [
    [
      [1, 0, 0],
      [16, 4096, 4096],
    ],
    [
      [68, 32, 4096],
      [96, 4096, 4096],
    ],
    [
      [64, 4096, 0],
      [4096, 4096, 4096],
    ],
    [
      [5000, 8, 0],
      [5000, 5000, 5000],
    ],
    [
      [64, 16, 2 ** 20],
      [64, 4096, 4096],
    ],
    [
      [2 ** 31 - 1, 1, 0],
      [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1],
    ],
  ] as const) {
    t.deepEqual(shape(must(pool(args[0], args[1], args[2]))), [...expected], args.join());
  }
  for (const args of [
    [0, 16, 0],
    [2 ** 31, 16, 0],
    [64, 24, 0],
    [64, 3, 0],
    [64, 16, 32],
    [64, 16, 96],
    [20, 64, 32],
  ] as const) {
    t.is(pool(args[0], args[1], args[2]), null, args.join());
  }
});

test('rules 12 and 13: blocks are aligned, apart, and cross no boundary', t => {
  const shapes = fc.record({
    size: fc.integer({ min: 1, max: 900 }),
    align: fc.constantFrom(0, 1, 8, 32, 128),
    boundary: fc.constantFrom(0, 256, 1024, 4096, 8192),
    count: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(shapes, ({ size, align, boundary, count }) => {
      const bench = makeBench();
      const pool = bench.pool(size, align, boundary, false);
      if (pool === null) return;
      const blocks = Array.from({ length: count }, () => must(dmaPoolAlloc(pool, GFP_KERNEL)));
      const edge = boundary === 0 ? Infinity : boundary;
      for (const { cpuAddr, dmaHandle } of blocks) {
        assert.equal(dmaHandle % Math.max(1, align), 0);
        assert.equal(Math.floor(dmaHandle / edge), Math.floor((dmaHandle + size - 1) / edge));
        assert.equal(kernel.mm.layout.virtToPhys(cpuAddr), dmaHandle - BUS);
      }
      const starts = blocks.map(({ dmaHandle }) => dmaHandle).sort((a, b) => a - b);
      starts.forEach((start, i) => {
        assert.ok(i === 0 || start >= (starts[i - 1] ?? 0) + size);
      });
      assert.equal(pool.active, count);
      for (const { cpuAddr, dmaHandle } of blocks) dmaPoolFree(pool, cpuAddr, dmaHandle);
      dmaPoolDestroy(pool);
      assert.equal(bench.live.size, 0);
      assert.deepEqual(bench.log, []);
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('a page is used up before there is another, and the block freed last is given first', t => {
  const bench = makeBench();
  const pool = must(bench.pool(1024, 0, 0));
  const blocks = [0, 1, 2, 3].map(() => must(dmaPoolAlloc(pool, GFP_KERNEL)));
  t.is(bench.live.size, 1);
  const [first, second] = blocks;
  assert.ok(first !== undefined && second !== undefined);
  dmaPoolFree(pool, second.cpuAddr, second.dmaHandle);
  dmaPoolFree(pool, first.cpuAddr, first.dmaHandle);
  t.deepEqual(dmaPoolAlloc(pool, GFP_KERNEL), first);
  t.deepEqual(dmaPoolAlloc(pool, GFP_KERNEL), second);
  bench.limit = 1;
  t.is(dmaPoolAlloc(pool, GFP_KERNEL), null);
  t.is(pool.active, 4);
});

test('rule 13: zalloc zeroes the block, and nothing of its neighbours', t => {
  const { pool } = makeBench();
  t.truthy(dmaPoolZalloc(must(pool(64, 0, 0)), GFP_KERNEL));
  const blocks = must(pool(64, 0, 0));
  const neighbour = must(dmaPoolAlloc(blocks, GFP_KERNEL));
  const block = must(dmaPoolZalloc(blocks, GFP_KERNEL));
  t.is(block.cpuAddr - neighbour.cpuAddr, 64);
  for (let at = 0; at < 64; at += 4) t.is(kernel.cpu.load32(block.cpuAddr + at), 0);
  t.is(kernel.cpu.load8(block.cpuAddr - 1), 0xa9);
  t.is(kernel.cpu.load8(block.cpuAddr + 64), 0xa7);
});

test('rule 14: a block is freed once, to its pool, by both its addresses', t => {
  const bench = makeBench();
  const pool = must(bench.pool(64, 0, 0));
  const { cpuAddr, dmaHandle } = must(dmaPoolAlloc(pool, GFP_KERNEL));
  const [cpu, dma] = [hexCpu(cpuAddr), hex(dmaHandle)];
  dmaPoolFree(pool, cpuAddr, offsetBy(dmaHandle, 4096));
  dmaPoolFree(pool, cpuAddr, offsetBy(dmaHandle, 8));
  dmaPoolFree(pool, offsetBy(cpuAddr, 64), dmaHandle);
  t.is(pool.active, 1);
  dmaPoolFree(pool, cpuAddr, dmaHandle);
  t.is(pool.active, 0);
  dmaPoolFree(pool, cpuAddr, dmaHandle);
  const from = 'err: platform dev: pool_block_err rings,';
  t.deepEqual(bench.log, [
    `${from} ${cpu}/${hex(dmaHandle + 4096)} (bad dma)`,
    `${from} ${cpu}/${hex(dmaHandle + 8)} (bad dma)`,
    `${from} ${hexCpu(offsetBy(cpuAddr, 64))} (bad vaddr)/${dma}`,
    `${from} dma ${dma} already free`,
  ]);
  t.deepEqual(
    [0, 1].map(() => dmaPoolAlloc(pool, GFP_KERNEL)?.dmaHandle),
    [dmaHandle, dmaHandle + 64],
  );
});

test('rule 10: a pool is made, asked for memory that may be waited for, and ended where one may sleep', t => {
  const bench = makeBench();
  const pool = must(bench.pool(64, 0, 0));
  bench.irqs.areDisabled = true;
  t.truthy(dmaPoolAlloc(pool, GFP_ATOMIC));
  t.deepEqual(bench.log, [], 'who says that he cannot wait may ask');
  t.truthy(dmaPoolAlloc(pool, GFP_KERNEL));
  dmaPoolDestroy(bench.pool(64, 0, 0));
  const bug = 'err: platform dev: BUG: sleeping function called from invalid context:';
  t.deepEqual(bench.log, [
    `${bug} dma_pool_alloc()`,
    `${bug} dma_pool_create()`,
    `${bug} dma_pool_destroy()`,
  ]);
});

test('rule 15: a pool that is busy says so when it is destroyed, and its memory stays', t => {
  const bench = makeBench();
  const pool = must(bench.pool(64, 0, 0));
  dmaPoolAlloc(pool, GFP_KERNEL);
  dmaPoolDestroy(pool);
  t.deepEqual(bench.log, ['err: platform dev: dma_pool_destroy rings busy']);
  t.is(bench.live.size, 1);
  dmaPoolDestroy(null);
});

test('a write to a free block is found when the block is given again, unless nobody looks', t => {
  for (const poison of [true, false]) {
    const bench = makeBench();
    const pool = must(bench.pool(64, 0, 0, poison));
    const { cpuAddr, dmaHandle } = must(dmaPoolAlloc(pool, GFP_KERNEL));
    dmaPoolFree(pool, cpuAddr, dmaHandle);
    kernel.cpu.store8(cpuAddr + 63, 0xa6);
    dmaPoolAlloc(pool, GFP_KERNEL);
    const text = `err: platform dev: pool_check_block rings, ${hexCpu(cpuAddr)} (corrupted)`;
    t.deepEqual(bench.log, poison ? [text] : []);
    dmaPoolFree(pool, cpuAddr, dmaHandle);
    t.is(kernel.cpu.load8(cpuAddr + 63), poison ? 0xa7 : 0xa6);
  }
});
