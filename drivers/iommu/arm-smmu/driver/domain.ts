import type { Device } from '../../../base/kernel/device';
import type { DomainType, IommuDomain, IommuOps, TableMemory } from '../../../../mm/iommu/types';
import type { IoPgtable, PgtableFlush } from '../../../../mm/io-pgtable/types';
import { contextKind, makeContextTable } from './context';
import type { Context, KernelBuild } from './context';
import type { SmmuFeatures } from './features';
import type { SmmuRegisters } from './registers';
import { contextTlb } from './tlb';

/** What a domain is made with. */
export interface DomainParts {
  readonly dev: Device;
  readonly regs: SmmuRegisters;
  readonly features: SmmuFeatures;
  readonly build: KernelBuild;
  readonly memory: TableMemory;
  /** A context bank that nobody has, and the interrupt of its faults. */
  readonly bank: number;
  readonly interrupt: number;
  readonly isUnheard: boolean;
}

/** A domain of one SMMU: with a table and a context bank, or one of those that need neither. */
export class SmmuDomain implements IommuDomain {
  readonly type: DomainType;
  readonly ops: IommuOps | null;
  readonly context: Context | null;
  readonly #table: IoPgtable | null;

  private constructor(
    type: DomainType,
    ops: IommuOps | null,
    context: Context | null,
    table: IoPgtable | null,
  ) {
    this.type = type;
    this.ops = ops;
    this.context = context;
    this.#table = table;
  }

  /** Everything passes, or nothing. */
  static plain(type: 'identity' | 'blocked'): SmmuDomain {
    return new SmmuDomain(type, null, null, null);
  }

  /** With a table that maps nothing; null for formats that the SMMU has not, and without memory. */
  static translating(type: DomainType, parts: DomainParts): SmmuDomain | null {
    const { dev, regs, features, build, memory, bank, interrupt, isUnheard } = parts;
    const kind = contextKind(features, build);
    if (kind === null) return null;
    const tags = { bank, asid: kind.stage === 1 ? bank : 0, vmid: kind.stage === 2 ? bank + 1 : 0 };
    const tlb = contextTlb(dev, regs, features, { ...kind, ...tags });
    const made = makeContextTable(kind, features, {
      pageSizes: features.pageSizes,
      coherentWalk: features.coherentWalk,
      flush: tlb.flush,
      dev,
      memory,
    });
    if (made === null) return null;
    const context = { ...kind, ...tags, interrupt, registers: made.registers, isUnheard };
    return new SmmuDomain(type, opsOf(made.table, tlb.flush, tlb.sync), context, made.table);
  }

  /** Gives its table back. */
  free(): void {
    this.#table?.free();
  }
}

const opsOf = (table: IoPgtable, flush: PgtableFlush, sync: () => void): IommuOps => ({
  pageSizes: table.pageSizes,
  apertureStart: table.apertureStart,
  apertureEnd: table.apertureEnd,
  map: (iova, address, pageSize, count, prot, mapped) =>
    table.map(iova, address, pageSize, count, prot, mapped),
  unmap: (iova, pageSize, count, gather) => table.unmap(iova, pageSize, count, gather),
  iovaToPhys: iova => table.iovaToPhys(iova),
  sync,
  flushAll: () => {
    flush.flushAll();
  },
});
