import { DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import { KernelOops } from '../drivers/base/kernel/oops';
import type { PhysAddr } from '../drivers/base/types/address';
import { physToDma, tellOverflow } from './dma-direct';
import type { Bounce, Reach } from './dma-stages';
import { fillsPages, kmallocNeedsBounce } from './swiotlb';
import type { KmallocLines } from './swiotlb';

/**
 * A kernel built with swiotlb that has none, as with `swiotlb=noforce`: what would have to be bounced
 * cannot be mapped at all, small buffers of devices that do not snoop among it (is_swiotlb_active).
 */
export class InactiveSwiotlb implements Bounce {
  readonly name = 'no swiotlb';
  readonly #kmalloc: KmallocLines | null;

  constructor(kmalloc: KmallocLines | null) {
    this.#kmalloc = kmalloc;
  }

  /** What is out of reach is refused without it. */
  needs(
    dev: Device,
    address: PhysAddr,
    size: number,
    direction: DmaDirection,
    { granule }: Reach,
  ): boolean {
    if (granule === null) return this.#sharesLines(dev, size, direction);
    return !fillsPages(address, size, granule) && this.splitsLists(dev, size, direction);
  }

  splitsLists(dev: Device, size: number, direction: DmaDirection): boolean {
    return dev.dma.isUntrusted || this.#sharesLines(dev, size, direction);
  }

  map(
    dev: Device,
    address: PhysAddr,
    size: number,
    _direction: DmaDirection,
    attrs: DmaAttrs,
    granule: number | null,
  ): null {
    if (granule === null) {
      tellOverflow(dev, physToDma(dev, address), size);
    } else if (!hasDmaAttr(attrs, DmaAttr.NoWarn)) {
      const { log } = dev.services;
      log.once('swiotlb inactive', () => {
        const text = 'DMA bounce buffers are inactive, unable to map unaligned transaction.';
        log.device('warn', dev, text);
      });
    }
    return null;
  }

  isSlot(): boolean {
    return false;
  }

  unmap(dev: Device): void {
    throw new KernelOops(`${dev.name}: no bounce buffer was ever given`);
  }

  syncForDevice(dev: Device): void {
    this.unmap(dev);
  }

  syncForCpu(dev: Device): void {
    this.unmap(dev);
  }

  isForced(): boolean {
    return false;
  }

  maxMappingSize(): number {
    return Infinity;
  }

  #sharesLines(dev: Device, size: number, direction: DmaDirection): boolean {
    return this.#kmalloc !== null && kmallocNeedsBounce(dev, size, direction, this.#kmalloc);
  }
}
