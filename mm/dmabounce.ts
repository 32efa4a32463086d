import { DmaAttr, DmaDirection, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaMemory } from '../drivers/base/kernel/dma-map-ops';
import { ENOMEM } from '../drivers/base/kernel/errno';
import { GFP_ATOMIC } from '../drivers/base/kernel/gfp';
import { KernelOops, bugOn } from '../drivers/base/kernel/oops';
import type { CpuAddr, DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { hex, offsetBy } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import type { CacheMaintenance } from './arch-dma';
import { dmaToPhys, physToDma } from './dma-direct';
import type { Bounce, Reach } from './dma-stages';
import { dmaPoolAlloc, dmaPoolCreate, dmaPoolDestroy, dmaPoolFree } from './dmapool';
import type { CoherentMemory, DmaPool } from './dmapool';
import { memcpy } from './string';
import { MAX_ORDER, pagesOf } from './zone';

/*
 * The bounce buffers of 32-bit ARM from 2.6.x to 5.19 (arch/arm/common/dmabounce.c, as of 2.6.35):
 * a safe buffer of coherent memory for each mapping that needs one, of a pool of small or large ones
 * or allocated for it. What is modelled with it is its fault: it copies in what goes to the device
 * only, so that a device that writes less than it was given shows what was in the safe buffer before
 * (compare Swiotlb.map). That it answered 0 where there was no safe buffer is not: all ones is.
 */

/** Whether a buffer that the device could reach must be bounced all the same (dma_needs_bounce). */
export type NeedsBounce = (dev: Device, address: DmaAddr, size: number) => boolean;

/** How a device's safe buffers are to be. */
export interface DmaBounceConfig {
  /** Bytes of the buffers in its two pools; 0 for large: there is no second one. */
  readonly small: number;
  readonly large: number;
  readonly needsBounce: NeedsBounce;
}

type Growing = (body: () => DmaMemory | null) => DmaMemory | null;

/** A mapping's way round (struct safe_buffer). */
interface SafeBuffer {
  readonly original: PhysAddr;
  readonly linear: CpuAddr;
  readonly size: number;
  readonly direction: DmaDirection;
  /** Null: allocated for this mapping alone. */
  readonly pool: DmaPool | null;
  readonly memory: DmaMemory;
  readonly phys: PhysAddr;
}

interface Registered {
  readonly config: DmaBounceConfig;
  readonly pools: readonly DmaPool[];
  readonly buffers: SafeBuffer[];
}

/** The device's own way to coherent memory, of which nobody else is told. */
const SAFE_MEMORY: CoherentMemory = {
  alloc: (dev, size, gfp) => dev.dma.ops?.alloc?.(dev, size, gfp, DmaAttr.None) ?? null,
  free: (dev, size, { cpuAddr, dmaHandle }) => {
    dev.dma.ops?.free?.(dev, size, cpuAddr, dmaHandle, DmaAttr.None);
  },
};

const goesToDevice = (direction: DmaDirection): boolean =>
  direction === DmaDirection.ToDevice || direction === DmaDirection.Bidirectional;
const comesFromDevice = (direction: DmaDirection): boolean =>
  direction === DmaDirection.FromDevice || direction === DmaDirection.Bidirectional;

/** Safe buffers, as a stage of DMA, for the devices that are registered. */
export class DmaBounce implements Bounce {
  readonly name = 'dmabounce';
  readonly isCoherent = true;
  readonly #cache: CacheMaintenance;
  readonly #growing: Growing;
  readonly #devices = new Map<Device, Registered>();

  /** `growing`: carries out what may make a pool larger, whose memory stays. */
  constructor(cache: CacheMaintenance, growing: Growing = body => body()) {
    this.#cache = cache;
    this.#growing = growing;
  }

  /** The device's buffers are bounced from now on: 0 or -ENOMEM (dmabounce_register_dev). */
  register(dev: Device, config: DmaBounceConfig): number {
    const pools: DmaPool[] = [];
    const options = { memory: SAFE_MEMORY, isInternal: true };
    for (const [name, size] of [
      ['small_dmabounce_pool', config.small],
      ['large_dmabounce_pool', config.large],
    ] as const) {
      if (size === 0 && name.startsWith('large')) continue;
      const pool = dmaPoolCreate(name, dev, size, 0, 0, options);
      if (pool === null) {
        dev.services.log.device('err', dev, `dmabounce: could not allocate ${name}`);
        pools.forEach(dmaPoolDestroy);
        return -ENOMEM;
      }
      pools.push(pool);
    }
    this.#devices.set(dev, { config, pools, buffers: [] });
    return 0;
  }

  /** No more; a buffer that is still in use is a bug (dmabounce_unregister_dev). */
  unregister(dev: Device): void {
    const registered = this.#devices.get(dev);
    if (registered === undefined) {
      dev.services.log.device(
        'warn',
        dev,
        'Never registered with dmabounce but attempting to unregister!',
      );
      return;
    }
    const isPending = registered.buffers.length > 0;
    bugOn(isPending, `${dev.name}: Removing from dmabounce with pending buffers!`);
    registered.pools.forEach(dmaPoolDestroy);
    this.#devices.delete(dev);
  }

  isForced(): boolean {
    return false;
  }

  needs(
    dev: Device,
    address: PhysAddr,
    size: number,
    _direction: DmaDirection,
    { isReachable }: Reach,
  ): boolean {
    const registered = this.#devices.get(dev);
    if (registered === undefined) return false;
    if (!isReachable || dev.dma.forcesBounce) return true;
    return registered.config.needsBounce(dev, physToDma(dev, address), size);
  }

  map(
    dev: Device,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): PhysAddr | null {
    const registered = this.#registered(dev);
    const linear = this.#linearOf(dev, address, size);
    const buffer = linear && this.#take(dev, registered, { address, linear, size, direction });
    if (buffer === null) return null;
    registered.buffers.push(buffer);
    if (!hasDmaAttr(attrs, DmaAttr.SkipCpuSync)) this.#copyIn(dev, buffer, 0, size, direction);
    return buffer.phys;
  }

  isSlot(dev: Device, address: PhysAddr): boolean {
    return this.#find(dev, address) !== null;
  }

  /** Size and direction are those of the mapping: anything else is a bug. */
  unmap(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection, attrs: DmaAttrs): void {
    const buffer = this.#bufferAt(dev, slot);
    bugOn(
      buffer.size !== size,
      `dmabounce: ${buffer.size} bytes were mapped, ${size} are unmapped`,
    );
    bugOn(buffer.direction !== direction, 'dmabounce: unmapped with another direction');
    if (!hasDmaAttr(attrs, DmaAttr.SkipCpuSync)) this.#copyOut(dev, buffer, 0, size, direction);
    this.#release(dev, buffer);
  }

  syncForDevice(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection): void {
    const buffer = this.#bufferAt(dev, slot);
    bugOn(buffer.direction !== direction, 'dmabounce: synced with another direction');
    this.#copyIn(dev, buffer, slot - buffer.phys, size, direction);
  }

  syncForCpu(dev: Device, slot: PhysAddr, size: number, direction: DmaDirection): void {
    const buffer = this.#bufferAt(dev, slot);
    bugOn(buffer.direction !== direction, 'dmabounce: synced with another direction');
    this.#copyOut(dev, buffer, slot - buffer.phys, size, direction);
  }

  /** What can be allocated in one piece. */
  maxMappingSize(): number {
    return pagesOf(MAX_ORDER) * PAGE_SIZE;
  }

  #registered(dev: Device): Registered {
    const registered = this.#devices.get(dev);
    if (registered === undefined)
      throw new KernelOops(`${dev.name} is not registered with dmabounce`);
    return registered;
  }

  /** The address that is copied from and to; null, told of, for what cannot be bounced. */
  #linearOf(dev: Device, address: PhysAddr, size: number): CpuAddr | null {
    const { log, memory } = dev.services;
    const { mask } = dev.dma;
    if (size > mask + 1) {
      const text = `DMA mapping too big (requested ${hex(size)} mask ${hex(mask)})`;
      log.device('err', dev, text);
      return null;
    }
    const linear = memory.physToVirt(address);
    if (linear === null) {
      log.device('err', dev, 'DMA buffer bouncing of HIGHMEM pages is not supported');
    }
    return linear;
  }

  #take(
    dev: Device,
    { pools }: Registered,
    what: { address: PhysAddr; linear: CpuAddr; size: number; direction: DmaDirection },
  ): SafeBuffer | null {
    const { address, linear, size, direction } = what;
    const pool = pools.find(candidate => size <= candidate.size) ?? null;
    const memory =
      pool === null
        ? SAFE_MEMORY.alloc(dev, size, GFP_ATOMIC)
        : this.#growing(() => dmaPoolAlloc(pool, GFP_ATOMIC));
    const phys = memory === null ? null : dmaToPhys(dev, memory.dmaHandle);
    if (memory === null || phys === null) {
      const text = `alloc_safe_buffer: could not alloc dma memory (size=${size})`;
      dev.services.log.device('warn', dev, text);
      return null;
    }
    return { original: address, linear, size, direction, pool, memory, phys };
  }

  #release(dev: Device, buffer: SafeBuffer): void {
    const { buffers } = this.#registered(dev);
    buffers.splice(buffers.indexOf(buffer), 1);
    const { pool, memory, size } = buffer;
    if (pool === null) SAFE_MEMORY.free(dev, size, memory);
    else dmaPoolFree(pool, memory.cpuAddr, memory.dmaHandle);
  }

  #find(dev: Device, address: PhysAddr): SafeBuffer | null {
    const buffers = this.#devices.get(dev)?.buffers ?? [];
    return buffers.find(({ phys, size }) => address >= phys && address < phys + size) ?? null;
  }

  #bufferAt(dev: Device, slot: PhysAddr): SafeBuffer {
    const buffer = this.#find(dev, slot);
    if (buffer === null) throw new KernelOops(`${dev.name}: no safe buffer at ${hex(slot)}`);
    return buffer;
  }

  #copyIn(dev: Device, buffer: SafeBuffer, offset: number, size: number, way: DmaDirection): void {
    if (!goesToDevice(way)) return;
    const { memory, linear } = buffer;
    const io = dev.services.io.relaxed;
    memcpy(io, offsetBy(memory.cpuAddr, offset), offsetBy(linear, offset), size);
  }

  /** What comes back is written to memory, as if the device had done so: it may be code. */
  #copyOut(dev: Device, buffer: SafeBuffer, offset: number, size: number, way: DmaDirection): void {
    if (!comesFromDevice(way)) return;
    const { memory, linear, original } = buffer;
    const io = dev.services.io.relaxed;
    memcpy(io, offsetBy(linear, offset), offsetBy(memory.cpuAddr, offset), size);
    this.#cache.syncForDevice(offsetBy(original, offset), size, DmaDirection.ToDevice);
  }
}
