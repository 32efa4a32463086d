import { hex } from '../drivers/base/types/address';
import { MIB } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import type { MemRange } from '../drivers/of/memblock';
import type { DeviceTree } from '../drivers/of/tree';
import type { DevicePlan } from './plan-devices';
import type { MemoryPlan } from './plan-memory';
import type { MachinePlan } from './plan';
import { testMasterBase } from './plan-windows';

/*
 * What a tree may well say, and no machine can be booted with.
 */

/** RAM that a kernel needs for itself, its tables and the suites. */
const LEAST_RAM = BigInt(MIB);
/** Addresses of dmabench are numbers: from here on they would be rounded. */
const EXACT = 2n ** 53n;

/** InputError if a plan is of a machine that cannot be booted, for the lack of RAM or addresses. */
export const checkBootable = (plan: MachinePlan): void => {
  checkRam(plan.tree, plan.memory);
  for (const device of plan.devices) checkBusAddresses(plan.tree, device);
  testMasterBase(plan);
};

const checkRam = (tree: DeviceTree, { banks, reserved }: MemoryPlan): void => {
  const [first] = banks;
  const taken = [
    ...reserved.reserved,
    ...reserved.regions.filter(({ kind }) => kind !== 'refused'),
  ];
  const free = taken.reduce<readonly MemRange[]>(without, banks);
  const bytes = free.reduce((sum, { size }) => sum + size, 0n);
  if (first === undefined || bytes >= LEAST_RAM) return;
  const expected = `at least ${LEAST_RAM} bytes of RAM that are not set aside`;
  throw (
    tree.at(first.from)?.problem('reg', expected, `${bytes}`) ??
    new InputError({ place: first.from, expected, found: `${bytes}` })
  );
};

/** What is left of some ranges when another is cut out of them. */
const without = (ranges: readonly MemRange[], cut: MemRange): MemRange[] =>
  ranges.flatMap(range => {
    const part = overlap(range, cut);
    if (part === null) return [range];
    const end = part.base + part.size;
    return [
      { base: range.base, size: part.base - range.base },
      { base: end, size: range.base + range.size - end },
    ].filter(({ size }) => size > 0n);
  });

const overlap = (a: MemRange, b: MemRange): MemRange | null => {
  const base = a.base > b.base ? a.base : b.base;
  const ends = [a.base + a.size, b.base + b.size] as const;
  const size = (ends[0] < ends[1] ? ends[0] : ends[1]) - base;
  return size > 0n ? { base, size } : null;
};

/** The windows of a master must have bus addresses that a number can hold. */
const checkBusAddresses = (
  tree: DeviceTree,
  { device, status, effective, function: pci }: DevicePlan,
): void => {
  if (status === 'inert') return;
  const { map, provenance } = (pci ?? effective).dma;
  for (const { dma, cpu, size } of map ?? []) {
    const end = (dma > cpu ? dma : cpu) + size;
    if (end <= EXACT) continue;
    const bus = 'path' in provenance.map ? tree.at(provenance.map.path) : undefined;
    const found = `${hex(size)} bytes from ${hex(dma)} on, which are ${hex(cpu)} to the CPUs`;
    throw (bus ?? device.node).problem('dma-ranges', 'windows that end below 2^53', found);
  }
};
