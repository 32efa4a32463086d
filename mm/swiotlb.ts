import { DmaAttr, DmaDirection, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import { bugOn } from '../drivers/base/kernel/oops';
import { offsetBy } from '../drivers/base/types/address';
import type { PhysAddr } from '../drivers/base/types/address';
import {
  KIB,
  MIB,
  PAGE_SIZE,
  alignUp,
  isPowerOfTwo,
  roundupPowerOfTwo,
} from '../drivers/base/types/bits';
import { physToDma } from './dma-direct';
import type { Bounce, Reach } from './dma-stages';
import type { PhysMemory } from './phys-memory';
import { kmallocSizeRoundup } from './slab';
import { SEGMENT_SLOTS, SLOT_SIZE, SlotPool } from './swiotlb-slots';

/*
 * Bounce buffers that are there from boot on (kernel/dma/swiotlb.c of 6.12, without
 * SWIOTLB_DYNAMIC).
 *
 * Not modelled: memory encryption, growing.
 */

/** What `swiotlb=` on the command line says; what is absent is the kernel's own. */
export interface SwiotlbOptions {
  readonly slots?: number;
  readonly areas?: number;
  /** All DMA is bounced (force), or none, whatever happens (noforce). */
  readonly force?: boolean;
  readonly disabled?: boolean;
}

/** What decides on how much memory there is to be. */
export interface SwiotlbMachine {
  readonly cpus: number;
  /** There is RAM that some device may not reach. */
  readonly hasUnreachable: boolean;
  /** arm64 has some in any case, for small objects of kmalloc: 1 MiB for each GiB of RAM. */
  readonly forKmalloc: boolean;
  readonly ramBytes: number;
}

/** Slots, and in how many areas. */
export interface SwiotlbSize {
  readonly slots: number;
  readonly areas: number;
}

const DEFAULT_SLOTS = (64 * MIB) / SLOT_SIZE;
/** IO_TLB_MIN_SLABS. */
const LEAST_SLOTS = MIB / SLOT_SIZE;

/**
 * How much is wanted; null: none. 64 MiB where there is memory that a device may not reach; where
 * there is none, arm64 has less (mem_init), and arm nothing. An area for each CPU.
 */
export const swiotlbWanted = (
  machine: SwiotlbMachine,
  options: SwiotlbOptions = {},
): SwiotlbSize | null => {
  const isNeeded = machine.hasUnreachable || machine.forKmalloc || options.force === true;
  if (options.disabled === true || !isNeeded) return null;
  const areas = roundupPowerOfTwo(Math.max(1, options.areas ?? machine.cpus));
  const whole = alignUp(options.slots ?? DEFAULT_SLOTS, SEGMENT_SLOTS);
  const isForKmalloc = machine.forKmalloc && !machine.hasUnreachable && options.slots === undefined;
  const perRam = alignUp(Math.ceil(machine.ramBytes / KIB), SLOT_SIZE) / SLOT_SIZE;
  const slots = isForKmalloc ? Math.min(whole, perRam) : whole;
  const least = Math.max(slots, SEGMENT_SLOTS * areas);
  return { slots: isPowerOfTwo(least) ? least : roundupPowerOfTwo(least), areas };
};

/**
 * The least that is taken where there is no room for all of it: halves are tried down to 1 MiB, and
 * less only if no more is wanted (swiotlb_init_remap).
 */
export const swiotlbLeast = ({ slots }: SwiotlbSize): number => Math.min(slots, LEAST_SLOTS);

/**
 * How objects of kmalloc may share lines, in bytes: from twice `minAlign` on they never do, nor where
 * their size is a multiple of `line`.
 */
export interface KmallocLines {
  readonly minAlign: number;
  readonly line: number;
}

/**
 * Whether a mapping may be of an object of kmalloc that shares a line with another, which the
 * maintenance of a device that does not snoop would harm (dma_kmalloc_needs_bounce). Nobody asks
 * whether the memory is of kmalloc.
 */
export const kmallocNeedsBounce = (
  dev: Device,
  size: number,
  direction: DmaDirection,
  { minAlign, line }: KmallocLines,
): boolean => {
  if (dev.dma.coherent || direction === DmaDirection.ToDevice) return false;
  return size < 2 * minAlign && kmallocSizeRoundup(size) % line !== 0;
};

/** Such memory fills the pages of its IOMMU: they show the device nothing else. */
export const fillsPages = (address: PhysAddr, size: number, granule: number): boolean =>
  address % granule === 0 && size % granule === 0;

/** What a machine's bounce buffers go by. */
export interface SwiotlbFields {
  /** Everything of who goes by physical addresses is bounced (swiotlb=force). */
  readonly isForced?: boolean;
  /** Null or absent: the kernel's objects share no lines. */
  readonly kmalloc?: KmallocLines | null;
  /** The number of the CPU that runs. */
  readonly cpu?: () => number;
}

/** The bounce buffers of a machine, as a stage of DMA. Nothing here sleeps. */
export class Swiotlb implements Bounce {
  readonly name = 'swiotlb';
  readonly pool: SlotPool;
  readonly #memory: PhysMemory;
  readonly #isForced: boolean;
  readonly #kmalloc: KmallocLines | null;
  readonly #cpu: () => number;

  /** `start`: as many slots of lowmem, from a page on. */
  constructor(
    start: PhysAddr,
    { slots, areas }: SwiotlbSize,
    memory: PhysMemory,
    { isForced = false, kmalloc = null, cpu = () => 0 }: SwiotlbFields = {},
  ) {
    this.pool = new SlotPool(start, slots, areas);
    this.#memory = memory;
    this.#isForced = isForced;
    this.#kmalloc = kmalloc;
    this.#cpu = cpu;
  }

  /** An IOMMU keeps who is not trusted to whole pages, and is not asked to force anything. */
  isForced(dev: Device, granule: number | null): boolean {
    return granule === null ? this.#isForced || dev.dma.forcesBounce : dev.dma.isUntrusted;
  }

  needs(
    dev: Device,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    { isReachable, granule }: Reach,
  ): boolean {
    if (granule === null) {
      const isForced = !isReachable || this.isForced(dev, granule);
      return isForced || this.#sharesLines(dev, size, direction);
    }
    return !fillsPages(address, size, granule) && this.splitsLists(dev, size, direction);
  }

  splitsLists(dev: Device, size: number, direction: DmaDirection): boolean {
    return dev.dma.isUntrusted || this.#sharesLines(dev, size, direction);
  }

  /**
   * Copies in whatever the direction: what the device does not write must come back as it was. Behind
   * an IOMMU the slot has its pages for itself, and who is not trusted sees zeros around it.
   */
  map(
    dev: Device,
    address: PhysAddr,
    size: number,
    _direction: DmaDirection,
    attrs: DmaAttrs,
    granule: number | null = null,
  ): PhysAddr | null {
    const slot = this.#take(dev, address, size, (granule ?? 1) - 1, attrs);
    if (slot !== null && granule !== null && dev.dma.isUntrusted) {
      const before = slot % granule;
      this.#memory.fill(offsetBy(slot, -before), 0, before);
      const end = offsetBy(slot, size);
      this.#memory.fill(end, 0, alignUp(end, granule) - end);
    }
    return slot;
  }

  /** Slots, the first and the size of all aligned to a mask more (swiotlb_tbl_map_single). */
  #take(
    dev: Device,
    address: PhysAddr,
    size: number,
    allocAlignMask: number,
    attrs: DmaAttrs,
  ): PhysAddr | null {
    const { log } = dev.services;
    const { minAlignMask } = dev.dma;
    if (allocAlignMask > PAGE_SIZE - 1) {
      log.once('swiotlb alignment', () => {
        const text = 'Alloc alignment may prevent fulfilling requests with max mapping_size';
        log.device('warn', dev, text);
      });
    }
    const slot = this.pool.take({
      original: address,
      size,
      busStart: physToDma(dev, this.pool.start),
      minAlignMask,
      allocAlignMask,
      boundaryMask: dev.dma.segBoundary,
      cpu: this.#cpu(),
    });
    if (slot === null) {
      if (!hasDmaAttr(attrs, DmaAttr.NoWarn)) this.#tellFull(dev, address, size, allocAlignMask);
      return null;
    }
    this.#copy(dev, slot, size, 'in');
    return slot;
  }

  #sharesLines(dev: Device, size: number, direction: DmaDirection): boolean {
    return this.#kmalloc !== null && kmallocNeedsBounce(dev, size, direction, this.#kmalloc);
  }

  isSlot(_dev: Device, address: PhysAddr): boolean {
    return this.pool.contains(address);
  }

  unmap(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection, attrs: DmaAttrs): void {
    const copiesBack = direction !== DmaDirection.ToDevice;
    if (copiesBack && !hasDmaAttr(attrs, DmaAttr.SkipCpuSync)) this.#copy(dev, slot, size, 'out');
    this.pool.release(slot, dev.dma.minAlignMask);
  }

  syncForDevice(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection): void {
    bugOn(direction === DmaDirection.None, 'a sync of a bounce buffer without a direction');
    if (direction !== DmaDirection.FromDevice) this.#copy(dev, slot, size, 'in');
  }

  syncForCpu(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection): void {
    bugOn(direction === DmaDirection.None, 'a sync of a bounce buffer without a direction');
    if (direction !== DmaDirection.ToDevice) this.#copy(dev, slot, size, 'out');
  }

  /** A segment, less what the device's alignment may take of it (swiotlb_max_mapping_size). */
  maxMappingSize(dev: Device): number {
    return SLOT_SIZE * SEGMENT_SLOTS - alignUp(dev.dma.minAlignMask, SLOT_SIZE);
  }

  /** Between a slot, from any byte on, and what it stands for (swiotlb_bounce). */
  #copy(dev: Device, slot: PhysAddr, size: number, way: 'in' | 'out'): void {
    const place = this.pool.originalOf(slot, dev.dma.minAlignMask);
    if (place === null) return;
    if (size > place.left) {
      const { log } = dev.services;
      log.once('swiotlb overflow', () => {
        const sizes = `Allocation size: ${place.left}. Mapping size: ${size}.`;
        log.device('warn', dev, `Buffer overflow detected. ${sizes}`);
      });
    }
    const length = Math.min(size, place.left);
    if (way === 'in') this.#memory.copy(slot, place.original, length);
    else this.#memory.copy(place.original, slot, length);
  }

  #tellFull(dev: Device, address: PhysAddr, size: number, allocAlignMask: number): void {
    const { slots, used } = this.pool;
    const offset =
      address % Math.min(dev.dma.minAlignMask + 1, Math.max(allocAlignMask + 1, SLOT_SIZE));
    const wanted = alignUp(size + offset, allocAlignMask + 1);
    const text = `swiotlb buffer is full (sz: ${wanted} bytes), total ${slots} (slots), used ${used} (slots)`;
    dev.services.log.device('warn', dev, text);
  }
}
