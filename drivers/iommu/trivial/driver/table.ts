import type { Device } from '../../../base/kernel/device';
import { EEXIST, EINVAL } from '../../../base/kernel/errno';
import { offsetBy, physAddr } from '../../../base/types/address';
import type { CpuAddr, DmaAddr, PhysAddr } from '../../../base/types/address';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../../../mm/dma-mapping-common';
import { IommuProt } from '../../../../mm/iommu/types';
import { gatherAddPage } from '../../../../mm/iommu/gather';
import type { IotlbGather } from '../../../../mm/iommu/gather';
import type { IommuOps, Mapped, TableMemory } from '../../../../mm/iommu/types';
import { getOrder } from '../../../../mm/zone';
import { ENTRY, ENTRY_SIZE, ENTRY_SPAN } from '../regs';

/** Ends what the TLB holds of `count` entries of a table, from the `first` on; Infinity: of all. */
export type FlushEntries = (first: number, count: number) => void;

const NOTHING = 0;
const CANNOT_TRANSLATE = 'Cannot accommodate DMA translation for IOMMU page tables';

const isValid = (entry: number): boolean => ENTRY.VALID.of(entry) === 1;

/**
 * One flat table. It is a DMA buffer of the IOMMU's, mapped for it to read for as long as it lives;
 * each change of entries is synced, as io-pgtable does, and the entries are the CPU's own for that
 * time.
 */
export class TrivialTable implements IommuOps {
  readonly pageSizes = ENTRY_SPAN;
  readonly apertureStart = 0;
  readonly apertureEnd: number;
  /** How many entries it has. */
  readonly pages: number;
  /** Where the walker finds it. */
  readonly address: DmaAddr;
  readonly #dev: Device;
  readonly #memory: TableMemory;
  readonly #entries: CpuAddr;
  readonly #flush: FlushEntries;

  private constructor(
    dev: Device,
    memory: TableMemory,
    pages: number,
    at: { readonly entries: CpuAddr; readonly address: DmaAddr },
    flush: FlushEntries,
  ) {
    this.#dev = dev;
    this.#memory = memory;
    this.pages = pages;
    this.apertureEnd = pages * ENTRY_SPAN - 1;
    this.#entries = at.entries;
    this.address = at.address;
    this.#flush = flush;
  }

  /** A table of no valid entry; null without memory that the walker can have. */
  static make(
    dev: Device,
    memory: TableMemory,
    pages: number,
    flush: FlushEntries,
  ): TrivialTable | null {
    const order = getOrder(pages * ENTRY_SIZE);
    const entries = memory.alloc(order);
    if (entries === null) return null;
    const bytes = pages * ENTRY_SIZE;
    const address = dmaMapSingle(dev, entries, bytes, DmaDirection.ToDevice);
    if (dmaMappingError(dev, address) === 0) {
      const physical = dev.services.memory.virtToPhys(entries);
      if (physical !== null && Number(physical) === Number(address)) {
        return new TrivialTable(dev, memory, pages, { entries, address }, flush);
      }
      // The hardware takes physical addresses: a window of a bus, or a bounce, is in its way.
      dev.services.log.device('err', dev, CANNOT_TRANSLATE);
      dmaUnmapSingle(dev, address, bytes, DmaDirection.ToDevice);
    }
    memory.free(entries, order);
    return null;
  }

  /** Gives its memory back: no stream has it any more. */
  free(): void {
    const bytes = this.pages * ENTRY_SIZE;
    dmaUnmapSingle(this.#dev, this.address, bytes, DmaDirection.ToDevice);
    this.#memory.free(this.#entries, getOrder(bytes));
  }

  /** True for a table of this IOMMU's. */
  isOf(dev: Device): boolean {
    return dev === this.#dev;
  }

  map(
    iova: DmaAddr,
    address: PhysAddr,
    _pageSize: number,
    count: number,
    prot: number,
    mapped: Mapped,
  ): number {
    const first = iova / ENTRY_SPAN;
    const leadsTo = address / ENTRY_SPAN;
    if (first + count > this.pages || leadsTo + count > ENTRY.FRAME.max + 1) return -EINVAL;
    for (let i = 0; i < count; i++) if (isValid(this.#load(first + i))) return -EEXIST;
    const isWritten = Math.floor(prot / IommuProt.Write) % 2 === 1;
    const rights = ENTRY.VALID.at(1) + ENTRY.WRITE.at(isWritten ? 1 : 0);
    this.#change(first, count, i => rights + ENTRY.FRAME.at(leadsTo + i));
    mapped.bytes += count * ENTRY_SPAN;
    return 0;
  }

  unmap(iova: DmaAddr, _pageSize: number, count: number, gather: IotlbGather): number {
    const first = iova / ENTRY_SPAN;
    const most = Math.min(count, this.pages - first);
    let unmapped = 0;
    while (unmapped < most && isValid(this.#load(first + unmapped))) unmapped++;
    if (unmapped === 0) return 0;
    this.#change(first, unmapped, () => NOTHING);
    if (!gather.isQueued) gatherAddPage(this, gather, iova, ENTRY_SPAN, unmapped);
    return unmapped * ENTRY_SPAN;
  }

  iovaToPhys(iova: DmaAddr): PhysAddr | null {
    const page = Math.floor(iova / ENTRY_SPAN);
    const entry = page < this.pages ? this.#load(page) : NOTHING;
    if (!isValid(entry)) return null;
    return physAddr(ENTRY.FRAME.of(entry) * ENTRY_SPAN + (iova % ENTRY_SPAN));
  }

  sync({ start, end, pageSize }: IotlbGather): void {
    if (pageSize > 0) this.#flush(start / ENTRY_SPAN, (end + 1 - start) / ENTRY_SPAN);
  }

  flushAll(): void {
    this.#flush(0, Infinity);
  }

  #change(first: number, count: number, entry: (index: number) => number): void {
    const at = offsetBy(this.address, first * ENTRY_SIZE);
    const bytes = count * ENTRY_SIZE;
    dmaSyncSingleForCpu(this.#dev, at, bytes, DmaDirection.ToDevice);
    for (let i = 0; i < count; i++) {
      this.#memory.store(this.#at(first + i), entry(i));
    }
    dmaSyncSingleForDevice(this.#dev, at, bytes, DmaDirection.ToDevice);
  }

  #load(page: number): number {
    return this.#memory.load(this.#at(page));
  }

  #at(page: number): CpuAddr {
    return offsetBy(this.#entries, page * ENTRY_SIZE);
  }
}
