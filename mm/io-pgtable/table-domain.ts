import type { Device } from '../../drivers/base/kernel/device';
import { ENOMEM } from '../../drivers/base/kernel/errno';
import { dmaAddr } from '../../drivers/base/types/address';
import { BenchError } from '../../drivers/base/types/errors';
import { gatherAddPage } from '../iommu/gather';
import type { IotlbGather } from '../iommu/gather';
import type { DomainType, IommuDomain, IommuOps, TableMemory } from '../iommu/types';
import { TwoLevelTable } from './two-level';
import type { TwoLevelFormat } from './two-level';
import type { PgtableFlush } from './types';

/** One IOMMU that has a domain: what it keeps of the table. */
export interface TlbOwner {
  /** The IOMMU itself: whose walker reads the table. */
  readonly dev: Device;
  /** No transaction uses what these pages led to from here on. */
  flushPages(start: number, size: number, pageSize: number): void;
  flushAll(): void;
  /** Something was mapped; absent: what leads nowhere is never kept. */
  mapped?(start: number, size: number): void;
}

/** A domain of an IOMMU with one table: identity has none. Several IOMMUs may have the same. */
export class TableDomain implements IommuDomain {
  readonly type: DomainType;
  readonly table: TwoLevelTable | null;
  readonly ops: IommuOps | null;
  /** Those that have the table. */
  readonly owners: Set<TlbOwner>;

  private constructor(
    type: DomainType,
    table: TwoLevelTable | null,
    ops: IommuOps | null,
    owners: Set<TlbOwner>,
  ) {
    this.type = type;
    this.table = table;
    this.ops = ops;
    this.owners = owners;
  }

  /**
   * `dev`: whose walker reads the table. Null without memory for it, and for a domain in which
   * everything is blocked: the hardware of which this is the domain has no such thing.
   */
  static make(
    type: DomainType,
    format: TwoLevelFormat,
    dev: Device,
    memory: TableMemory,
  ): TableDomain | null {
    const owners = new Set<TlbOwner>();
    if (type === 'identity') return new TableDomain(type, null, null, owners);
    if (type === 'blocked') return null;
    const flush = flushOf(owners);
    const table = TwoLevelTable.make(format, { dev, memory, flush });
    if (table === null) return null;
    return new TableDomain(type, table, opsOf(table, owners), owners);
  }

  /** BenchError for a domain of another driver. */
  static of(domain: IommuDomain): TableDomain {
    if (domain instanceof TableDomain) return domain;
    throw new BenchError('a domain of another driver');
  }

  /** The IOMMU walks the table from here on: 0, or -ENOMEM if it does not reach it. */
  add(owner: TlbOwner): number {
    if (this.table?.addReader(owner.dev) === false) return -ENOMEM;
    this.owners.add(owner);
    return 0;
  }

  /** It does no more: whoever calls has taken the table from the hardware. */
  remove(owner: TlbOwner): void {
    this.owners.delete(owner);
    this.table?.removeReader(owner.dev);
  }

  free(): void {
    this.table?.free();
  }
}

const syncOf =
  (owners: ReadonlySet<TlbOwner>) =>
  ({ start, end, pageSize }: IotlbGather): void => {
    if (end < start) return;
    for (const owner of owners) owner.flushPages(start, end - start + 1, pageSize);
  };

const flushAllOf = (owners: ReadonlySet<TlbOwner>) => (): void => {
  for (const owner of owners) owner.flushAll();
};

const flushOf = (owners: ReadonlySet<TlbOwner>): PgtableFlush => ({
  flushAll: flushAllOf(owners),
  flushWalk: (iova, size, granule) => {
    for (const owner of owners) owner.flushPages(iova, size, granule);
  },
  addPage: (gather, iova, granule) => {
    gatherAddPage({ sync: syncOf(owners) }, gather, iova, granule);
  },
});

const opsOf = (table: TwoLevelTable, owners: ReadonlySet<TlbOwner>): IommuOps => ({
  pageSizes: table.pageSizes,
  apertureStart: table.apertureStart,
  apertureEnd: table.apertureEnd,
  map: (iova, address, pageSize, count, prot, mapped) => {
    const before = mapped.bytes;
    const result = table.map(iova, address, pageSize, count, prot, mapped);
    const size = mapped.bytes - before;
    if (size > 0) for (const owner of owners) owner.mapped?.(iova, size);
    return result;
  },
  unmap: (iova, pageSize, count, gather) => table.unmap(iova, pageSize, count, gather),
  iovaToPhys: iova => table.iovaToPhys(dmaAddr(iova)),
  sync: syncOf(owners),
  flushAll: flushAllOf(owners),
});
