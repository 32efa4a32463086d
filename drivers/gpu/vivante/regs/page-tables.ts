import { bit, field } from '../../../base/types/registers';

/*
 * Page tables of the MMUs of Vivante GCs. Facts: etna_viv rnndb/state_hi.xml; Linux
 * drivers/gpu/drm/etnaviv/etnaviv_iommu.c and etnaviv_iommu_v2.c.
 */

export const PAGE = 0x1000;

/**
 * MMUv2: 32-bit addresses; bits 31:22 are the index in the master table (MTLB), 21:12 that in the slave
 * table (STLB) which its entry leads to. Both have 1024 words.
 */
export const MMUV2 = { ENTRIES: 1024, TABLE_SPAN: 1024 * PAGE } as const;

/**
 * An entry of either table: bits 31:12 of an address as they are, bits 39:32 of it in 11:4. One that is not
 * PRESENT raises an exception if EXCEPTION is set, else it leads to the safe address (_assumed_).
 * WRITEABLE is of the slave table only.
 */
export const ENTRY = {
  PRESENT: bit(0),
  EXCEPTION: bit(1),
  WRITEABLE: bit(2),
  HIGH: field(4, 8),
  LOW: field(12, 20),
} as const;

/** The address of an entry. */
export const addressOf = (entry: number): number =>
  ENTRY.LOW.of(entry) * PAGE + ENTRY.HIGH.of(entry) * 2 ** 32;

/** The bits of an entry that say the address of a page or a table, below 2^40. */
export const addressBits = (address: number): number =>
  ENTRY.LOW.at(Math.floor(address / PAGE) % 2 ** 20) +
  ENTRY.HIGH.at(Math.floor(address / 2 ** 32) % 2 ** 8);

/**
 * MMUv1: addresses from PAGED_BASE on are looked up in a flat table of 2 MiB, a word for each page: its
 * address, all 32 bits as they are. Every word is an address; nothing is refused. Below it is the linear
 * window: MEMORY_BASE_ADDR is added, and again nothing is refused.
 */
export const MMUV1 = { PAGED_BASE: 0x8000_0000, ENTRIES: 2 ** 19, TABLE_SIZE: 2 ** 21 } as const;
