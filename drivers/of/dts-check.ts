import { InputError } from '../base/types/errors';
import { hex } from '../base/types/address';
import { cellAt } from './bytes';
import { findTarget } from './dts-labels';
import type { SourceTree } from './dts-parser';
import type { SourceLabel, SourceNode, SourceProperty } from './dts-tree';
import { isNodeName, isPropertyName } from './names';
import type { SourcePlace } from './tree';
import { showPlace } from './tree';

/* What makes a source wrong although each statement reads well: what dtc reports as errors. */

/** Throws an InputError for names, labels and phandles that cannot be. */
export const checkSource = (tree: SourceTree): void => {
  const labels = new Map<string, SourcePlace>();
  for (const node of tree.root.walk()) {
    checkChildren(node);
    checkProperties(node);
    checkLabels(node, labels);
  }
  assignExplicitPhandles(tree);
};

/** An error of the source: where it is written, in which node, and in which property if in any. */
export const nodeError = (
  node: SourceNode,
  place: SourcePlace,
  expected: string,
  found: string,
  property?: SourceProperty,
): InputError => {
  const problem = { place: `${showPlace(place)}: ${node.path}`, expected, found };
  return new InputError(property === undefined ? problem : { ...problem, property: property.name });
};

/**
 * Within one pair of braces a name may stand once: two definitions merge only when they are
 * apart, and what is deleted must have been there before.
 */
const checkChildren = (node: SourceNode): void => {
  const seen = new Set<string>();
  for (const child of node.allChildren) {
    if (seen.has(child.name)) {
      const found = child.deleted ? 'its deletion' : 'another definition';
      throw nodeError(child, child.place, 'one statement about a node in a pair of braces', found);
    }
    if (child.deleted) continue;
    seen.add(child.name);
    if (!isNodeName(child.name)) {
      throw nodeError(
        child,
        child.place,
        'a node name of letters, digits and ,._+-@',
        `'${child.name}'`,
      );
    }
    if (child.name.split('@').length > 2) {
      throw nodeError(child, child.place, "one '@' in a node name", `'${child.name}'`);
    }
  }
};

const checkProperties = (node: SourceNode): void => {
  const seen = new Set<string>();
  for (const property of node.properties) {
    if (seen.has(property.name)) {
      const found = 'another definition';
      throw nodeError(node, property.place, 'one definition in a pair of braces', found, property);
    }
    seen.add(property.name);
    if (!isPropertyName(property.name)) {
      const expected = 'a property name of letters, digits and ,._+*#?-';
      throw nodeError(node, property.place, expected, `'${property.name}'`, property);
    }
  }
};

const checkLabels = (node: SourceNode, seen: Map<string, SourcePlace>): void => {
  const enter = ({ name, place }: SourceLabel): void => {
    const first = seen.get(name);
    if (first !== undefined) {
      const found = `'${name}', also at ${showPlace(first)}`;
      throw nodeError(node, place, 'a label that is used once', found);
    }
    seen.set(name, place);
  };
  for (const name of node.labels) enter({ name, place: node.place });
  for (const { labels, value } of node.properties) {
    for (const [name, place] of labels ?? []) enter({ name, place });
    for (const label of value.labels) enter(label);
  }
};

const assignExplicitPhandles = (tree: SourceTree): void => {
  const owners = new Map<number, SourceNode>();
  for (const node of tree.root.walk()) {
    const phandle = explicitPhandle(tree, node, 'phandle');
    const legacy = explicitPhandle(tree, node, 'linux,phandle');
    if (phandle !== undefined && legacy !== undefined && phandle.value !== legacy.value) {
      const { place } = legacy.property;
      throw nodeError(node, place, hex(phandle.value), hex(legacy.value), legacy.property);
    }
    const own = phandle ?? legacy;
    if (own === undefined) continue;
    const owner = owners.get(own.value);
    if (owner !== undefined) {
      const found = `${hex(own.value)}, that of ${owner.path}`;
      throw nodeError(node, own.property.place, 'a phandle of its own', found, own.property);
    }
    owners.set(own.value, node);
    node.phandle = own.value;
  }
};

/** `phandle = <&itself>` asks for one to be allocated, and is not explicit. */
const explicitPhandle = (
  tree: SourceTree,
  node: SourceNode,
  name: string,
): { readonly value: number; readonly property: SourceProperty } | undefined => {
  const property = node.property(name);
  if (property === undefined) return undefined;
  const { bytes, references } = property.value;
  const value = bytes.length === 4 ? cellAt(bytes, 0) : undefined;
  if (value === undefined) {
    throw nodeError(node, property.place, 'one cell', `${bytes.length} bytes`, property);
  }
  const [reference] = references;
  if (reference !== undefined) {
    if (findTarget(reference.target, tree.root, tree.labels) === node) return undefined;
    const found = `&${reference.target}`;
    throw nodeError(node, property.place, 'a reference to the node itself', found, property);
  }
  if (value === 0 || value === 0xffffffff) {
    throw nodeError(node, property.place, 'neither 0 nor 0xffffffff', hex(value), property);
  }
  return { value, property };
};
