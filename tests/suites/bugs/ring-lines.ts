import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import { DESCRIPTOR } from '../../../drivers/misc/test-master/regs';
import {
  DmaDirection,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { byteAt } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { hasCache } from '../rules/conditions';
import { offsetBy } from '../../../drivers/base/types/address';
import type { Bug } from './bug';
import { DONE, setOperands, setOwn } from './ring';
import { exposedIf } from './visibility';

const { Bidirectional, ToDevice } = DmaDirection;
const { SIZE: ENTRY } = DESCRIPTOR;
const DATA = 64;

interface List {
  readonly memory: CpuAddr;
  readonly dma: DmaAddr;
}

/** Fills in one descriptor between two syncs of it, and of it alone. */
const post = (bench: DriverBench, { memory, dma }: List, index: number, data: DmaAddr): void => {
  const { dev } = bench;
  const at = offsetBy(dma, index * ENTRY);
  const descriptor = byteAt(memory, index * ENTRY);
  dmaSyncSingleForCpu(dev, at, ENTRY, Bidirectional);
  setOperands(bench, descriptor, { write: false, address: data, length: DATA, seed: 121 });
  setOwn(bench, descriptor, false);
  dmaSyncSingleForDevice(dev, at, ENTRY, Bidirectional);
};

/** While the device works on one descriptor, the driver fills in the next, in the same line. */
const runRing = (bench: DriverBench): number => {
  const { cpu, dev, device } = bench;
  const entries = 4;
  const memory = bench.kmalloc(entries * ENTRY);
  const buffer = bench.kmalloc(DATA);
  for (let at = 0; at < entries * ENTRY; at += 4) cpu.store32(memory + at, 0);
  bench.fill(buffer, DATA, 121);
  const data = bench.mapped(dmaMapSingle(dev, buffer, DATA, ToDevice));
  const dma = bench.mapped(dmaMapSingle(dev, memory, entries * ENTRY, Bidirectional));
  const list = { memory, dma };
  post(bench, list, 0, data);
  device.startRing(dma, entries);
  const next = offsetBy(dma, ENTRY);
  dmaSyncSingleForCpu(dev, next, ENTRY, Bidirectional);
  setOperands(bench, byteAt(memory, ENTRY), {
    write: false,
    address: data,
    length: DATA,
    seed: 121,
  });
  device.ringDoorbell(1);
  device.finish();
  setOwn(bench, byteAt(memory, ENTRY), false);
  dmaSyncSingleForDevice(dev, next, ENTRY, Bidirectional);
  device.ringDoorbell(2);
  device.finish();
  device.stopRing();
  dmaUnmapSingle(dev, dma, entries * ENTRY, Bidirectional);
  dmaUnmapSingle(dev, data, DATA, ToDevice);
  let wrong = 0;
  for (const index of [0, 1]) {
    if (DONE.of(cpu.load32(memory + index * ENTRY)) !== 1) wrong += 4;
  }
  bench.kfree(buffer);
  bench.kfree(memory);
  return wrong;
};

/** One descriptor at a time: the next is filled in when the device has given the last one back. */
const runInTurn = (bench: DriverBench): number => {
  const { cpu, dev, device } = bench;
  const entries = 4;
  const memory = bench.kmalloc(entries * ENTRY);
  const buffer = bench.kmalloc(DATA);
  for (let at = 0; at < entries * ENTRY; at += 4) cpu.store32(memory + at, 0);
  bench.fill(buffer, DATA, 121);
  const data = bench.mapped(dmaMapSingle(dev, buffer, DATA, ToDevice));
  let wrong = 0;
  for (let round = 0; round < 2; round++) {
    setOperands(bench, memory, { write: false, address: data, length: DATA, seed: 121 });
    setOwn(bench, memory, false);
    const dma = bench.mapped(dmaMapSingle(dev, memory, entries * ENTRY, Bidirectional));
    device.startRing(dma, entries);
    device.ringDoorbell(1);
    device.finish();
    device.stopRing();
    dmaUnmapSingle(dev, dma, entries * ENTRY, Bidirectional);
    if (DONE.of(cpu.load32(memory)) !== 1) wrong += 4;
  }
  dmaUnmapSingle(dev, data, DATA, ToDevice);
  bench.kfree(buffer);
  bench.kfree(memory);
  return wrong;
};

export const bug: Bug = {
  name: 'two_descriptors_share_a_line',
  title: 'descriptors of half a line in streaming memory, each synced by itself',
  source: 'core-api/dma-api.rst: "start and end on a cache line boundary"',
  rules: ['shared-line', 'dirty-line-over-device-data', 'lost-cpu-write', 'lost-device-write'],
  consequences: [
    'device-access-not-given',
    'invalidate-of-dirty-bytes',
    'stale-cpu-read',
    'stale-device-read',
  ],
  unfit: hasCache,
  shows: exposedIf(({ line }) => line > ENTRY),
  buggy: runRing,
  fixed: runInTurn,
};
