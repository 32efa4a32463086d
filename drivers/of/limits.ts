import { InputError } from '../base/types/errors';
import { MIB } from '../base/types/bits';
import type { DeviceTree, DtNode } from './tree';

/** How large a device tree may become before it is refused; the largest real board is far below. */
export interface TreeLimits {
  /** Bytes of a blob, of all source text read, and of all property values together. */
  readonly bytes: number;
  /** Levels of nodes, the root's included. Linux refuses more than 64 (FDT_MAX_DEPTH). */
  readonly depth: number;
  /** Nodes in all. */
  readonly nodes: number;
  /** Properties in all. */
  readonly properties: number;
  /** Characters of one node or property name. */
  readonly nameLength: number;
  /** Characters of a node's path, which is told again for each device below it or behind it. */
  readonly pathLength: number;
}

export const DEFAULT_LIMITS: TreeLimits = {
  bytes: 16 * MIB,
  depth: 64,
  nodes: 65_536,
  properties: 262_144,
  nameLength: 255,
  pathLength: 512,
};

/** Where something is, worked out only if it has to be told. */
export type Where = () => string;

/** What is left of the limits while one tree is read. Every excess is an InputError. */
export class TreeBudget {
  readonly limits: TreeLimits;
  #nodes = 0;
  #properties = 0;
  #bytes = 0;

  constructor(limits: Partial<TreeLimits> = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Counts one more node at `depth` (the root's is 1). */
  takeNode(depth: number, where: Where): void {
    if (depth > this.limits.depth) throw excess(where, this.limits.depth, 'levels of nodes');
    this.#nodes += 1;
    if (this.#nodes > this.limits.nodes) throw excess(where, this.limits.nodes, 'nodes');
  }

  takeProperty(where: Where): void {
    this.#properties += 1;
    if (this.#properties > this.limits.properties) {
      throw excess(where, this.limits.properties, 'properties');
    }
  }

  /** Counts bytes that the tree will hold. */
  takeBytes(count: number, where: Where): void {
    this.#bytes += count;
    if (this.#bytes > this.limits.bytes) throw excess(where, this.limits.bytes, 'bytes in all');
  }

  checkName(name: string, where: Where): void {
    if (name.length <= this.limits.nameLength) return;
    throw new InputError({
      place: where(),
      expected: `a name of at most ${this.limits.nameLength} characters`,
      found: `one of ${name.length} ('${name.slice(0, 20)}...')`,
    });
  }

  checkPath(length: number, where: Where): void {
    if (length <= this.limits.pathLength) return;
    const expected = `a path of at most ${this.limits.pathLength} characters`;
    throw new InputError({ place: cut(where()), expected, found: `one of ${length}` });
  }
}

/** The start of a path that is too long to be told. */
const cut = (path: string): string => `${path.slice(0, 80)}...`;

const excess = (where: Where, limit: number, what: string): InputError =>
  new InputError({ place: where(), expected: `at most ${limit} ${what}`, found: 'more' });

/**
 * Refuses a whole tree that is larger than a reader accepts, by overlays say, or whose paths are
 * too long, which no reader looks at.
 */
export const checkLimits = ({ root }: DeviceTree, limits: Partial<TreeLimits> = {}): void => {
  const budget = new TreeBudget(limits);
  const visit = (node: DtNode, depth: number, above: number): void => {
    const where = (): string => node.path;
    const length = above + 1 + node.name.length;
    budget.takeNode(depth, where);
    budget.checkPath(length, where);
    for (const { value } of node.properties.values()) {
      budget.takeProperty(where);
      budget.takeBytes(value.length, where);
    }
    for (const child of node.children.values())
      visit(child, depth + 1, node.parent === null ? 0 : length);
  };
  visit(root, 1, 0);
};
