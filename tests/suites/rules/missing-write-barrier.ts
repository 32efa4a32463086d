import { withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { all, buffersStores, sharedStoresWait } from './conditions';
import type { RuleExample } from './example';

const SIZE = 16;

/** writel_relaxed() rings before what was stored for the device has left the store buffer. */
export const wrong = (bench: DriverBench): void => {
  const { device } = bench;
  const shared = bench.allocShared();
  bench.storeWords(shared.cpuAddress, SIZE, 1);
  device.startCheck(shared.dmaAddress, SIZE, 1, 'relaxed');
  bench.sleepUntilDone();
  device.finishCheck();
  bench.freeShared(shared);
};

/** writel() has the barrier in it. */
export const right = (bench: DriverBench): void => {
  const { device } = bench;
  const shared = bench.allocShared();
  bench.storeWords(shared.cpuAddress, SIZE, 1);
  device.startCheck(shared.dmaAddress, SIZE, 1);
  bench.sleepUntilDone();
  device.finishCheck();
  bench.freeShared(shared);
};

export const example: RuleExample = {
  rule: 'missing-write-barrier',
  applies: all(buffersStores, sharedStoresWait, withoutSharedPages),
  provisional: ['stale-device-read', 'missing-outer-sync'],
  wrong,
  right,
};
