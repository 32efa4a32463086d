import type { Quirk, QuirkContext } from './quirk';
import { findCompatible, rootIs } from './quirk';

/** Compatible strings of Marvell's coherency fabric, by what they ask of the PL310. */
const FABRICS: ReadonlyMap<string, 'plain' | 'io-coherent-l2'> = new Map([
  ['marvell,coherency-fabric', 'plain'],
  ['marvell,armada-375-coherency-fabric', 'io-coherent-l2'],
  ['marvell,armada-380-coherency-fabric', 'io-coherent-l2'],
]);

const fabricOf = ({ tree }: QuirkContext): string | null => {
  const node = findCompatible(tree, [...FABRICS.keys()]);
  return node?.compatible.find(name => FABRICS.has(name)) ?? null;
};

/**
 * Every platform and PCI device of a multiprocessor Armada is coherent, although its tree says
 * nothing; one processor alone cannot be, for its caches are not set up for it. On Armada 375
 * and 38x the PL310 gets arm,io-coherent besides. An arm64 kernel, were it asked for there, sets
 * each device's coherency anew and so undoes it.
 *
 * Not modelled: those two then map device registers as normal non-cacheable memory.
 */
export const mvebuHwcc: Quirk = {
  name: 'mvebu-hwcc',
  source: 'arch/arm/mach-mvebu/coherency.c, coherency_type()',
  applies: context => {
    const fabric = context.arch === 'arm32' && context.cpus > 1 ? fabricOf(context) : null;
    return fabric === null ? null : `${fabric} and ${context.cpus} CPUs`;
  },
  coherentBefore: true,
  machine: (facts, context) => {
    const fabric = fabricOf(context);
    const isForL2 = fabric !== null && FABRICS.get(fabric) === 'io-coherent-l2';
    return isForL2 ? { ...facts, outerIoCoherent: true } : facts;
  },
};

/**
 * For each device with dma-coherent on its own node, a register is set that makes the fabric
 * snoop. What the kernel believes of the device is what the tree says already.
 */
export const highbankSregs: Quirk = {
  name: 'highbank-sregs',
  source: 'arch/arm/mach-highbank/highbank.c, highbank_platform_notifier()',
  applies: context => rootIs(context, ['calxeda,highbank', 'calxeda,ecx-2000']),
  unmodelledWithout: 'devices that the kernel takes for coherent and no fabric snoops for',
};
