import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';

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

/**
 * The page table of a domain (struct iommu_domain_ops). Addresses and sizes are multiples of the
 * smallest of `pageSizes`. What was mapped is in force when `map` returns; what was unmapped may be
 * used until `flush` has returned.
 */
export interface IommuOps {
  /** Sizes of pages it can map, each a power of two, as one number: their sum (pgsize_bitmap). */
  readonly pageSizes: number;
  /** First and last address that can be mapped (domain->geometry). */
  readonly apertureStart: number;
  readonly apertureEnd: number;
  /**
   * Maps memory that is contiguous: 0, or -EEXIST where something is mapped, -EINVAL beyond the
   * aperture, -ENOMEM without memory for a table. Nothing is mapped unless it is 0.
   */
  map(iova: DmaAddr, address: PhysAddr, size: number, prot: number): number;
  /** Bytes that were unmapped: fewer than `size` if there were some where nothing was mapped. */
  unmap(iova: DmaAddr, size: number): number;
  /** Null: nothing is mapped there. */
  iovaToPhys(iova: DmaAddr): PhysAddr | null;
  /** No transaction uses what these addresses led to from here on (iotlb_sync). */
  flush(iova: DmaAddr, size: number): void;
}

/**
 * What the transactions of a domain's devices meet (IOMMU_DOMAIN_*): a bus error; memory at its own
 * address; what somebody maps; what the DMA API maps.
 */
export type DomainType = 'blocked' | 'identity' | 'unmanaged' | 'dma';

/** What devices can be attached to (struct iommu_domain). */
export interface IommuDomain {
  readonly type: DomainType;
  /** Null for the types that have no table: blocked and identity. */
  readonly ops: IommuOps | null;
}

/** A transaction that an IOMMU did not let through (struct iommu_fault). */
export interface IommuFault {
  /** The group of the device. */
  readonly group: number;
  readonly address: DmaAddr;
  readonly write: boolean;
  /** In the words of the IOMMU's data sheet. */
  readonly cause: string;
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
}

/** One IOMMU, as its driver offers it to the core (struct iommu_device, struct iommu_ops). */
export interface IommuDevice {
  readonly name: string;
  /** Null without memory for its table (domain_alloc). */
  domainAlloc(type: DomainType, memory: TableMemory): IommuDomain | null;
  /** Nothing may be attached to it. */
  domainFree(domain: IommuDomain): void;
  /**
   * The group of a master by the cells of its `iommus`: masters that the IOMMU cannot tell apart
   * are of one (of_xlate, device_group). -EINVAL for cells that mean nothing.
   */
  groupOf(cells: readonly number[]): number;
  /** The group's transactions meet this domain from here on. */
  attach(group: number, domain: IommuDomain): void;
  /** Faults are told to this function from here on (iommu_set_fault_handler). */
  onFault(handler: (fault: IommuFault) => void): void;
}
