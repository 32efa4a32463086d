import { probeMapped } from '../../base/kernel/device';
import type { Driver } from '../../base/kernel/device';
import { ENODEV } from '../../base/kernel/errno';
import { dmaBitMask, dmaSetCoherentMask, dmaSetMask } from '../../../mm/dma-mapping-common';
import { VivanteGpu } from './driver/gpu';
import { COMPATIBLE } from './regs';

/** The driver of GC-lite, after drm/etnaviv. */
export const vivanteDriver: Driver<VivanteGpu> = {
  name: 'vivante',
  compatible: [COMPATIBLE],
  probe: dev =>
    probeMapped(dev, base => {
      // Pages have 40 bits of address; roots of tables and the safe page 32.
      const reached = dmaSetMask(dev, dmaBitMask(40)) || dmaSetCoherentMask(dev, dmaBitMask(32));
      if (reached !== 0) return reached;
      const given = dev.services.reservedMemDeviceInit(dev, 0);
      if (given !== 0 && given !== -ENODEV) return given;
      const gpu = VivanteGpu.make(dev, base);
      if (typeof gpu === 'number') return gpu;
      const started = gpu.start();
      if (started === 0) return gpu;
      gpu.free();
      return started;
    }),
};
