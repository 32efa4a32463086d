import type { InputError } from '../base/types/errors';
import { cellAt, stringBytes } from './bytes';
import type { Fragment } from './overlay-merge';
import { ChildFinder, mergeProperties } from './overlay-merge';
import type { DeviceTree } from './tree';
import { DtNode } from './tree';

/** The nodes of a base by what an overlay may call them: labels and full paths. */
export class BaseLabels {
  readonly #tree: DeviceTree;
  readonly #symbols: DtNode | undefined;
  readonly #labels = new Map<string, DtNode>();

  constructor(tree: DeviceTree) {
    this.#tree = tree;
    this.#symbols = tree.root.children.get('__symbols__');
    for (const node of tree.root.walk()) {
      for (const label of node.labels) if (!this.#labels.has(label)) this.#labels.set(label, node);
    }
  }

  /** The node; if there is none, the InputError that `problem` makes of the reason. */
  find(label: string, problem: (expected: string, found: string) => InputError): DtNode {
    if (label.startsWith('/')) {
      const node = this.#at(label);
      if (node === undefined) throw problem('a path of the base', `'${label}'`);
      return node;
    }
    const path = this.#symbols?.string(label);
    const node = path === undefined ? this.#labels.get(label) : this.#at(path);
    if (node !== undefined) return node;
    if (path !== undefined)
      throw problem(`a node of the base at '${path}', as its __symbols__ say`, 'none');
    if (this.#symbols === undefined && this.#labels.size === 0) {
      const expected =
        `a base that has symbols, to find the label '${label}' ` +
        '(a path works with every base: target-path = "/...", or &{/...})';
      throw problem(expected, 'one without __symbols__');
    }
    throw problem('a label of the base', `'${label}'`);
  }

  /** By full names; libfdt lets a symbol begin with an alias, if the overlay's target did. */
  #at(path: string): DtNode | undefined {
    if (!path.startsWith('/')) return this.#tree.at(path);
    return path
      .split('/')
      .filter(part => part !== '')
      .reduce<DtNode | undefined>((node, part) => node?.children.get(part), this.#tree.root);
  }
}

/**
 * Enters the overlay's symbols in the base's, for overlays to come: `/fragment@0/__overlay__/led`
 * becomes what that node is called in the base. Symbols of nodes outside the fragments are left
 * out, as these do not get into the base. `targets` are the fragments' nodes in the base.
 */
export const mergeSymbols = (
  tree: DeviceTree,
  patch: DeviceTree,
  fragments: readonly Fragment[],
  targets: readonly DtNode[],
): void => {
  const symbols = patch.root.children.get('__symbols__');
  if (symbols === undefined) return;
  const bases = new Map<string, string>();
  for (const [i, { node }] of fragments.entries()) {
    bases.set(node.name, writtenPath(node) ?? targets[i]?.path ?? '/');
  }

  const merged = new DtNode('__symbols__', null);
  for (const label of symbols.properties.keys()) {
    const [path = '', ...more] = symbols.strings(label) ?? [];
    if (more.length > 0 || !path.startsWith('/')) {
      throw symbols.problem(label, 'one full path', `'${path}'`);
    }
    const [, fragment, below = ''] = /^\/([^/]+)\/__overlay__(?:\/(.*))?$/.exec(path) ?? [];
    if (fragment === undefined) continue;
    const base = bases.get(fragment);
    if (base === undefined) throw symbols.problem(label, 'a path in a fragment', `'${path}'`);
    merged.setProperty(label, stringBytes(`${base === '/' ? '' : base}/${below}`));
  }

  const children = new ChildFinder(tree.root);
  mergeProperties(children.find('__symbols__') ?? children.add(merged), merged);
  children.putNewFirst();
};

/** `target-path` as it is written, unless a phandle says what the target is. */
const writtenPath = (fragment: DtNode): string | undefined => {
  const target = fragment.bytes('target');
  const hasPhandle = target !== undefined && cellAt(target, 0) !== 0;
  return hasPhandle ? undefined : fragment.string('target-path');
};
