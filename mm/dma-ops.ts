import { DMA_MAPPING_ERROR, DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import { EIO } from '../drivers/base/kernel/errno';
import { KernelOops } from '../drivers/base/kernel/oops';
import type { SgEntry } from '../drivers/base/kernel/scatterlist';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { hex, offsetBy } from '../drivers/base/types/address';
import type { CacheMaintenance } from './arch-dma';
import { dmaLimit } from './dma-direct';
import { iovaOps } from './dma-iova-ops';
import type { Bounce, DmaPath, Reach, Translation } from './dma-stages';
import { pageToPhys } from './page-alloc';
import { sgPhys } from './scatterlist';

/*
 * One implementation of struct dma_map_ops for every composition of its three stages.
 *
 *   map:   bounce (copy in), caches for the device, translate; what fails undoes what was done
 *   unmap: end the translation, caches for the CPU, bounce (copy back)
 *   sync:  for the CPU caches, then copy out; for the device copy in, then caches
 *
 * The translation ends before the caches are invalidated: a device that still writes would
 * otherwise have its data half in memory and half hidden behind lines that were read since.
 */

/**
 * The operations of a device whose DMA goes this way. KernelOops for a bus address that no memory
 * has where memory is needed: Linux would maintain the caches of a page that is not there.
 */
export const composeDmaOps = (path: DmaPath): DmaMapOps => {
  const one = mapOne(path);
  const { translation, bounce, cache, allocation } = path;
  return {
    ...allocation,
    mapPage: (dev, page, offset, size, direction, attrs) =>
      one.map(dev, offsetBy(pageToPhys(page), offset), size, direction, attrs),
    unmapPage: one.unmap,
    ...sgOps(path, one),
    ...iovaOps(path),
    mapResource: (dev, address, size, direction) =>
      translation.mapResource(dev, address, size, direction),
    unmapResource: (dev, address, size) => {
      translation.unmap(dev, address, size);
    },
    syncSingleForCpu: one.syncForCpu,
    syncSingleForDevice: one.syncForDevice,
    needSync: (dev, address) => {
      if (cache !== null) return true;
      const physical = bounce === null ? null : translation.toPhys(dev, address);
      return physical !== null && bounce?.isSlot(dev, physical) === true;
    },
    ...limits(path),
  };
};

/** The four things that are done to one run of memory. */
type OneMapping = ReturnType<typeof mapOne>;

const skipsSync = (attrs: DmaAttrs): boolean => hasDmaAttr(attrs, DmaAttr.SkipCpuSync);

/** What maintains the caches of a slot: nothing has to where it is coherent. */
const slotCache = ({ cache, bounce }: DmaPath): CacheMaintenance | null =>
  bounce?.isCoherent === true ? null : cache;

const mapOne = (path: DmaPath) => {
  const { translation, cache, bounce } = path;

  const physOf = (dev: Device, address: DmaAddr): PhysAddr => {
    const physical = address === DMA_MAPPING_ERROR ? null : translation.toPhys(dev, address);
    if (physical !== null) return physical;
    throw new KernelOops(`${dev.name}: no memory at bus address ${hex(address)}`);
  };
  /** As physOf; what no IOMMU leads anywhere is warned of, and null (iommu_dma_unmap_page). */
  const mappedAt = (dev: Device, address: DmaAddr): PhysAddr | null => {
    if (translation.name === 'direct') return physOf(dev, address);
    const physical = translation.toPhys(dev, address);
    if (physical === null) {
      const text = `WARNING: unmap of ${hex(address)}, which leads nowhere`;
      dev.services.log.device('warn', dev, text);
    }
    return physical;
  };
  /** The stage whose slot this is; null: it is the driver's own memory. */
  const slotOf = (dev: Device, physical: PhysAddr): Bounce | null =>
    bounce?.isSlot(dev, physical) === true ? bounce : null;
  const cacheOf = (slot: Bounce | null): CacheMaintenance | null =>
    slot === null ? cache : slotCache(path);

  return {
    map: (
      dev: Device,
      physical: PhysAddr,
      size: number,
      direction: DmaDirection,
      attrs: DmaAttrs,
    ): DmaAddr => {
      if (cache !== null && hasDmaAttr(attrs, DmaAttr.RequireCoherent)) return DMA_MAPPING_ERROR;
      const reach = reachOf(translation, dev, physical, size);
      if (bounce?.needs(dev, physical, size, direction, reach) === true) {
        return hasDmaAttr(attrs, DmaAttr.RequireCoherent)
          ? DMA_MAPPING_ERROR
          : mapBounced(path, bounce, dev, physical, size, direction, attrs);
      }
      if (cache !== null && reach.isReachable && !skipsSync(attrs))
        cache.syncForDevice(physical, size, direction);
      return translation.map(dev, physical, size, direction, attrs);
    },

    unmap: (
      dev: Device,
      address: DmaAddr,
      size: number,
      direction: DmaDirection,
      attrs: DmaAttrs,
    ): void => {
      const maintained = skipsSync(attrs) ? null : cache;
      if (maintained === null && bounce === null) {
        translation.unmap(dev, address, size);
        return;
      }
      const physical = mappedAt(dev, address);
      if (physical === null) return;
      translation.unmap(dev, address, size);
      const slot = slotOf(dev, physical);
      if (!skipsSync(attrs)) cacheOf(slot)?.syncForCpu(physical, size, direction);
      slot?.unmap(dev, physical, size, direction, attrs);
    },

    syncForCpu: (dev: Device, address: DmaAddr, size: number, direction: DmaDirection): void => {
      if (cache === null && bounce === null) return;
      const physical = physOf(dev, address);
      const slot = slotOf(dev, physical);
      cacheOf(slot)?.syncForCpu(physical, size, direction);
      slot?.syncForCpu(dev, physical, size, direction);
    },

    syncForDevice: (dev: Device, address: DmaAddr, size: number, direction: DmaDirection): void => {
      if (cache === null && bounce === null) return;
      const physical = physOf(dev, address);
      const slot = slotOf(dev, physical);
      slot?.syncForDevice(dev, physical, size, direction);
      cacheOf(slot)?.syncForDevice(physical, size, direction);
    },
  };
};

/** The device gets a slot in place of the memory (swiotlb_map). */
const mapBounced = (
  path: DmaPath,
  bounce: Bounce,
  dev: Device,
  physical: PhysAddr,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs,
): DmaAddr => {
  const { translation } = path;
  const granule = granuleOf(translation, dev);
  const slot = bounce.map(dev, physical, size, direction, attrs, granule);
  if (slot === null) return DMA_MAPPING_ERROR;
  dev.services.observer?.bounced(dev.name, physical, slot, size);
  const isReachable = translation.reaches(dev, slot, size);
  if (isReachable && !skipsSync(attrs)) slotCache(path)?.syncForDevice(slot, size, direction);
  const address = isReachable
    ? translation.map(dev, slot, size, direction, attrs)
    : DMA_MAPPING_ERROR;
  if (address !== DMA_MAPPING_ERROR) return address;
  bounce.unmap(dev, slot, size, direction, withoutSync(attrs));
  return DMA_MAPPING_ERROR;
};

/** What was never the device's need not come back from it. */
const withoutSync = (attrs: DmaAttrs): DmaAttrs =>
  skipsSync(attrs) ? attrs : attrs + DmaAttr.SkipCpuSync;

type SgOps = Required<Pick<DmaMapOps, 'mapSg' | 'unmapSg' | 'syncSgForCpu' | 'syncSgForDevice'>>;

/**
 * Scatterlists: as a whole where the translation merges, else piece by piece. A piece that must be
 * bounced has a slot of its own, and its whole list goes piece by piece (iommu_dma_map_sg).
 */
const sgOps = (path: DmaPath, one: OneMapping): SgOps => {
  const pieces = piecewise(one);
  const { translation } = path;
  if (translation.mapSg === undefined || translation.unmapSg === undefined) return pieces;
  const whole = asAWhole(path);
  const opsFor = ([first]: readonly SgEntry[]): SgOps =>
    first?.isBounced === true ? pieces : whole;
  return {
    mapSg: (dev, entries, direction, attrs) => {
      const [first] = entries;
      if (first !== undefined) first.isBounced = needsBounce(path, dev, entries, direction);
      return opsFor(entries).mapSg(dev, entries, direction, attrs);
    },
    unmapSg: (dev, entries, direction, attrs) => {
      opsFor(entries).unmapSg(dev, entries, direction, attrs);
    },
    syncSgForCpu: (dev, entries, direction) => {
      opsFor(entries).syncSgForCpu(dev, entries, direction);
    },
    syncSgForDevice: (dev, entries, direction) => {
      opsFor(entries).syncSgForDevice(dev, entries, direction);
    },
  };
};

const granuleOf = (translation: Translation, dev: Device): number | null =>
  translation.granule?.(dev) ?? null;

const reachOf = (
  translation: Translation,
  dev: Device,
  physical: PhysAddr,
  size: number,
): Reach => ({
  isReachable: translation.reaches(dev, physical, size),
  granule: granuleOf(translation, dev),
});

const needsBounce = (
  { bounce, translation }: DmaPath,
  dev: Device,
  entries: readonly SgEntry[],
  direction: DmaDirection,
): boolean =>
  bounce !== null &&
  entries.some(entry => {
    const { length } = entry;
    if (bounce.splitsLists?.(dev, length, direction) === true) return true;
    const physical = sgPhys(entry);
    const reach = reachOf(translation, dev, physical, length);
    return bounce.needs(dev, physical, length, direction, reach);
  });

const piecewise = (one: OneMapping): SgOps => ({
  mapSg: (dev, entries, direction, attrs) => {
    let mapped = 0;
    for (const entry of entries) {
      entry.dmaAddress = one.map(dev, sgPhys(entry), entry.length, direction, attrs);
      if (entry.dmaAddress === DMA_MAPPING_ERROR) {
        const undone = withoutSync(attrs);
        for (const { dmaAddress, dmaLength } of entries.slice(0, mapped)) {
          one.unmap(dev, dmaAddress, dmaLength, direction, undone);
        }
        return -EIO;
      }
      entry.dmaLength = entry.length;
      mapped++;
    }
    return mapped;
  },
  unmapSg: (dev, entries, direction, attrs) => {
    for (const { dmaAddress, dmaLength } of entries) {
      one.unmap(dev, dmaAddress, dmaLength, direction, attrs);
    }
  },
  syncSgForCpu: (dev, entries, direction) => {
    for (const { dmaAddress, length } of entries) {
      one.syncForCpu(dev, dmaAddress, length, direction);
    }
  },
  syncSgForDevice: (dev, entries, direction) => {
    for (const { dmaAddress, length } of entries) {
      one.syncForDevice(dev, dmaAddress, length, direction);
    }
  },
});

/** Caches are maintained where the memory is: bus addresses are of merged segments. */
const asAWhole = ({ translation, cache }: DmaPath): SgOps => {
  const forCpu = (entries: readonly SgEntry[], direction: DmaDirection): void => {
    if (cache === null) return;
    for (const entry of entries) cache.syncForCpu(sgPhys(entry), entry.length, direction);
  };
  const forDevice = (entries: readonly SgEntry[], direction: DmaDirection): void => {
    if (cache === null) return;
    for (const entry of entries) cache.syncForDevice(sgPhys(entry), entry.length, direction);
  };
  return {
    mapSg: (dev, entries, direction, attrs) => {
      if (cache !== null && hasDmaAttr(attrs, DmaAttr.RequireCoherent)) return -EIO;
      if (!skipsSync(attrs)) forDevice(entries, direction);
      return translation.mapSg?.(dev, entries, direction, attrs) ?? -EIO;
    },
    unmapSg: (dev, entries, direction, attrs) => {
      translation.unmapSg?.(dev, entries);
      if (!skipsSync(attrs)) forCpu(entries, direction);
    },
    syncSgForCpu: (_dev, entries, direction) => {
      forCpu(entries, direction);
    },
    syncSgForDevice: (_dev, entries, direction) => {
      forDevice(entries, direction);
    },
  };
};

type Limits = Required<
  Pick<
    DmaMapOps,
    | 'dmaSupported'
    | 'getRequiredMask'
    | 'reachesAllMemory'
    | 'maxMappingSize'
    | 'optMappingSize'
    | 'getMergeBoundary'
  >
>;

const limits = ({ translation, bounce }: DmaPath): Limits => {
  const isLimited = (dev: Device): boolean =>
    dmaLimit(dev, dev.dma.mask) < translation.requiredMask(dev) ||
    translation.reachesAllMemory?.(dev) === false;
  return {
    dmaSupported: (dev, mask) => translation.supported(dev, mask),
    getRequiredMask: dev => translation.requiredMask(dev),
    reachesAllMemory: dev => translation.reachesAllMemory?.(dev) ?? true,
    // swiotlb's limit holds for whoever may come to need it.
    maxMappingSize: dev => {
      const most = translation.maxSize?.(dev) ?? Infinity;
      if (bounce === null) return most;
      const bounces =
        bounce.isForced(dev, granuleOf(translation, dev)) ||
        (translation.name === 'direct' && isLimited(dev));
      return bounces ? Math.min(most, bounce.maxMappingSize(dev)) : most;
    },
    optMappingSize: dev => translation.optSize?.(dev) ?? Infinity,
    getMergeBoundary: dev => translation.mergeBoundary?.(dev) ?? 0,
  };
};
