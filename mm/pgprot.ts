import type { PgMemory } from '../drivers/base/kernel/user-vma';

/*
 * What a kernel mapping is for: the architecture turns it into the bits of its tables (pgprot_t).
 */

export type { PgMemory };

/** What a mapping permits, and as which memory (pgprot_t). */
export interface PgProt {
  readonly memory: PgMemory;
  readonly write: boolean;
  /** User mode may too; the entry then belongs to one address space (nG). */
  readonly user: boolean;
}

export const PAGE_KERNEL: PgProt = { memory: 'cached', write: true, user: false };
export const PAGE_KERNEL_RO: PgProt = { memory: 'cached', write: false, user: false };
export const PAGE_KERNEL_DEVICE: PgProt = { memory: 'device', write: true, user: false };
export const PAGE_SHARED: PgProt = { memory: 'cached', write: true, user: true };

/** The same rights on another memory type (pgprot_dmacoherent and its like). */
export const withMemory = (prot: PgProt, memory: PgMemory): PgProt => ({ ...prot, memory });
