import {
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { DESCRIPTOR } from '../../../drivers/misc/test-master/regs';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import type { Bug } from './bug';
import { DONE, setOperands, setOwn } from './ring';
import { offence } from './visibility';

const { Bidirectional, FromDevice, ToDevice } = DmaDirection;
const SIZE = 128;
const ENTRIES = 2;

/** A list of descriptors in ordinary memory, mapped once for the engine that runs along it. */
const runList = (bench: DriverBench, direction: typeof Bidirectional | typeof ToDevice): number => {
  const { cpu, dev, device } = bench;
  const list = bench.kmalloc(ENTRIES * DESCRIPTOR.SIZE);
  const buffer = bench.kmalloc(SIZE);
  const data = bench.mapped(dmaMapSingle(dev, buffer, SIZE, FromDevice));
  setOperands(bench, list, { write: true, address: data, length: SIZE, seed: 111 });
  setOwn(bench, list, true);
  const dma = bench.mapped(dmaMapSingle(dev, list, DESCRIPTOR.SIZE, direction));
  device.startRing(dma, ENTRIES);
  device.ringDoorbell(1);
  device.finish();
  device.stopRing();
  dmaSyncSingleForCpu(dev, dma, DESCRIPTOR.SIZE, direction);
  const isDone = DONE.of(cpu.load32(list + DESCRIPTOR.FLAGS)) === 1;
  dmaUnmapSingle(dev, dma, DESCRIPTOR.SIZE, direction);
  dmaUnmapSingle(dev, data, SIZE, FromDevice);
  bench.kfree(buffer);
  bench.kfree(list);
  return isDone ? 0 : 4;
};

export const bug: Bug = {
  name: 'vpdma_list_is_mapped_for_reading_and_written_back',
  title: 'ti-vpe: vpdma: a descriptor list mapped TO_DEVICE, which the engine writes back',
  source: '07e72eb0725c',
  rules: ['device-access-against-direction', 'stale-cpu-read'],
  unfit: hasCache,
  shows: offence,
  buggy: bench => runList(bench, ToDevice),
  fixed: bench => runList(bench, Bidirectional),
};
