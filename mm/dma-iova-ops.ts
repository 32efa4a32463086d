import { DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device, DmaMapOps } from '../drivers/base/kernel/device';
import { offsetBy } from '../drivers/base/types/address';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { UnmodelledError } from '../drivers/base/types/errors';
import type { DmaPath } from './dma-stages';
import type { PhysRange } from './iommu/map';

/** Memory that this attribute spares, and registers, are in no cache that would have to know. */
const isMaintained = (attrs: DmaAttrs): boolean =>
  !hasDmaAttr(attrs, DmaAttr.SkipCpuSync) && !hasDmaAttr(attrs, DmaAttr.Mmio);

/**
 * Of a piece that does not fill its pages Linux bounces what would show the device more than itself
 * (iommu_dma_iova_link_swiotlb), for who is not trusted and for small objects of kmalloc.
 */
const checkWhole = (
  { bounce }: DmaPath,
  dev: Device,
  { address, size }: PhysRange,
  direction: DmaDirection,
  granule: number,
): void => {
  const reach = { isReachable: true, granule };
  if (bounce?.needs(dev, address, size, direction, reach) !== true) return;
  throw new UnmodelledError('a piece that is linked and would be bounced', dev.name);
};

/**
 * DMA in two steps, composed as one step is: caches for the device, then the link; the link ends,
 * then caches for the CPU. Nothing for a device whose addresses are nobody's to give.
 */
export const iovaOps = (path: DmaPath): Pick<DmaMapOps, 'iova'> => {
  const { cache } = path;
  const { iova } = path.translation;
  if (iova === undefined) return {};
  return {
    iova: {
      granule: dev => iova.granule(dev),
      alloc: (dev, physical, size) => iova.alloc(dev, physical, size),
      free: (dev, address, size) => {
        iova.free(dev, address, size);
      },
      link: (dev, address, physical, size, direction, attrs) => {
        const piece = { address: physical, size };
        if (!hasDmaAttr(attrs, DmaAttr.Mmio))
          checkWhole(path, dev, piece, direction, iova.granule(dev));
        if (isMaintained(attrs)) cache?.syncForDevice(physical, size, direction);
        return iova.link(dev, address, physical, size, direction, attrs);
      },
      sync: (dev, address, size) => iova.sync(dev, address, size),
      unlink: (dev, address, size, direction, attrs) => {
        const ranges = iova.unlink(dev, address, size);
        if (!isMaintained(attrs)) return;
        for (const range of ranges) cache?.syncForCpu(range.address, range.size, direction);
      },
    },
  };
};

/** The memory behind some bytes of a device's, as runs; what leads nowhere is left out. */
export const runsBehind = (
  address: DmaAddr,
  size: number,
  granule: number,
  toPhys: (address: DmaAddr) => PhysAddr | null,
): readonly PhysRange[] => {
  const runs: PhysRange[] = [];
  for (let done = 0; done < size;) {
    const at = offsetBy(address, done);
    const length = Math.min(size - done, granule - (at % granule));
    const physical = toPhys(at);
    if (physical !== null) runs.push({ address: physical, size: length });
    done += length;
  }
  return runs;
};
