import type { Device } from '../../drivers/base/kernel/device';
import type { DmaAddr } from '../../drivers/base/types/address';
import type { IotlbGather } from '../iommu/gather';
import type { IommuOps, TableMemory } from '../iommu/types';

/** What deviates from the format, as bits of `quirks` (IO_PGTABLE_QUIRK_*). */
export const IoPgtableQuirk = {
  /** Tables and entries are of the non-secure address space. */
  ArmNs: 1,
  /** v7s: entries say nothing of permissions. */
  NoPerms: 2,
  /** MediaTek's v7s: physical addresses of more than 32 bits, in bits that are free. */
  ArmMtkExt: 8,
  /** MediaTek's v7s: the same of the address of the table. */
  ArmMtkTtbrExt: 16,
  /** LPAE: the upper half of the addresses, through TTBR1. */
  ArmTtbr1: 32,
  /** LPAE: walks that do not snoop allocate in an outer cache nevertheless. */
  ArmOuterWbwa: 64,
  /** Nothing is said of what callers do wrong. */
  NoWarn: 256,
} as const;

/** Whether a power of two is one of those that a number is the sum of. */
export const hasBit = (value: number, bit: number): boolean => Math.floor(value / bit) % 2 === 1;

/**
 * What becomes of a block when part of it is unmapped. `split`: the rest stays mapped, through a
 * new table (Linux 6.12). `refuse`: nothing is unmapped, with a warning (6.13). `whole`: all of it
 * is unmapped, and the answer says so (generic page tables, 6.19).
 */
export type PartialUnmap = 'split' | 'refuse' | 'whole';

/** How the driver of an IOMMU invalidates what its hardware keeps (struct iommu_flush_ops). */
export interface PgtableFlush {
  /** Everything of this table, and waits until that is done. */
  flushAll(): void;
  /**
   * Steps of walks and translations of `size` bytes from `iova` on, in pages of `granule`, and waits:
   * a table is about to go away, or has been replaced.
   */
  flushWalk(iova: number, size: number, granule: number): void;
  /** A page is mapped no more: it goes into the gather, or is invalidated at once without waiting. */
  addPage(gather: IotlbGather, iova: number, granule: number): void;
}

/** What a table is to be (struct io_pgtable_cfg). */
export interface IoPgtableConfig {
  /** Page sizes that the IOMMU has, as a sum (pgsize_bitmap); the table has some of them. */
  readonly pageSizes: number;
  /** Bits of input and of output addresses. */
  readonly ias: number;
  readonly oas: number;
  /** The walker sees what the CPU's caches hold: no entry need be cleaned. */
  readonly coherentWalk: boolean;
  /** Bits of IoPgtableQuirk; none unless given. */
  readonly quirks?: number;
  /** `split` unless given. */
  readonly partialUnmap?: PartialUnmap;
  readonly flush: PgtableFlush;
  /** The IOMMU itself: whose walker reads the tables, by DMA (iommu_dev). */
  readonly dev: Device;
  readonly memory: TableMemory;
}

/**
 * A translation table of some format in memory (struct io_pgtable_ops). `map` and `unmap` are those of
 * IommuOps, with these particulars: they stop at the end of a table, so that a caller goes on with
 * what is left; `map` answers -EINVAL for a page size that is not of `pageSizes` and for permissions
 * of neither reading nor writing, -ERANGE for addresses beyond `ias` or `oas`; `unmap` of a gather
 * that is null is of what was never in force.
 */
export interface IoPgtable extends Pick<IommuOps, 'pageSizes' | 'map' | 'iovaToPhys'> {
  /** Bits of addresses as the format left them. */
  readonly ias: number;
  readonly oas: number;
  readonly apertureStart: number;
  readonly apertureEnd: number;
  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather | null): number;
  /**
   * Gives all tables back: no walker has the root any more. ARM's formats flush all before that
   * (free_io_pgtable_ops); of others it is the driver's business.
   */
  free(): void;
  /** Words of tables that were stored so far. */
  readonly writes: number;
  /** Tables that there are, the root included. */
  readonly tables: number;
}
