import { ByteWriter, cellBytes } from './bytes';
import { nodeError } from './dts-check';
import { findTarget } from './dts-labels';
import type { SourceTree } from './dts-parser';
import type { SourceNode, SourceProperty, SourceReference } from './dts-tree';
import type { TreeBudget } from './limits';
import { showPlace } from './tree';

/**
 * Allocates phandles as dtc does: counting from 1, leaving out those the source states, in the
 * order in which the references stand.
 */
export class PhandleAllocator {
  readonly #used = new Set<number>();
  readonly #budget: TreeBudget;
  #next = 1;

  constructor(root: SourceNode, budget: TreeBudget) {
    this.#budget = budget;
    for (const { phandle } of root.walk()) if (phandle !== undefined) this.#used.add(phandle);
  }

  /** The node's phandle, given to it as its last property if it has none. */
  phandleOf(node: SourceNode): number {
    if (node.phandle !== undefined) return node.phandle;
    while (this.#used.has(this.#next)) this.#next += 1;
    const phandle = this.#next;
    this.#used.add(phandle);
    node.phandle = phandle;
    if (node.property('phandle') === undefined) {
      this.#budget.takeProperty(() => showPlace(node.place));
      node.addProperty(generated('phandle', cellBytes([phandle]), node));
    }
    return phandle;
  }

  /** Frees the phandles of nodes that are left out after all. */
  free(node: SourceNode): void {
    for (const { phandle } of node.walk()) if (phandle !== undefined) this.#used.delete(phandle);
  }
}

/** A property that no source states, placed where its node is. */
export const generated = (name: string, bytes: Uint8Array, node: SourceNode): SourceProperty => ({
  name,
  labels: undefined,
  value: { bytes, references: [], labels: [] },
  place: node.place,
  deleted: false,
});

/**
 * Fills in all references: first the cells, then the paths, as they change what is where. In a
 * plugin a cell whose target is not in this source stays 0xffffffff, for __fixups__ to tell.
 */
export const resolveReferences = (
  tree: SourceTree,
  allocator: PhandleAllocator,
  budget: TreeBudget,
): void => {
  for (const node of tree.root.walk()) {
    for (const property of node.properties) fillCells(tree, node, property, allocator);
  }
  for (const node of tree.root.walk()) {
    for (const property of node.properties) fillPaths(tree, node, property, budget);
  }
};

/** Deletes the nodes marked `/omit-if-no-ref/` that nothing refers to. */
export const omitUnreferenced = (
  root: SourceNode,
  allocator: PhandleAllocator,
  keepLabelled: boolean,
): void => {
  for (const node of root.walk()) {
    if (!node.omitIfNoRef || node.isReferenced) continue;
    if (keepLabelled && node.isLabelled) continue;
    allocator.free(node);
    node.delete();
  }
};

const fillCells = (
  tree: SourceTree,
  node: SourceNode,
  property: SourceProperty,
  allocator: PhandleAllocator,
): void => {
  const { bytes, references } = property.value;
  if (references.length === 0) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const reference of references) {
    if (reference.kind !== 'phandle') continue;
    const target = findTarget(reference.target, tree.root, tree.labels);
    if (target !== undefined) {
      view.setUint32(reference.offset, allocator.phandleOf(target));
      target.isReferenced = true;
    } else if (!tree.isPlugin) {
      throw dangling(node, property, reference);
    }
  }
};

const fillPaths = (
  tree: SourceTree,
  node: SourceNode,
  property: SourceProperty,
  budget: TreeBudget,
): void => {
  const { references, labels } = property.value;
  if (!references.some(({ kind }) => kind === 'path')) return;
  const { bytes } = property.value;
  const value = new ByteWriter();
  let done = 0;
  for (const reference of references) {
    value.bytes(bytes.subarray(done, reference.offset));
    done = reference.offset;
    reference.offset = value.length;
    if (reference.kind !== 'path') continue;
    const target = findTarget(reference.target, tree.root, tree.labels);
    if (target === undefined) throw dangling(node, property, reference);
    target.isReferenced = true;
    const { path } = target;
    budget.takeBytes(path.length + 1, () => showPlace(reference.place));
    value.string(path);
  }
  value.bytes(bytes.subarray(done));
  property.value = { bytes: value.take(), references, labels };
};

const dangling = (
  node: SourceNode,
  property: SourceProperty,
  { target, place }: SourceReference,
): Error => {
  const shown = target.includes('/') ? `&{${target}}` : `&${target}`;
  return nodeError(node, place, 'a reference to a node that exists', shown, property);
};
