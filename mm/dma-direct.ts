import { DMA_MAPPING_ERROR, DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, DmaDirection, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import { KernelOops } from '../drivers/base/kernel/oops';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { dmaAddr, hex, offsetBy, physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE, alignDown, ilog2 } from '../drivers/base/types/bits';
import type { CacheMaintenance } from './arch-dma';
import { pageToPhys } from './page-alloc';

/** What direct DMA knows of the machine. */
export interface DirectMemory {
  /** One past the last byte of RAM. */
  readonly maxAddress: number;
  /** Largest address of ZONE_DMA, or null: allocations cannot be kept below anything. */
  readonly dmaZoneLimit: number | null;
}

/** The bus address of a physical one (phys_to_dma); DMA_MAPPING_ERROR outside all windows. */
export const physToDma = (dev: Device, address: PhysAddr): DmaAddr => {
  const { rangeMap } = dev.dma;
  if (rangeMap === null) return dmaAddr(address);
  const region = rangeMap.find(({ cpu, size }) => address >= cpu && address - cpu < size);
  if (region === undefined) return DMA_MAPPING_ERROR;
  return offsetBy(region.dma, address - region.cpu);
};

/** The physical address of a bus address (dma_to_phys); null outside all windows. */
export const dmaToPhys = (dev: Device, address: DmaAddr): PhysAddr | null => {
  const { rangeMap } = dev.dma;
  if (rangeMap === null) return physAddr(address);
  const region = rangeMap.find(({ dma, size }) => address >= dma && address - dma < size);
  return region === undefined ? null : offsetBy(region.cpu, address - region.dma);
};

/** True if the device can reach all of [address, address + size) (dma_capable). */
export const dmaCapable = (dev: Device, address: DmaAddr, size: number): boolean => {
  if (address === DMA_MAPPING_ERROR) return false;
  const { mask, busLimit } = dev.dma;
  const limit = busLimit === null || busLimit === 0 ? mask : Math.min(mask, busLimit);
  return address + size - 1 <= limit;
};

/**
 * Direct DMA: the device uses physical addresses, offset by its bus, and the caches are
 * maintained unless it snoops (kernel/dma/direct.c). Memory that it cannot reach cannot be
 * mapped: there is nothing here that would bounce it. KernelOops for a bus address to be synced
 * that no memory has: Linux would maintain the caches of a page that is not there.
 */
export const dmaDirect = (arch: CacheMaintenance, memory: DirectMemory): DmaMapOps => {
  const physOf = (dev: Device, address: DmaAddr): PhysAddr => {
    const physical = address === DMA_MAPPING_ERROR ? null : dmaToPhys(dev, address);
    if (physical !== null) return physical;
    throw new KernelOops(`${dev.name}: no memory at bus address ${hex(address)}`);
  };

  const skipsSync = (dev: Device, attrs: DmaAttrs): boolean =>
    dev.dma.coherent || hasDmaAttr(attrs, DmaAttr.SkipCpuSync);

  /** Where the highest page of RAM begins: (max_pfn - 1) << PAGE_SHIFT. */
  const highestPage = alignDown(memory.maxAddress, PAGE_SIZE) - PAGE_SIZE;

  return {
    mapPage: (
      dev: Device,
      page: Page,
      offset: number,
      size: number,
      direction: DmaDirection,
      attrs: DmaAttrs,
    ): DmaAddr => {
      const physical = offsetBy(pageToPhys(page), offset);
      const address = physToDma(dev, physical);
      if (!dmaCapable(dev, address, size)) return DMA_MAPPING_ERROR;
      if (!skipsSync(dev, attrs)) arch.syncForDevice(physical, size, direction);
      return address;
    },
    unmapPage: (dev, address, size, direction, attrs) => {
      if (!skipsSync(dev, attrs)) arch.syncForCpu(physOf(dev, address), size, direction);
    },
    syncSingleForCpu: (dev, address, size, direction) => {
      if (!dev.dma.coherent) arch.syncForCpu(physOf(dev, address), size, direction);
    },
    syncSingleForDevice: (dev, address, size, direction) => {
      if (!dev.dma.coherent) arch.syncForDevice(physOf(dev, address), size, direction);
    },
    dmaSupported: (dev, mask) => {
      if (mask >= 2 ** 32 - 1) return true;
      const needed = Math.min(highestPage, memory.dmaZoneLimit ?? highestPage);
      const bus = physToDma(dev, physAddr(needed));
      return bus !== DMA_MAPPING_ERROR && mask >= bus;
    },
    getRequiredMask: dev => {
      const highest = physToDma(dev, physAddr(highestPage));
      // Outside all windows it is all ones, and needs a mask of as many.
      return highest === DMA_MAPPING_ERROR ? highest : 2 ** (ilog2(Math.max(1, highest)) + 1) - 1;
    },
  };
};
