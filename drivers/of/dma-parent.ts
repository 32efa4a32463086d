import type { Phandles } from './phandle';
import { ofParsePhandleWithArgs } from './phandle';
import { boundedStrings } from './property';
import type { DtNode } from './tree';
import { treeWork } from './tree-work';

/**
 * The bus a device's DMA goes out on: the interconnect called `dma-mem`, else the parent in the
 * tree; null above the root. An interconnect that cannot be read counts as none.
 * Linux: __of_get_dma_parent(), drivers/of/address.c.
 */
export const ofGetDmaParent = (node: DtNode, phandles: Phandles): DtNode | null => {
  const { dmaParents } = treeWork(phandles);
  const known = dmaParents.get(node);
  if (known !== undefined) return known;
  const parent = findDmaParent(node, phandles);
  dmaParents.set(node, parent);
  return parent;
};

const findDmaParent = (node: DtNode, phandles: Phandles): DtNode | null => {
  const index = boundedStrings(node, 'interconnect-names')?.indexOf('dma-mem') ?? -1;
  if (index < 0) return node.parent;
  const entry = ofParsePhandleWithArgs(
    node,
    'interconnects',
    '#interconnect-cells',
    index,
    phandles,
  );
  return entry.ok ? entry.value.node : node.parent;
};

/** How a walk gets from one node to the next bus up. */
export type ParentOf = (node: DtNode) => DtNode | null;

/** The way of addresses: from each node to the one that it stands in. */
export const treeParent: ParentOf = node => node.parent;

/** Twice as many levels as a tree can have: what is longer goes to and fro. */
const MOST_DMA_PARENTS = 128;

/**
 * ofGetDmaParent for one walk upwards. Interconnects can lead in a circle, in which Linux loops
 * for ever; here the second visit of a node, or a walk without end, is an InputError.
 */
export const dmaParentWalk = (phandles: Phandles): ParentOf => {
  const visited = new Set<DtNode>();
  return node => {
    if (visited.has(node) || visited.size === MOST_DMA_PARENTS) {
      throw node.problem('interconnects', 'DMA parents that lead to the root', 'a circle');
    }
    visited.add(node);
    return ofGetDmaParent(node, phandles);
  };
};

/** The node and its DMA parents up to the root. */
export function* dmaAncestors(node: DtNode, phandles: Phandles): Generator<DtNode> {
  const parentOf = dmaParentWalk(phandles);
  for (let n: DtNode | null = node; n !== null; n = parentOf(n)) yield n;
}
