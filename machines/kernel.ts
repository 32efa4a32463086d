import { armDma } from '../arch/arm/mm/dma';
import type { StreamingSteps } from '../arch/arm/mm/dma';
import { l2x0Init } from '../arch/arm/mm/cache-l2x0';
import type { OuterCacheFns } from '../arch/arm/mm/cache-l2x0';
import { makeCoherent } from '../arch/arm/mm/coherent';
import type { CoherentChoice } from '../arch/arm/mm/coherent';
import { BitmapArea } from '../arch/arm/mm/coherent/area';
import type { ContiguousArea } from '../arch/arm/mm/coherent/area';
import type { CountedCoherent } from '../arch/arm/mm/coherent/counted';
import { IN_ORDER } from '../arch/arm/mm/coherent/steps';
import { UserSpaces } from '../arch/arm/mm/context';
import { ArmMm } from '../arch/arm/mm/init';
import type { BootMemory } from '../arch/arm/mm/init';
import { KernelMappings } from '../arch/arm/mm/ioremap';
import type { RamRange } from '../arch/arm/mm/layout';
import { gated } from '../drivers/base/kernel/call-gate';
import type { CallGate } from '../drivers/base/kernel/call-gate';
import { CurrentCpu } from '../drivers/base/kernel/current-cpu';
import { Device } from '../drivers/base/kernel/device';
import type {
  DeviceDma,
  DriverServices,
  IrqResource,
  Resource,
} from '../drivers/base/kernel/device';
import { ENODEV } from '../drivers/base/kernel/errno';
import { KernelIo } from '../drivers/base/kernel/io';
import { KernelLog } from '../drivers/base/kernel/kernel-log';
import type { IrqDomain } from '../drivers/base/kernel/irq';
import { KernelOops } from '../drivers/base/kernel/oops';
import { KernelTimers } from '../drivers/base/kernel/timers';
import type { CpuAddr, PhysAddr } from '../drivers/base/types/address';
import { join64 } from '../drivers/base/types/bits';
import type { Isa } from '../drivers/base/types/isa';
import type { SoftwareObserver } from '../drivers/base/types/observer';
import type { ArchDma } from '../mm/arch-dma';
import { directTranslation } from '../mm/dma-direct';
import { DirectAllocation } from '../mm/dma-direct-alloc';
import type { SetAside } from '../mm/dma-direct-alloc';
import { dmaIommu, IommuDma } from '../mm/dma-iommu';
import { IommuAllocation } from '../mm/dma-iommu-alloc';
import { DmaTables } from '../mm/dma-tables';
import { DmaBounce } from '../mm/dmabounce';
import type { TranslatedPath } from '../mm/dma-tables';
import { Iommus } from '../mm/iommu/core';
import type { IommusConfig } from '../mm/iommu/core';
import type { TableMemory } from '../mm/iommu/types';
import { pageToPhys, physToPage } from '../mm/page-alloc';
import { PhysMemory } from '../mm/phys-memory';
import { Slab } from '../mm/slab';
import type { Swiotlb } from '../mm/swiotlb';
import type { BounceName } from './bounce';
import { coherentBoot, placesOf } from './coherent';
import {
  contiguousArea,
  makeCma,
  makeSwiotlb,
  swiotlbAside,
  tellCma,
  withoutSwiotlb,
} from './dma-memory';
import type { SwiotlbBoot } from './dma-memory';
import { pageServices } from './page-services';

/** A sleeping kernel looks again at least this often, in simulated ns: a tick. */
const TICK = 1000;

/** What the kernel is told of an outer cache that it is to drive. */
export interface OuterCacheBoot {
  readonly registers: Resource;
  readonly sharedOverride: boolean;
  readonly ioCoherent: boolean;
}

/** What the kernel is told when it is booted. */
export interface KernelBoot {
  readonly memory: BootMemory;
  readonly outer: OuterCacheBoot | null;
  /** Carries out each maintenance step of streaming DMA, or does not. */
  readonly streaming: StreamingSteps;
  /** Largest address of ZONE_DMA, null without one. */
  readonly dmaZoneLimit: number | null;
  /** Simulated ns since power-on: the clock source (sched_clock). */
  readonly clock: () => number;
  /** Asked whether a call is to be carried out; null: all are. */
  readonly gate?: CallGate | null;
  /** How memory is shared with devices that do not snoop. */
  readonly coherent?: CoherentChoice;
  /** Memory to bounce through: how much, and whether all DMA goes that way; absent: none. */
  readonly swiotlb?: SwiotlbBoot | null;
  /** What takes data round; swiotlb if absent. */
  readonly bounce?: BounceName;
  /** What a device behind an IOMMU gets (iommu.passthrough, iommu.strict); strict translation if absent. */
  readonly iommuDefault?: IommusConfig['defaultType'];
}

/** Coherent memory of a kernel that is told nothing of its board. */
const REMAPPED: CoherentChoice = {
  name: 'legacy-remap',
  board: { cma: null, dmaEnd: null },
  order: IN_ORDER,
};

/** What drivers get, with the part that whoever watches sets. */
type Services = DriverServices & { observer: SoftwareObserver | null };

/**
 * A booted kernel: memory management, the DMA layer, drivers' services. All it knows of the
 * hardware is the instructions of its CPUs.
 */
export class Kernel {
  readonly cpu: CurrentCpu;
  readonly mm: ArmMm;
  readonly mappings: KernelMappings;
  readonly slab: Slab;
  readonly users: UserSpaces;
  readonly coherent: CountedCoherent;
  /** Memory by its physical address. */
  readonly memory: PhysMemory;
  /** Where data goes that a device does not reach; null: nowhere. */
  readonly swiotlb: Swiotlb | null;
  readonly arch: ArchDma;
  readonly io: KernelIo;
  readonly log = new KernelLog();
  /** Memory set aside for devices; empty until boot has found some. */
  readonly setAside: SetAside = { cma: null, globalPool: null, atomicPool: null };
  /** Pages that pools of coherent memory keep, in use or not. */
  poolPages = 0;
  /** IOMMUs and their groups; none until boot has found some. */
  readonly iommus: Iommus;
  /** DMA of devices that an IOMMU translates for. */
  readonly translated: TranslatedPath;
  /** The ways its devices do DMA. */
  readonly dma: DmaTables;
  /** Gives devices what the tree sets aside for them; none until boot has found some. */
  reservedMem: DriverServices['reservedMemDeviceInit'] = () => -ENODEV;
  readonly #services: Services;
  readonly #work: (() => void)[] = [];
  /** Pages of IOMMUs' tables: these keep tables that have become empty. */
  #iommuPages = 0;
  /** Timers, which expire when the kernel sleeps. */
  readonly timers: KernelTimers;
  /** The root interrupt controller's lines, null where devices are polled. */
  irq: IrqDomain | null = null;

  constructor(bootCpu: Isa, boot: KernelBoot) {
    this.cpu = new CurrentCpu(bootCpu);
    this.timers = new KernelTimers(boot.clock);
    const choice = boot.coherent ?? REMAPPED;
    const memory = { ...boot.memory, ...coherentBoot(choice) };
    const bounce = boot.swiotlb ? swiotlbAside(boot.swiotlb, boot.dmaZoneLimit) : null;
    this.mm = new ArmMm(this.cpu, { ...memory, bounce }, boot.gate);
    this.io = new KernelIo(this.cpu, this.mm.ioBarriers);
    this.memory = new PhysMemory(this.io.relaxed, this.mm.kmap);
    this.mappings = new KernelMappings(this.mm);
    if (boot.outer !== null) {
      const outer = this.#startOuterCache(boot.outer);
      this.mm.outer = gated(boot.gate ?? null, 'outer cache', outer);
    }
    const area = this.#coherentArea(choice);
    this.coherent = makeCoherent(this.mm, this.mappings, choice, area);
    this.arch = armDma(this.mm, this.mappings, boot.streaming, this.coherent);
    this.slab = new Slab(this.mm.pages, this.mm.layout, this.arch.minAlign);
    this.users = new UserSpaces(this.mm);
    this.dma = this.#makeDmaTables(boot);
    this.swiotlb = this.#makeSwiotlb(boot, this.mm.bounce);
    this.dma.bounce =
      boot.bounce === 'dmabounce'
        ? new DmaBounce(this.arch, body => this.keepingPages(body))
        : (this.swiotlb ?? withoutSwiotlb(this.mm));
    this.iommus = new Iommus({
      memory: this.#tableMemory(),
      cpus: this.cpu,
      defaultType: boot.iommuDefault ?? 'dma',
      gate: boot.gate ?? null,
      timers: this.timers,
    });
    this.translated = this.#makeTranslated(boot);
    this.#services = this.#makeServices(boot.clock);
  }

  /** Pages that somebody has, translation tables apart, those of IOMMUs too. */
  get usedPages(): number {
    const { pages, tablePages } = this.mm;
    return pages.managedPages - pages.freePages - tablePages - this.#iommuPages;
  }

  /** Carries something out that fills pools of coherent memory, which keep what they have. */
  keepingPages<Value>(body: () => Value): Value {
    const before = this.usedPages;
    const value = body();
    this.poolPages += this.usedPages - before;
    return value;
  }

  get services(): DriverServices {
    return this.#services;
  }

  /** Runs something the next time that the kernel sleeps (schedule_work). */
  scheduleWork(work: () => void): void {
    this.#work.push(work);
  }

  /** From now on the observer is told of every allocation and every DMA call; null: nobody is. */
  observe(observer: SoftwareObserver | null): void {
    this.mm.pages.observer = observer;
    this.slab.observer = observer;
    this.#services.observer = observer;
  }

  /** The next CPU comes up. */
  startSecondary(isa: Isa): void {
    this.mm.startSecondary(isa);
  }

  /** Interrupts are taken from now on, by the root controller's domain. */
  startInterrupts(domain: IrqDomain): void {
    this.irq = domain;
    this.mm.handleInterrupts(() => {
      domain.handleIrq();
    });
    for (let number = 0; number < this.cpu.online; number++) {
      this.cpu.on(number, () => this.cpu.setInterruptsEnabled(true));
    }
  }

  /** A device of the platform bus. */
  addDevice(
    name: string,
    ofPath: string | null,
    dma: DeviceDma,
    registers: readonly Resource[],
    irqs: readonly IrqResource[],
  ): Device {
    return new Device({ name, ofPath, dma, registers, irqs, services: this.services });
  }

  /**
   * The memory of a strategy, and the area that everybody's contiguous memory comes from: with
   * `cma-remap` one and the same.
   */
  #coherentArea(choice: CoherentChoice): ContiguousArea | null {
    const places = placesOf(choice, this.mm.setAside);
    const cma = places.cma === null ? null : makeCma('reserved', places.cma, this);
    this.setAside.cma = cma;
    const { cmaWish = null } = choice.board;
    if (cmaWish !== null) tellCma(this.log, cmaWish, places.cma);
    if (choice.name === 'cma-remap') return cma === null ? null : contiguousArea(cma);
    return places.own === null ? null : new BitmapArea(places.own);
  }

  #makeSwiotlb({ swiotlb = null }: KernelBoot, range: RamRange | null): Swiotlb | null {
    if (swiotlb === null || range === null) return null;
    return makeSwiotlb(this, range, swiotlb);
  }

  #makeDmaTables({ gate = null, dmaZoneLimit }: KernelBoot): DmaTables {
    const { mm, arch, setAside } = this;
    const { ram } = mm.layout;
    const maxAddress = Math.max(...ram.map(({ base, size }) => base + size));
    const sources = { pages: mm.pages, linear: mm.layout, arch, dmaZoneLimit, setAside };
    return new DmaTables({
      direct: directTranslation({ maxAddress, dmaZoneLimit, ram }),
      cache: arch,
      allocation: new DirectAllocation(sources),
      gate,
    });
  }

  #makeTranslated({ dmaZoneLimit }: KernelBoot): TranslatedPath {
    const dma = new IommuDma(this.iommus);
    const { mm, arch, setAside } = this;
    const sources = { pages: mm.pages, linear: mm.layout, arch, dmaZoneLimit, setAside };
    return { translation: dmaIommu(dma), allocation: new IommuAllocation(dma, sources) };
  }

  /** Page tables of IOMMUs lie in the linear map, and are written as any memory is. */
  #tableMemory(): TableMemory {
    const { mm, cpu } = this;
    const { pages, layout } = mm;
    return {
      alloc: order => {
        const page = pages.allocKernelPages({ zero: true }, order);
        if (page === null) return null;
        this.#iommuPages += 2 ** order;
        return layout.physToVirt(pageToPhys(page));
      },
      free: (address, order) => {
        const physical = layout.virtToPhys(address);
        if (physical === null) return;
        this.#iommuPages -= 2 ** order;
        pages.freePagesAt(physToPage(physical), order);
      },
      load: address => join64(cpu.load32(address), 0),
      store: (address, value) => {
        cpu.store32(address, value);
      },
      load64: address => join64(cpu.load64(address), 0),
      get high() {
        return join64(cpu.high, 0);
      },
      store64: (address, low, high) => {
        cpu.store64(address, low, high);
      },
    };
  }

  #startOuterCache({ registers, sharedOverride, ioCoherent }: OuterCacheBoot): OuterCacheFns {
    const base = this.#mustMap(registers.start, registers.size);
    return l2x0Init(this.io, this.io.relaxed, base, { sharedOverride, ioCoherent });
  }

  /** Only where two addresses of a page have lines of their own (asm/cacheflush.h). */
  #flushVmapRange(address: CpuAddr, size: number): void {
    const { info, cache } = this.mm;
    if (info.isVivt || info.isAliasing) cache.dmaFlushRange(address, size);
  }

  #irqsDisabled(): boolean {
    if (this.irq === null) return false;
    const areEnabled = this.cpu.setInterruptsEnabled(false);
    this.cpu.setInterruptsEnabled(areEnabled);
    return !areEnabled;
  }

  #mustMap(address: PhysAddr, size: number): CpuAddr {
    const mapped = this.mappings.ioremap(address, size);
    if (mapped === null) throw new KernelOops('no address space for the registers of a cache');
    return mapped;
  }

  /**
   * Until the next interrupt, or so many ns. Time passes in any case: an interrupt that is masked
   * stays pending and wakes at once.
   */
  #sleep(nanoseconds: number, clock: () => number): void {
    for (const work of this.#work.splice(0)) work();
    this.timers.run();
    const before = clock();
    const woke = this.irq !== null && this.cpu.waitForInterrupt(nanoseconds);
    if (!woke || clock() === before) this.cpu.relax(nanoseconds);
    this.timers.run();
  }

  #makeServices(clock: () => number): Services {
    return {
      io: this.io,
      barriers: this.mm.barriers,
      memory: this.mm.layout,
      pages: pageServices(this.mm, this.mappings),
      log: this.log,
      dmaMinAlign: this.arch.minAlign,
      observer: null,
      ioremap: (address, size) => this.mappings.ioremap(address, size),
      iounmap: address => {
        this.mappings.iounmap(address);
      },
      irqsDisabled: () => this.#irqsDisabled(),
      flushKernelVmapRange: (address, size) => {
        this.#flushVmapRange(address, size);
      },
      invalidateKernelVmapRange: (address, size) => {
        this.#flushVmapRange(address, size);
      },
      reservedMemDeviceInit: (dev, index) => this.reservedMem(dev, index),
      waitUntil: (done, limit) => {
        const start = clock();
        while (!done()) {
          const left = limit - (clock() - start);
          if (left <= 0) return false;
          this.#sleep(Math.min(TICK, left), clock);
        }
        return true;
      },
    };
  }
}
