import { DMA_MAPPING_ERROR } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { dmaAddr, offsetBy, physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE, alignDown, ilog2 } from '../drivers/base/types/bits';
import type { Translation } from './dma-stages';

/** What direct DMA knows of the machine. */
export interface DirectMemory {
  /** One past the last byte of RAM. */
  readonly maxAddress: number;
  /** Largest address of ZONE_DMA, or null: allocations cannot be kept below anything. */
  readonly dmaZoneLimit: number | null;
  /** What RAM there is; absent: all of it is below `maxAddress`. */
  readonly ram?: readonly { readonly base: number; readonly size: number }[];
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

/** The largest bus address of a mask on this device's bus (min_not_zero(mask, bus_dma_limit)). */
export const dmaLimit = (dev: Device, mask: number): number => {
  const { busLimit } = dev.dma;
  if (busLimit === null || busLimit === 0) return mask;
  return mask === 0 ? busLimit : Math.min(mask, busLimit);
};

/** True if the device can reach all of [address, address + size) (dma_capable). */
export const dmaCapable = (dev: Device, address: DmaAddr, size: number): boolean => {
  if (address === DMA_MAPPING_ERROR) return false;
  return address + size - 1 <= dmaLimit(dev, dev.dma.mask);
};

/**
 * Direct DMA: the device uses physical addresses, offset by its bus (kernel/dma/direct.c). Memory
 * that it cannot reach cannot be mapped.
 */
export const directTranslation = (memory: DirectMemory): Translation => {
  /** Where the highest page of RAM begins: (max_pfn - 1) << PAGE_SHIFT. */
  const highestPage = alignDown(memory.maxAddress, PAGE_SIZE) - PAGE_SIZE;
  const { ram = [{ base: 0, size: memory.maxAddress }] } = memory;

  return {
    name: 'direct',
    map: (dev, address, size) => {
      const bus = physToDma(dev, address);
      return dmaCapable(dev, bus, size) ? bus : overflow(dev, bus, size);
    },
    unmap: () => undefined,
    toPhys: (dev, address) => (address === DMA_MAPPING_ERROR ? null : dmaToPhys(dev, address)),
    reaches: (dev, address, size) => dmaCapable(dev, physToDma(dev, address), size),
    // dma_direct_map_resource() asks no window: registers are taken for the same address on the bus.
    mapResource: (dev, address, size) => {
      const bus = dmaAddr(address);
      return dmaCapable(dev, bus, size) ? bus : overflow(dev, bus, size);
    },
    reachesAllMemory: dev => ram.every(range => isInWindows(dev, range)),
    supported: (dev, mask) => {
      if (mask >= 2 ** 32 - 1) return true;
      const needed = Math.min(highestPage, memory.dmaZoneLimit ?? highestPage);
      const bus = physToDma(dev, physAddr(needed));
      return bus !== DMA_MAPPING_ERROR && mask >= bus;
    },
    requiredMask: dev => {
      const highest = physToDma(dev, physAddr(highestPage));
      // Outside all windows it is all ones, and needs a mask of as many.
      return highest === DMA_MAPPING_ERROR ? highest : 2 ** (ilog2(Math.max(1, highest)) + 1) - 1;
    },
  };
};

/** What Linux says of memory that a device cannot reach, the first time it happens. */
export const tellOverflow = (dev: Device, address: DmaAddr, size: number): void => {
  const { log } = dev.services;
  log.once('dma-direct: overflow', () => {
    const { mask, busLimit } = dev.dma;
    const what = `DMA addr ${padded(address)}+${size} overflow`;
    const limits = `mask ${bare(mask)}, bus limit ${bare(busLimit ?? 0)}`;
    log.device('warn', dev, `${what} (${limits}).`);
  });
};

const overflow = (dev: Device, address: DmaAddr, size: number): DmaAddr => {
  tellOverflow(dev, address, size);
  return DMA_MAPPING_ERROR;
};

/** %llx: 2^64 stands for all ones. */
const bare = (value: number): string => (value >= 2 ** 64 ? 'f'.repeat(16) : value.toString(16));

/** %pad: with zeros in front, as many as an address of 32 or 64 bits has. */
const padded = (address: DmaAddr): string =>
  `0x${bare(address).padStart(address < 2 ** 32 ? 8 : 16, '0')}`;

/** True if the windows of a device's bus cover a range of RAM (dma_direct_all_ram_mapped). */
const isInWindows = (
  dev: Device,
  { base, size }: { readonly base: number; readonly size: number },
): boolean => {
  const { rangeMap } = dev.dma;
  if (rangeMap === null) return true;
  let covered = base;
  for (const window of [...rangeMap].sort((a, b) => a.cpu - b.cpu)) {
    if (window.cpu <= covered) covered = Math.max(covered, window.cpu + window.size);
  }
  return covered >= base + size;
};
