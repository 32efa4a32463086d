import { KERNEL_IMAGE_SIZE } from '../../../arch/arm/mm/init';
import { GFP_HIGHUSER } from '../../../drivers/base/kernel/gfp';
import { hexCpu, offsetBy, physAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE, isPowerOfTwo } from '../../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  DmaDirection,
  dmaGetCacheAlignment,
  dmaMapPage,
  dmaMapResource,
  dmaMapSingle,
  dmaMappingError,
  dmaUnmapPage,
  dmaUnmapResource,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { dmaCapable, physToDma } from '../../../mm/dma-direct';
import { pageToPhys } from '../../../mm/page-alloc';
import { hasCache, hasMmu } from '../rules/conditions';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

const { FromDevice, ToDevice } = DmaDirection;

const isRefused = ({ t, dev }: RuleBench, address: Parameters<typeof dmaMapSingle>[1]): void => {
  const dma = dmaMapSingle(dev, address, SIZE, ToDevice);
  t.equal(dma, DMA_MAPPING_ERROR, `a mapping of ${hexCpu(address)}`);
};

/** The stack of the task that runs is at the end of the kernel image. */
const bottomOfStack = ({ kernel }: RuleBench): number =>
  kernel.mm.layout.physOffset + KERNEL_IMAGE_SIZE - SIZE;

const isUnmapped = ({ dev, kernel }: RuleBench, physical: number): string | null => {
  const { layout, tables, root } = kernel.mm;
  const address = layout.physToVirt(physAddr(physical));
  const isMapped =
    address !== null && (layout.vmalloc === null || tables.spanAt(root, address) > 0);
  if (!isMapped) return 'nothing is mapped where the kernel image is expected';
  return dmaCapable(dev, physToDma(dev, physAddr(physical)), SIZE)
    ? null
    : 'it does not reach the kernel image';
};

/** A mapping of memory that the linear map has. */
const mapAndUnmap = (bench: RuleBench, physical: number): void => {
  const { t, dev, kernel } = bench;
  const address = t.need(kernel.mm.layout.physToVirt(physAddr(physical)), 'lowmem');
  dmaUnmapSingle(dev, bench.map(address, SIZE, ToDevice), SIZE, ToDevice);
};

/** Rules 25 to 33: what may be mapped. */
export const MAPPABLE_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 25,
    name: 'memory_of_the_page_allocator_and_kmalloc_is_mapped_and_vmalloc_memory_is_not',
    unfit: ({ t }) => hasMmu(t.machine),
    right: bench => {
      bench.withMapping(ToDevice, (_address, dma) => {
        bench.deviceFinds(dma, 0);
        dmaUnmapSingle(bench.dev, dma, SIZE, ToDevice);
      });
    },
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          const { mappings } = bench.kernel;
          const address = bench.t.need(mappings.vmalloc(PAGE_SIZE), 'vmalloc memory');
          isRefused(bench, address);
          mappings.vfree(address);
        },
      },
    ],
  }),
  dmaRule({
    number: 26,
    name: 'the_kernel_image_is_not_mapped',
    unfit: bench => isUnmapped(bench, bench.kernel.mm.layout.physOffset),
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          mapAndUnmap(bench, bench.kernel.mm.layout.physOffset);
        },
      },
    ],
  }),
  dmaRule({
    number: 27,
    name: 'the_stack_is_not_mapped',
    unfit: bench => isUnmapped(bench, bottomOfStack(bench)),
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          mapAndUnmap(bench, bottomOfStack(bench));
        },
      },
    ],
  }),
  dmaRule({
    number: 28,
    name: 'an_address_of_kmap_is_not_mapped',
    unfit: ({ kernel }) => (kernel.mm.pages.hasHighmem ? null : 'no highmem'),
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: bench => {
          const { mm } = bench.kernel;
          const page = bench.t.need(mm.pages.allocPages(GFP_HIGHUSER, 0), 'a page');
          if (mm.pages.isHighmem(page)) {
            mm.kmap.with(page, address => {
              isRefused(bench, address);
            });
          }
          mm.pages.freePagesAt(page, 0);
        },
      },
    ],
  }),
  dmaRule({
    number: 29,
    name: 'a_buffer_has_its_cache_lines_for_itself',
    unfit: ({ t, dev }) => (dev.dma.coherent ? 'it snoops' : hasCache(t.machine)),
    wrong: [
      {
        caughtBy: ['shared-line'],
        isHarmless: ({ bounce }) => bounce !== null,
        consequences: [
          ...(['dirty-line-over-device-data', 'invalidate-of-dirty-bytes'] as const),
          ...(['lost-cpu-write', 'lost-device-write', 'stale-cpu-read'] as const),
        ],
        run: bench => {
          const { cpu } = bench.kernel;
          bench.withPages(PAGE_SIZE, address => {
            const { lineSize, writebackGranule } = bench.kernel.mm.info;
            const size = (writebackGranule ?? lineSize) - 4;
            const counter = offsetBy(address, size);
            cpu.store32(counter, 0);
            const dma = bench.map(address, size, FromDevice);
            cpu.store32(counter, cpu.load32(counter) + 1);
            bench.deviceWrites(dma, 29, size);
            dmaUnmapSingle(bench.dev, dma, size, FromDevice);
          });
        },
      },
    ],
  }),
  dmaRule({
    number: 30,
    name: 'kmalloc_memory_shares_no_line',
    right: ({ t, dev, kernel }) => {
      const alignment = dmaGetCacheAlignment(dev);
      t.ok(isPowerOfTwo(alignment), 'the alignment to be a power of two');
      t.ok(alignment >= kernel.mm.info.lineSize, 'the alignment to be a line or more');
      for (const size of [1, 24, 96, 200, 1000]) {
        const address = t.need(kernel.slab.kmalloc(size, {}), `${size} bytes`);
        t.equal(address % alignment, 0, `the offset of ${size} bytes in a line`);
        kernel.slab.kfree(address);
      }
    },
  }),
  dmaRule({
    number: 31,
    name: 'memory_that_is_contiguous_is_one_mapping',
    right: bench => {
      bench.withPages(2 * PAGE_SIZE, address => {
        const middle = PAGE_SIZE - SIZE / 2;
        bench.fill(offsetBy(address, middle), 31);
        const dma = bench.map(address, 2 * PAGE_SIZE, ToDevice);
        bench.deviceFinds(offsetBy(dma, middle), 31);
        dmaUnmapSingle(bench.dev, dma, 2 * PAGE_SIZE, ToDevice);
      });
    },
  }),
  dmaRule({
    number: 32,
    name: 'a_page_of_highmem_is_mapped_as_a_page',
    unfit: ({ kernel }) => (kernel.mm.pages.hasHighmem ? null : 'no highmem'),
    right: bench => {
      const { t, dev } = bench;
      const { mm } = bench.kernel;
      const page = t.need(mm.pages.allocPages(GFP_HIGHUSER, 0), 'a page');
      t.ok(mm.pages.isHighmem(page), 'a page of highmem');
      const dma = dmaMapPage(dev, page, 0, SIZE, FromDevice);
      if (dmaMappingError(dev, dma) === 0) {
        bench.deviceWrites(dma, 32);
        dmaUnmapPage(dev, dma, SIZE, FromDevice);
        mm.kmap.with(page, address => {
          bench.cpuFinds(address, 32);
        });
      } else {
        const isReached = dmaCapable(dev, physToDma(dev, pageToPhys(page)), PAGE_SIZE);
        t.ok(!isReached, 'a page that the device reaches to be mapped');
      }
      mm.pages.freePagesAt(page, 0);
    },
  }),
  dmaRule({
    number: 33,
    name: 'resources_are_registers_for_nobody_cleans_memory_that_is_mapped_so',
    unfit: ({ t, dev }) => (dev.dma.coherent ? 'it snoops' : hasCache(t.machine)),
    right: ({ t, dev }) => {
      const { start, size } = t.need(dev.registers[0], 'registers');
      const dma = dmaMapResource(dev, start, size, FromDevice);
      if (dmaMappingError(dev, dma) !== 0) return;
      dmaUnmapResource(dev, dma, size, FromDevice);
    },
    wrong: [
      {
        caughtBy: ['device-access-unmapped', 'device-access-after-unmap', 'dma-debug'],
        consequences: ['stale-device-read', 'missing-write-barrier', 'missing-outer-sync'],
        run: bench => {
          const { dev } = bench;
          bench.withPages(PAGE_SIZE, (address, page) => {
            bench.fill(address, 33);
            const dma = dmaMapResource(dev, pageToPhys(page), SIZE, ToDevice);
            if (dmaMappingError(dev, dma) !== 0) return;
            bench.device.checkPattern(dma, SIZE, 33);
            dmaUnmapResource(dev, dma, SIZE, ToDevice);
          });
        },
      },
    ],
  }),
];
