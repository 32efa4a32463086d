import { hex } from '../drivers/base/types/address';
import { streamOf } from './iommus';
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
  const byLabel = new Map<string, { facts: DmaFacts; example: string; count: number }>();
  for (const { device, status, hints, effective, function: pci } of devices) {
    if (status === 'inert' || (status === 'modelled' && hints.length === 0)) continue;
    for (const facts of pci === null ? [effective] : [pci]) {
      const label = labelOf(facts);
      const known = byLabel.get(label);
      if (known === undefined) byLabel.set(label, { facts, example: device.node.path, count: 1 });
      else known.count++;
    }
  }
  const first = devices[0];
  if (byLabel.size === 0 && first !== undefined) {
    const { effective: facts, device } = first;
    byLabel.set(labelOf(facts), { facts, example: device.node.path, count: 0 });
  }
  return [...byLabel].map(([label, master]) => ({ label, ...master }));
};

/** The plan of a test master that the tree itself has. */
export const masterOf = ({ device, effective: facts }: DevicePlan): MasterPlan => ({
  label: labelOf(facts),
  facts,
  example: device.node.path,
  count: 1,
});

const labelOf = (facts: DmaFacts): string => {
  const { dma } = facts;
  const windows = (dma.map ?? []).map(
    ({ dma: bus, cpu, size }) => `${hex(bus)}→${hex(cpu)}+${hex(size)}`,
  );
  const coherence = dma.coherent ? 'coherent' : 'non-coherent';
  const stream = streamOf(facts);
  const behind = stream === null ? [] : [`behind ${stream.node.name}`];
  return [coherence, ...windows, ...behind].join(', ');
};
