import { hex } from '../drivers/base/types/address';
import { iommuMatch, streamsOf } from './iommus';
import { isUntrusted } from './plan-devices';
import type { DevicePlan } from './plan-devices';
import type { DmaFacts } from './quirks';

/** A master of the board by proxy: one for every way in which its devices reach memory. */
export interface MasterPlan {
  /** What the configuration is: `non-coherent, 0xc0000000→0x0+0x3f000000`. */
  readonly label: string;
  readonly facts: DmaFacts;
  /** A device of the board that is configured so, and how many there are. */
  readonly example: string;
  readonly count: number;
}

/** One test master for every distinct DMA configuration among the board's masters. */
export const planMasters = (devices: readonly DevicePlan[]): MasterPlan[] => {
  const byKey = new Map<string, { facts: DmaFacts; example: string; count: number }>();
  for (const { device, status, hints, effective, function: pci } of devices) {
    if (status === 'inert' || (status === 'modelled' && hints.length === 0)) continue;
    for (const facts of pci === null ? [effective] : [pci]) {
      const key = keyOf(facts);
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, { facts, example: device.node.path, count: 1 });
      else known.count++;
    }
  }
  const first = devices[0];
  if (byKey.size === 0 && first !== undefined) {
    const { effective: facts, device } = first;
    byKey.set(keyOf(facts), { facts, example: device.node.path, count: 0 });
  }
  return [...byKey.values()].map(master => ({ label: labelOf(master.facts), ...master }));
};

/** The plan of a test master that the tree itself has. */
export const masterOf = ({ device, effective: facts }: DevicePlan): MasterPlan => ({
  label: labelOf(facts),
  facts,
  example: device.node.path,
  count: 1,
});

const labelOf = (facts: DmaFacts): string => {
  const nodes = new Set(streamsOf(facts).map(({ node }) => node.name));
  const without = facts.iommu.kind === 'iommu' ? '' : ', which the DMA API does not use';
  const behind = nodes.size === 0 ? [] : [`behind ${[...nodes].join(' and ')}${without}`];
  return [...waysOf(facts), ...behind].join(', ');
};

/**
 * Masters behind IOMMUs of one kind are alike if these walk their tables alike, and as many
 * streams are theirs: a board may have an IOMMU for each of its devices.
 */
const keyOf = (facts: DmaFacts): string => {
  const streams = streamsOf(facts);
  const behind = streams.map(({ node }) => {
    const first = streams.findIndex(other => other.node === node);
    const coherent = node.has('dma-coherent');
    return `${facts.iommu.kind} ${iommuMatch(node.compatible)} ${coherent} ${first}`;
  });
  return [...waysOf(facts), ...behind].join(', ');
};

const waysOf = (facts: DmaFacts): readonly string[] => {
  const { dma } = facts;
  const windows = (dma.map ?? []).map(
    ({ dma: bus, cpu, size }) => `${hex(bus)}→${hex(cpu)}+${hex(size)}`,
  );
  const coherence = dma.coherent ? 'coherent' : 'non-coherent';
  const { restricted, iommu } = facts;
  const isFree = restricted === null || iommu.kind === 'iommu';
  const confined = isFree ? [] : [`with restricted pool ${restricted.name}`];
  return [coherence, ...windows, ...(isUntrusted(facts) ? ['not trusted'] : []), ...confined];
};
