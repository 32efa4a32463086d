import type { DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { PhysAddr } from '../drivers/base/types/address';

/** What the DMA layer needs of an architecture (arch_sync_dma_for_device and its like). */
export interface ArchDma {
  /** The device is about to get the buffer: what the CPU wrote reaches memory. */
  syncForDevice(address: PhysAddr, size: number, direction: DmaDirection): void;
  /** The CPU gets it back: what the device wrote is what the CPU reads. */
  syncForCpu(address: PhysAddr, size: number, direction: DmaDirection): void;
  /** ARCH_DMA_MINALIGN: bytes that two buffers must be apart not to share a line. */
  readonly minAlign: number;
}
