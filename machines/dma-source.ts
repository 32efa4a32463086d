import type { DmaConfig } from '../drivers/of/dma';
import { dmaAncestors } from '../drivers/of/dma-parent';
import type { NoDmaRange } from '../drivers/of/dma-range';
import type { Phandles } from '../drivers/of/phandle';
import type { OfFailure } from '../drivers/of/property';
import type { DtNode } from '../drivers/of/tree';
import type { DmaFacts } from './quirks';

/*
 * Where each fact of a device's DMA configuration is from, in words: the `from` of `describe`.
 */

/** The buses that a search for windows goes through, nearest first. */
const busesOf = ({ node, kind }: DmaFacts, phandles: Phandles): DtNode[] => {
  const [own, ...above] = dmaAncestors(node, phandles);
  return kind === 'platform' || own === undefined ? above : [own, ...above];
};

/** The bus at which the gap rule ended the search: the first beyond the nearest that says nothing. */
const gapBus = (facts: DmaFacts, phandles: Phandles): DtNode | null =>
  busesOf(facts, phandles)
    .slice(1)
    .find(bus => !bus.has('dma-ranges')) ?? null;

/**
 * `/soc:dma-ranges, /soc/gpu:dma-coherent, /soc/gpu:iommus, quirk NAME`: the property behind each
 * fact, why a property of the tree has no part in it, and the quirks; `default` without any.
 */
export const dmaSource = (facts: DmaFacts, phandles: Phandles): string => {
  const parts = [
    ...(facts.failure === null ? windowSource(facts, phandles) : failureSource(facts.failure)),
    ...coherenceSource(facts.dma),
    ...iommuSource(facts),
    ...facts.quirks.map(name => `quirk ${name}`),
  ];
  return parts.length === 0 ? 'default' : parts.join(', ');
};

const failureSource = ({ problem, errno }: OfFailure): string[] => [
  problem === null ? errno : `${problem.place}:${problem.property ?? ''}: not configured`,
];

const windowSource = (facts: DmaFacts, phandles: Phandles): string[] => {
  const { map } = facts.dma.provenance;
  return 'path' in map ? [`${map.path}:${map.property}`] : noWindowSource(facts, map, phandles);
};

const noWindowSource = (facts: DmaFacts, why: NoDmaRange, phandles: Phandles): string[] => {
  if (why.reason === 'untranslatable') return [`${why.bus.path}:dma-ranges: does not translate`];
  if (why.reason === 'absent' || why.hidden === null) return [];
  const bus = gapBus(facts, phandles)?.path ?? facts.node.path;
  return [`${bus}: gap rule, ${why.hidden.path}:dma-ranges ignored`];
};

const coherenceSource = ({ provenance: { coherent } }: DmaConfig): string[] =>
  coherent === null || coherent === 'coherentBefore'
    ? []
    : [`${coherent.path}:${coherent.property}`];

/** Why the DMA API is direct where the tree names an IOMMU. */
const WHY_DIRECT = {
  disabled: 'is disabled',
  'no-of-xlate': 'has a driver that takes no specifiers',
  'no-dma-domain': 'has no domain for the DMA API',
  'identity-domain': 'lets it pass unchanged',
  refused: 'refuses it',
} as const;

const iommuSource = ({ node, kind, iommu }: DmaFacts): string[] => {
  const property = `${node.path}:${kind === 'platform' ? 'iommus' : 'iommu-map'}`;
  if (iommu.kind === 'iommu') return [property];
  if (iommu.kind !== 'direct') return [];
  switch (iommu.reason) {
    case 'not-described':
      return [];
    case 'broken':
      return [`${property}: cannot be read`];
    case 'not-mapped':
      return [`${property}: has no entry for id 0`];
    default:
      return [`${property}: ${iommu.iommu?.path ?? 'the IOMMU'} ${WHY_DIRECT[iommu.reason]}`];
  }
};
