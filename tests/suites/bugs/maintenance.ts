import type { CpuAddr } from '../../../drivers/base/types/address';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { offsetBy } from '../../../drivers/base/types/address';
import type { PhysAddr } from '../../../drivers/base/types/address';
import type { DriverBench } from '../driver-bench';

/*
 * Maintenance as architecture code did it of itself, outside the DMA API, of buffers in lowmem.
 */

const physicalOf = (bench: DriverBench, address: CpuAddr): PhysAddr =>
  offsetBy(pageToPhys(bench.pageOf(address)), address % PAGE_SIZE);

/** dmac_clean_range, then outer_clean_range. */
export const clean = (bench: DriverBench, address: CpuAddr, size: number): void => {
  const { cache, outer } = bench.kernel.mm;
  cache.dmaCleanRange(address, size);
  outer.cleanRange(physicalOf(bench, address), size);
};

/** outer_inv_range, then dmac_inv_range. */
export const invalidate = (bench: DriverBench, address: CpuAddr, size: number): void => {
  const { cache, outer } = bench.kernel.mm;
  outer.invRange(physicalOf(bench, address), size);
  cache.dmaInvRange(address, size);
};

/** dmac_flush_range, then outer_flush_range. */
export const flush = (bench: DriverBench, address: CpuAddr, size: number): void => {
  const { cache, outer } = bench.kernel.mm;
  cache.dmaFlushRange(address, size);
  outer.flushRange(physicalOf(bench, address), size);
};

/** The inner caches before the outer one, which is the wrong way round. */
export const invalidateInnerFirst = (bench: DriverBench, address: CpuAddr, size: number): void => {
  const { cache, outer } = bench.kernel.mm;
  cache.dmaInvRange(address, size);
  outer.invRange(physicalOf(bench, address), size);
};

/** The outer cache before the inner ones, which is the wrong way round. */
export const cleanOuterFirst = (bench: DriverBench, address: CpuAddr, size: number): void => {
  const { cache, outer } = bench.kernel.mm;
  outer.cleanRange(physicalOf(bench, address), size);
  cache.dmaCleanRange(address, size);
};
