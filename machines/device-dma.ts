import { deviceDmaOf } from '../drivers/base/kernel/device';
import type { Device, DeviceDma, IrqResource, Resource } from '../drivers/base/kernel/device';
import { dmaAddr, physAddr } from '../drivers/base/types/address';
import { DmaBounce } from '../mm/dmabounce';
import type { DmaBounceConfig } from '../mm/dmabounce';
import type { TranslatedPath } from '../mm/dma-tables';
import type { BoundIommus } from './boot-iommus';
import type { Kernel } from './kernel';
import { isUntrusted } from './plan-devices';
import type { DmaFacts } from './quirks';
import type { ReservedPools, Restricted } from './reserved-pools';

/*
 * Devices as the kernel sees them, each with its way to memory (of_dma_configure).
 */

/** What a device is, beside its DMA configuration. */
export interface DeviceFields {
  readonly name: string;
  readonly ofPath: string | null;
  readonly registers: readonly Resource[];
  readonly irqs: readonly IrqResource[];
}

/** The kernel's view of a DMA configuration. */
export const deviceDma = (
  facts: DmaFacts,
  kernel: Kernel,
  path: TranslatedPath | null = null,
  restricted: Restricted | null = null,
): DeviceDma => {
  const { dma, kind } = facts;
  return deviceDmaOf({
    mask: Number(dma.mask),
    coherentMask: Number(dma.mask),
    busLimit: dma.busDmaLimit === null ? null : Number(dma.busDmaLimit),
    rangeMap:
      dma.map?.map(region => ({
        dma: dmaAddr(Number(region.dma)),
        cpu: physAddr(Number(region.cpu)),
        size: Number(region.size),
      })) ?? null,
    coherent: dma.coherent,
    ops:
      restricted === null
        ? kernel.dma.opsFor(dma.coherent, path)
        : kernel.dma.opsThrough(restricted.bounce, dma.coherent),
    restricted: restricted?.pool ?? null,
    prefers32Bit: kind === 'pci-bridge' ? { only32: true } : null,
    // ULONG_MAX of the architecture: dma_get_seg_boundary() without dma_parms.
    segBoundary: kernel.mm.layout.image === 'arm64' ? 2 ** 64 - 1 : 2 ** 32 - 1,
    isUntrusted: isUntrusted(facts),
  });
};

/**
 * Every device that goes by physical addresses is registered: those of a board that had dmabounce
 * were all behind one bus, and the sizes are IXP4xx's. What is within reach is not bounced.
 */
const DMABOUNCE: DmaBounceConfig = { small: 2048, large: 4096, needsBounce: () => false };

/** Makes the devices of a kernel whose IOMMUs are up. */
export class DeviceMaker {
  readonly #kernel: Kernel;
  readonly #iommus: BoundIommus;
  readonly #pools: ReservedPools;

  constructor(kernel: Kernel, iommus: BoundIommus, pools: ReservedPools) {
    this.#kernel = kernel;
    this.#iommus = iommus;
    this.#pools = pools;
  }

  make(facts: DmaFacts, { name, ofPath, registers, irqs }: DeviceFields): Device {
    const kernel = this.#kernel;
    const { group, path } = this.#iommus.behind(facts);
    const dma = deviceDma(facts, kernel, path, this.#pools.restricted(facts));
    const dev = kernel.addDevice(name, ofPath, dma, registers, irqs);
    if (group !== null) kernel.iommus.addDevice(group, dev);
    const { bounce } = kernel.dma;
    if (bounce instanceof DmaBounce && path === null) bounce.register(dev, DMABOUNCE);
    return dev;
  }
}
