import type { Page } from './dma-mapping';

/**
 * The kernel's memory types: ordinary cached memory; memory shared with a device that does not
 * snoop (pgprot_dmacoherent); write-combining; uncached (strongly ordered on 32-bit ARM);
 * registers (ioremap); write-through.
 */
export type PgMemory =
  'cached' | 'dmacoherent' | 'writecombine' | 'noncached' | 'device' | 'writethrough';

/** A range of a user address space that a mmap handler is to fill (struct vm_area_struct). */
export interface UserVma {
  /** User virtual address and bytes, whole pages. */
  readonly start: number;
  readonly size: number;
  /** Pages of the object that are skipped (vm_pgoff). */
  readonly pgoff: number;
  /** Maps a page for user mode as this memory; 0, or -ENOMEM without memory for a table. */
  insertPage(address: number, page: Page, memory: PgMemory): number;
}
