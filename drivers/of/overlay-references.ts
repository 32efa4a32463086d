import { InputError } from '../base/types/errors';
import { cellAt, cellBytes } from './bytes';
import { ChildFinder } from './overlay-merge';
import type { BaseLabels } from './overlay-symbols';
import type { DeviceTree, DtNode } from './tree';

const PHANDLES = ['phandle', 'linux,phandle'] as const;
const MAX_PHANDLE = 0xfffffffe;

/** A node's phandle; 0 if it has none, or one of the wrong length. Linux and libfdt agree. */
const phandleOf = (node: DtNode): number => {
  for (const property of PHANDLES) {
    const value = node.bytes(property);
    if (value?.length === 4) return cellAt(value, 0) ?? 0;
  }
  return 0;
};

/**
 * The references of an overlay. Its own phandles begin at 1 like those of any tree, so all move
 * above the base's (`__local_fixups__` tells where they are used); references to the base are
 * filled in (`__fixups__` tells where).
 */
export class OverlayReferences {
  readonly #patch: DeviceTree;

  constructor(patch: DeviceTree) {
    this.#patch = patch;
  }

  /** Makes all references of the overlay right for the base; gives its nodes phandles if needed. */
  resolve(tree: DeviceTree, labels: BaseLabels): void {
    const allocator = new BasePhandles(tree);
    const missing = this.#missing().map(entry => ({
      ...entry,
      phandle: allocator.phandleOf(labels.find(entry.label, entry.problem)),
    }));
    const delta = allocator.highest;
    for (const node of this.#patch.root.walk()) {
      for (const property of PHANDLES) raisePhandle(node, property, delta);
    }
    this.#eachLocal(cell => (cell + delta) % 2 ** 32);
    for (const { value, offset, phandle } of missing) setCell(value, offset, phandle);
  }

  /** Replaces phandles in all references of the overlay to its own nodes. */
  replace(phandles: ReadonlyMap<number, number>): void {
    if (phandles.size > 0) this.#eachLocal(cell => phandles.get(cell) ?? cell);
  }

  /** Every `path:property:offset` of `__fixups__`. */
  #missing(): MissingReference[] {
    const fixups = this.#patch.root.children.get('__fixups__');
    if (fixups === undefined) return [];
    return [...fixups.properties.keys()].flatMap(label =>
      (fixups.strings(label) ?? []).map(entry => this.#missingReference(fixups, label, entry)),
    );
  }

  #missingReference(fixups: DtNode, label: string, entry: string): MissingReference {
    const [, path, property, digits] = /^([^:]+):([^:]+):([0-9]{1,10})$/.exec(entry) ?? [];
    if (path === undefined || property === undefined || digits === undefined) {
      throw fixups.problem(label, "'path:property:offset'", `'${entry.slice(0, 80)}'`);
    }
    const node = exactNode(this.#patch.root, path);
    const value = node?.bytes(property);
    const offset = Number(digits);
    if (node === undefined || value === undefined || offset + 4 > value.length) {
      throw fixups.problem(label, 'a cell of a property of the overlay', `'${entry}'`);
    }
    return {
      label,
      value,
      offset,
      problem: (expected, found) => node.problem(property, expected, found),
    };
  }

  /** Changes every cell that `__local_fixups__` lists. */
  #eachLocal(change: (cell: number) => number): void {
    const fixups = this.#patch.root.children.get('__local_fixups__');
    if (fixups !== undefined) changeLocal(fixups, this.#patch.root, change);
  }
}

interface MissingReference {
  readonly label: string;
  readonly value: Uint8Array;
  readonly offset: number;
  readonly problem: (expected: string, found: string) => InputError;
}

const changeLocal = (fixups: DtNode, node: DtNode, change: (cell: number) => number): void => {
  for (const property of fixups.properties.keys()) {
    const value = node.bytes(property);
    if (value === undefined) {
      throw fixups.problem(property, `a property of ${node.path} by that name`, 'none');
    }
    for (const offset of fixups.cells(property) ?? []) {
      const cell = cellAt(value, offset);
      if (cell === undefined) {
        throw fixups.problem(property, `offsets into ${value.length} bytes`, `${offset}`);
      }
      setCell(value, offset, change(cell));
    }
  }
  for (const child of fixups.children.values()) {
    const below = node.children.get(child.name);
    if (below === undefined) {
      const expected = `a node '${child.name}' in ${node.path} of the overlay`;
      throw new InputError({ place: child.path, expected, found: 'none' });
    }
    changeLocal(child, below, change);
  }
};

/** The values of a copied tree are its own, so they can be changed in place. */
const setCell = (value: Uint8Array, offset: number, cell: number): void => {
  new DataView(value.buffer, value.byteOffset, value.length).setUint32(offset, cell);
};

const exactNode = (root: DtNode, path: string): DtNode | undefined =>
  path
    .split('/')
    .filter(part => part !== '')
    .reduce<DtNode | undefined>((node, part) => node?.children.get(part), root);

const raisePhandle = (node: DtNode, property: string, delta: number): void => {
  const value = node.bytes(property);
  if (value === undefined) return;
  const phandle = value.length === 4 ? cellAt(value, 0) : undefined;
  if (phandle === undefined || phandle + delta > MAX_PHANDLE) {
    const found = phandle === undefined ? `${value.length} bytes` : `${phandle}`;
    throw node.problem(property, `a cell of at most ${MAX_PHANDLE - delta}`, found);
  }
  setCell(value, 0, phandle + delta);
};

/** The phandles of the base, in which a node that needs one gets the next above all others. */
class BasePhandles {
  highest = 0;

  constructor(tree: DeviceTree) {
    for (const node of tree.root.walk()) {
      const phandle = phandleOf(node);
      if (phandle <= MAX_PHANDLE) this.highest = Math.max(this.highest, phandle);
    }
  }

  phandleOf(node: DtNode): number {
    const present = phandleOf(node);
    if (present !== 0) return present;
    this.highest += 1;
    node.setProperty('phandle', cellBytes([this.highest]));
    return this.highest;
  }
}

/**
 * A node that is in the base keeps its phandle, as the base refers to it by that; the overlay's
 * own references have to follow. Fills `kept` with the overlay's phandle to the base's.
 */
export const keepBasePhandles = (
  base: DtNode,
  content: DtNode,
  kept: Map<number, number>,
): void => {
  const phandle = phandleOf(base);
  const own = phandleOf(content);
  if (phandle !== 0 && own !== 0) {
    kept.set(own, phandle);
    for (const property of PHANDLES) {
      if (content.has(property)) content.setProperty(property, cellBytes([phandle]));
    }
  }
  const children = new ChildFinder(base);
  for (const child of content.children.values()) {
    const below = children.find(child.name);
    if (below !== undefined) keepBasePhandles(below, child, kept);
  }
};
