import { offsetBy } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { DmaDirection, dmaMapPage, dmaUnmapPage } from '../../../mm/dma-mapping-common';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { DriverBench } from '../driver-bench';
import { all, hasCache, hasMmu } from '../rules/conditions';
import type { Bug } from './bug';
import { aliases, exposedIf } from './visibility';

/*
 * I/O to memory that was mapped a second time with vmap(): the DMA API maintains the lines of the
 * linear map, and a cache by virtual address has others (flush_kernel_vmap_range and
 * invalidate_kernel_vmap_range: Documentation/core-api/cachetlb.rst).
 */

const { FromDevice, ToDevice } = DmaDirection;
const SIZE = 512;
/** Addresses that differ in this are of different colour in every cache that has colours. */
const COLOURS = 2;

/** A page with a second mapping, of another colour than the first: mapped twice, one of them is. */
const withVmapped = (bench: DriverBench, body: (page: Page, window: CpuAddr) => number): number => {
  const page = bench.allocPages();
  const colourOf = (address: number): number => Math.floor(address / PAGE_SIZE) % COLOURS;
  const both = bench.vmapPages([page, page]);
  const isOther = colourOf(both) !== colourOf(bench.addressOf(page));
  const wrong = body(page, isOther ? both : offsetBy(both, PAGE_SIZE));
  bench.vunmap(both);
  bench.freePages(page);
  return wrong;
};

const transmit = (bench: DriverBench, flushes: boolean): number =>
  withVmapped(bench, (page, window) => {
    const { dev, device, kernel } = bench;
    bench.fill(window, SIZE, 71);
    if (flushes) kernel.mm.cache.dmaFlushRange(window, SIZE);
    const dma = bench.mapped(dmaMapPage(dev, page, 0, SIZE, ToDevice));
    const { mismatches } = device.checkPattern(dma, SIZE, 71);
    dmaUnmapPage(dev, dma, SIZE, ToDevice);
    return mismatches;
  });

export const sent: Bug = {
  name: 'a_vmapped_buffer_is_sent_unflushed',
  title: 'VIVT, aliasing VIPT: I/O from a vmap()ed buffer without flush_kernel_vmap_range()',
  source: 'core-api/cachetlb.rst',
  rules: ['stale-device-read'],
  unfit: all(hasMmu, hasCache),
  shows: exposedIf(aliases),
  buggy: bench => transmit(bench, false),
  fixed: bench => transmit(bench, true),
};

const receive = (bench: DriverBench, invalidates: boolean): number =>
  withVmapped(bench, (page, window) => {
    const { dev, device, kernel } = bench;
    let wrong = 0;
    for (let packet = 0; packet < 2; packet++) {
      const dma = bench.mapped(dmaMapPage(dev, page, 0, SIZE, FromDevice));
      device.writePattern(dma, SIZE, packet);
      dmaUnmapPage(dev, dma, SIZE, FromDevice);
      if (invalidates) kernel.mm.cache.dmaInvRange(window, SIZE);
      wrong += bench.wrongBytes(window, SIZE, packet);
    }
    return wrong;
  });

export const received: Bug = {
  name: 'a_vmapped_buffer_is_read_uninvalidated',
  title: 'VIVT, aliasing VIPT: I/O to a vmap()ed buffer without invalidate_kernel_vmap_range()',
  source: 'core-api/cachetlb.rst',
  rules: ['refill-after-invalidate', 'stale-cpu-read'],
  unfit: all(hasMmu, hasCache),
  shows: exposedIf(aliases),
  buggy: bench => receive(bench, false),
  fixed: bench => receive(bench, true),
};
