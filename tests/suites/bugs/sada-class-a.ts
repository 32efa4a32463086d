import {
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { patternByte } from '../../../drivers/misc/test-master/regs';
import type { DriverBench } from '../driver-bench';
import { anywhere } from '../rules/conditions';
import type { Bug } from './bug';
import { offence } from './visibility';

const { FromDevice } = DmaDirection;
const SIZE = 512;
const LENGTH_BYTE = 4;

/** A receive routine that looks into the packet for its length, and then unmaps as much. */
const receive = (bench: DriverBench, syncs: boolean): number => {
  const { cpu, dev, device } = bench;
  const packet = bench.kmalloc(SIZE);
  bench.fill(packet, SIZE, 21);
  const dma = bench.mapped(dmaMapSingle(dev, packet, SIZE, FromDevice));
  device.writePattern(dma, SIZE, 22);
  if (syncs) dmaSyncSingleForCpu(dev, dma, SIZE, FromDevice);
  const length = cpu.load8(packet + LENGTH_BYTE);
  dmaUnmapSingle(dev, dma, SIZE, FromDevice);
  bench.kfree(packet);
  return length === patternByte(22, LENGTH_BYTE) ? 0 : 1;
};

export const bug: Bug = {
  name: 'a_driver_reads_a_mapped_buffer_without_a_sync',
  title: 'a streaming buffer is read between map and unmap without a sync',
  source: 'SADA class A (USENIX Security 2021)',
  rules: ['cpu-access-to-device-buffer', 'refill-after-invalidate', 'stale-cpu-read'],
  unfit: anywhere,
  shows: offence,
  buggy: bench => receive(bench, false),
  fixed: bench => receive(bench, true),
};
