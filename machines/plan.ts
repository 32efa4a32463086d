import { arm64ZoneLimits, ofDmaGetMaxCpuAddress } from '../drivers/of/dma-range';
import type { Arch } from '../drivers/of/linux';
import type { MemRange } from '../drivers/of/memblock';
import { isOverlay } from '../drivers/of/overlay';
import type { Phandles } from '../drivers/of/phandle';
import type { DeviceTree } from '../drivers/of/tree';
import { is64Bit } from '../arch/arm/profile';
import { InputError } from '../drivers/base/types/errors';
import { ofDevices } from '../drivers/of/platform';
import type { OfDevice } from '../drivers/of/platform';
import type { CoherentName } from '../mm/arch-dma';
import { bounceNameOf } from './bounce';
import type { BounceName } from './bounce';
import { coherentNameOf } from './coherent';
import { DeviceKinds } from './devices';
import type { DeviceModule } from './devices';
import { checkIommus, iommuMatch } from './iommus';
import { treeParameters } from './kernel-parameters';
import type { DmaMemoryOptions } from './kernel-parameters';
import { irqChipFor } from './models';
import { planCpus } from './plan-cpus';
import type { CpuPlan, OuterPlan } from './plan-cpus';
import { deviceNotes } from './device-notes';
import { planDevices } from './plan-devices';
import type { DevicePlan, Match } from './plan-devices';
import { planMemory, usesLpae } from './plan-memory';
import type { MemoryPlan } from './plan-memory';
import { checkWindows } from './plan-windows';
import { Quirks } from './quirks';
import type { MachineFacts, QuirkChoice, QuirkOutcome } from './quirks';
import { rootControllerOf } from './root-controller';
import { socFacts } from './soc-facts';

/** What a user may say beside the tree. */
export interface PlanOptions {
  /** Bytes of RAM, in place of what the tree says. */
  readonly memory: number | null;
  readonly quirks: readonly QuirkChoice[];
  /** How coherent memory is made, in place of the board's own way. */
  readonly coherent?: CoherentName;
  /** What takes data round where a device does not reach it. */
  readonly bounce?: BounceName;
  /** The kernel's command line, after that of the tree. */
  readonly dmaMemory?: DmaMemoryOptions;
  /** Models and drivers of devices, beside dmabench's own. */
  readonly modules?: readonly DeviceModule[];
}

/** A device tree, understood: everything that a machine is booted from. */
export interface MachinePlan {
  readonly tree: DeviceTree;
  readonly phandles: Phandles;
  readonly model: string;
  readonly compatible: readonly string[];
  readonly arch: Arch;
  readonly cpus: readonly CpuPlan[];
  readonly outer: OuterPlan | null;
  readonly memory: MemoryPlan;
  readonly devices: readonly DevicePlan[];
  /** What its devices are modelled and driven by. */
  readonly kinds: DeviceKinds;
  readonly quirks: readonly QuirkOutcome[];
  readonly facts: MachineFacts;
  /** How memory is made that devices which do not snoop share with the CPUs. */
  readonly coherent: CoherentName;
  /** What takes data round where a device does not reach it. */
  readonly bounce: BounceName;
  /** What the kernel's command line says of memory for DMA. */
  readonly dmaMemory: DmaMemoryOptions;
  /** What a reader should know: assumptions, and what of the tree was not taken as written. */
  readonly notes: readonly string[];
}

/** Works out a machine from its tree. InputError for a tree that no machine can be made of. */
export const planMachine = (tree: DeviceTree, options: PlanOptions): MachinePlan => {
  checkIsMachine(tree);
  const phandles = tree.phandles();
  const { compatible } = tree.root;
  const facts = socFacts(compatible);
  const { cpus, outer, notes: cpuNotes } = planCpus(tree, phandles, facts);
  const arch: Arch = cpus.some(({ core }) => is64Bit(core)) ? 'arm64' : 'arm32';
  const nodes = ofDevices(tree);
  const kinds = new DeviceKinds(options.modules);
  const matchOf = matchIn(nodes, cpus, outer, kinds);
  const memory = planMemory(tree, arch, facts, options.memory, {
    devices: nodes,
    isModelled: device => matchOf(device) !== null,
  });
  const hasSwiotlb = arch === 'arm64' || usesLpae(cpus, memory);
  const context = { tree, phandles, arch, cpus: cpus.length, ram: memory.banks };
  const quirks = new Quirks(context, options.quirks);
  const devices = planDevices(nodes, phandles, arch, quirks, matchOf);
  checkIommus(devices);
  checkWindows(devices, cpus, memory, kinds);
  return {
    tree,
    phandles,
    model: tree.root.string('model') ?? compatible[0] ?? 'unnamed',
    compatible,
    arch,
    cpus,
    outer,
    memory,
    devices,
    kinds,
    quirks: quirks.outcomes,
    facts: quirks.machine({
      dmaZoneLimit: arch === 'arm64' ? zoneDmaLimit(tree, phandles, memory.banks) : null,
      outerIoCoherent: false,
    }),
    coherent: options.coherent ?? coherentNameOf(tree, cpus),
    bounce: bounceNameOf(tree, arch, options.bounce),
    dmaMemory: { ...treeParameters(tree), ...options.dmaMemory },
    notes: [...cpuNotes, ...memory.notes, ...deviceNotes(devices, memory.reserved, hasSwiotlb)],
  };
};

/**
 * Of the devices that dmabench has models of, those that a machine has a place for: not the second
 * interrupt controller, nor the cache controller that Linux would leave alone.
 */
const matchIn = (
  devices: readonly OfDevice[],
  cpus: readonly CpuPlan[],
  outer: OuterPlan | null,
  kinds: DeviceKinds,
): Match => {
  const affinities = cpus.map(({ hwid }) => hwid);
  const root = rootControllerOf(devices, affinities);
  return device => {
    const { node, compatible } = device;
    if (outer?.driven === true && node === outer.cache.node) return outer.cache.kind;
    if (root?.device === device && root.problem === null) {
      return compatible.find(name => irqChipFor([name]) !== null) ?? null;
    }
    return iommuMatch(compatible) ?? compatible.find(name => kinds.of([name]) !== null) ?? null;
  };
};

/** Refuses what is no machine's tree: an empty one, and one that only changes another. */
const checkIsMachine = (tree: DeviceTree): void => {
  const isEmpty = tree.root.children.size === 0;
  if (!isEmpty && !isOverlay(tree)) return;
  throw new InputError({
    place: '/',
    expected: 'the tree of a whole machine (--overlay applies an overlay to one)',
    found: isEmpty ? 'nothing below the root' : 'an overlay',
  });
};

/** Largest address of arm64's ZONE_DMA: what every master's windows reach. */
const zoneDmaLimit = (tree: DeviceTree, phandles: Phandles, ram: readonly MemRange[]): number => {
  const bases = ram.map(({ base }) => base);
  const ends = ram.map(({ base, size }) => base + size);
  const start = bases.reduce((least, base) => (base < least ? base : least));
  const end = ends.reduce((most, last) => (last > most ? last : most));
  const reached = ofDmaGetMaxCpuAddress(tree.root, phandles);
  return Number(arm64ZoneLimits({ start, end }, reached).zoneDma - 1n);
};
