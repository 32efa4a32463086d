import { cellAt } from './bytes';
import type { DeviceTree, DtNode, Property } from './tree';

/** A part of an overlay: what goes where. */
export interface Fragment {
  readonly node: DtNode;
  readonly content: DtNode;
}

/** The nodes under an overlay's root that have an `__overlay__`; others are not applied. */
export const fragmentsOf = (root: DtNode): Fragment[] => {
  const fragments: Fragment[] = [];
  for (const node of root.children.values()) {
    const content = node.children.get('__overlay__');
    if (content !== undefined) fragments.push({ node, content });
  }
  return fragments;
};

/** Puts fragments into a tree, and knows what phandles and labels are in it at each moment. */
export class Merger {
  readonly #tree: DeviceTree;
  readonly #byPhandle = new Map<number, DtNode>();
  readonly #byLabel = new Map<string, DtNode>();

  constructor(tree: DeviceTree) {
    this.#tree = tree;
    for (const node of tree.root.walk()) {
      for (const label of node.labels) this.#byLabel.set(label, node);
      for (const property of node.properties.values()) this.#learnPhandle(node, property);
    }
  }

  targetOf(fragment: DtNode): DtNode {
    const target = this.findTarget(fragment);
    if (target !== undefined) return target;
    const property = fragment.has('target') ? 'target' : 'target-path';
    const path = fragment.string('target-path');
    const found = path === undefined ? 'none' : `'${path}'`;
    throw fragment.problem(property, 'a node of the base', found);
  }

  /** The node a fragment is for; undefined while there is none. */
  findTarget(fragment: DtNode): DtNode | undefined {
    const target = fragment.bytes('target');
    if (target !== undefined && target.length !== 4) {
      throw fragment.problem('target', 'one cell', `${target.length} bytes`);
    }
    const phandle = target === undefined ? undefined : cellAt(target, 0);
    if (phandle !== undefined && phandle !== 0) return this.#byPhandle.get(phandle);
    const path = fragment.string('target-path');
    return path === undefined ? undefined : this.#tree.at(path);
  }

  merge(target: DtNode, content: DtNode): void {
    for (const label of content.labels) this.#moveLabel(label, target);
    mergeProperties(target, content);
    for (const property of content.properties.values()) this.#learnPhandle(target, property);
    const children = new ChildFinder(target);
    for (const child of content.children.values()) {
      this.merge(children.find(child.name) ?? children.add(child), child);
    }
    children.putNewFirst();
  }

  /** A label names one node: like a symbol, it goes to where the newest overlay puts it. */
  #moveLabel(label: string, node: DtNode): void {
    const owner = this.#byLabel.get(label);
    if (owner === node) return;
    if (owner !== undefined) owner.labels.splice(owner.labels.indexOf(label), 1);
    node.labels.push(label);
    this.#byLabel.set(label, node);
  }

  #learnPhandle(node: DtNode, { name, value }: Property): void {
    if (name !== 'phandle' && name !== 'linux,phandle') return;
    const phandle = value.length === 4 ? cellAt(value, 0) : undefined;
    if (phandle !== undefined && !this.#byPhandle.has(phandle)) this.#byPhandle.set(phandle, node);
  }
}

/** Sets the properties of `content` in `target`; what is new comes first, the last foremost. */
export const mergeProperties = (target: DtNode, content: DtNode): void => {
  const added: Property[] = [];
  for (const property of content.properties.values()) {
    if (target.has(property.name)) target.properties.set(property.name, property);
    else added.push(property);
  }
  if (added.length === 0) return;
  const present = [...target.properties.values()];
  target.properties.clear();
  for (const property of [...added.reverse(), ...present]) {
    target.properties.set(property.name, property);
  }
};

/** The children of a node while new ones come in front of them, the newest first. */
export class ChildFinder {
  readonly #node: DtNode;
  readonly #added: DtNode[] = [];
  #byBaseName: Map<string, DtNode> | undefined;

  constructor(node: DtNode) {
    this.#node = node;
  }

  /**
   * A child by name as libfdt finds it (fdt_subnode_offset()): without a unit address, the first
   * child that has that name with or without one.
   */
  find(name: string): DtNode | undefined {
    return name.includes('@') ? this.#node.children.get(name) : this.#baseNames().get(name);
  }

  add(like: DtNode): DtNode {
    const child = this.#node.appendChild(like.name, like.place);
    this.#added.push(child);
    this.#byBaseName?.set(child.baseName, child);
    return child;
  }

  putNewFirst(): void {
    if (this.#added.length === 0) return;
    const all = new Set([...this.#added.reverse(), ...this.#node.children.values()]);
    this.#node.children.clear();
    for (const child of all) this.#node.children.set(child.name, child);
  }

  #baseNames(): Map<string, DtNode> {
    if (this.#byBaseName === undefined) {
      this.#byBaseName = new Map();
      for (const child of this.#node.children.values()) {
        if (!this.#byBaseName.has(child.baseName)) this.#byBaseName.set(child.baseName, child);
      }
      for (const child of this.#added) this.#byBaseName.set(child.baseName, child);
    }
    return this.#byBaseName;
  }
}
