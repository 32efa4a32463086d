import test from 'ava';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { AtomicPools } from '../../mm/dma-atomic-pool';
import type { AtomicPoolKernel } from '../../mm/dma-atomic-pool';

const SIZE = 4 * PAGE_SIZE;
const anywhere = (): boolean => true;

/** Memory of ZONE_DMA at 0, of the others at 1 MiB; `largest`: bytes that can be had in one piece. */
const make = (zones: AtomicPoolKernel['zones'] = ['Normal'], largest = Infinity, size = SIZE) => {
  const asked: string[] = [];
  const work: (() => void)[] = [];
  const written: number[] = [];
  const next = { low: 0x1_0000, high: 0x10_0000 };
  const log = new KernelLog();
  const pools = new AtomicPools(
    {
      backing: (bytes: number, gfp: Gfp) => {
        const zone = gfp.dma === true ? 'low' : 'high';
        asked.push(`${zone} ${bytes / PAGE_SIZE}`);
        if (bytes > largest) return null;
        const phys = physAddr(next[zone]);
        next[zone] += bytes;
        return { phys, cpuAddr: cpuAddr(0x8000_0000 + phys) };
      },
      zones,
      io: {
        readb: () => 0,
        readl: () => 0,
        writeb: () => undefined,
        writel: (value, at) => written.push(value === 0 ? at : NaN),
      },
      log,
      scheduleWork: run => work.push(run),
    },
    size,
  );
  const soon = (): void => {
    for (const run of work.splice(0)) run();
  };
  return { pools, asked, work, written, soon, lines: () => log.lines.map(({ text }) => text) };
};

test('pieces are zeroed, aligned to their order, apart, and come back', t => {
  const { pools, written } = make();
  const one = pools.alloc(1, anywhere);
  const two = pools.alloc(PAGE_SIZE + 1, anywhere);
  t.is(one?.phys, physAddr(0x10_0000));
  t.is(two?.phys, physAddr(0x10_0000 + 2 * PAGE_SIZE));
  t.is(written.at(-1), 0x8000_0000 + 0x10_0000 + 2 * PAGE_SIZE + PAGE_SIZE - 4);
  t.is(pools.available, PAGE_SIZE);
  t.true(pools.free(cpuAddr(0x8010_0000), 1));
  t.is(pools.alloc(PAGE_SIZE, anywhere)?.phys, physAddr(0x10_0000));
  t.false(pools.free(cpuAddr(0x8000_0000), 1));
  for (const [at, size] of [
    [0x8010_1000, 1],
    [0x8010_3000, PAGE_SIZE + 1],
  ] as const) {
    t.throws(() => pools.free(cpuAddr(at), size), { instanceOf: KernelOops });
  }
});

test('exhaustion is an answer, told once', t => {
  const { pools, lines } = make();
  t.is(pools.alloc(SIZE + 1, anywhere), null);
  t.truthy(pools.alloc(SIZE, anywhere));
  t.is(pools.alloc(1, anywhere), null);
  t.deepEqual(lines(), [
    '16 KiB atomic DMA coherent pool is too small! ' +
      'Please increase it with coherent_pool= kernel parameter!',
  ]);
});

test('a pool from which something was taken is doubled as soon as one may sleep', t => {
  const { pools, work, asked, soon } = make();
  t.is(work.length, 0);
  pools.alloc(1, anywhere);
  pools.alloc(1, anywhere);
  t.is(work.length, 1);
  t.is(pools.size, SIZE);
  soon();
  t.deepEqual(asked, ['high 4', 'high 4']);
  t.is(pools.available, 2 * SIZE - 2 * PAGE_SIZE);
  pools.alloc(1, anywhere);
  t.is(work.length, 0);
  const large = pools.alloc(SIZE, anywhere);
  t.is(large?.phys, physAddr(0x10_0000 + SIZE));
  t.is(work.length, 1);
  pools.free(cpuAddr(0x8010_0000 + SIZE), SIZE);
  soon();
  t.is(pools.size, 2 * SIZE);
});

test('where there is not so much in one piece less is prepared, and nothing is told of', t => {
  const less = make(['Normal'], PAGE_SIZE);
  t.deepEqual(less.asked, ['high 4', 'high 2', 'high 1']);
  t.is(less.pools.size, PAGE_SIZE);
  const none = make(['Normal'], 0);
  t.is(none.pools.alloc(1, anywhere), null);
  t.is(none.lines()[0], 'DMA: failed to allocate 16 KiB pool for atomic allocation');
  t.deepEqual(make(['Normal'], 4 * 2 ** 20, 2 ** 24).asked, ['high 1024']);
});

test('a device gets memory of the first zone that it reaches', t => {
  const { pools } = make(['Normal', 'DMA']);
  const low = (address: number, size: number): boolean => address + size <= 0x10_0000;
  t.is(pools.alloc(1, anywhere)?.phys, physAddr(0x10_0000));
  t.is(pools.alloc(1, low)?.phys, physAddr(0x1_0000));
  t.is(pools.available, 2 * SIZE - 2 * PAGE_SIZE);
  t.is(
    pools.alloc(1, () => false),
    null,
  );
  t.is(pools.available, 2 * SIZE - 2 * PAGE_SIZE);
});
