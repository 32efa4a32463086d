import { withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { all, hasOuterBuffer } from '../rules/conditions';
import type { Bug } from './bug';
import { setOperands, setOwn } from './ring';
import { wherever } from './visibility';

const SIZE = 64;
const ENTRIES = 4;
/** Where in the shared page the data is. */
const DATA = 1024;

const dsb = ({ cpu }: DriverBench): void => {
  cpu.dsb();
};

const wmb = ({ kernel }: DriverBench): void => {
  kernel.mm.barriers.wmb();
};

/** A descriptor is written, a barrier, a doorbell: the barrier was no more than a dsb once. */
const submit = (bench: DriverBench, barrier: (bench: DriverBench) => void): number => {
  const { device } = bench;
  const ring = bench.allocShared();
  device.startRing(ring.dmaAddress, ENTRIES);
  const address = bench.dmaAt(ring, DATA);
  bench.storeWords(bench.cpuAt(ring, DATA), SIZE, 1);
  setOperands(bench, ring.cpuAddress, { write: false, address, length: SIZE, seed: 1 });
  setOwn(bench, ring.cpuAddress, false);
  barrier(bench);
  device.ringDoorbell(1, 'relaxed');
  bench.sleepUntilDone();
  const { error, mismatches } = device.finishCheck();
  const isHalted = device.isRingHalted();
  device.stopRing();
  bench.freeShared(ring);
  return isHalted || error !== 0 ? SIZE : mismatches;
};

export const bug: Bug = {
  name: 'a_write_barrier_leaves_the_outer_buffer_full',
  title: 'ARM: wmb() without outer_sync(): descriptors wait in the buffer of the PL310',
  source: '23107c542b7b, e7c5650f6067; 98ea2dba6593 on io-coherent systems',
  rules: ['missing-outer-sync'],
  provisional: ['stale-device-read'],
  consequences: ['dirty-line-over-device-data', 'lost-cpu-write', 'lost-device-write'],
  unfit: all(hasOuterBuffer, withoutSharedPages),
  shows: wherever,
  buggy: bench => submit(bench, dsb),
  fixed: bench => submit(bench, wmb),
};
