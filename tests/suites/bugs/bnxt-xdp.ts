import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { DriverBench } from '../driver-bench';
import { anywhere } from '../rules/conditions';
import type { Bug } from './bug';

const { FromDevice } = DmaDirection;
const SIZE = 1024;

/** bnxt_tx_int_xdp: the length of the mapping is read back from where nobody has stored it. */
const redirect = (bench: DriverBench, mappedLength: number): number => {
  const { dev, device } = bench;
  const packet = bench.kmalloc(SIZE);
  const buffer = {
    dma: bench.mapped(dmaMapSingle(dev, packet, SIZE, FromDevice)),
    length: mappedLength,
  };
  device.writePattern(buffer.dma, SIZE, 131);
  dmaUnmapSingle(dev, buffer.dma, buffer.length, FromDevice);
  const wrong = bench.wrongBytes(packet, SIZE, 131);
  bench.kfree(packet);
  return wrong;
};

export const bug: Bug = {
  name: 'bnxt_unmaps_with_a_length_of_zero',
  title: 'bnxt_en: XDP_REDIRECT unmaps with length 0',
  source: '3cdf199d4755',
  rules: ['dma-debug'],
  consequences: ['cpu-access-to-device-buffer', 'refill-after-invalidate', 'stale-cpu-read'],
  unfit: anywhere,
  shows: () => 'must',
  buggy: bench => redirect(bench, 0),
  fixed: bench => redirect(bench, SIZE),
};
