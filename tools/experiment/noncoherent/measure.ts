import { LruAdversary } from '../../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import type { DmaMemory } from '../../../drivers/base/kernel/dma-map-ops';
import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import type { Gfp } from '../../../drivers/base/kernel/gfp';
import { offsetBy } from '../../../drivers/base/types/address';
import { KIB, MIB } from '../../../drivers/base/types/bits';
import { Random } from '../../../drivers/base/types/random';
import type { MachinePlan } from '../../../machines/plan';
import {
  dmaAllocCoherent,
  dmaAllocNoncoherent,
  dmaAllocWc,
  dmaFreeCoherent,
  dmaFreeNoncoherent,
  dmaFreeWc,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
} from '../../../mm/dma-mapping-common';
import { DriverBench } from '../../../tests/suites/driver-bench';
import { bootPlan } from '../../run/job';
import { timeOf } from '../costs';
import type { CostTable } from '../costs';
import { Meter } from '../meter';
import type { Measured, WayName } from './report';
import { CountedMemory } from './workloads';
import type { Workload } from './workloads';

/** Bytes: a word, parts of a line, a line, pages, more than any first level, than most second ones. */
export const SIZES = [...[4, 16, 64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB], ...[MIB]];

const TRANSFER = 256 * KIB;

const { FromDevice, ToDevice } = DmaDirection;

/** How memory is had, and what goes with each turn of CPU and device. */
interface Way {
  readonly name: WayName;
  readonly isSynced: boolean;
  readonly alloc: (bench: DriverBench, size: number, direction: DmaDirection) => DmaMemory | null;
  readonly free: (
    bench: DriverBench,
    size: number,
    memory: DmaMemory,
    direction: DmaDirection,
  ) => void;
}

const QUIET: Gfp = { ...GFP_KERNEL, noWarn: true };

const WAYS: readonly Way[] = [
  {
    name: 'write-combined',
    isSynced: false,
    alloc: ({ dev }, size) => dmaAllocWc(dev, size, QUIET),
    free: ({ dev }, size, { cpuAddr, dmaHandle }) => {
      dmaFreeWc(dev, size, cpuAddr, dmaHandle);
    },
  },
  {
    name: 'uncached',
    isSynced: false,
    alloc: ({ dev }, size) => dmaAllocCoherent(dev, size, QUIET),
    free: ({ dev }, size, { cpuAddr, dmaHandle }) => {
      dmaFreeCoherent(dev, size, cpuAddr, dmaHandle);
    },
  },
  {
    name: 'cached + sync',
    isSynced: true,
    alloc: ({ dev }, size, direction) => dmaAllocNoncoherent(dev, size, direction, QUIET),
    free: ({ dev }, size, { cpuAddr, dmaHandle }, direction) => {
      dmaFreeNoncoherent(dev, size, cpuAddr, dmaHandle, direction);
    },
  },
];

export const WAY_NAMES = WAYS.map(({ name }) => name);

/**
 * Boots a machine whose caches do nothing unasked; null where no master reaches memory. One that
 * does not snoop comes first.
 */
export const bootBench = (board: string, plan: MachinePlan): DriverBench | null => {
  const machine = bootPlan(board, plan, {
    ...{ adversary: new LruAdversary(), random: new Random(1) },
    ...{ timing: 'latest', streaming: ALL_STEPS },
  });
  return DriverBench.on(machine, 'non-coherent') ?? DriverBench.on(machine, 'coherent');
};

/** The workload by every way, at one size. */
export const measureWorkload = (
  bench: DriverBench,
  workload: Workload,
  size: number,
  costs: CostTable,
): readonly Measured[] =>
  WAYS.map(way => {
    const { direction } = workload;
    const memory = way.alloc(bench, size, direction);
    if (memory === null) return { way: way.name, size, counts: null, nanoseconds: null };
    // The first time, tables may come to be that stay.
    measureOnce(bench, workload, way, memory, size);
    const counts = measureOnce(bench, workload, way, memory, size);
    way.free(bench, size, memory, direction);
    return { way: way.name, size, counts, nanoseconds: timeOf(costs, counts) };
  });

/** What the device moves at once. */
const inPieces = (size: number, move: (at: number, length: number) => unknown): void => {
  for (let at = 0; at < size; at += TRANSFER) move(at, Math.min(TRANSFER, size - at));
};

/** One turn of the CPU, from the device's last write to its next read, both left out. */
const measureOnce = (
  bench: DriverBench,
  { direction, run }: Workload,
  { name, isSynced }: Way,
  { cpuAddr, dmaHandle }: DmaMemory,
  size: number,
): NonNullable<Measured['counts']> => {
  const { dev, cpu, kernel, device } = bench;
  const meter = new Meter(bench.machine);
  const isCached = isSynced || dev.dma.coherent;
  const memory = new CountedMemory(cpu, cpuAddr, size, {
    isCached,
    // What is shared on ARMv5 is strongly ordered unless it is write-combined.
    merges: isCached || name === 'write-combined' || kernel.mm.info.type !== 'v4wb',
    line: bench.line,
    isPresent: address => meter.isPresent(address),
  });
  if (direction !== ToDevice) {
    inPieces(size, (at, length) => device.writePattern(offsetBy(dmaHandle, at), length, 1));
  }
  const done = meter.measure(() => {
    if (isSynced) dmaSyncSingleForCpu(dev, dmaHandle, size, direction);
    run(memory);
    if (isSynced) dmaSyncSingleForDevice(dev, dmaHandle, size, direction);
    else if (direction !== FromDevice) kernel.mm.barriers.wmb();
  });
  if (direction !== FromDevice) {
    inPieces(size, (at, length) => device.checkPattern(offsetBy(dmaHandle, at), length, 1));
  }
  return { ...memory.counts, ...done };
};
