import { hex } from '../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import { TEST_MASTER } from '../drivers/misc/test-master/regs';
import type { OfResource } from '../drivers/of/address';
import type { DtNode } from '../drivers/of/tree';
import type { DeviceKinds } from './devices';
import { windowSizes } from './models';
import { planMasters } from './masters';
import type { CpuPlan } from './plan-cpus';
import type { DevicePlan } from './plan-devices';
import { FOUR_GIB, usesLpae } from './plan-memory';
import type { MemoryPlan } from './plan-memory';

/*
 * Where registers are: those of the tree's devices that dmabench models, and those of its own
 * test masters, which it puts where the board has nothing.
 */

/** Registers of a device that a kernel maps as a whole. */
const LARGEST = BigInt(64 * MIB);
/** Where test masters are put if there is room: few SoCs have anything at 256 MiB. */
const FIRST_FREE = 0x1000_0000n;
/** And if there is none. A device at 0 would be a null pointer to some drivers. */
const LOWEST = BigInt(PAGE_SIZE);

interface Placed {
  readonly path: string;
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Checks the registers of all devices that are modelled: InputError where they are too small for
 * the model or too large to map, beyond what the CPUs reach, or where another model's are.
 */
export const checkWindows = (
  devices: readonly DevicePlan[],
  cpus: readonly CpuPlan[],
  memory: MemoryPlan,
  kinds: DeviceKinds,
): void => {
  const limit = physicalLimit(cpus, memory);
  const placed: Placed[] = [];
  for (const { device, status } of devices) {
    if (status !== 'modelled') continue;
    for (const [index, least] of windowSizes(device, kinds).entries()) {
      const resource = device.resources[index];
      if (resource === undefined) continue;
      const window = checkWindow(device.node, resource, BigInt(least), limit);
      const other = placed.find(({ start, end }) => start < window.end && window.start < end);
      if (other !== undefined) {
        const expected = `addresses that ${other.path} leaves free`;
        throw device.node.problem('reg', expected, showRange(window));
      }
      placed.push(window);
    }
  }
};

/** What the model answers at: its window from the start of the `reg` entry. */
const checkWindow = (
  node: DtNode,
  { start, size }: OfResource,
  least: bigint,
  limit: bigint,
): Placed => {
  const wrong = (expected: string): InputError =>
    node.problem('reg', expected, `${hex(size)} bytes at ${hex(start)}`);
  if (size < least) throw wrong(`at least ${hex(least)} bytes of registers`);
  if (size > LARGEST) throw wrong(`at most ${hex(LARGEST)} bytes of registers`);
  if (start + size > limit) throw wrong(`registers below ${hex(limit)}, which the CPUs reach`);
  return { path: node.path, start, end: start + least };
};

const showRange = ({ start, end }: Placed): string => `${hex(start)} to ${hex(end - 1n)}`;

/** The end of the physical addresses that the kernel's page tables can name. */
const physicalLimit = (cpus: readonly CpuPlan[], memory: MemoryPlan): bigint => {
  if (cpus[0]?.core.architecture === 'v8') return 2n ** 48n;
  return usesLpae(cpus, memory) ? 2n ** 40n : FOUR_GIB;
};

interface Taken {
  readonly start: bigint;
  readonly end: bigint;
  readonly problem: (expected: string, found: string) => InputError;
}

/**
 * Where the registers of the test masters start: the lowest page-aligned run of free addresses
 * from 256 MiB on that the kernel can map, else the lowest of all. InputError, for what takes most
 * of them, if there is none.
 */
export const testMasterBase = ({
  devices,
  cpus,
  memory,
}: {
  readonly devices: readonly DevicePlan[];
  readonly cpus: readonly CpuPlan[];
  readonly memory: MemoryPlan;
}): number => {
  const size = BigInt(planMasters(devices).length * TEST_MASTER.size);
  const taken = takenBy(devices, memory).sort((a, b) => (a.start < b.start ? -1 : 1));
  const limit = physicalLimit(cpus, memory);
  for (const first of [FIRST_FREE, LOWEST]) {
    const base = freeFrom(first, size, taken);
    if (base + size <= limit) return Number(base);
  }
  const share = ({ start, end }: Taken): bigint =>
    (end < limit ? end : limit) - (start > LOWEST ? start : LOWEST);
  const largest = taken.reduce((most, one) => (share(one) > share(most) ? one : most));
  const expected = `${hex(size)} free bytes for test masters from ${hex(LOWEST)} to ${hex(limit - 1n)}`;
  throw largest.problem(
    expected,
    `${hex(largest.end - largest.start)} bytes at ${hex(largest.start)}`,
  );
};

/** The first page from `first` on with `size` free bytes; `taken` is in the order of addresses. */
const freeFrom = (first: bigint, size: bigint, taken: readonly Taken[]): bigint => {
  const page = BigInt(PAGE_SIZE);
  let base = first;
  for (const { start, end } of taken) {
    if (start >= base + size) break;
    if (end > base) base = ((end + page - 1n) / page) * page;
  }
  return base;
};

const takenBy = (devices: readonly DevicePlan[], { banks }: MemoryPlan): Taken[] => [
  ...banks.map(({ base, size, from }) => ({
    start: base,
    end: base + size,
    problem: (expected: string, found: string) => new InputError({ place: from, expected, found }),
  })),
  ...devices.flatMap(({ device: { node, resources } }) =>
    resources
      .filter(({ size }) => size > 0n)
      .map(({ start, size }) => ({
        start,
        end: start + size,
        problem: (expected: string, found: string) => node.problem('reg', expected, found),
      })),
  ),
];
