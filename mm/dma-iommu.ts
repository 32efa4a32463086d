import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  hasDmaAttr,
} from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import { EINVAL, ENOMEM } from '../drivers/base/kernel/errno';
import type { SgEntry } from '../drivers/base/kernel/scatterlist';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { dmaAddr, hex, offsetBy } from '../drivers/base/types/address';
import { alignDown, alignUp } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';
import { runsBehind } from './dma-iova-ops';
import type { IovaTranslation } from './dma-iova-translation';
import { newGather } from './iommu/gather';
import { iommuMapNosync, iommuMapRanges, iommuUnmap, iommuUnmapFast } from './iommu/map';
import type { PhysRange } from './iommu/map';
import type { Iommus } from './iommu/core';
import type { DmaCookie } from './iommu/group';
import { IommuProt } from './iommu/types';
import { failedSg, finaliseSg, layOutSg, segmentsOf } from './iommu/sg';
import type { Translation } from './dma-stages';

/*
 * The DMA API over any IOMMU (drivers/iommu/dma-iommu.c, Linux 6.12): addresses of the device come
 * from its domain's allocator. In a strict domain what is unmapped is unmapped for certain; in a lazy
 * one its addresses wait for an invalidation of everything.
 */

/** Frames of the largest allocation that a cache of addresses keeps (iova_rcache_range). */
const CACHED_FRAMES = 2 ** 5;

/** What a direction permits the device (dma_info_to_prot): to read what it is to read, no more. */
export const dmaInfoToProt = (
  direction: DmaDirection,
  coherent: boolean,
  attrs: DmaAttrs,
): number => {
  const base =
    (coherent ? IommuProt.Cache : 0) + (hasDmaAttr(attrs, DmaAttr.Privileged) ? IommuProt.Priv : 0);
  switch (direction) {
    case DmaDirection.Bidirectional:
      return base + IommuProt.Read + IommuProt.Write;
    case DmaDirection.ToDevice:
      return base + IommuProt.Read;
    case DmaDirection.FromDevice:
      return base + IommuProt.Write;
    default:
      return 0;
  }
};

/** Addresses and mappings of devices behind IOMMUs: what the DMA API and its allocations share. */
export class IommuDma {
  readonly #iommus: Iommus;

  constructor(iommus: Iommus) {
    this.#iommus = iommus;
  }

  /** Null: the device's DMA is not translated (use_dma_iommu). */
  spaceOf(dev: Device): DmaCookie | null {
    return this.#iommus.dmaDomain(dev);
  }

  /** As spaceOf, of a device that only has operations because it has one. */
  mustHave(dev: Device): DmaCookie {
    const space = this.spaceOf(dev);
    invariant(space !== null, `${dev.name} is behind no IOMMU`);
    return space;
  }

  /** Addresses for so many bytes, which the device can put on the wire; null: none are left. */
  allocIova({ iova }: DmaCookie, dev: Device, size: number, mask: number): DmaAddr | null {
    const { busLimit, prefers32Bit } = dev.dma;
    const limit = busLimit === null || busLimit === 0 ? mask : Math.min(mask, busLimit);
    const [frames, limitPfn] = [size / iova.granule, Math.floor(limit / iova.granule)];
    const pfn =
      prefers32Bit === null
        ? iova.allocFast(frames, limitPfn, true)
        : iova.allocBelow4GiBFirst(frames, limitPfn, prefers32Bit);
    return pfn === null ? null : dmaAddr(pfn * iova.granule);
  }

  freeIova({ iova }: DmaCookie, address: DmaAddr, size: number): void {
    iova.freeFast(address / iova.granule, size / iova.granule);
  }

  /** Maps runs of whole frames to addresses of their own (__iommu_dma_map); null: it cannot be. */
  map(
    space: DmaCookie,
    dev: Device,
    ranges: readonly PhysRange[],
    prot: number,
    mask: number,
  ): DmaAddr | null {
    const size = ranges.reduce((sum, range) => sum + range.size, 0);
    const address = this.allocIova(space, dev, size, mask);
    if (address === null) return null;
    if (iommuMapRanges(space.ops, address, ranges, prot) === 0) return address;
    this.freeIova(space, address, size);
    return null;
  }

  /**
   * Ends a mapping: the entries, then what TLBs hold of them, then the addresses, which nobody gets
   * before that (__iommu_dma_unmap). A size that is not the mapping's is warned of, as there; what
   * it leaves mapped keeps its addresses, where Linux would give them to the next one.
   */
  unmap(space: DmaCookie, dev: Device, address: DmaAddr, size: number): void {
    const { ops, iova, queue } = space;
    const { address: start, size: bytes } = framesOf(address, size, iova.granule);
    const gather = newGather(queue !== null);
    const unmapped = iommuUnmapFast(ops, start, bytes, gather);
    if (!gather.isQueued) ops.sync(gather);
    const [pfn, frames] = [start / iova.granule, bytes / iova.granule];
    const isGiven = iova.has(pfn, frames) && queue?.holds(pfn) !== true;
    if (unmapped !== bytes || !isGiven) {
      const found = `${hex(unmapped)} of ${hex(bytes)} bytes at ${hex(start)}`;
      dev.services.log.device('warn', dev, `WARNING: unmap of ${found}, which is no mapping`);
    }
    if (!isGiven) return;
    if (queue === null) iova.freeFast(pfn, frames);
    else queue.queue(pfn, frames);
  }
}

/** The frames that some bytes lie in. */
const framesOf = <Address extends DmaAddr | PhysAddr>(
  address: Address,
  size: number,
  granule: number,
): { readonly address: Address; readonly size: number } => {
  const start = alignDown(address, granule);
  return { address: start, size: alignUp(address + size, granule) - start };
};

/** Translation by an IOMMU. A device that is behind none is a BenchError. */
export const dmaIommu = (dma: IommuDma): Translation => {
  const mapBytes = (dev: Device, address: PhysAddr, size: number, prot: number): DmaAddr => {
    const space = dma.mustHave(dev);
    const frames = framesOf(address, size, space.iova.granule);
    const start = dma.map(space, dev, [frames], prot, dev.dma.mask);
    return start === null ? DMA_MAPPING_ERROR : offsetBy(start, address - frames.address);
  };

  return {
    name: 'iommu',
    map: (dev, address, size, direction, attrs) =>
      mapBytes(dev, address, size, dmaInfoToProt(direction, dev.dma.coherent, attrs)),
    unmap: (dev, address, size) => {
      dma.unmap(dma.mustHave(dev), dev, address, size);
    },
    toPhys: (dev, address) => dma.mustHave(dev).ops.iovaToPhys(address),
    reaches: () => true,
    granule: dev => dma.mustHave(dev).iova.granule,
    mapResource: (dev, address, size, direction) =>
      mapBytes(dev, address, size, dmaInfoToProt(direction, false, 0) + IommuProt.Mmio),
    mapSg: (dev, entries, direction, attrs) => mapSg(dma, dev, entries, direction, attrs),
    unmapSg: (dev, entries) => {
      const segments = segmentsOf(entries);
      const [first] = segments;
      const last = segments.at(-1);
      if (first === undefined || last === undefined) return;
      const size = last.dmaAddress + last.dmaLength - first.dmaAddress;
      dma.unmap(dma.mustHave(dev), dev, first.dmaAddress, size);
    },
    iova: iovaTranslation(dma),
    optSize: dev => CACHED_FRAMES * dma.mustHave(dev).iova.granule,
    mergeBoundary: dev => dma.mustHave(dev).iova.granule - 1,
    supported: () => true,
    requiredMask: () => 2 ** 32 - 1,
  };
};

/** The two steps of a mapping, each for itself (dma_iova_try_alloc, __dma_iova_link). */
const iovaTranslation = (dma: IommuDma): IovaTranslation => ({
  granule: dev => dma.mustHave(dev).iova.granule,
  alloc: (dev, physical, size) => {
    const space = dma.mustHave(dev);
    const frames = framesOf(physical, size, space.iova.granule);
    const start = dma.allocIova(space, dev, frames.size, dev.dma.mask);
    return start === null ? null : offsetBy(start, physical - frames.address);
  },
  free: (dev, address, size) => {
    const space = dma.mustHave(dev);
    const frames = framesOf(address, size, space.iova.granule);
    const { granule } = space.iova;
    if (space.iova.has(frames.address / granule, frames.size / granule)) {
      dma.freeIova(space, frames.address, frames.size);
      return;
    }
    const text = `WARNING: free of ${hex(frames.size)} bytes at ${hex(address)}, which nobody has`;
    dev.services.log.device('warn', dev, text);
  },
  link: (dev, address, physical, size, direction, attrs) => {
    const { ops, iova } = dma.mustHave(dev);
    const frames = framesOf(physical, size, iova.granule);
    const isMmio = hasDmaAttr(attrs, DmaAttr.Mmio);
    const prot =
      dmaInfoToProt(direction, !isMmio && dev.dma.coherent, attrs) + (isMmio ? IommuProt.Mmio : 0);
    return iommuMapNosync(ops, alignDown(address, iova.granule), [frames], prot);
  },
  sync: (dev, address, size) => {
    const { ops, iova } = dma.mustHave(dev);
    const frames = framesOf(address, size, iova.granule);
    return ops.syncMap?.(frames.address, frames.size) ?? 0;
  },
  unlink: (dev, address, size) => {
    const { ops, iova } = dma.mustHave(dev);
    const runs = runsBehind(address, size, iova.granule, at => ops.iovaToPhys(at));
    const frames = framesOf(address, size, iova.granule);
    const unmapped = iommuUnmap(ops, frames.address, frames.size);
    if (unmapped !== frames.size) {
      const found = `${hex(unmapped)} of ${hex(frames.size)} bytes at ${hex(frames.address)}`;
      dev.services.log.device('warn', dev, `WARNING: unlink of ${found}, which is not linked`);
    }
    return runs;
  },
});

/**
 * One run of addresses for all pieces, which are merged where the device's limits permit
 * (iommu_dma_map_sg): how many segments came of it, or -ENOMEM without addresses or memory,
 * -EINVAL for whatever else the IOMMU refuses; nothing is mapped then.
 */
const mapSg = (
  dma: IommuDma,
  dev: Device,
  entries: readonly SgEntry[],
  direction: DmaDirection,
  attrs: DmaAttrs,
): number => {
  const space = dma.mustHave(dev);
  const { maxSegSize, segBoundary, mask } = dev.dma;
  const { granule } = space.iova;
  const layout = layOutSg(entries, granule, segBoundary);
  const ranges = layout.map(({ frames }) => frames);
  const size = ranges.reduce((sum, range) => sum + range.size, 0);
  if (size === 0) return failedSg(entries, -EINVAL);
  const start = dma.allocIova(space, dev, size, mask);
  if (start === null) return failedSg(entries, -ENOMEM);
  const prot = dmaInfoToProt(direction, dev.dma.coherent, attrs);
  const result = iommuMapRanges(space.ops, start, ranges, prot);
  if (result !== 0) {
    dma.freeIova(space, start, size);
    return failedSg(entries, result === -ENOMEM ? result : -EINVAL);
  }
  return finaliseSg(entries, layout, start, { maxSegSize, segBoundary });
};
