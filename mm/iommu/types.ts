import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import type { IotlbGather } from './gather';

/** What a mapping permits, as bits (IOMMU_READ and its like, include/linux/iommu.h). */
export const IommuProt = {
  Read: 1,
  Write: 2,
  /** DMA of it is coherent with the caches. */
  Cache: 4,
  NoExec: 8,
  /** Registers, not memory. */
  Mmio: 16,
  Priv: 32,
} as const;

/** Counts the bytes that a call has mapped, also where it fails in the middle. */
export interface Mapped {
  bytes: number;
}

/**
 * The page table of a domain (struct iommu_domain_ops). Addresses and sizes are multiples of the
 * page size that is said, which is one of `pageSizes`: the core chooses (map.ts). What was mapped is
 * in force after `syncMap`, or at once without one; what was unmapped may be used until `sync` of
 * what the call gathered, or `flushAll`, has returned.
 */
export interface IommuOps {
  /** Sizes of pages it can map, each a power of two, as one number: their sum (pgsize_bitmap). */
  readonly pageSizes: number;
  /** First and last address that can be mapped (domain->geometry). */
  readonly apertureStart: number;
  readonly apertureEnd: number;
  /**
   * Maps `count` pages of one size to memory that is contiguous, adding to `mapped` what it did: 0,
   * or -EEXIST where something is mapped, -EINVAL or -ERANGE beyond the aperture, -ENOMEM without
   * memory for a table. Whoever called takes back what is mapped then (map_pages).
   */
  map(
    iova: DmaAddr,
    address: PhysAddr,
    pageSize: number,
    count: number,
    prot: number,
    mapped: Mapped,
  ): number;
  /**
   * Bytes that were unmapped, up to the first page where nothing was mapped; 0 is a warning of the
   * table's. What must be invalidated is added to `gather` (unmap_pages).
   */
  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather): number;
  /** Null: nothing is mapped there. */
  iovaToPhys(iova: DmaAddr): PhysAddr | null;
  /** What was mapped is in force: 0 or an errno; only where an IOMMU keeps what leads nowhere (iotlb_sync_map). */
  syncMap?(iova: DmaAddr, size: number): number;
  /** No transaction uses what was gathered from here on (iotlb_sync). */
  sync(gather: IotlbGather): void;
  /** No transaction uses anything that was unmapped before (flush_iotlb_all). */
  flushAll(): void;
}

/**
 * What the transactions of a domain's devices meet (IOMMU_DOMAIN_*): a bus error; memory at its own
 * address; what somebody maps; what the DMA API maps, which invalidates at once or, `dma-fq`, later.
 */
export type DomainType = 'blocked' | 'identity' | 'unmanaged' | 'dma' | 'dma-fq';

/** What devices can be attached to (struct iommu_domain). */
export interface IommuDomain {
  readonly type: DomainType;
  /** Null for the types that have no table: blocked and identity. */
  readonly ops: IommuOps | null;
}

/** A transaction that an IOMMU did not let through (struct iommu_fault). */
export interface IommuFault {
  /** As streamOf numbers it. */
  readonly stream: number;
  readonly address: DmaAddr;
  readonly write: boolean;
  /** In the words of the IOMMU's data sheet. */
  readonly cause: string;
}

/** Answers 0 if somebody takes care of the fault, -ENOSYS if nobody asked to be told. */
export type FaultHandler = (fault: IommuFault) => number;

/**
 * Addresses that are not for mappings (enum iommu_resv_type): `direct`, memory that must be mapped at
 * its own address; `reserved`, addresses that lead elsewhere; `msi`, those of interrupts as the
 * hardware has them; `sw-msi`, where software may put those.
 */
export interface ReservedRegion {
  readonly type: 'direct' | 'reserved' | 'msi' | 'sw-msi';
  readonly start: number;
  /** Bytes. */
  readonly length: number;
}

/** Memory for tables, as the kernel gives it to a driver: contiguous, in the linear map. */
export interface TableMemory {
  /** 2^order zeroed pages, or null. */
  alloc(order: number): CpuAddr | null;
  free(address: CpuAddr, order: number): void;
  load(address: CpuAddr): number;
  store(address: CpuAddr, value: number): void;
  /** The low half is the answer, the high half is `high` until the next load64; both unsigned. */
  load64(address: CpuAddr): number;
  readonly high: number;
  /** Both halves in one single-copy atomic store. */
  store64(address: CpuAddr, low: number, high: number): void;
  /**
   * Asked, by its name, before each invalidation that a table makes by itself: false leaves it out.
   * Absent: none is.
   */
  readonly mayInvalidate?: (name: string) => boolean;
}

/** One IOMMU, as its driver offers it to the core (struct iommu_device, struct iommu_ops). */
export interface IommuDevice {
  readonly name: string;
  /** Pages may be unmapped now and invalidated later with all others (IOMMU_CAP_DEFERRED_FLUSH). */
  readonly deferredFlush: boolean;
  /** Null without memory for its table (domain_alloc). */
  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null;
  /** Nothing may be attached to it. */
  domainFree(domain: IommuDomain): void;
  /**
   * A number for the masters of these cells of `iommus`: those that the IOMMU cannot tell apart have
   * the same, and are one group (of_xlate). -EINVAL for cells that mean nothing.
   */
  streamOf(cells: readonly number[]): number;
  /**
   * The transactions of a stream meet this domain from here on: 0 or an errno, with nothing changed.
   * The domain may be of another IOMMU of the driver's: one master may pass several. -EINVAL where
   * the driver cannot have that (attach_dev).
   */
  attach(stream: number, domain: IommuDomain): number;
  /** Faults are told to this function from here on; what it refuses, the driver says itself. */
  onFault(handler: FaultHandler): void;
  /** What the driver wants for masters of these cells, whatever the policy is (def_domain_type). */
  defaultDomainType?(cells: readonly number[]): 'identity' | 'dma' | null;
  /** Absent: there are none (get_resv_regions). */
  reservedRegions?(): readonly ReservedRegion[];
}
