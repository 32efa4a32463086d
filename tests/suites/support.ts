import type { Page } from '../../drivers/base/kernel/dma-mapping';
import type { CpuAddr } from '../../drivers/base/types/address';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { pageToPhys } from '../../mm/page-alloc';
import { getOrder } from '../../mm/zone';
import type { Machine } from '../../machines/machine';
import type { CaseContext } from './suite';

/** A page of lowmem that is given back when the body is done, however it ends. */
export const withPage = (
  t: CaseContext,
  body: (address: CpuAddr, page: Page) => void,
  order = 0,
  gfp: Gfp = GFP_KERNEL,
): void => {
  const { mm } = t.machine.kernel;
  const page = t.need(mm.pages.allocPages(gfp, order), `2^${order} pages`);
  try {
    body(t.need(mm.layout.physToVirt(pageToPhys(page)), 'a lowmem page'), page);
  } finally {
    mm.pages.freePagesAt(page, order);
  }
};

/** Memory of kmalloc that is given back when the body is done. */
export const withBuffer = (
  t: CaseContext,
  size: number,
  body: (address: CpuAddr) => void,
  gfp: Gfp = GFP_KERNEL,
): void => {
  const { slab } = t.machine.kernel;
  const buffer = t.need(slab.kmalloc(size, gfp), `${size} bytes`);
  try {
    body(buffer);
  } finally {
    slab.kfree(buffer);
  }
};

/** As withBuffer, from wherever a device can reach: kmalloc knows nothing of GFP_DMA32. */
export const withDmaBuffer = (
  t: CaseContext,
  size: number,
  gfp: Gfp,
  body: (address: CpuAddr) => void,
): void => {
  if (gfp.dma32 === true) withPage(t, body, getOrder(size), gfp);
  else withBuffer(t, size, body, gfp);
};

/** The word of a page's physical memory, past every cache. */
export const memoryWord = (machine: Machine, page: Page, offset: number): number =>
  machine.hardware.debugPort().read32(pageToPhys(page) + offset);

/** Sets the word of a page's physical memory behind the back of every cache. */
export const setMemoryWord = (
  machine: Machine,
  page: Page,
  offset: number,
  value: number,
): void => {
  machine.hardware.debugPort().write32(pageToPhys(page) + offset, value);
};

/** A needs-an-MMU condition. */
export const withoutMmu = (machine: Machine): string | null =>
  machine.kernel.mm.vmalloc === null ? 'no MMU' : null;

/** A needs-a-data-cache condition. */
export const withoutDataCache = (machine: Machine): string | null =>
  machine.kernel.mm.info.lineSize === 0 ? 'no data cache' : null;

/** A needs-two-CPUs condition. */
export const withoutSecondCpu = (machine: Machine): string | null =>
  machine.kernel.cpu.online < 2 ? 'one CPU' : null;
