import { testMasterDriver } from 'dmabench/devices';
import { ENOMEM, type Driver } from 'dmabench/kernel';
import { DmaDirection, dmaMapSingle, dmaMappingError, dmaUnmapSingle } from 'dmabench/mm';
import type { CpuAddr } from 'dmabench/types';

const { FromDevice } = DmaDirection;

/** Films three frames into one buffer, and shows each. 0 or a negative errno. */
type Film = (buffer: CpuAddr, size: number, show: (frame: number) => void) => number;

export const cameraDriver: Driver<Film> = {
  name: 'acme-camera',
  compatible: ['acme,camera'],
  probe: dev => {
    const sensor = testMasterDriver.probe(dev);
    if (typeof sensor === 'number') return sensor;
    return (buffer, size, show) => {
      const dma = dmaMapSingle(dev, buffer, size, FromDevice);
      if (dmaMappingError(dev, dma) !== 0) return -ENOMEM;
      for (let frame = 0; frame < 3; frame++) {
        sensor.writePattern(dma, size, frame);
        show(frame);
      }
      dmaUnmapSingle(dev, dma, size, FromDevice);
      return 0;
    };
  },
};
