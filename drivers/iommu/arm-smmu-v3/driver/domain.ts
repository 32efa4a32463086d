import type { DmaAddr, PhysAddr } from '../../../base/types/address';
import type { ArmLpaeTable } from '../../../../mm/io-pgtable/arm-lpae';
import { armLpae64S1, armLpae64S2 } from '../../../../mm/io-pgtable/arm-lpae-config';
import type { LpaeS1Config, LpaeS2Config } from '../../../../mm/io-pgtable/arm-lpae-config';
import type { IoPgtableConfig, PgtableFlush } from '../../../../mm/io-pgtable/types';
import { gatherAddPage } from '../../../../mm/iommu/gather';
import type { IotlbGather } from '../../../../mm/iommu/gather';
import type {
  DomainType,
  IommuDomain,
  IommuOps,
  Mapped,
  TableMemory,
} from '../../../../mm/iommu/types';
import type { Words } from '../regs/words';
import type { CommandQueue } from './command-queue';
import { tlbiAsid, tlbiIpa, tlbiVa, tlbiVmid } from './commands';

/** What a table is translated by, and what its translations are told apart by. */
export type Stage =
  | { readonly stage: 1; readonly asid: number; readonly config: LpaeS1Config }
  | { readonly stage: 2; readonly vmid: number; readonly config: LpaeS2Config };

/** What a table has to say of itself before it is there. */
export type StageTag =
  { readonly stage: 1; readonly asid: number } | { readonly stage: 2; readonly vmid: number };

/** A domain; those without a table are all alike. */
export class SmmuDomain implements IommuDomain {
  readonly type: DomainType;
  readonly ops: SmmuTable | null;
  readonly memory: TableMemory;

  constructor(type: DomainType, ops: SmmuTable | null, memory: TableMemory) {
    this.type = type;
    this.ops = ops;
    this.memory = memory;
  }
}

/** The page table of a domain, and how what was kept of it is invalidated. */
export class SmmuTable implements IommuOps {
  readonly pageSizes: number;
  readonly apertureStart: number;
  readonly apertureEnd: number;
  readonly translation: Stage;
  readonly #table: ArmLpaeTable;
  readonly #flush: TableFlush;

  private constructor(table: ArmLpaeTable, translation: Stage, flush: TableFlush) {
    this.#table = table;
    this.translation = translation;
    this.#flush = flush;
    this.pageSizes = table.pageSizes;
    this.apertureStart = table.apertureStart;
    this.apertureEnd = table.apertureEnd;
  }

  /** Null without memory that the walker can have. */
  static make(
    config: Omit<IoPgtableConfig, 'flush'>,
    queue: CommandQueue,
    tag: StageTag,
  ): SmmuTable | null {
    const flush = new TableFlush(queue, tag);
    if (tag.stage === 1) {
      const made = armLpae64S1({ ...config, flush });
      return made && new SmmuTable(made.table, { ...tag, config: made.config }, flush);
    }
    const made = armLpae64S2({ ...config, flush });
    return made && new SmmuTable(made.table, { ...tag, config: made.config }, flush);
  }

  map(
    iova: DmaAddr,
    address: PhysAddr,
    pageSize: number,
    count: number,
    prot: number,
    mapped: Mapped,
  ): number {
    return this.#table.map(iova, address, pageSize, count, prot, mapped);
  }

  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather): number {
    return this.#table.unmap(iova, pageSize, count, gather);
  }

  iovaToPhys(iova: DmaAddr): PhysAddr | null {
    return this.#table.iovaToPhys(iova);
  }

  sync(gather: IotlbGather): void {
    this.#flush.sync(gather);
  }

  flushAll(): void {
    this.#flush.flushAll();
  }

  /** No stream has it any more: what was kept of it goes before it does. */
  free(): void {
    this.#flush.flushAll();
    this.#table.free();
  }
}

/** More pages than this are invalidated with all others (CMDQ_MAX_TLBI_OPS). */
const MOST_PAGES = 512;

/** Commands for one ASID or VMID. */
class TableFlush implements PgtableFlush {
  readonly #queue: CommandQueue;
  readonly #tag: StageTag;

  constructor(queue: CommandQueue, tag: StageTag) {
    this.#queue = queue;
    this.#tag = tag;
  }

  /** arm_smmu_tlb_inv_context. */
  flushAll(): void {
    const tag = this.#tag;
    this.#queue.issueWithSync(tag.stage === 1 ? tlbiAsid(tag.asid) : tlbiVmid(tag.vmid));
  }

  flushWalk(iova: number, size: number, granule: number): void {
    this.#range(iova, size, granule, false);
  }

  addPage(gather: IotlbGather, iova: number, granule: number): void {
    gatherAddPage(this, gather, iova, granule);
  }

  sync({ start, end, pageSize }: IotlbGather): void {
    if (pageSize > 0) this.#range(start, end + 1 - start, pageSize, true);
  }

  /**
   * One command a page (arm_smmu_tlb_inv_range_domain, without range invalidation), or one for all: as
   * Linux has it where it shares tables with processes.
   */
  #range(start: number, size: number, granule: number, leaf: boolean): void {
    const count = Math.ceil(size / granule);
    if (count > MOST_PAGES) {
      this.flushAll();
      return;
    }
    const commands = Array.from({ length: count }, (_, i) => this.#one(start + i * granule, leaf));
    if (count > 0) this.#queue.issueWithSync(...commands);
  }

  #one(address: number, leaf: boolean): Words {
    const tag = this.#tag;
    return tag.stage === 1 ? tlbiVa(tag.asid, address, leaf) : tlbiIpa(tag.vmid, address, leaf);
  }
}
