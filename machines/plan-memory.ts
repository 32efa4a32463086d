import { hex } from '../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import type { Arch } from '../drivers/of/linux';
import type { MemRange } from '../drivers/of/memblock';
import type { MemoryStatus, OfMemory } from '../drivers/of/memory';
import { ofMemory, rootRanges } from '../drivers/of/memory';
import type { OfDevice } from '../drivers/of/platform';
import { ofReservedMem } from '../drivers/of/reserved-mem';
import type { OfReservedMem } from '../drivers/of/reserved-mem';
import type { DeviceTree } from '../drivers/of/tree';
import type { CpuPlan } from './plan-cpus';
import type { Facts } from './soc-facts';

/** A run of RAM in bytes, and what says that it is there. */
export interface MemoryBankPlan {
  readonly base: bigint;
  readonly size: bigint;
  readonly from: string;
}

/** The RAM of a machine, and what of it the kernel may not have. */
export interface MemoryPlan {
  /** As the tree gives it: one for each entry of a `reg`, in written order. */
  readonly written: readonly MemoryBankPlan[];
  /** What a machine has: ascending and disjoint, without pages that hold registers it needs. */
  readonly banks: readonly MemoryBankPlan[];
  /** What of the banks is set aside. */
  readonly reserved: OfReservedMem;
  readonly notes: readonly string[];
}

/** What a machine gets whose tree does not say and whose user does not either. */
const ASSUMED_SIZE = BigInt(512 * MIB);
/** Assumed RAM starts at a multiple of this. */
const ASSUMED_ALIGN = BigInt(256 * MIB);
/** Addresses of dmabench are numbers: nothing lies above. */
const HIGHEST = 2n ** 48n;
/** Where RAM is from that the user asks for. */
const COMMAND_LINE = '--memory';

const WITHOUT_RAM: Readonly<Record<MemoryStatus, string>> = {
  absent: 'no memory node',
  'size-zero': 'a memory node of size 0',
  described: 'no memory within linux,usable-memory-range',
};

/** One past what short descriptors name. */
export const FOUR_GIB = 2n ** 32n;

/**
 * Whether an arm kernel is built with LPAE: where the core's first table format is, or where RAM
 * lies beyond what short descriptors reach. Says nothing of arm64.
 */
export const usesLpae = (
  [first]: readonly CpuPlan[],
  { banks }: Pick<MemoryPlan, 'banks'>,
): boolean =>
  first?.core.tables[0] === 'lpae' || banks.some(({ base, size }) => base + size > FOUR_GIB);

/** What RAM is planned around. */
export interface MemoryNeighbours {
  readonly devices: readonly OfDevice[];
  /** The devices whose registers a machine cannot do without. */
  readonly isModelled: (device: OfDevice) => boolean;
}

/**
 * RAM and what of it is set aside. `size` overrides the tree: that much, from its first bank on;
 * InputError if registers that the machine needs would lie in it. Where the tree's own RAM has
 * such registers, as a boot loader would have corrected, their pages are no RAM.
 */
export const planMemory = (
  tree: DeviceTree,
  arch: Arch,
  facts: Facts,
  size: number | null,
  { devices, isModelled }: MemoryNeighbours,
): MemoryPlan => {
  const notes: string[] = [];
  const { written, ram } = planBanks(tree, facts, size, devices, notes);
  for (const { base, size: length, from } of ram) {
    if (base + length <= HIGHEST) continue;
    const place = `${from}: ${hex(base)}`;
    throw new InputError({ place, expected: 'RAM below 2^48', found: `${hex(length)} bytes` });
  }
  const banks = withoutRegisters(ram, devices.filter(isModelled), notes);
  const reserved = ofReservedMem(tree, banks, { arch });
  for (const problem of reserved.diagnostics) {
    const refused = reserved.regions.find(region => region.problem === problem);
    const { message } = new InputError(problem);
    notes.push(refused === undefined ? message : `${message}; it is not used`);
  }
  return { written, banks, reserved, notes };
};

/** RAM before registers are cut out of it. */
interface Ram {
  readonly written: readonly MemoryBankPlan[];
  readonly ram: readonly MemoryBankPlan[];
}

const planBanks = (
  tree: DeviceTree,
  facts: Facts,
  size: number | null,
  devices: readonly OfDevice[],
  notes: string[],
): Ram => {
  const alone = (bank: MemoryBankPlan): Ram => ({ written: [bank], ram: [bank] });
  const memory = ofMemory(tree);
  notes.push(...memory.diagnostics.map(problem => new InputError(problem).message));
  const [first] = memory.ram;
  if (size !== null) {
    const base = first?.base ?? startOfRam(tree, facts, devices).base;
    return alone({ base, size: BigInt(size), from: COMMAND_LINE });
  }
  if (memory.ram.length > 0) {
    const ram = memory.ram.map(range => ({ ...range, from: bankSource(memory.banks, range) }));
    return { written: writtenBanks(memory), ram };
  }
  const start = startOfRam(tree, facts, devices);
  const what = WITHOUT_RAM[memory.status];
  notes.push(
    `${what}: ${ASSUMED_SIZE / BigInt(MIB)} MiB at ${hex(start.base)} assumed (${start.from}); --memory SIZE sets another size`,
  );
  return alone({ base: start.base, size: ASSUMED_SIZE, from: `assumed: ${start.from}` });
};

/** Every entry on its own, as far as it lies within what the kernel is told to use. */
const writtenBanks = ({ banks, usableRange }: OfMemory): MemoryBankPlan[] => {
  const [cap, ...further] = usableRange ?? [];
  const isCapped = cap !== undefined && cap.size > 0n;
  const within = banks.flatMap(({ base, size, from }) => {
    const part = isCapped ? intersection({ base, size }, cap) : { base, size };
    return part === null ? [] : [{ ...part, from: from.path }];
  });
  const end = further.findIndex(({ size }) => size === 0n);
  const added = end < 0 ? further : further.slice(0, end);
  return [...within, ...added.map(range => ({ ...range, from: '/chosen' }))];
};

const intersection = (a: MemRange, b: MemRange): MemRange | null => {
  const base = a.base > b.base ? a.base : b.base;
  const ends = [a.base + a.size, b.base + b.size] as const;
  const size = (ends[0] < ends[1] ? ends[0] : ends[1]) - base;
  return size > 0n ? { base, size } : null;
};

/** Cuts the pages that hold registers out of RAM. */
const withoutRegisters = (
  ram: readonly MemoryBankPlan[],
  devices: readonly OfDevice[],
  notes: string[],
): MemoryBankPlan[] => {
  let banks = [...ram];
  for (const { node, resources } of devices) {
    for (const { start, size } of resources) {
      const bank = banks.find(candidate => intersection(candidate, { base: start, size }) !== null);
      if (bank === undefined) continue;
      const free = `RAM that leaves the registers of ${node.path} at ${hex(start)} free`;
      const found = `${hex(bank.base)} to ${hex(bank.base + bank.size - 1n)}`;
      if (bank.from === COMMAND_LINE) {
        throw new InputError({ place: bank.from, expected: free, found });
      }
      const window = wholePages({ base: start, size });
      banks = banks.flatMap(candidate => cut(candidate, window));
      if (banks.length === 0) throw new InputError({ place: bank.from, expected: free, found });
      const pages = `${hex(window.base)} to ${hex(window.base + window.size - 1n)}`;
      notes.push(`${bank.from}: ${pages} is not used as RAM: registers of ${node.path}`);
    }
  }
  return banks;
};

const wholePages = ({ base, size }: MemRange): MemRange => {
  const page = BigInt(PAGE_SIZE);
  const start = base - (base % page);
  const end = base + size;
  return { base: start, size: end + ((page - (end % page)) % page) - start };
};

const cut = (bank: MemoryBankPlan, hole: MemRange): MemoryBankPlan[] => {
  const { base, size, from } = bank;
  const end = base + size;
  const holeEnd = hole.base + hole.size;
  if (holeEnd <= base || hole.base >= end) return [bank];
  return [
    ...(hole.base > base ? [{ base, size: hole.base - base, from }] : []),
    ...(holeEnd < end ? [{ base: holeEnd, size: end - holeEnd, from }] : []),
  ];
};

const bankSource = (
  banks: readonly { readonly base: bigint; readonly from: { readonly path: string } }[],
  range: MemRange,
): string =>
  banks.find(({ base }) => base >= range.base && base < range.base + range.size)?.from.path ??
  '/memory';

/**
 * Where RAM begins in a tree that does not say how much there is: the memory node's own base, the
 * SoC's, the base of what is reserved, else the first gap between the devices.
 */
const startOfRam = (
  tree: DeviceTree,
  facts: Facts,
  devices: readonly OfDevice[],
): { readonly base: bigint; readonly from: string } => {
  for (const node of tree.root.children.values()) {
    if (node.baseName !== 'memory') continue;
    const [range] = rootRanges(tree.root, node.cells('reg') ?? []);
    const isFacts = facts.dram !== undefined && range?.base === 0n;
    if (range !== undefined && !isFacts) return { base: range.base, from: node.path };
  }
  if (facts.dram !== undefined) {
    return { base: BigInt(facts.dram.value), from: `SoC table: ${facts.dram.source}` };
  }
  const reserved = reservedBase(tree);
  return reserved ?? { base: firstGap(devices), from: 'a gap between the devices' };
};

const reservedBase = (
  tree: DeviceTree,
): { readonly base: bigint; readonly from: string } | null => {
  const parent = tree.at('/reserved-memory');
  for (const node of parent?.children.values() ?? []) {
    const [range] = rootRanges(tree.root, node.cells('reg') ?? []);
    if (range === undefined) continue;
    return { base: range.base - (range.base % (4n * ASSUMED_ALIGN)), from: node.path };
  }
  return null;
};

/** The lowest aligned run of ASSUMED_SIZE bytes in which no device has registers. */
const firstGap = (devices: readonly OfDevice[]): bigint => {
  const taken = devices
    .flatMap(device => device.resources)
    .filter(({ size }) => size > 0n)
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  let base = 0n;
  for (const { start, size } of taken) {
    if (start >= base + ASSUMED_SIZE) break;
    const end = start + size;
    if (end > base) base = end + ((ASSUMED_ALIGN - (end % ASSUMED_ALIGN)) % ASSUMED_ALIGN);
  }
  return base - (base % BigInt(PAGE_SIZE));
};
