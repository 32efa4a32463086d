import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { DmaMemory } from '../../drivers/base/kernel/dma-map-ops';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { dmaPoolAlloc, dmaPoolCreate, dmaPoolDestroy, dmaPoolFree } from '../../mm/dmapool';
import type { DmaPool } from '../../mm/dmapool';
import { DriverBench } from './driver-bench';
import type { Case, CaseContext, Suite } from './suite';

/** The pools of mm/dmapool_test.c. */
const POOLS = [
  { size: 16, align: 16, boundary: 0 },
  { size: 64, align: 64, boundary: 0 },
  { size: 256, align: 256, boundary: 0 },
  { size: 1024, align: 1024, boundary: 0 },
  { size: 4096, align: 4096, boundary: 0 },
  { size: 68, align: 32, boundary: 4096 },
] as const;
type Pool = (typeof POOLS)[number];

/** Of the kernel's blocks and its 100 loops, so many are enough: each is looked at here. */
const BLOCKS_SHARE = 1 / 256;
const LOOPS = 2;

/** NR_BLOCKS of the kernel's test, between 1024 and 8192. */
const blocksOf = (size: number): number =>
  Math.min(8192, Math.max(1024, Math.floor(PAGE_SIZE / size) * 512)) * BLOCKS_SHARE;

const allocateAll = (t: CaseContext, pool: DmaPool, count: number): DmaMemory[] =>
  Array.from({ length: count }, () => t.need(dmaPoolAlloc(pool, GFP_KERNEL), 'a block'));

const checkPlaces = (t: CaseContext, blocks: readonly DmaMemory[], pool: Pool): void => {
  const { size, align, boundary } = pool;
  const sorted = blocks.map(({ dmaHandle }) => dmaHandle).sort((a, b) => a - b);
  const edge = boundary === 0 ? Infinity : boundary;
  let wrong = 0;
  sorted.forEach((at, i) => {
    const crosses = Math.floor(at / edge) !== Math.floor((at + size - 1) / edge);
    const overlaps = i > 0 && at < (sorted[i - 1] ?? 0) + size;
    if (at % align !== 0 || crosses || overlaps) wrong++;
  });
  t.equal(wrong, 0, 'the blocks that are not aligned, overlap or cross a boundary');
};

/** A word of every block by both its addresses: the CPU's store is what the device finds. */
const checkMemory = (t: CaseContext, bench: DriverBench, blocks: readonly DmaMemory[]): void => {
  const words = 16;
  const [block] = blocks;
  if (block === undefined) return;
  bench.storeWords(block.cpuAddr, words, 5);
  bench.cpu.dsb();
  const { error, mismatches } = bench.device.checkPattern(block.dmaHandle, words, 5);
  t.equal(error, 0, 'the result of the device reading');
  t.equal(mismatches, 0, 'the wrong bytes that the device read');
  t.equal(bench.device.writePattern(block.dmaHandle, words, 6), 0, 'the result of writing');
  t.equal(bench.wrongBytes(block.cpuAddr, words, 6), 0, 'the wrong bytes that the CPU read');
};

const runPool = (t: CaseContext, bench: DriverBench, shape: Pool, poison: boolean): void => {
  const { size, align, boundary } = shape;
  const { log } = t.machine.kernel;
  const before = log.lines.length;
  const pool = t.need(
    dmaPoolCreate('test pool', bench.dev, size, align, boundary, { poison }),
    'a pool',
  );
  for (let loop = 0; loop < LOOPS; loop++) {
    const blocks = allocateAll(t, pool, blocksOf(size));
    checkPlaces(t, blocks, shape);
    checkMemory(t, bench, blocks);
    for (const { cpuAddr, dmaHandle } of blocks) dmaPoolFree(pool, cpuAddr, dmaHandle);
  }
  dmaPoolDestroy(pool);
  t.equal(log.lines.length, before, 'the lines in the log of the kernel');
};

const poolCase = (shape: Pool): Case => ({
  name: `size_${shape.size}_align_${shape.align}_boundary_${shape.boundary}`,
  run: t => {
    const kinds = ['non-coherent', 'coherent'] as const;
    const benches = kinds.flatMap(kind => DriverBench.on(t.machine, kind) ?? []);
    if (benches.length === 0) t.skip('no master of this board reaches RAM');
    for (const bench of benches) {
      const probe = dmaPoolCreate('probe', bench.dev, shape.size, 0, 0);
      const memory = probe && dmaPoolAlloc(probe, GFP_KERNEL);
      if (probe === null || memory === null) {
        const { name, refused } = t.machine.kernel.coherent;
        return t.skip(`${name}: ${refused ?? 'no coherent memory'}`);
      }
      dmaPoolFree(probe, memory.cpuAddr, memory.dmaHandle);
      dmaPoolDestroy(probe);
      for (const poison of [false, true]) runPool(t, bench, shape, poison);
    }
  },
});

export const dmapoolSuite: Suite = {
  name: 'dmapool',
  summary: "blocks of coherent memory, in the pools of the kernel's own test",
  cases: POOLS.map(poolCase),
};
