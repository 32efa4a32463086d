import type { DmaAddr, PhysAddr } from '../types/address';
import type { DmaAttrs, DmaDirection } from './dma-mapping';

/**
 * Addresses of a device that are reserved first and led somewhere later: what is behind the
 * dma_iova_ functions (drivers/iommu/dma-iommu.c). Only devices whose addresses are translated have
 * it. Sizes are bytes.
 */
export interface IovaOps<Dev> {
  /** Bytes of the smallest piece that can lead somewhere of its own. */
  granule(dev: Dev): number;
  /** For `size` bytes of memory that begins like this; null: none are left. */
  alloc(dev: Dev, physical: PhysAddr, size: number): DmaAddr | null;
  free(dev: Dev, address: DmaAddr, size: number): void;
  /** 0 or a negative errno. */
  link(
    dev: Dev,
    address: DmaAddr,
    physical: PhysAddr,
    size: number,
    direction: DmaDirection,
    attrs: DmaAttrs,
  ): number;
  /** What was linked is in force: 0 or a negative errno. */
  sync(dev: Dev, address: DmaAddr, size: number): number;
  unlink(dev: Dev, address: DmaAddr, size: number, direction: DmaDirection, attrs: DmaAttrs): void;
}
