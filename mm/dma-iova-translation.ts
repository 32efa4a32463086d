import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import type { PhysRange } from './iommu/map';

/** The translation's part of DMA in two steps. No cache is touched. */
export interface IovaTranslation {
  granule(dev: Device): number;
  alloc(dev: Device, physical: PhysAddr, size: number): DmaAddr | null;
  free(dev: Device, address: DmaAddr, size: number): void;
  link(
    dev: Device,
    address: DmaAddr,
    physical: PhysAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): number;
  /** What was linked is in force (iommu_sync_map): 0 or an errno. */
  sync(dev: Device, address: DmaAddr, size: number): number;
  /** Takes away what the bytes lead to, for certain; answers what that was. */
  unlink(dev: Device, address: DmaAddr, size: number): readonly PhysRange[];
}
