import { DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import { ENXIO } from '../drivers/base/kernel/errno';
import type { PgMemory, UserVma } from '../drivers/base/kernel/user-vma';
import { PAGE_SIZE, alignUp } from '../drivers/base/types/bits';

/** As what a device's own memory is mapped, for the kernel and for user mode (dma_pgprot). */
export const dmaPgprot = (dev: Device, attrs: DmaAttrs): PgMemory => {
  if (dev.dma.coherent) return 'cached';
  return hasDmaAttr(attrs, DmaAttr.WriteCombine) ? 'writecombine' : 'dmacoherent';
};

/**
 * Maps `size` bytes of pages to user mode, from the area's offset on: 0; -ENXIO if the area is not
 * within them, and nothing is mapped then; -ENOMEM without memory for a table.
 */
export const mmapPages = (
  vma: UserVma,
  size: number,
  memory: PgMemory,
  pageAt: (index: number) => Page,
): number => {
  const count = alignUp(size, PAGE_SIZE) / PAGE_SIZE;
  const wanted = alignUp(vma.size, PAGE_SIZE) / PAGE_SIZE;
  if (vma.pgoff >= count || wanted > count - vma.pgoff) return -ENXIO;
  for (let i = 0; i < wanted; i++) {
    const result = vma.insertPage(vma.start + i * PAGE_SIZE, pageAt(vma.pgoff + i), memory);
    if (result !== 0) return result;
  }
  return 0;
};
