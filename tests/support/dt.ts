import { cellBytes, stringBytes } from '../../drivers/of/bytes';
import { DeviceTree, DtNode } from '../../drivers/of/tree';
import type { MemReserve } from '../../drivers/of/tree';

/*
 * Device trees written as object literals:
 *
 *   dt({ 'intc: gic@1000': { reg: [0x1000, 0x100] }, uart: { 'interrupt-parent': [ref('intc')] } })
 *
 * An array of numbers is cells (a bigint is two of them), strings are strings, true is an empty
 * property, bytes are themselves. A node whose name begins with a label has a phandle.
 */

export interface Ref {
  readonly label: string;
}

/** The phandle of a labelled node, as a cell. */
export const ref = (label: string): Ref => ({ label });

export type DtValue =
  true | string | readonly string[] | readonly (number | bigint | Ref)[] | Uint8Array;

export interface DtLiteral {
  readonly [name: string]: DtValue | DtLiteral;
}

interface Header {
  readonly memReserve?: MemReserve[];
  readonly bootCpu?: number;
}

/** A tree from a literal; `label: name` as a key labels the node, which gets the next phandle. */
export const dt = (root: DtLiteral, { memReserve = [], bootCpu = 0 }: Header = {}): DeviceTree => {
  const phandles = new Map<string, number>();
  numberLabels(root, phandles);
  const node = new DtNode('', null);
  fill(node, root, phandles);
  return new DeviceTree(node, memReserve, bootCpu);
};

/** The node at a path that the test knows to exist. */
export const nodeAt = (tree: DeviceTree, path: string): DtNode => {
  const node = tree.at(path);
  if (node === undefined) throw new Error(`no node ${path}`);
  return node;
};

const isNode = (value: DtValue | DtLiteral): value is DtLiteral =>
  typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);

/** `label: name` or `name`. */
const splitLabel = (key: string): { label: string | undefined; name: string } => {
  const [first = '', second] = key.split(': ');
  return second === undefined ? { label: undefined, name: first } : { label: first, name: second };
};

const numberLabels = (literal: DtLiteral, phandles: Map<string, number>): void => {
  for (const [key, value] of Object.entries(literal)) {
    if (!isNode(value)) continue;
    const { label } = splitLabel(key);
    if (label !== undefined) phandles.set(label, phandles.size + 1);
    numberLabels(value, phandles);
  }
};

const fill = (node: DtNode, literal: DtLiteral, phandles: ReadonlyMap<string, number>): void => {
  for (const [key, value] of Object.entries(literal)) {
    if (!isNode(value)) {
      node.setProperty(key, encode(value, phandles));
      continue;
    }
    const { label, name } = splitLabel(key);
    const child = node.appendChild(name);
    if (label !== undefined) {
      child.labels.push(label);
      child.setProperty('phandle', cellBytes([phandles.get(label) ?? 0]));
    }
    fill(child, value, phandles);
  }
};

const encode = (value: DtValue, phandles: ReadonlyMap<string, number>): Uint8Array => {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  const list: readonly (string | number | bigint | Ref)[] =
    typeof value === 'string' ? [value] : value;
  const bytes = list.flatMap(entry =>
    typeof entry === 'string' ? [...stringBytes(entry)] : [...cellBytes(cellsOf(entry, phandles))],
  );
  return Uint8Array.from(bytes);
};

const cellsOf = (
  entry: number | bigint | Ref,
  phandles: ReadonlyMap<string, number>,
): readonly number[] => {
  if (typeof entry === 'number') return [entry];
  if (typeof entry === 'bigint') return [Number(entry >> 32n), Number(entry & 0xffff_ffffn)];
  const phandle = phandles.get(entry.label);
  if (phandle === undefined) throw new Error(`no label ${entry.label}`);
  return [phandle];
};
