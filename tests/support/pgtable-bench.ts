import { CurrentCpu } from '../../drivers/base/kernel/current-cpu';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DmaMapOps, DriverServices } from '../../drivers/base/kernel/device';
import { ENODEV } from '../../drivers/base/kernel/errno';
import { KernelIo } from '../../drivers/base/kernel/io';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { TableReader, WalkedEntry } from '../../drivers/iommu/walk/types';
import type { IotlbGather } from '../../mm/iommu/gather';
import { gatherAddPage } from '../../mm/iommu/gather';
import type { TableMemory } from '../../mm/iommu/types';
import { dmaBitMask } from '../../mm/dma-limits';
import type { IoPgtableConfig, PgtableFlush } from '../../mm/io-pgtable/types';
import { ArmMachine } from '../arch/arm/machine';
import { NO_PAGES } from './no-pages';

/** Nobody uses it. */
const CPU = new CurrentCpu(new ArmMachine({ core: 'arm926ej-s', off: true }).cpu);
const nothing = (): void => undefined;
const WORDS = PAGE_SIZE / 4;
/** What memory that is nobody's holds: valid in every format, and leads nowhere. */
const POISON = -1;

/** What an IOMMU may have kept: steps of walks, which only flushWalk ends, and translations. */
export interface KeptByHardware {
  readonly kind: 'step' | 'translation';
  readonly entry: WalkedEntry;
}

/**
 * Memory for tables as the CPU and as a walker see it, and a device that the walker is of. A walker
 * that does not snoop sees what was synced for it, and nobody but the walker's own tables: each read
 * beside them is noted in `strays`.
 */
export class PgtableBench {
  readonly log = new KernelLog();
  /** Words that the walker read and that were no table's. */
  readonly strays: number[] = [];
  /** What the hardware was told: `walk 0x1000 +0x200000 by 0x1000`, `page 0x1000 +0x1000`. */
  readonly flushes: string[] = [];
  /** What the hardware might use: put here by tests. */
  readonly kept: KeptByHardware[] = [];
  /** Tables that may still be made; more than a test needs unless it says so. */
  tablesLeft = Infinity;
  /** Where the DMA of the IOMMU goes: away from where memory is, if not 0. */
  dmaOffset = 0;
  /** Called before a table is given back. */
  onFree: (address: number, size: number) => void = nothing;
  /** Called when a walker that does not snoop sees something new. */
  onVisible: () => void = nothing;
  /** Called when a walk is to be forgotten, before it is. */
  onFlushWalk: (iova: number, size: number, granule: number) => void = nothing;
  readonly dev: Device;
  readonly #isCoherent: boolean;
  readonly #cpu = new Map<number, Int32Array>();
  readonly #walker = new Map<number, Int32Array>();
  readonly #mapped = new Set<number>();
  readonly #free = new Map<number, number[]>();
  #next: number;
  /** Gathered pages that are to be forgotten at the next sync. */
  readonly #gathered: { readonly start: number; readonly size: number }[] = [];

  /** `base`: where memory for tables begins. */
  constructor(isCoherent: boolean, base = 0x8000_0000) {
    this.#isCoherent = isCoherent;
    this.#next = base;
    this.dev = new Device({
      name: 'iommu',
      ofPath: null,
      dma: deviceDmaOf({ ops: this.#ops(), mask: 2 ** 52 - 1, coherent: isCoherent }),
      registers: [],
      irqs: [],
      services: this.#services(),
    });
  }

  /** The configuration of a table in this memory. */
  config(
    fields: Pick<IoPgtableConfig, 'pageSizes' | 'ias' | 'oas'> & Partial<IoPgtableConfig>,
  ): IoPgtableConfig {
    return {
      coherentWalk: this.#isCoherent,
      flush: this.flush,
      dev: this.dev,
      memory: this.memory,
      ...fields,
    };
  }

  /** Pages that are somebody's. */
  pagesInUse = 0;

  readonly memory: TableMemory & { high: number } = {
    alloc: order => this.#alloc(order),
    free: (address, order) => {
      this.pagesInUse -= 2 ** order;
      this.#fill(this.#cpu, address, PAGE_SIZE * 2 ** order, POISON);
      this.#freeOf(order).push(address);
    },
    load: address => this.#word(this.#cpu, address) >>> 0,
    store: (address, value) => {
      this.#setWord(address, value);
    },
    load64: address => {
      this.memory.high = this.#word(this.#cpu, address + 4) >>> 0;
      return this.#word(this.#cpu, address) >>> 0;
    },
    high: 0,
    store64: (address, low, high) => {
      this.#setWord(address, low);
      this.#setWord(address + 4, high);
    },
  };

  /** The walker's way to the tables. */
  readonly reader: TableReader & { tableHigh: number } = {
    readTable: address => this.#walked(address),
    readTable64: address => {
      this.reader.tableHigh = this.#walked(address + 4) ?? 0;
      return this.#walked(address);
    },
    tableHigh: 0,
  };

  /** A driver that does all it should: pages at the next `sync`, walks at once. */
  readonly flush: PgtableFlush = {
    flushAll: () => {
      this.flushes.push('all');
      this.kept.length = 0;
    },
    flushWalk: (iova, size, granule) => {
      this.onFlushWalk(iova, size, granule);
      this.flushes.push(`walk ${at(iova)} +${at(size)} by ${at(granule)}`);
      this.#forget(iova, size, true);
    },
    addPage: (gather, iova, granule) => {
      this.flushes.push(`page ${at(iova)} +${at(granule)}`);
      this.#gathered.push({ start: iova, size: granule });
      gatherAddPage({ sync: nothing }, gather, iova, granule);
    },
  };

  /** What the core does after unmapping (iommu_iotlb_sync). */
  sync(gather: IotlbGather): void {
    if (gather.isQueued) {
      this.flush.flushAll();
      return;
    }
    for (const { start, size } of this.#gathered.splice(0)) this.#forget(start, size, false);
  }

  /** What is kept and holds for any of these addresses is forgotten; steps only if so asked. */
  #forget(start: number, size: number, isWalk: boolean): void {
    const left = this.kept.filter(
      ({ kind, entry }) =>
        (kind === 'step' && !isWalk) ||
        entry.start + entry.size <= start ||
        start + size <= entry.start,
    );
    this.kept.splice(0, this.kept.length, ...left);
  }

  #alloc(order: number): CpuAddr | null {
    if (this.tablesLeft === 0) return null;
    this.tablesLeft--;
    this.pagesInUse += 2 ** order;
    const size = PAGE_SIZE * 2 ** order;
    let address = this.#freeOf(order).pop();
    if (address === undefined) {
      address = Math.ceil(this.#next / size) * size;
      this.#next = address + size;
    }
    this.#fill(this.#cpu, address, size, 0);
    return cpuAddr(address);
  }

  #freeOf(order: number): number[] {
    const free = this.#free.get(order) ?? [];
    this.#free.set(order, free);
    return free;
  }

  #walked(address: number): number | null {
    if (!this.#mapped.has(Math.floor(address / 1024))) {
      this.strays.push(address);
      return null;
    }
    return this.#word(this.#isCoherent ? this.#cpu : this.#walker, address) >>> 0;
  }

  #page(view: Map<number, Int32Array>, address: number): Int32Array {
    const page = Math.floor(address / PAGE_SIZE);
    const found = view.get(page);
    if (found !== undefined) return found;
    const made = new Int32Array(WORDS).fill(POISON);
    view.set(page, made);
    return made;
  }

  #word(view: Map<number, Int32Array>, address: number): number {
    return this.#page(view, address)[(address % PAGE_SIZE) / 4] ?? POISON;
  }

  #setWord(address: number, value: number): void {
    this.#page(this.#cpu, address)[(address % PAGE_SIZE) / 4] = value;
  }

  #fill(view: Map<number, Int32Array>, address: number, size: number, value: number): void {
    for (let done = 0; done < size; done += PAGE_SIZE) {
      const words = this.#page(view, address + done);
      const first = ((address + done) % PAGE_SIZE) / 4;
      words.fill(value, first, first + Math.min(size - done, PAGE_SIZE) / 4);
    }
  }

  /** What the CPU stored reaches memory. */
  #clean(address: number, size: number): void {
    for (let done = 0; done < size;) {
      const from = address + done;
      const bytes = Math.min(size - done, PAGE_SIZE - (from % PAGE_SIZE));
      const first = (from % PAGE_SIZE) / 4;
      const stored = this.#page(this.#cpu, from).subarray(first, first + bytes / 4);
      this.#page(this.#walker, from).set(stored, first);
      done += bytes;
    }
  }

  #ops(): DmaMapOps {
    return {
      mapPage: (_dev, page, offset, size) => {
        const address = page * PAGE_SIZE + offset;
        this.#clean(address, size);
        for (let done = 0; done < size; done += 1024) this.#mapped.add((address + done) / 1024);
        return dmaAddr(address + this.dmaOffset);
      },
      unmapPage: (_dev, address, size) => {
        const start = address - this.dmaOffset;
        this.onFree(start, size);
        for (let done = 0; done < size; done += 1024) this.#mapped.delete((start + done) / 1024);
      },
      syncSingleForCpu: nothing,
      syncSingleForDevice: (_dev, address, size) => {
        this.#clean(address - this.dmaOffset, size);
        this.onVisible();
      },
      dmaSupported: () => true,
      getRequiredMask: () => dmaBitMask(32),
    };
  }

  #services(): DriverServices {
    return {
      io: new KernelIo(CPU, { afterRead: nothing, beforeWrite: nothing }),
      barriers: { mb: nothing, rmb: nothing, wmb: nothing, dmaRmb: nothing, dmaWmb: nothing },
      memory: { virtToPhys: physAddr, physToVirt: cpuAddr },
      pages: NO_PAGES,
      log: this.log,
      observer: null,
      ioremap: () => null,
      iounmap: nothing,
      dmaMinAlign: 64,
      irqsDisabled: () => false,
      flushKernelVmapRange: nothing,
      invalidateKernelVmapRange: nothing,
      reservedMemDeviceInit: () => -ENODEV,
      waitUntil: () => false,
    };
  }
}

const at = (address: number): string => `0x${address.toString(16)}`;
