import type { Device } from '../../../base/kernel/device';
import { GFP_KERNEL } from '../../../base/kernel/gfp';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { dmaAllocWc, dmaFreeWc } from '../../../../mm/dma-mapping-common';

/** What the page is filled with: nobody takes it for data (etnaviv_iommu_global_init). */
const FILLER = 0xdead_55aa;

/** The page that accesses end up in which lead nowhere (bad_page). */
export class SafePage {
  readonly address: DmaAddr;
  readonly #dev: Device;
  readonly #cpuAddr: CpuAddr;

  private constructor(dev: Device, cpuAddr: CpuAddr, address: DmaAddr) {
    this.#dev = dev;
    this.#cpuAddr = cpuAddr;
    this.address = address;
  }

  /** Null without memory that the state can hold the address of: it has 32 bits. */
  static make(dev: Device): SafePage | null {
    const memory = dmaAllocWc(dev, PAGE_SIZE, GFP_KERNEL);
    if (memory === null) return null;
    const { cpuAddr, dmaHandle } = memory;
    const { relaxed } = dev.services.io;
    for (let at = 0; at < PAGE_SIZE; at += 4) relaxed.writel(FILLER, offsetBy(cpuAddr, at));
    return new SafePage(dev, cpuAddr, dmaHandle);
  }

  free(): void {
    dmaFreeWc(this.#dev, PAGE_SIZE, this.#cpuAddr, this.address);
  }
}
