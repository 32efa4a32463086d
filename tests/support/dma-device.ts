import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DeviceDma, DriverServices } from '../../drivers/base/kernel/device';

/** A device without registers that does DMA so. */
export const dmaDevice = (services: DriverServices, dma: Partial<DeviceDma> = {}): Device =>
  new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf(dma),
    registers: [],
    irqs: [],
    services,
  });
