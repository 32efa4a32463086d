import type { CpuAddr, DmaAddr, PhysAddr } from '../types/address';
import type { SoftwareObserver } from '../types/observer';
import type { Barriers } from './barriers';
import type { DmaAttrs, DmaDirection, Page } from './dma-mapping';
import type { KernelIo } from './io';
import type { IrqDomain } from './irq';

/** A window of a bus: device address `dma` is CPU address `cpu` (struct bus_dma_region). */
export interface BusDmaRegion {
  readonly dma: DmaAddr;
  readonly cpu: PhysAddr;
  readonly size: number;
}

/** What of_dma_configure left on a device, and what its driver asked for since. */
export interface DeviceDma {
  /** Largest address the device can put on the wire in streaming DMA. 2^64 - 1 rounds to 2^64. */
  mask: number;
  coherentMask: number;
  /** Largest address that the bus carries, null where no window says so. */
  readonly busLimit: number | null;
  /** Null: bus addresses are physical addresses. */
  readonly rangeMap: readonly BusDmaRegion[] | null;
  readonly coherent: boolean;
  /** Null until the device is configured for DMA: every mapping then fails. */
  readonly ops: DmaMapOps | null;
}

/** The kernel's one-to-one map of lowmem (asm/memory.h). */
export interface LinearMap {
  /** The physical address of a lowmem address; null for any other (vmalloc, ioremap, kmap, user). */
  virtToPhys(address: CpuAddr): PhysAddr | null;
  /** The lowmem address of a physical one; null for highmem and what is no RAM. */
  physToVirt(address: PhysAddr): CpuAddr | null;
}

/** What the kernel gives every driver: how to reach registers, memory and interrupts. */
export interface DriverServices {
  readonly io: KernelIo;
  readonly barriers: Barriers;
  readonly memory: LinearMap;
  /** Told of each call of the DMA API; null: nobody watches, and no call costs anything. */
  readonly observer: SoftwareObserver | null;
  /** Maps a window of registers (ioremap); null if there is no address space left. */
  ioremap(address: PhysAddr, size: number): CpuAddr | null;
  iounmap(address: CpuAddr): void;
  /**
   * Sleeps until `done` answers true, at most `limit` simulated ns: lets interrupts in and time
   * pass. False if the time ran out.
   */
  waitUntil(done: () => boolean, limit: number): boolean;
}

/** A window of registers in CPU addresses, its size in bytes (struct resource). */
export interface Resource {
  readonly start: PhysAddr;
  readonly size: number;
}

/** An interrupt of a device: which controller, which line. */
export interface IrqResource {
  readonly domain: IrqDomain;
  readonly hwirq: number;
}

/** A device as the kernel sees it (struct device and struct platform_device). */
export class Device {
  readonly name: string;
  /** Path of its node, or null for a device that no tree describes. */
  readonly ofPath: string | null;
  readonly dma: DeviceDma;
  readonly registers: readonly Resource[];
  readonly irqs: readonly IrqResource[];
  readonly services: DriverServices;
  /** Name of the driver that has it or is just probing it, null while none does. */
  driver: string | null = null;

  constructor(fields: {
    readonly name: string;
    readonly ofPath: string | null;
    readonly dma: DeviceDma;
    readonly registers: readonly Resource[];
    readonly irqs: readonly IrqResource[];
    readonly services: DriverServices;
  }) {
    this.name = fields.name;
    this.ofPath = fields.ofPath;
    this.dma = fields.dma;
    this.registers = fields.registers;
    this.irqs = fields.irqs;
    this.services = fields.services;
  }
}

/** A driver: which devices it takes and what it makes of one (struct platform_driver). */
export interface Driver<Bound> {
  readonly name: string;
  readonly compatible: readonly string[];
  /** The bound device, or a negative errno. */
  probe(dev: Device): Bound | number;
}

/** Lets a driver take a device (really_probe). What it makes of it, or a negative errno. */
export const probeDevice = <Bound>(driver: Driver<Bound>, dev: Device): Bound | number => {
  dev.driver = driver.name;
  const bound = driver.probe(dev);
  if (typeof bound === 'number') dev.driver = null;
  return bound;
};

/** One way to do DMA (struct dma_map_ops): direct, through an IOMMU, bounced. */
export interface DmaMapOps {
  mapPage(
    dev: Device,
    page: Page,
    offset: number,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): DmaAddr;
  unmapPage(
    dev: Device,
    address: DmaAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): void;
  syncSingleForCpu(dev: Device, address: DmaAddr, size: number, direction: DmaDirection): void;
  syncSingleForDevice(dev: Device, address: DmaAddr, size: number, direction: DmaDirection): void;
  /** True if a device with this mask can do DMA at all. */
  dmaSupported(dev: Device, mask: number): boolean;
  /** The smallest mask with which the device reaches all memory. */
  getRequiredMask(dev: Device): number;
}
