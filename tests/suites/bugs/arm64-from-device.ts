import { DmaAttr, DmaDirection, dmaMapSingle } from '../../../mm/dma-mapping-common';
import { dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import type { CpuAddr } from '../../../drivers/base/types/address';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { clean, flush, invalidate } from './maintenance';
import { exposedIf, speculates } from './visibility';

const { FromDevice } = DmaDirection;
const SIZE = 512;
/** The device answers with less than there is room for. */
const RECEIVED = SIZE / 2;
const SECRET = 0x5a;

/** Old bytes of somebody else's are in memory when the page is zeroed for its new owner. */
const receive = (
  bench: DriverBench,
  syncForDevice: (bench: DriverBench, buffer: CpuAddr, size: number) => void,
): number => {
  const { cpu, dev, device } = bench;
  const buffer = bench.kmalloc(SIZE);
  for (let at = 0; at < SIZE; at++) cpu.store8(buffer + at, SECRET);
  flush(bench, buffer, SIZE);
  for (let at = 0; at < SIZE; at += 4) cpu.store32(buffer + at, 0);

  const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice, DmaAttr.SkipCpuSync));
  if (!dev.dma.coherent) syncForDevice(bench, buffer, SIZE);
  device.writePattern(dma, RECEIVED, 1);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice, DmaAttr.SkipCpuSync);
  if (!dev.dma.coherent) invalidate(bench, buffer, SIZE);

  let leaked = 0;
  for (let at = RECEIVED; at < SIZE; at++) if (cpu.load8(buffer + at) !== 0) leaked++;
  bench.kfree(buffer);
  return leaked;
};

export const bug: Bug = {
  name: 'arm64_invalidate_before_dma_uncovers_old_bytes',
  title: 'arm64: mapping FROM_DEVICE drops the zeroes of a buffer that is not wholly written',
  source: 'c50f11c6196f',
  rules: ['lost-cpu-write'],
  consequences: [
    'dirty-line-over-device-data',
    'invalidate-of-dirty-bytes',
    'lost-device-write',
    'stale-cpu-read',
  ],
  unfit: hasCache,
  /** Where a store that misses allocates no line, and nothing else does, no zero is dirty. */
  shows: exposedIf(bench => bench.core.writeAllocate === 'by-attribute' || speculates(bench)),
  buggy: bench => receive(bench, invalidate),
  fixed: bench => receive(bench, clean),
};
