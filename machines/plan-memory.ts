import { hex } from '../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import type { Arch } from '../drivers/of/linux';
import type { MemRange } from '../drivers/of/memblock';
import { ofMemory, rootRanges } from '../drivers/of/memory';
import { ofDevices } from '../drivers/of/platform';
import { ofReservedMem } from '../drivers/of/reserved-mem';
import type { OfReservedMem } from '../drivers/of/reserved-mem';
import type { DeviceTree } from '../drivers/of/tree';
import type { Facts } from './soc-facts';

export interface MemoryBankPlan {
  readonly base: bigint;
  readonly size: bigint;
  readonly from: string;
}

export interface MemoryPlan {
  readonly banks: readonly MemoryBankPlan[];
  readonly reserved: OfReservedMem;
  readonly notes: readonly string[];
}

/** What a machine gets whose tree does not say and whose user does not either. */
const ASSUMED_SIZE = BigInt(512 * MIB);
/** Assumed RAM starts at a multiple of this. */
const ASSUMED_ALIGN = BigInt(256 * MIB);
/** Addresses of dmabench are numbers: nothing lies above. */
const HIGHEST = 2n ** 48n;

/** RAM and what of it is set aside. `size` overrides the tree: that much, from its first bank on. */
export const planMemory = (
  tree: DeviceTree,
  arch: Arch,
  facts: Facts,
  size: number | null,
): MemoryPlan => {
  const notes: string[] = [];
  const banks = planBanks(tree, facts, size, notes);
  for (const { base, size: length, from } of banks) {
    if (base + length <= HIGHEST) continue;
    const place = `${from}: ${hex(base)}`;
    throw new InputError({ place, expected: 'RAM below 2^48', found: `${hex(length)} bytes` });
  }
  const reserved = ofReservedMem(tree, banks, { arch });
  for (const { node, problem } of reserved.regions) {
    if (problem !== null) notes.push(`${node.path}: not used: ${problem.expected} was expected`);
  }
  return { banks, reserved, notes };
};

const planBanks = (
  tree: DeviceTree,
  facts: Facts,
  size: number | null,
  notes: string[],
): MemoryBankPlan[] => {
  const memory = ofMemory(tree);
  for (const { place, expected, found } of memory.diagnostics) {
    notes.push(`${place}: expected ${expected}, found ${found}`);
  }
  const [first] = memory.ram;
  if (size !== null) {
    const base = first?.base ?? startOfRam(tree, facts).base;
    return [{ base, size: BigInt(size), from: '--memory' }];
  }
  if (memory.ram.length > 0) {
    return memory.ram.map(range => ({ ...range, from: bankSource(memory.banks, range) }));
  }
  const start = startOfRam(tree, facts);
  const what = memory.status === 'absent' ? 'no memory node' : 'a memory node of size 0';
  notes.push(
    `${what}: ${ASSUMED_SIZE / BigInt(MIB)} MiB at ${hex(start.base)} assumed (${start.from}); --memory SIZE sets another size`,
  );
  return [{ base: start.base, size: ASSUMED_SIZE, from: `assumed: ${start.from}` }];
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
  return reserved ?? { base: firstGap(tree), from: 'a gap between the devices' };
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
const firstGap = (tree: DeviceTree): bigint => {
  const taken = ofDevices(tree)
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
