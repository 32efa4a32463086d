import { withoutSharedPages } from '../driver-bench';
import type { DriverBench, SharedPage } from '../driver-bench';
import { DESCRIPTOR } from '../../../drivers/misc/test-master/regs';
import type { Bug } from './bug';
import { setOperands, setOwn, waitForDone } from './ring';
import { exposedIf, sharedStoresWait } from './visibility';

/*
 * A ring of descriptors in coherent memory takes a barrier at three places: between the operands
 * and OWN, before the doorbell, and between DONE and what the device wrote before it.
 */

const SIZE = 64;
const ENTRIES = 4;
/** Where in the shared page the data is. */
const DATA = 1024;
/** How often the device looks at a descriptor that nobody has told it of. */
const DEVICE_LOOKS = 1000;

const nothing = (): void => undefined;

/** The device checks the data of each descriptor; answers the bytes that it missed. */
const missedBytes = (bench: DriverBench, ring: SharedPage): number => {
  const { device } = bench;
  bench.sleepUntilDone();
  const { error, mismatches } = device.finishCheck();
  const isHalted = device.isRingHalted();
  device.stopRing();
  bench.freeShared(ring);
  return isHalted || error !== 0 ? SIZE : mismatches;
};

/** A barrier as a driver finds it among its services. */
type Barrier = (bench: DriverBench) => void;

const wmb: Barrier = ({ dev }) => {
  dev.services.barriers.wmb();
};
const dmaWmb: Barrier = ({ dev }) => {
  dev.services.barriers.dmaWmb();
};
const dmaRmb: Barrier = ({ dev }) => {
  dev.services.barriers.dmaRmb();
};

const ringUp = (bench: DriverBench, beforeDoorbell: Barrier): number => {
  const { device } = bench;
  const ring = bench.allocShared();
  device.startRing(ring.dmaAddress, ENTRIES);
  const address = bench.dmaAt(ring, DATA);
  bench.storeWords(bench.cpuAt(ring, DATA), SIZE, 1);
  setOperands(bench, ring.cpuAddress, { write: false, address, length: SIZE, seed: 1 });
  dmaWmb(bench);
  setOwn(bench, ring.cpuAddress, false);
  beforeDoorbell(bench);
  device.ringDoorbell(1, 'relaxed');
  return missedBytes(bench, ring);
};

export const doorbell: Bug = {
  name: 'a_doorbell_overtakes_the_descriptor',
  title: 'a ring: writel_relaxed() to the doorbell, and no wmb() before it',
  source: 'memory-barriers.txt, "Kernel I/O barrier effects"',
  rules: ['missing-write-barrier'],
  provisional: ['stale-device-read', 'missing-outer-sync'],
  consequences: ['dirty-line-over-device-data', 'lost-cpu-write', 'lost-device-write'],
  unfit: withoutSharedPages,
  shows: bench => (sharedStoresWait(bench) ? 'must' : 'never'),
  buggy: bench => ringUp(bench, nothing),
  fixed: bench => ringUp(bench, wmb),
};

const handOver = (bench: DriverBench, beforeOwn: Barrier): number => {
  const { device } = bench;
  const ring = bench.allocShared();
  device.startRing(ring.dmaAddress, ENTRIES);
  device.pollRing(DEVICE_LOOKS);
  const address = bench.dmaAt(ring, DATA);
  bench.storeWords(bench.cpuAt(ring, DATA), SIZE, 1);
  setOperands(bench, ring.cpuAddress, { write: false, address, length: SIZE, seed: 1 });
  beforeOwn(bench);
  setOwn(bench, ring.cpuAddress, false);
  return missedBytes(bench, ring);
};

export const own: Bug = {
  name: 'own_is_seen_before_the_rest_of_the_descriptor',
  title: 'a ring that the device polls: OWN is stored with no dma_wmb() before it',
  source: 'memory-barriers.txt, dma_wmb()',
  rules: ['missing-write-barrier'],
  provisional: ['stale-device-read', 'missing-outer-sync'],
  consequences: ['dirty-line-over-device-data', 'lost-cpu-write', 'lost-device-write'],
  unfit: withoutSharedPages,
  shows: bench => (sharedStoresWait(bench) ? 'must' : 'never'),
  buggy: bench => handOver(bench, nothing),
  fixed: bench => handOver(bench, dmaWmb),
};

const reap = (bench: DriverBench, afterDone: Barrier): number => {
  const { device } = bench;
  const ring = bench.allocShared();
  device.startRing(ring.dmaAddress, ENTRIES);
  const address = bench.dmaAt(ring, DATA);
  let wrong = 0;
  for (let index = 0; index < ENTRIES - 1; index++) {
    const descriptor = bench.cpuAt(ring, index * DESCRIPTOR.SIZE);
    setOperands(bench, descriptor, { write: true, address, length: SIZE, seed: index });
    dmaWmb(bench);
    setOwn(bench, descriptor, true);
    device.ringDoorbell(index + 1);
    if (!waitForDone(bench, descriptor)) wrong += SIZE;
    afterDone(bench);
    wrong += bench.wrongBytes(bench.cpuAt(ring, DATA), SIZE, index);
    device.finish();
  }
  device.stopRing();
  bench.freeShared(ring);
  return wrong;
};

export const done: Bug = {
  name: 'data_is_read_before_the_status_that_says_it_is_there',
  title: 'a ring: what the device wrote is read with no dma_rmb() after DONE',
  source: 'memory-barriers.txt, dma_rmb()',
  rules: ['missing-read-barrier'],
  unfit: withoutSharedPages,
  shows: exposedIf(({ core }) => core.earlyLoads),
  buggy: bench => reap(bench, nothing),
  fixed: bench => reap(bench, dmaRmb),
};
