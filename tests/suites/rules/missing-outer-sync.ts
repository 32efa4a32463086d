import { withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { all, hasOuterBuffer } from './conditions';
import type { RuleExample } from './example';

const SIZE = 16;

/** A dsb empties the buffers of the core. The outer cache has one of its own. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, device } = bench;
  const shared = bench.allocShared();
  bench.storeWords(shared.cpuAddress, SIZE, 1);
  cpu.dsb();
  device.startCheck(shared.dmaAddress, SIZE, 1, 'relaxed');
  bench.sleepUntilDone();
  device.finishCheck();
  bench.freeShared(shared);
};

/** wmb() syncs the outer cache as well. */
export const right = (bench: DriverBench): void => {
  const { device, kernel } = bench;
  const shared = bench.allocShared();
  bench.storeWords(shared.cpuAddress, SIZE, 1);
  kernel.mm.barriers.wmb();
  device.startCheck(shared.dmaAddress, SIZE, 1, 'relaxed');
  bench.sleepUntilDone();
  device.finishCheck();
  bench.freeShared(shared);
};

export const example: RuleExample = {
  rule: 'missing-outer-sync',
  applies: all(hasOuterBuffer, withoutSharedPages),
  provisional: ['stale-device-read'],
  wrong,
  right,
};
