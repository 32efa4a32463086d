import type { Random } from '../../drivers/base/types/random';
import type { DeviceTree, DtNode } from '../../drivers/of/tree';
import { copyTree } from '../../drivers/of/tree';
import { pick } from './harness';

/* Damage to device trees that can be read: what they say is wrong, not how they say it. */

const CELLS = [0, 1, 2, 3, 4, 7, 0x1000, 0x7fff_ffff, 0x8000_0000, 0xffff_f000, 0xffff_ffff];

/** Properties that machines are made from; others are changed too, but less often. */
const TELLING = [
  ...['reg', 'ranges', 'dma-ranges', '#address-cells', '#size-cells', 'compatible', 'status'],
  ...['interrupts', 'interrupt-parent', '#interrupt-cells', 'interrupts-extended', 'phandle'],
  ...['interrupt-map', 'iommus', 'iommu-map', '#iommu-cells', 'memory-region', 'dma-coherent'],
  ...['size', 'alloc-ranges', 'alignment', 'no-map', 'reusable', 'device_type', 'enable-method'],
  ...['d-cache-size', 'd-cache-line-size', 'd-cache-sets', 'cache-size', 'cache-sets'],
  ...['next-level-cache', 'cache-level', 'cache-unified', 'interrupt-controller'],
];

/** Lists that are read again and again. */
const LISTS = ['reg', 'ranges', 'dma-ranges', 'iommus', 'interconnects', 'memory-region'];

const MOST_CHANGES = 6;

/** A damaged copy; `other` is a tree to take values from. */
export const mutateTree = (seed: DeviceTree, other: DeviceTree, random: Random): DeviceTree => {
  const tree = copyTree(seed);
  for (let i = 1 + random.below(MOST_CHANGES); i > 0; i--) changeTree(tree, other, random);
  return tree;
};

const changeTree = (tree: DeviceTree, other: DeviceTree, random: Random): void => {
  const node = anyNode(tree, random);
  switch (random.below(9)) {
    case 0:
      node.parent?.children.delete(node.name);
      return;
    case 1:
      node.properties.delete(propertyOf(node, random));
      return;
    case 2:
      node.setProperty(pick(random, TELLING, ''), cellsOf(random));
      return;
    case 3:
      copyProperty(node, anyNode(other, random), random);
      return;
    case 4:
      resize(node, random);
      return;
    case 5:
      stretch(node, random);
      return;
    default:
      changeCell(node, random);
  }
};

/** Of the whole tree, but half of the time near its root, where machines are decided. */
const anyNode = ({ root }: DeviceTree, random: Random): DtNode => {
  const nodes = [...root.walk()];
  const shallow = nodes.filter(({ parent }) => parent === null || parent.parent === null);
  return pick(random, random.oneIn(2) ? shallow : nodes, root);
};

const propertyOf = (node: DtNode, random: Random): string => {
  const names = [...node.properties.keys()];
  const telling = names.filter(name => TELLING.includes(name));
  return pick(random, telling.length > 0 && !random.oneIn(4) ? telling : names, 'reg');
};

const cellsOf = (random: Random): Uint8Array => {
  const bytes = new Uint8Array(4 * random.below(9));
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, pick(random, CELLS, 0));
  return bytes;
};

const copyProperty = (to: DtNode, from: DtNode, random: Random): void => {
  const name = propertyOf(from, random);
  const value = from.bytes(name);
  if (value !== undefined) to.setProperty(name, new Uint8Array(value));
};

const resize = (node: DtNode, random: Random): void => {
  const name = propertyOf(node, random);
  const value = node.bytes(name) ?? new Uint8Array();
  const bytes = new Uint8Array(random.below(2 * value.length + 8));
  bytes.set(value.subarray(0, bytes.length));
  node.setProperty(name, bytes);
};

/** Up to what boundedCells() still reads, and then some. */
const LONGEST = 20_000;

/** The property over and over, or for a bus of none many windows. */
const stretch = (node: DtNode, random: Random): void => {
  const name = random.oneIn(2) ? propertyOf(node, random) : pick(random, LISTS, 'dma-ranges');
  const value = node.bytes(name) ?? cellsOf(random);
  const bytes = new Uint8Array(
    value.length * random.below(Math.ceil(LONGEST / (value.length + 1))),
  );
  for (let at = 0; at < bytes.length; at += value.length) bytes.set(value, at);
  node.setProperty(name, bytes);
};

const changeCell = (node: DtNode, random: Random): void => {
  const name = propertyOf(node, random);
  const value = node.bytes(name);
  if (value === undefined || value.length < 4) return;
  const bytes = new Uint8Array(value);
  const view = new DataView(bytes.buffer);
  const at = 4 * random.below(Math.floor(bytes.length / 4));
  const near = view.getUint32(at) + random.below(9) - 4;
  view.setUint32(at, random.oneIn(2) ? near : pick(random, CELLS, 0));
  node.setProperty(name, bytes);
};
