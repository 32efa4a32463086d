import type { CpuAddr, DmaAddr, PhysAddr } from '../types/address';
import type { SoftwareObserver } from '../types/observer';
import type { Barriers } from './barriers';
import type { DmaMapOpsOf } from './dma-map-ops';
import type { Page } from './dma-mapping';
import type { CmaPool, DevicePool, RestrictedPool } from './dma-pools';
import { EIO, ENOMEM } from './errno';
import type { Gfp } from './gfp';
import type { KernelIo } from './io';
import type { IrqDomain } from './irq';
import type { KernelLog } from './kernel-log';
import type { PgMemory } from './user-vma';

/** A window of a bus: device address `dma` is CPU address `cpu` (struct bus_dma_region). */
export interface BusDmaRegion {
  readonly dma: DmaAddr;
  readonly cpu: PhysAddr;
  readonly size: number;
}

/** The ways a device may do DMA; see DmaMapOpsOf. */
export type DmaMapOps = DmaMapOpsOf<Device>;

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
  /** The most bytes that a segment of a scatterlist may have, and the mask that none may cross. */
  maxSegSize: number;
  segBoundary: number;
  /** Low bits of an address that must survive bouncing. */
  minAlignMask: number;
  /** Memory that the tree reserved for this device (memory-region), null: it has the system's. */
  pool: DevicePool | null;
  cma: CmaPool | null;
  /** What it is restricted to (for_alloc of its dma_io_tlb_mem); null: it may have any memory. */
  readonly restricted: RestrictedPool | null;
  /**
   * A PCI function's addresses are below 4 GiB for as long as there are any, whatever its mask
   * (dev_iommu.pci_32bit_workaround): it may be wrong. Null for others.
   */
  readonly prefers32Bit: { only32: boolean } | null;
  /** Memory that is shared with it by accident is a way in (struct pci_dev.untrusted). */
  readonly isUntrusted: boolean;
  /** All that it moves by physical addresses is bounced (force_bounce of its dma_io_tlb_mem). */
  readonly forcesBounce: boolean;
}

/** A DMA configuration, with the kernel's defaults for what is not said. */
export const deviceDmaOf = (fields: Partial<DeviceDma>): DeviceDma => ({
  mask: 2 ** 32 - 1,
  coherentMask: 2 ** 32 - 1,
  busLimit: null,
  rangeMap: null,
  coherent: false,
  ops: null,
  maxSegSize: 65536,
  segBoundary: 2 ** 32 - 1,
  minAlignMask: 0,
  pool: null,
  cma: null,
  restricted: null,
  prefers32Bit: null,
  isUntrusted: false,
  forcesBounce: false,
  ...fields,
});

/** The kernel's one-to-one map of lowmem (asm/memory.h). */
export interface LinearMap {
  /** The physical address of a lowmem address; null for any other (vmalloc, ioremap, kmap, user). */
  virtToPhys(address: CpuAddr): PhysAddr | null;
  /** The lowmem address of a physical one; null for highmem and what is no RAM. */
  physToVirt(address: PhysAddr): CpuAddr | null;
}

/** Pages, and kernel mappings of them, for drivers that manage memory of their own. */
export interface PageServices {
  /** 2^order contiguous pages; null without memory (alloc_pages). */
  allocPages(gfp: Gfp, order: number): Page | null;
  /** Frees what allocPages gave (__free_pages). */
  freePages(page: Page, order: number): void;
  /**
   * From now on `check` is called before each allocation of anybody's that may reclaim memory, null:
   * nobody is. It throws where that is forbidden (lockdep's fs_reclaim).
   */
  onReclaim(check: (() => void) | null): void;
  /**
   * Maps pages one after the other as such memory; null without room, or an MMU (vmap). Unless it is
   * cached, no line of them is left in any cache.
   */
  vmap(pages: readonly Page[], memory: PgMemory): CpuAddr | null;
  vunmap(address: CpuAddr): void;
}

/** What the kernel gives every driver: how to reach registers, memory and interrupts. */
export interface DriverServices {
  readonly io: KernelIo;
  readonly barriers: Barriers;
  readonly memory: LinearMap;
  readonly pages: PageServices;
  readonly log: KernelLog;
  /** Told of each call of the DMA API; null: nobody watches, and no call costs anything. */
  readonly observer: SoftwareObserver | null;
  /** Maps a window of registers (ioremap); null if there is no address space left. */
  ioremap(address: PhysAddr, size: number): CpuAddr | null;
  iounmap(address: CpuAddr): void;
  /**
   * Gives a device the memory that entry `index` of its `memory-region` sets aside
   * (of_reserved_mem_device_init_by_idx): 0; -ENODEV without such an entry, -EINVAL if it is no
   * pool, -EBUSY if the device has one of its own already.
   */
  reservedMemDeviceInit(dev: Device, index: number): number;
  /** ARCH_DMA_MINALIGN: bytes that two buffers must be apart not to share a line. */
  readonly dmaMinAlign: number;
  /**
   * What was stored through a second kernel mapping of pages reaches memory, before a sync for the
   * device; and what is read through it is memory's, after a sync for the CPU.
   */
  flushKernelVmapRange(address: CpuAddr, size: number): void;
  invalidateKernelVmapRange(address: CpuAddr, size: number): void;
  /** True while interrupts are handled or masked, on a kernel that takes any (irqs_disabled). */
  irqsDisabled(): boolean;
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
  /** Its place among the device's `interrupts`, of which some may not be wired; absent: 0. */
  readonly index?: number;
  /** Its entry of `interrupt-names`; absent without one. */
  readonly name?: string;
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

/**
 * Maps the first of a device's registers for a probe, and gives them back if it fails: -EIO where
 * there are none, -ENOMEM where they cannot be mapped (devm_platform_ioremap_resource).
 */
export const probeMapped = <Bound>(
  dev: Device,
  probe: (base: CpuAddr, size: number) => Bound | number,
  mappedSize?: number,
): Bound | number => {
  const [registers] = dev.registers;
  if (registers === undefined) return -EIO;
  const base = dev.services.ioremap(registers.start, mappedSize ?? registers.size);
  if (base === null) return -ENOMEM;
  const bound = probe(base, registers.size);
  if (typeof bound === 'number') dev.services.iounmap(base);
  return bound;
};

/** Lets a driver take a device (really_probe). What it makes of it, or a negative errno. */
export const probeDevice = <Bound>(driver: Driver<Bound>, dev: Device): Bound | number => {
  dev.driver = driver.name;
  const bound = driver.probe(dev);
  if (typeof bound === 'number') dev.driver = null;
  return bound;
};
