import type { Device, DeviceDma } from '../../drivers/base/kernel/device';
import type { DriverServices } from '../../drivers/base/kernel/device';
import { EEXIST, EINVAL, ENOMEM, ENOSYS } from '../../drivers/base/kernel/errno';
import { KernelTimers } from '../../drivers/base/kernel/timers';
import type { DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { IommuDma, dmaIommu } from '../../mm/dma-iommu';
import { composeDmaOps } from '../../mm/dma-ops';
import type { DmaPath } from '../../mm/dma-stages';
import { Iommus } from '../../mm/iommu/core';
import { gatherAddPage } from '../../mm/iommu/gather';
import type { IotlbGather } from '../../mm/iommu/gather';
import { IommuProt } from '../../mm/iommu/types';
import type {
  DomainType,
  FaultHandler,
  IommuDevice,
  IommuDomain,
  IommuFault,
  IommuOps,
  Mapped,
  ReservedRegion,
} from '../../mm/iommu/types';
import { dmaDevice } from './dma-device';

/** Where a page leads, and what may be done there. */
export interface FakeEntry {
  readonly frame: number;
  readonly prot: number;
}

/** A page table as plain as can be: what is mapped, and what a TLB may still hold. */
export class FakeTable implements IommuOps {
  readonly pageSizes: number;
  readonly apertureStart = 0;
  readonly apertureEnd: number;
  readonly entries = new Map<number, FakeEntry>();
  /** Pages that were unmapped and not flushed since. */
  readonly unflushed = new Set<number>();
  /** `map 2 pages at 0x1000`, oldest first. */
  readonly calls: string[] = [];
  /** What was put in force, as page and count. */
  readonly synced: (readonly [page: number, count: number])[] = [];
  /** So many maps go well before one fails; -1: all. */
  mapsLeft = -1;

  constructor(pages: number, pageSizes = PAGE_SIZE) {
    this.pageSizes = pageSizes;
    this.apertureEnd = pages * PAGE_SIZE - 1;
  }

  map(
    iova: DmaAddr,
    address: PhysAddr,
    pageSize: number,
    count: number,
    prot: number,
    mapped: Mapped,
  ): number {
    const size = pageSize * count;
    if (this.mapsLeft === 0) return -ENOMEM;
    if (this.mapsLeft > 0) this.mapsLeft--;
    this.#tell('map', iova, size);
    if (iova + size - 1 > this.apertureEnd) return -EINVAL;
    const pages = pagesOf(iova, size);
    if (pages.some(page => this.entries.has(page))) return -EEXIST;
    pages.forEach((page, i) => this.entries.set(page, { frame: address / PAGE_SIZE + i, prot }));
    mapped.bytes += size;
    return 0;
  }

  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather): number {
    const size = pageSize * count;
    this.#tell('unmap', iova, size);
    const pages = pagesOf(iova, size);
    const hole = pages.findIndex(page => !this.entries.has(page));
    const mapped = hole < 0 ? pages : pages.slice(0, hole);
    for (const page of mapped) {
      this.entries.delete(page);
      this.unflushed.add(page);
    }
    if (mapped.length > 0 && !gather.isQueued) gatherAddPage(this, gather, iova, pageSize, count);
    return mapped.length * PAGE_SIZE;
  }

  iovaToPhys(iova: DmaAddr): PhysAddr | null {
    const entry = this.entries.get(Math.floor(iova / PAGE_SIZE));
    return entry === undefined ? null : physAddr(entry.frame * PAGE_SIZE + (iova % PAGE_SIZE));
  }

  syncMap(iova: DmaAddr, size: number): number {
    this.synced.push([iova / PAGE_SIZE, size / PAGE_SIZE]);
    return 0;
  }

  sync({ start, end, pageSize }: IotlbGather): void {
    if (pageSize === 0) return;
    this.#tell('flush', start, end + 1 - start);
    for (const page of pagesOf(start, end + 1 - start)) this.unflushed.delete(page);
  }

  flushAll(): void {
    this.calls.push('flush all');
    this.unflushed.clear();
  }

  /** Whether the device may read, or write, all of these bytes. */
  permits(iova: number, size: number, write: boolean): boolean {
    const bit = write ? IommuProt.Write : IommuProt.Read;
    return pagesOf(iova, size).every(
      page => Math.floor((this.entries.get(page)?.prot ?? 0) / bit) % 2 === 1,
    );
  }

  #tell(verb: string, iova: number, size: number): void {
    if (iova % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0) throw new Error(`${verb}: not in pages`);
    this.calls.push(`${verb} ${size / PAGE_SIZE} pages at 0x${iova.toString(16)}`);
  }
}

/** The numbers of the pages that some bytes lie in. */
const pagesOf = (address: number, size: number): number[] => {
  const first = Math.floor(address / PAGE_SIZE);
  const last = Math.floor((address + size - 1) / PAGE_SIZE);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
};

interface FakeDomain extends IommuDomain {
  readonly ops: FakeTable | null;
}

/** An IOMMU without hardware: it notes what is attached to what. */
export class FakeIommu implements IommuDevice {
  readonly name = 'fake-iommu';
  readonly deferredFlush: boolean;
  readonly attached = new Map<number, IommuDomain>();
  readonly freed: IommuDomain[] = [];
  hasMemory = true;
  readonly #pages: number;
  readonly #pageSizes: number;
  reserved: readonly ReservedRegion[] = [];
  /** Streams that it refuses to attach. */
  readonly refuses = new Set<number>();
  #handler: FaultHandler = () => -ENOSYS;

  constructor(pages: number, pageSizes = PAGE_SIZE, deferredFlush = true) {
    this.#pages = pages;
    this.#pageSizes = pageSizes;
    this.deferredFlush = deferredFlush;
  }

  domainAlloc(type: DomainType): FakeDomain | null {
    if (!this.hasMemory) return null;
    const hasTable = type !== 'identity' && type !== 'blocked';
    return { type, ops: hasTable ? new FakeTable(this.#pages, this.#pageSizes) : null };
  }

  domainFree(domain: IommuDomain): void {
    this.freed.push(domain);
  }

  streamOf([cell]: readonly number[]): number {
    return cell !== undefined && cell < 8 ? cell : -EINVAL;
  }

  attach(stream: number, domain: IommuDomain): number {
    if (this.refuses.has(stream)) return -EINVAL;
    this.attached.set(stream, domain);
    return 0;
  }

  reservedRegions(): readonly ReservedRegion[] {
    return this.reserved;
  }

  onFault(handler: FaultHandler): void {
    this.#handler = handler;
  }

  fault(fault: IommuFault): number {
    return this.#handler(fault);
  }
}

/** Entries of its tables, their sizes, and what devices get. */
interface FakeIommuOptions {
  readonly pages?: number;
  readonly pageSizes?: number;
  readonly defaultType?: 'dma' | 'dma-fq' | 'identity';
  readonly deferredFlush?: boolean;
}

/** Devices behind a fake IOMMU, each in a group of its own unless told. */
export class FakeIommuBench {
  readonly iommu: FakeIommu;
  readonly iommus: Iommus;
  readonly dma: IommuDma;
  /** Simulated ns. */
  now = 0;
  readonly timers = new KernelTimers(() => this.now);
  readonly #services: DriverServices;

  constructor(services: DriverServices, options: FakeIommuOptions = {}) {
    this.#services = services;
    const { pages = 256, pageSizes, defaultType = 'dma', deferredFlush } = options;
    this.iommu = new FakeIommu(pages, pageSizes, deferredFlush);
    const memory = {
      ...{ alloc: () => null, free: nothing, load: () => 0, store: nothing },
      ...{ load64: () => 0, high: 0, store64: nothing },
    };
    this.iommus = new Iommus({
      memory,
      cpus: { online: 1, number: 0 },
      defaultType,
      gate: null,
      timers: this.timers,
    });
    this.iommus.register(this.iommu);
    this.dma = new IommuDma(this.iommus);
  }

  device(
    group: number,
    dma: Partial<DeviceDma> = {},
    parts: Partial<Omit<DmaPath, 'translation'>> = {},
  ): Device {
    const nothing = { cache: null, bounce: null, allocation: {} };
    const path = { ...nothing, ...parts, translation: dmaIommu(this.dma) };
    const dev = dmaDevice(this.#services, { ops: composeDmaOps(path), ...dma });
    const found = this.iommus.groupFor([{ iommu: this.iommu, cells: [group] }]);
    if (typeof found === 'number') throw new Error(`group ${group}: ${found}`);
    this.iommus.addDevice(found, dev);
    return dev;
  }

  /** So many ns pass, and whatever was due is done. */
  pass(nanoseconds: number): void {
    this.now += nanoseconds;
    this.timers.run();
  }

  /** The table of a device's domain. */
  tableOf(dev: Device): FakeTable {
    const ops = this.iommus.groupOf(dev)?.defaultDomain.domain.ops;
    if (!(ops instanceof FakeTable)) throw new Error('no table');
    return ops;
  }

  /** Addresses that nobody has, with those in caches. */
  freeFrames(dev: Device): number {
    const iova = this.iommus.dmaDomain(dev)?.iova;
    if (iova === undefined) throw new Error('no addresses');
    iova.flushCaches();
    return iova.freeFrames;
  }
}

const nothing = (): void => undefined;
