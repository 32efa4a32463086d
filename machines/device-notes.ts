import { InputError } from '../drivers/base/types/errors';
import type { InputProblem } from '../drivers/base/types/errors';
import type { OfFailure } from '../drivers/of/property';
import type { OfReservedMem } from '../drivers/of/reserved-mem';
import type { DtNode } from '../drivers/of/tree';
import type { DevicePlan } from './plan-devices';
import type { DmaFacts } from './quirks';
import { restrictedRegion } from './restricted-region';

/*
 * What a reader should know of the devices' DMA configurations: one note for each cause and bus,
 * however many devices it concerns.
 */

/** Something that is so of a device; alike for all devices of one key. */
interface Remark {
  readonly key: string;
  readonly text: string;
}

interface Group {
  readonly text: string;
  /** Other texts of the key. */
  readonly more: Set<string>;
  readonly devices: Set<DtNode>;
}

/** Notes on the devices, in the order in which the first device of each appears in the tree. */
export const deviceNotes = (
  devices: readonly DevicePlan[],
  reserved: OfReservedMem,
  hasSwiotlb: boolean,
): string[] => {
  const unconfined = (facts: DmaFacts): Remark[] => {
    const region = restrictedRegion(facts, reserved);
    if (region === null) return [];
    const text = `${region.node.path}: a kernel without swiotlb; its devices use all of memory`;
    return [{ key: text, text }];
  };
  const groups = new Map<string, Group>();
  for (const { device, tree, effective, function: pci } of devices) {
    const remarks = [
      ...remarksOn(tree),
      ...(pci === null ? [] : remarksOn(pci)),
      ...(hasSwiotlb ? [] : [effective, ...(pci === null ? [] : [pci])].flatMap(unconfined)),
    ];
    for (const { key, text } of remarks) {
      const group = groups.get(key) ?? { text, more: new Set(), devices: new Set() };
      groups.set(key, group);
      group.devices.add(device.node);
      if (text !== group.text) group.more.add(text);
    }
  }
  return [...groups.values()].map(show);
};

const show = ({ text, more, devices }: Group): string => {
  const [first] = devices;
  const path = first?.path ?? '';
  const others = more.size === 0 ? '' : `; ${more.size} more like it`;
  if (devices.size > 1) return `${text}${others} (${devices.size} devices, ${path} the first)`;
  return text.startsWith(`${path}: `) ? `${text}${others}` : `${text}${others} (${path})`;
};

const remarksOn = (facts: DmaFacts): Remark[] => {
  const { dma, iommu, failure } = facts;
  const { map } = dma.provenance;
  const remarks: Remark[] = [];
  if (failure !== null) remarks.push(refusal(facts.node, failure));
  if ('reason' in map && map.reason === 'gap' && map.hidden !== null) {
    const text = `${map.hidden.path}: dma-ranges ignored by the gap rule`;
    remarks.push({ key: text, text });
  }
  for (const problem of dma.diagnostics) {
    const { place, property, expected } = problem;
    remarks.push({ key: JSON.stringify([place, property, expected]), text: messageOf(problem) });
  }
  for (const problem of 'diagnostics' in iommu ? iommu.diagnostics : []) {
    const { property, expected, found } = problem;
    remarks.push({ key: JSON.stringify([property, expected, found]), text: messageOf(problem) });
  }
  return remarks;
};

const messageOf = (problem: InputProblem): string => new InputError(problem).message;

const refusal = ({ path }: DtNode, { errno, problem }: OfFailure): Remark => {
  const why = problem === null ? `${path}: ${errno}` : messageOf(problem);
  const text = `${why}; Linux does not configure what is behind it`;
  return { key: text, text };
};
