import { ENOMEM } from '../../../drivers/base/kernel/errno';
import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import {
  DmaAttr,
  DmaDirection,
  dmaMapSingle,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import type { Kernel } from '../../../machines/kernel';
import type { DriverBench } from '../driver-bench';
import { anywhere } from '../rules/conditions';
import type { Bug } from './bug';

const { FromDevice } = DmaDirection;
const SIZE = 256;

interface RxRing {
  /** Null: it was given up. */
  readonly buffer: CpuAddr | null;
  readonly dma: DmaAddr;
}

/** lpuart_start_rx_dma: dmaengine_prep_dma_cyclic() may fail, and then the ring must go again. */
const startRxDma = (bench: DriverBench, prepared: number, unwinds: boolean): RxRing => {
  const { dev } = bench;
  const buffer = bench.kmalloc(SIZE);
  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  if (prepared === 0) return { buffer, dma };
  if (unwinds) dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.kfree(buffer);
  return { buffer: null, dma };
};

/** The port is opened twice: there is no descriptor the first time. */
const openTwice = (bench: DriverBench, unwinds: boolean): number => {
  const { dev, device } = bench;
  const failed = startRxDma(bench, -ENOMEM, unwinds);
  const { buffer, dma } = startRxDma(bench, 0, unwinds);
  device.writePattern(dma, SIZE, 141);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  const wrong = buffer === null ? SIZE : bench.wrongBytes(buffer, SIZE, 141);
  if (buffer !== null) bench.kfree(buffer);
  // Nobody ever does; here others are to find the device as it was.
  if (!unwinds) dmaUnmapSingle(dev, failed.dma, SIZE, FromDevice, DmaAttr.SkipCpuSync);
  return wrong;
};

/** CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC, and there is a swiotlb. */
const bouncesUnaligned = ({ mm, dma }: Kernel): boolean =>
  mm.layout.image === 'arm64' && dma.bounce?.name === 'swiotlb';

export const bug: Bug = {
  name: 'fsl_lpuart_leaks_a_mapping_when_it_fails',
  title: 'serial: fsl_lpuart: a mapping is kept on the error path, and its memory freed',
  source: '348e01e64a87 (stable)',
  rules: ['dma-debug'],
  consequences: ['cpu-access-to-device-buffer'],
  unfit: anywhere,
  // The memory is mapped a second time, and that is all there is to see of the first: a kernel that
  // bounces what shares a line with something else says nothing of lines.
  shows: ({ kernel }) => (bouncesUnaligned(kernel) ? 'never' : 'must'),
  buggy: bench => openTwice(bench, false),
  fixed: bench => openTwice(bench, true),
};
