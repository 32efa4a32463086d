import { offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { GFP_ATOMIC, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import type { Machine } from '../../machines/machine';
import { dmaAllocCoherent, dmaFreeCoherent } from '../../mm/dma-alloc';
import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../mm/dma-mapping-common';
import { getOrder } from '../../mm/zone';
import { aliasVerdict } from './coherent-alias';
import { DriverBench } from './driver-bench';
import type { Case, CaseContext, Suite } from './suite';
import { withoutMmu, withoutSecondCpu } from './support';

/** Bytes that are moved: a few lines of any width, whole words. */
const MOVED = 200;
const SIZE = 2 * PAGE_SIZE;
const ROUNDS = 3;
/** Of allocations: within a page, a page, not a power of two, a block of the allocator. */
const SIZES = [64, PAGE_SIZE, 3 * PAGE_SIZE, 16 * PAGE_SIZE];

const { FromDevice, ToDevice } = DmaDirection;

/** Coherent memory, where both sides have it. */
interface Shared {
  readonly cpu: CpuAddr;
  readonly dma: DmaAddr;
}

/** Memory of dma_alloc_coherent(), given back when the body is done; the case ends without any. */
const withShared = (
  t: CaseContext,
  bench: DriverBench,
  size: number,
  body: (shared: Shared) => void,
  gfp: Gfp = GFP_KERNEL,
): void => {
  const memory = dmaAllocCoherent(bench.dev, size, gfp);
  if (memory === null) {
    const { name, refused } = t.machine.kernel.coherent;
    if (refused !== null) t.skip(`${name}: ${refused}`);
    t.need(memory, `${size} bytes of coherent memory`);
    return;
  }
  try {
    body({ cpu: memory.cpuAddr, dma: memory.dmaHandle });
  } finally {
    dmaFreeCoherent(bench.dev, size, memory.cpuAddr, memory.dmaHandle);
  }
};

const deviceWrites = (t: CaseContext, bench: DriverBench, { dma }: Shared, seed: number): void => {
  t.equal(bench.device.writePattern(dma, MOVED, seed), 0, 'the result of the device writing');
};

const deviceFinds = (t: CaseContext, bench: DriverBench, { dma }: Shared, seed: number): void => {
  const { error, mismatches } = bench.device.checkPattern(dma, MOVED, seed);
  t.equal(error, 0, 'the result of the device reading');
  t.equal(mismatches, 0, 'the wrong bytes that the device read');
};

const cpuFinds = (t: CaseContext, bench: DriverBench, at: CpuAddr, seed: number): void => {
  t.equal(bench.wrongBytes(at, MOVED, seed), 0, 'the wrong bytes that the CPU read');
};

/** A case that is run with a device that does not snoop, and with one that does. */
const onBoth = (
  name: string,
  body: (t: CaseContext, bench: DriverBench) => void,
  unfit: (machine: Machine) => string | null = () => null,
): Case => ({
  name,
  unfit,
  run: t => {
    const kinds = ['non-coherent', 'coherent'] as const;
    const benches = kinds.flatMap(kind => DriverBench.on(t.machine, kind) ?? []);
    if (benches.length === 0) t.skip('no master of this board reaches RAM');
    for (const bench of benches) body(t, bench);
  },
});

const CASES: readonly Case[] = [
  onBoth('what_the_device_writes_is_what_the_cpu_reads', (t, bench) => {
    withShared(t, bench, SIZE, shared => {
      for (let round = 0; round < ROUNDS; round++) {
        deviceWrites(t, bench, shared, round);
        cpuFinds(t, bench, shared.cpu, round);
      }
    });
  }),
  onBoth('what_the_cpu_writes_is_what_the_device_reads', (t, bench) => {
    withShared(t, bench, SIZE, shared => {
      for (let round = 0; round < ROUNDS; round++) {
        bench.storeWords(shared.cpu, MOVED, round);
        deviceFinds(t, bench, shared, round);
      }
    });
  }),
  onBoth('both_sides_write_into_one_line', (t, bench) => {
    const half = 16;
    withShared(t, bench, SIZE, ({ cpu, dma }) => {
      for (let round = 0; round < ROUNDS; round++) {
        bench.storeWords(cpu, half, round);
        bench.device.writePattern(offsetBy(dma, half), half, round + 9);
        const [own, other] = [
          bench.wrongBytes(cpu, half, round),
          bench.wrongBytes(offsetBy(cpu, half), half, round + 9),
        ];
        t.equal(own, 0, 'the wrong bytes of what the CPU wrote');
        t.equal(other, 0, 'the wrong bytes of what the device wrote');
      }
    });
  }),
  onBoth('neighbours_keep_their_data', (t, bench) => {
    withShared(t, bench, PAGE_SIZE, one => {
      withShared(t, bench, PAGE_SIZE, other => {
        const ordinary = bench.kmalloc(MOVED);
        bench.storeWords(other.cpu, MOVED, 2);
        deviceWrites(t, bench, one, 3);
        bench.fill(ordinary, MOVED, 4);
        cpuFinds(t, bench, one.cpu, 3);
        deviceFinds(t, bench, other, 2);
        cpuFinds(t, bench, ordinary, 4);
        bench.kfree(ordinary);
      });
    });
  }),
  onBoth('memory_that_others_have_dirtied_comes_zeroed', (t, bench) => {
    const { cpu } = bench;
    const page = bench.allocPages(getOrder(SIZE));
    bench.fill(bench.addressOf(page), MOVED, 7);
    bench.freePages(page);
    withShared(t, bench, SIZE, shared => {
      let wrong = 0;
      for (let at = 0; at < SIZE; at += 4) if (cpu.load32(shared.cpu + at) !== 0) wrong++;
      t.equal(wrong, 0, 'the words that are not zero');
      deviceWrites(t, bench, shared, 8);
      cpuFinds(t, bench, shared.cpu, 8);
    });
  }),
  onBoth('what_is_given_back_is_ordinary_memory', (t, bench) => {
    withShared(t, bench, SIZE, shared => {
      bench.storeWords(shared.cpu, MOVED, 1);
      deviceWrites(t, bench, shared, 2);
    });
    const page = bench.allocPages(getOrder(SIZE));
    const buffer = bench.addressOf(page);
    bench.fill(buffer, MOVED, 3);
    const out = bench.mapped(dmaMapSingle(bench.dev, buffer, MOVED, ToDevice));
    deviceFinds(t, bench, { cpu: buffer, dma: out }, 3);
    dmaUnmapSingle(bench.dev, out, MOVED, ToDevice);
    const back = bench.mapped(dmaMapSingle(bench.dev, buffer, MOVED, FromDevice));
    deviceWrites(t, bench, { cpu: buffer, dma: back }, 4);
    dmaUnmapSingle(bench.dev, back, MOVED, FromDevice);
    cpuFinds(t, bench, buffer, 4);
    bench.freePages(page);
  }),
  onBoth('nothing_is_lost_by_allocating_again_and_again', (t, bench) => {
    const { pages, vmalloc } = t.machine.kernel.mm;
    const once = (): void => {
      for (const size of SIZES) withShared(t, bench, size, () => undefined);
    };
    // The first time, tables and pools may come to be that stay.
    once();
    const before = [pages.freePages, vmalloc?.areas.length ?? 0] as const;
    for (let round = 0; round < ROUNDS; round++) once();
    t.equal(pages.freePages, before[0], 'the free pages');
    t.equal(vmalloc?.areas.length ?? 0, before[1], 'the areas of the vmalloc range');
  }),
  onBoth(
    'every_cpu_sees_the_same',
    (t, bench) => {
      const { cpu } = bench;
      withShared(t, bench, SIZE, shared => {
        for (let number = 0; number < cpu.online; number++) {
          const next = (number + 1) % cpu.online;
          cpu.on(number, () => {
            bench.storeWords(shared.cpu, MOVED, number);
            deviceFinds(t, bench, shared, number);
            deviceWrites(t, bench, shared, number + 20);
          });
          cpu.on(next, () => {
            bench.kernel.mm.barriers.rmb();
            cpuFinds(t, bench, shared.cpu, number + 20);
          });
        }
      });
    },
    withoutSecondCpu,
  ),
  onBoth('who_cannot_sleep_gets_memory_or_null', (t, bench) => {
    const memory = dmaAllocCoherent(bench.dev, PAGE_SIZE, GFP_ATOMIC);
    t.ok(true, 'an answer');
    if (memory === null) return;
    const shared = { cpu: memory.cpuAddr, dma: memory.dmaHandle };
    deviceWrites(t, bench, shared, 5);
    cpuFinds(t, bench, shared.cpu, 5);
    dmaFreeCoherent(bench.dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
  }),
  {
    name: 'no_mapping_stays_that_does_harm',
    unfit: machine =>
      DriverBench.on(machine, 'non-coherent') === null
        ? 'all masters snoop or are behind an IOMMU'
        : withoutMmu(machine),
    run: (t: CaseContext): void => {
      const { isHarmless, text } = aliasVerdict(t.machine);
      const { name } = t.machine.kernel.coherent;
      t.ok(isHarmless, `${name} to be safe: ${text}`);
      t.row = { strategy: name, because: text };
    },
  },
];

export const dmaCoherentSuite: Suite = {
  name: 'dma-coherent',
  summary: 'memory that CPU and device share without maintenance, as the board makes it',
  cases: CASES,
};
