import { InputError } from '../base/types/errors';
import { cellAt } from './bytes';
import type { TreeLimits } from './limits';
import { TreeBudget } from './limits';
import { isPrintable, isRedundantName } from './names';
import { DeviceTree, DtNode } from './tree';

/** One entry of a folder; anything that is neither a file nor a folder is left out of the list. */
export interface DtfsEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder';
}

/** A folder like /proc/device-tree. Paths begin with `/`, which is the folder itself. */
export interface DtfsReader {
  list(path: string): readonly DtfsEntry[];
  read(path: string): Uint8Array;
}

/**
 * Builds a tree from a folder whose files are properties and whose folders are nodes, as Linux
 * shows a live tree in /sys/firmware/devicetree/base. The folder keeps neither the written order
 * nor memory reservations nor the boot CPU: entries are sorted by name, and the boot CPU is the
 * `reg` of the first, as compilers guess it.
 *
 * `name` files, which Linux adds, are dropped; so is the `#1` that it appends to the name of a
 * folder beside a file of the same name (drivers/of/kobj.c, safe_name()).
 */
export const readDtfs = (reader: DtfsReader, limits: Partial<TreeLimits> = {}): DeviceTree => {
  const budget = new TreeBudget(limits);
  const root = new DtNode('', null);
  new FolderReader(reader, budget).fill(root, '/', 1);
  return new DeviceTree(root, [], bootCpuOf(root));
};

class FolderReader {
  readonly #reader: DtfsReader;
  readonly #budget: TreeBudget;

  constructor(reader: DtfsReader, budget: TreeBudget) {
    this.#reader = reader;
    this.#budget = budget;
  }

  fill(node: DtNode, folder: string, depth: number): void {
    this.#budget.takeNode(depth, () => folder);
    const entries = [...this.#reader.list(folder)].sort((a, b) => compare(a.name, b.name));
    const below = (name: string): string => (folder === '/' ? `/${name}` : `${folder}/${name}`);
    for (const { name, kind } of entries) {
      if (kind === 'file') this.#property(node, name, below(name));
    }
    for (const { name, kind } of entries) {
      if (kind === 'folder') this.#child(node, name, below(name), depth + 1);
    }
  }

  #property(node: DtNode, name: string, path: string): void {
    this.#checkName(name, path);
    this.#budget.takeProperty(() => path);
    const value = new Uint8Array(this.#reader.read(path));
    this.#budget.takeBytes(value.length, () => path);
    if (isRedundantName(node, { name, value })) return;
    if (node.has(name)) throw twice(path);
    node.setProperty(name, value);
  }

  #child(node: DtNode, folderName: string, path: string, depth: number): void {
    this.#checkName(folderName, path);
    const name = folderName.replace(/#[0-9]+$/, '');
    if (node.children.has(name)) throw twice(path);
    this.fill(node.appendChild(name), path, depth);
  }

  #checkName(name: string, path: string): void {
    this.#budget.checkName(name, () => path);
    if (name !== '' && isPrintable(name) && !name.includes('/')) return;
    const expected = "a name of printable ASCII without '/'";
    throw new InputError({ place: path, expected, found: JSON.stringify(name) });
  }
}

const twice = (path: string): InputError =>
  new InputError({ place: path, expected: 'one entry of that name', found: 'two' });

/** By code units: the same on every host, whatever its language. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const bootCpuOf = (root: DtNode): number => {
  const [first] = root.children.get('cpus')?.children.values() ?? [];
  const reg = first?.bytes('reg');
  return reg?.length === 4 ? (cellAt(reg, 0) ?? 0) : 0;
};
