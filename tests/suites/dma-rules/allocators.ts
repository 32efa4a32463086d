import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import { offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import {
  DmaAttr,
  DmaDirection,
  dmaAllocAttrs,
  dmaAllocNoncoherent,
  dmaAllocNoncontiguous,
  dmaAllocPages,
  dmaFreeAttrs,
  dmaFreeNoncoherent,
  dmaFreeNoncontiguous,
  dmaFreePages,
  dmaGetSgtableAttrs,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaVmapNoncontiguous,
  dmaVunmapNoncontiguous,
} from '../../../mm/dma-mapping-common';
import { hasMmu } from '../rules/conditions';
import { SIZE } from './bench';
import type { RuleBench } from './bench';
import { withoutCoherent } from './memory';
import { dmaRule } from './rule';
import type { DmaRule } from './rule';

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;

/** More than any board has. */
const TOO_MUCH = 2 ** 40;

/**
 * Memory of two pages that the CPU has in one piece by an address of its own: it writes, the device
 * reads and writes, the CPU reads. `flushes`: with what goes with the syncs there.
 */
const exchangeByVmap = (bench: RuleBench, flushes: boolean): void => {
  const { t, dev } = bench;
  const { services } = dev;
  const size = 2 * PAGE_SIZE;
  const given = dmaAllocNoncontiguous(dev, size, Bidirectional, GFP_KERNEL, DmaAttr.None);
  const table = t.need(given, `${size} bytes`);
  const address = t.need(dmaVmapNoncontiguous(dev, size, table), 'an address');
  const dma = t.need(table.sgl[0], 'a segment').dmaAddress;
  // Across the end of the first page.
  const at = offsetBy(address, PAGE_SIZE - SIZE / 2);
  bench.fill(at, 61);
  if (flushes) services.flushKernelVmapRange(address, size);
  dmaSyncSgtableForDevice(dev, table, Bidirectional);
  bench.device.checkPattern(offsetBy(dma, PAGE_SIZE - SIZE / 2), SIZE, 61);
  bench.deviceWrites(offsetBy(dma, PAGE_SIZE - SIZE / 2), 62);
  dmaSyncSgtableForCpu(dev, table, Bidirectional);
  if (flushes) services.invalidateKernelVmapRange(address, size);
  bench.cpuFinds(at, 62);
  dmaVunmapNoncontiguous(dev, address);
  dmaFreeNoncontiguous(dev, size, table, Bidirectional);
};

/** No line of the pages is looked up by another address. */
const hasOneAlias = ({ kernel: { mm }, isTranslated }: RuleBench): boolean =>
  !(mm.info.isVivt || mm.info.isAliasing) || !isTranslated;

/** Linux takes no notice of NO_KERNEL_MAPPING there (is_swiotlb_for_alloc). */
const alwaysAddressed = ({ bounce }: RuleBench): string | null =>
  bounce === 'restricted pool' ? 'memory of a restricted pool always has an address' : null;

/** Both sides use memory of these attributes as any other. */
const exchange = (bench: RuleBench, attrs: number, size = PAGE_SIZE): void => {
  const { t, dev } = bench;
  const memory = t.need(dmaAllocAttrs(dev, size, GFP_KERNEL, attrs), `${size} bytes`);
  bench.deviceWrites(memory.dmaHandle, 62);
  bench.cpuFinds(memory.cpuAddr, 62);
  dmaFreeAttrs(dev, size, memory.cpuAddr, memory.dmaHandle, attrs);
};

/** Rules 57 to 68: other allocators and attributes of memory. */
export const ALLOCATOR_RULES: readonly DmaRule[] = [
  dmaRule({
    number: 57,
    name: 'pages_are_cached_and_synced',
    right: bench => {
      const { t, dev, kernel } = bench;
      const pages = dmaAllocPages(dev, PAGE_SIZE, FromDevice, GFP_KERNEL);
      const { page, dmaHandle } = t.need(pages, 'a page');
      dmaSyncSingleForDevice(dev, dmaHandle, PAGE_SIZE, FromDevice);
      bench.deviceWrites(dmaHandle, 57);
      dmaSyncSingleForCpu(dev, dmaHandle, PAGE_SIZE, FromDevice);
      kernel.mm.kmap.with(page, address => {
        bench.cpuFinds(address, 57);
      });
      dmaFreePages(dev, PAGE_SIZE, page, dmaHandle, FromDevice);
    },
  }),
  dmaRule({
    number: 58,
    name: 'noncoherent_memory_is_cached_and_synced_and_of_no_zone',
    right: bench => {
      const { t, dev } = bench;
      const zoned = dmaAllocNoncoherent(dev, PAGE_SIZE, FromDevice, { ...GFP_KERNEL, dma: true });
      t.ok(zoned === null, 'no memory where a zone is asked for');
      t.takeFindings();
      const given = dmaAllocNoncoherent(dev, PAGE_SIZE, FromDevice, GFP_KERNEL);
      const memory = t.need(given, 'a page');
      dmaSyncSingleForDevice(dev, memory.dmaHandle, PAGE_SIZE, FromDevice);
      bench.deviceWrites(memory.dmaHandle, 58);
      dmaSyncSingleForCpu(dev, memory.dmaHandle, PAGE_SIZE, FromDevice);
      bench.cpuFinds(memory.cpuAddr, 58);
      dmaFreeNoncoherent(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle, FromDevice);
    },
  }),
  dmaRule({
    number: 59,
    name: 'memory_that_need_not_be_contiguous_is_one_segment_to_the_device',
    right: ({ t, dev }) => {
      const size = 4 * PAGE_SIZE;
      const given = dmaAllocNoncontiguous(dev, size, FromDevice, GFP_KERNEL, DmaAttr.None);
      const table = t.need(given, `${size} bytes`);
      t.equal(table.nents, 1, 'the segments that the device sees');
      t.ok(table.origNents >= 1, 'one piece or more');
      dmaFreeNoncontiguous(dev, size, table, FromDevice);
    },
  }),
  dmaRule({
    number: 60,
    name: 'noncontiguous_memory_takes_one_attribute',
    wrong: [
      {
        caughtBy: ['dma-debug'],
        run: ({ t, dev }) => {
          const attrs = DmaAttr.WriteCombine;
          const table = dmaAllocNoncontiguous(dev, PAGE_SIZE, FromDevice, GFP_KERNEL, attrs);
          t.ok(table === null, 'no memory');
        },
      },
    ],
  }),
  dmaRule({
    number: 61,
    name: 'who_writes_by_an_address_of_vmap_flushes_it_before_the_sync',
    unfit: ({ t }) => hasMmu(t.machine),
    right: bench => {
      exchangeByVmap(bench, true);
    },
    wrong: [
      {
        caughtBy: ['stale-device-read', 'stale-cpu-read'],
        isHarmless: hasOneAlias,
        run: bench => {
          exchangeByVmap(bench, false);
        },
      },
    ],
  }),
  dmaRule({
    number: 62,
    name: 'attributes_that_are_hints_change_nothing_that_is_seen',
    unfit: withoutCoherent,
    right: bench => {
      for (const attrs of [DmaAttr.None, DmaAttr.WeakOrdering, DmaAttr.WriteCombine]) {
        exchange(bench, attrs);
      }
    },
  }),
  dmaRule({
    number: 63,
    name: 'memory_without_an_address_has_a_cookie_in_its_place',
    unfit: bench => hasMmu(bench.t.machine) ?? withoutCoherent(bench) ?? alwaysAddressed(bench),
    right: bench => {
      const { t, dev } = bench;
      const attrs = DmaAttr.NoKernelMapping;
      const { vmalloc } = bench.kernel.mm;
      const before = vmalloc?.areas.length ?? 0;
      const memory = t.need(dmaAllocAttrs(dev, PAGE_SIZE, GFP_KERNEL, attrs), 'a page');
      bench.deviceWrites(memory.dmaHandle, 63);
      bench.deviceFinds(memory.dmaHandle, 63);
      t.equal(vmalloc?.areas.length ?? 0, before, 'the areas of vmalloc that are in use');
      dmaFreeAttrs(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle, attrs);
    },
    wrong: [
      {
        caughtBy: [],
        stops: () => true,
        run: ({ t, dev, kernel }) => {
          const attrs = DmaAttr.NoKernelMapping;
          const memory = t.need(dmaAllocAttrs(dev, PAGE_SIZE, GFP_KERNEL, attrs), 'a page');
          try {
            kernel.cpu.load32(memory.cpuAddr);
          } finally {
            dmaFreeAttrs(dev, PAGE_SIZE, memory.cpuAddr, memory.dmaHandle, attrs);
          }
        },
      },
    ],
  }),
  dmaRule({
    number: 65,
    name: 'contiguous_memory_is_contiguous_behind_an_iommu_too',
    unfit: withoutCoherent,
    right: ({ t, dev }) => {
      const size = 4 * PAGE_SIZE;
      const attrs = DmaAttr.ForceContiguous;
      const given = dmaAllocAttrs(dev, size, GFP_KERNEL, attrs);
      const memory = t.need(given, `${size} bytes`);
      const { cpuAddr, dmaHandle } = memory;
      const table = dmaGetSgtableAttrs(dev, cpuAddr, dmaHandle, size, attrs);
      const pieces = typeof table === 'number' ? [] : table.sgl;
      t.equal(pieces.length, 1, 'the pieces of memory');
      t.equal(pieces[0]?.length ?? 0, size, 'the bytes of the first');
      dmaFreeAttrs(dev, size, cpuAddr, dmaHandle, attrs);
    },
  }),
  dmaRule({
    number: 66,
    name: 'who_asks_for_single_pages_gets_memory_as_any',
    unfit: withoutCoherent,
    right: bench => {
      exchange(bench, DmaAttr.AllocSinglePages, 4 * PAGE_SIZE);
    },
  }),
  dmaRule({
    number: 67,
    name: 'a_failure_is_not_told_to_who_does_not_want_to_know',
    right: bench => {
      const { t, dev } = bench;
      const attrs = DmaAttr.NoWarn;
      bench.withPages(PAGE_SIZE, address => {
        bench.fill(address, 67);
        const lines = bench.logged(() => {
          t.ok(dmaAllocAttrs(dev, TOO_MUCH, GFP_KERNEL, attrs) === null, 'no memory');
          const { mask } = dev.dma;
          dev.dma.mask = 0xfff;
          dmaMappingError(dev, dmaMapSingle(dev, address, SIZE, ToDevice, attrs));
          dev.dma.mask = mask;
        });
        t.ok(lines.length === 0, `nothing in the log, not '${lines.join('; ')}'`);
      });
    },
  }),
  dmaRule({
    number: 68,
    name: 'memory_of_a_privileged_device_is_as_any_to_the_device_itself',
    unfit: withoutCoherent,
    right: bench => {
      exchange(bench, DmaAttr.Privileged);
    },
  }),
];
