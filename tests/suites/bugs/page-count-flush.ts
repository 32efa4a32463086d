import { pageToPhys } from '../../../mm/page-alloc';
import { DmaAttr, DmaDirection, dmaMapPage } from '../../../mm/dma-mapping-common';
import { dmaUnmapPage } from '../../../mm/dma-mapping-common';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { all, hasOuterBuffer } from '../rules/conditions';
import type { Bug } from './bug';
import { wherever } from './visibility';

const { FromDevice } = DmaDirection;
const { SkipCpuSync } = DmaAttr;
const PAGE_SHIFT = 12;
const SIZE = 256;

/**
 * arm_attrib_alloc_pages_exact_node: a page that was zeroed is made uncached, and flushed: the
 * outer cache for as many bytes as there are pages.
 */
const receive = (bench: DriverBench, outerBytes: number): number => {
  const { cpu, dev, device, kernel } = bench;
  const { mm } = kernel;
  const page = bench.allocUncachedPage();
  mm.kmap.with(page, address => {
    for (let at = 0; at < PAGE_SIZE; at += 4) {
      cpu.load32(address + at);
      cpu.store32(address + at, 0);
    }
  });
  const uncached = bench.vmap(page, 'dmacoherent');
  mm.cache.dmaFlushRange(uncached, PAGE_SIZE);
  mm.outer.flushRange(pageToPhys(page), outerBytes);
  const dma = bench.mapped(dmaMapPage(dev, page, 0, PAGE_SIZE, FromDevice, SkipCpuSync));
  device.writePattern(dma, SIZE, 1);
  const wrong = bench.wrongBytes(uncached, SIZE, 1);
  dmaUnmapPage(dev, dma, PAGE_SIZE, FromDevice, SkipCpuSync);
  bench.vunmap(uncached);
  // Whatever is left of it in the outer cache must not reach the next owner.
  mm.outer.flushRange(pageToPhys(page), PAGE_SIZE);
  mm.pages.freePagesAt(page, 0);
  return wrong;
};

export const bug: Bug = {
  name: 'the_outer_cache_is_flushed_by_the_number_of_pages',
  title: 'Nvidia attribute allocator: outer_flush_range(base, base + (size >> PAGE_SHIFT))',
  source: '54d41457 (Android)',
  rules: ['dirty-line-over-device-data', 'lost-device-write'],
  consequences: ['lost-cpu-write', 'refill-after-invalidate', 'stale-cpu-read'],
  masters: 'non-coherent',
  unfit: all(hasOuterBuffer, withoutSharedPages),
  shows: wherever,
  buggy: bench => receive(bench, PAGE_SIZE / 2 ** PAGE_SHIFT),
  fixed: bench => receive(bench, PAGE_SIZE),
};
