import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import type { DmaMemory } from '../../../drivers/base/kernel/dma-map-ops';
import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import { KIB, PAGE_SIZE } from '../../../drivers/base/types/bits';
import {
  dmaAllocCoherent,
  dmaBitMask,
  dmaFreeCoherent,
  dmaSetCoherentMask,
} from '../../../mm/dma-mapping-common';
import {
  dmaPoolAlloc,
  dmaPoolCreate,
  dmaPoolDestroy,
  dmaPoolFree,
  dmaPoolZalloc,
} from '../../../mm/dmapool';
import type { CoherentMemory } from '../../../mm/dmapool';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

/** More than any board has. */
const TOO_MUCH = 2 ** 40;

/** A board whose way to coherent memory refuses even a page says so in other suites. */
export const withoutCoherent = ({ dev }: RuleBench): string | null => {
  const memory = dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL);
  if (memory === null) return 'no coherent memory';
  dmaFreeCoherent(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
  return null;
};

const withCoherent = (
  { t, dev }: RuleBench,
  size: number,
  body: (cpu: CpuAddr, dma: DmaAddr) => void,
): void => {
  const memory = t.need(dmaAllocCoherent(dev, size, GFP_KERNEL), `${size} bytes`);
  body(memory.cpuAddr, memory.dmaHandle);
  dmaFreeCoherent(dev, size, memory.cpuAddr, memory.dmaHandle);
};

/** Rules 1 to 15: coherent memory and pools of it. */
export const COHERENT_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 1,
    name: 'what_one_side_writes_the_other_reads',
    unfit: withoutCoherent,
    right: bench => {
      withCoherent(bench, PAGE_SIZE, (cpu, dma) => {
        bench.fill(cpu, 1);
        bench.deviceFinds(dma, 1);
        bench.deviceWrites(dma, 2);
        bench.cpuFinds(cpu, 2);
      });
    },
  }),
  dmaRule({
    number: 4,
    name: 'coherent_memory_is_freed_with_what_it_was_allocated_with',
    unfit: withoutCoherent,
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: ({ t, dev }) => {
          const memory = t.need(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL), 'a page');
          // As large to the allocator, which deals in pages.
          dmaFreeCoherent(dev, PAGE_SIZE / 2, memory.cpuAddr, memory.dmaHandle);
        },
      },
    ],
  }),
  dmaRule({
    number: 5,
    name: 'coherent_memory_is_freed_where_one_may_sleep',
    unfit: bench =>
      bench.kernel.irq === null ? 'no interrupts on this board' : withoutCoherent(bench),
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: ({ t, dev, kernel: { cpu } }) => {
          const memory = t.need(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL), 'a page');
          const areEnabled = cpu.setInterruptsEnabled(false);
          dmaFreeCoherent(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
          cpu.setInterruptsEnabled(areEnabled);
        },
      },
    ],
  }),
  dmaRule({
    number: 6,
    name: 'both_addresses_are_aligned_to_the_block_that_holds_the_size',
    unfit: withoutCoherent,
    right: bench => {
      for (const pages of [1, 2, 3, 4]) {
        const block = 2 ** Math.ceil(Math.log2(pages)) * PAGE_SIZE;
        withCoherent(bench, pages * PAGE_SIZE, (cpu, dma) => {
          bench.t.equal(dma % block, 0, `the offset of the address of ${pages} pages`);
          const first = Math.floor(dma / (64 * KIB));
          const last = Math.floor((dma + pages * PAGE_SIZE - 1) / (64 * KIB));
          bench.t.equal(last, first, 'the block of 64 KiB that it ends in');
          bench.t.equal(cpu % PAGE_SIZE, 0, 'the offset in a page');
        });
      }
    },
  }),
  dmaRule({
    number: 7,
    name: 'coherent_memory_is_below_4_gib_unless_the_mask_says_more',
    unfit: withoutCoherent,
    right: bench => {
      const { t, dev } = bench;
      t.equal(dmaSetCoherentMask(dev, dmaBitMask(32)), 0, 'the result of dmaSetCoherentMask');
      const memory = dmaAllocCoherent(dev, PAGE_SIZE, { ...GFP_KERNEL, noWarn: true });
      t.ok(memory === null || memory.dmaHandle < 2 ** 32, 'an address below 4 GiB, or none');
      if (memory !== null) dmaFreeCoherent(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
    },
  }),
  dmaRule({
    number: 8,
    name: 'without_memory_there_is_none',
    right: ({ t, dev }) => {
      const memory = dmaAllocCoherent(dev, TOO_MUCH, { ...GFP_KERNEL, noWarn: true });
      t.ok(memory === null, 'no memory');
    },
  }),
  dmaRule({
    number: 9,
    name: 'coherent_memory_is_zeroed',
    unfit: withoutCoherent,
    right: bench => {
      const { cpu } = bench.kernel;
      for (let round = 0; round < 2; round++) {
        withCoherent(bench, PAGE_SIZE, at => {
          let sum = 0;
          for (let offset = 0; offset < SIZE; offset += 4) sum += Math.abs(cpu.load32(at + offset));
          bench.t.equal(sum, 0, 'the sum of all words');
          bench.fill(at, 9);
        });
      }
    },
  }),
  dmaRule({
    number: 10,
    name: 'a_pool_grows_where_one_may_sleep',
    unfit: bench =>
      bench.kernel.irq === null ? 'no interrupts on this board' : withoutCoherent(bench),
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: ({ t, dev, kernel: { cpu } }) => {
          const pool = t.need(dmaPoolCreate('late', dev, 64, 64, 0), 'a pool');
          const areEnabled = cpu.setInterruptsEnabled(false);
          const block = dmaPoolAlloc(pool, GFP_KERNEL);
          cpu.setInterruptsEnabled(areEnabled);
          if (block !== null) dmaPoolFree(pool, block.cpuAddr, block.dmaHandle);
          dmaPoolDestroy(pool);
        },
      },
    ],
  }),
  dmaRule({
    number: 11,
    name: 'the_alignment_of_a_pool_is_a_power_of_two',
    right: ({ t, dev }) => {
      t.ok(dmaPoolCreate('odd', dev, 64, 3, 0) === null, 'no pool');
    },
  }),
  dmaRule({
    number: 12,
    name: 'no_block_crosses_the_boundary_of_its_pool',
    unfit: withoutCoherent,
    right: ({ t, dev }) => {
      t.ok(dmaPoolCreate('small', dev, 64, 16, 32) === null, 'no pool with too small a boundary');
      t.ok(dmaPoolCreate('odd', dev, 64, 16, 96) === null, 'no pool with an odd boundary');
      t.ok(dmaPoolCreate('none', dev, 0, 16, 0) === null, 'no pool of blocks without bytes');
      const pool = t.need(dmaPoolCreate('right', dev, 96, 32, 256), 'a pool');
      const blocks = Array.from({ length: 8 }, () =>
        t.need(dmaPoolAlloc(pool, GFP_KERNEL), 'a block'),
      );
      for (const { dmaHandle } of blocks) {
        t.equal(Math.floor((dmaHandle + 95) / 256), Math.floor(dmaHandle / 256), 'where it ends');
        t.equal(dmaHandle % 32, 0, 'the offset of a block');
      }
      for (const { cpuAddr, dmaHandle } of blocks) dmaPoolFree(pool, cpuAddr, dmaHandle);
      dmaPoolDestroy(pool);
    },
  }),
  dmaRule({
    number: 13,
    name: 'a_block_is_aligned_and_zeroed_if_that_is_asked_for',
    unfit: withoutCoherent,
    right: bench => {
      const { t, dev, kernel } = bench;
      const pool = t.need(dmaPoolCreate('zeroed', dev, 96, 64, 0), 'a pool');
      for (let round = 0; round < 2; round++) {
        const { cpuAddr, dmaHandle } = t.need(dmaPoolZalloc(pool, GFP_KERNEL), 'a block');
        t.equal(dmaHandle % 64, 0, 'the offset of the block');
        let sum = 0;
        for (let at = 0; at < 96; at += 4) sum += Math.abs(kernel.cpu.load32(cpuAddr + at));
        t.equal(sum, 0, 'the sum of its words');
        bench.fill(cpuAddr, 13, 96);
        dmaPoolFree(pool, cpuAddr, dmaHandle);
      }
      dmaPoolDestroy(pool);
    },
  }),
  dmaRule({
    number: 14,
    name: 'a_block_is_freed_once_with_the_addresses_it_came_with',
    unfit: withoutCoherent,
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: ({ t, dev }) => {
          const pool = t.need(dmaPoolCreate('twice', dev, 64, 64, 0), 'a pool');
          const { cpuAddr, dmaHandle } = t.need(dmaPoolAlloc(pool, GFP_KERNEL), 'a block');
          dmaPoolFree(pool, cpuAddr, dmaHandle);
          dmaPoolFree(pool, cpuAddr, dmaHandle);
          dmaPoolDestroy(pool);
        },
      },
    ],
  }),
  dmaRule({
    number: 15,
    name: 'a_pool_is_destroyed_when_all_its_blocks_are_free',
    unfit: withoutCoherent,
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: ({ t, dev }) => {
          const kept: DmaMemory[] = [];
          // The pool never gives back what it has then; here somebody has to.
          const memory: CoherentMemory = {
            alloc: (_dev, size, gfp) => {
              const block = dmaAllocCoherent(dev, size, gfp);
              if (block !== null) kept.push(block);
              return block;
            },
            free: () => undefined,
          };
          const pool = t.need(dmaPoolCreate('busy', dev, 64, 64, 0, { memory }), 'a pool');
          t.need(dmaPoolAlloc(pool, GFP_KERNEL), 'a block');
          dmaPoolDestroy(pool);
          for (const { cpuAddr, dmaHandle } of kept) {
            dmaFreeCoherent(dev, PAGE_SIZE, cpuAddr, dmaHandle);
          }
        },
      },
    ],
  }),
];
