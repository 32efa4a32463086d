import { withoutSharedPages } from '../driver-bench';
import type { DriverBench } from '../driver-bench';
import { all, loadsEarly } from './conditions';
import type { RuleExample } from './example';

const SIZE = 16;

/** The status is read by readl_relaxed(): loads after it may have been performed before it. */
export const wrong = (bench: DriverBench): void => {
  const { cpu, device } = bench;
  const shared = bench.allocShared();
  device.startWrite(shared.dmaAddress, SIZE, 1);
  while (!device.isDone('relaxed')) cpu.relax(100);
  bench.wrongBytes(shared.cpuAddress, SIZE, 1);
  device.finish();
  bench.freeShared(shared);
};

/** readl() orders what follows after itself. */
export const right = (bench: DriverBench): void => {
  const { cpu, device } = bench;
  const shared = bench.allocShared();
  device.startWrite(shared.dmaAddress, SIZE, 1);
  while (!device.isDone()) cpu.relax(100);
  bench.wrongBytes(shared.cpuAddress, SIZE, 1);
  device.finish();
  bench.freeShared(shared);
};

export const example: RuleExample = {
  rule: 'missing-read-barrier',
  applies: all(loadsEarly, withoutSharedPages),
  wrong,
  right,
};
