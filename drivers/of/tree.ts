import { InputError, invariant } from '../base/types/errors';

/** Where in a source file a node or property was written; absent for a DTB. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `file:line:column`, as compilers print it. */
export const showPlace = (place: SourcePlace): string =>
  `${place.file}:${place.line}:${place.column}`;

/** An entry of the memory reservation block: address and size in bytes. */
export interface MemReserve {
  readonly address: bigint;
  readonly size: bigint;
}

/** One property: a name and bytes; what they mean is the binding's business. */
export interface Property {
  readonly name: string;
  readonly value: Uint8Array;
  readonly place?: SourcePlace;
}

const decoder = new TextDecoder('latin1');

/**
 * A node of a device tree. Children and properties keep the order in which they were written;
 * `name` carries its unit address (`serial@1c28000`), the root's is empty.
 *
 * The typed accessors answer undefined for an absent property and throw an InputError, naming
 * the place, for one of the wrong shape.
 */
export class DtNode {
  readonly name: string;
  readonly parent: DtNode | null;
  readonly properties = new Map<string, Property>();
  readonly children = new Map<string, DtNode>();
  readonly labels: string[] = [];
  place: SourcePlace | undefined;

  constructor(name: string, parent: DtNode | null) {
    this.name = name;
    this.parent = parent;
  }

  /** Full path, `/` for the root. */
  get path(): string {
    if (this.parent === null) return '/';
    return this.parent.parent === null ? `/${this.name}` : `${this.parent.path}/${this.name}`;
  }

  /** The name without its unit address. */
  get baseName(): string {
    const at = this.name.indexOf('@');
    return at < 0 ? this.name : this.name.slice(0, at);
  }

  /** Sets a property; one that exists keeps its position in the written order. */
  setProperty(name: string, value: Uint8Array, place?: SourcePlace): void {
    this.properties.set(name, place === undefined ? { name, value } : { name, value, place });
  }

  /** A new child, after the present ones. */
  appendChild(name: string, place?: SourcePlace): DtNode {
    invariant(!this.children.has(name), `${this.path} has a child '${name}' already`);
    const child = new DtNode(name, this);
    child.place = place;
    this.children.set(name, child);
    return child;
  }

  /** Whether the property is there, whatever its value. */
  has(property: string): boolean {
    return this.properties.has(property);
  }

  /** The value as it is; undefined without the property. */
  bytes(property: string): Uint8Array | undefined {
    return this.properties.get(property)?.value;
  }

  /** The property as big-endian 32-bit cells. */
  cells(property: string): number[] | undefined {
    const value = this.bytes(property);
    if (value === undefined) return undefined;
    const view = this.cellsView(property, value);
    return Array.from({ length: value.length / 4 }, (_, i) => view.getUint32(i * 4));
  }

  /** The first cell; a longer property is legal, an empty or ragged one is not. */
  u32(property: string): number | undefined {
    const value = this.bytes(property);
    if (value === undefined) return undefined;
    if (value.length === 0) throw this.problem(property, 'a cell', 'an empty property');
    return this.cellsView(property, value).getUint32(0);
  }

  private cellsView(property: string, value: Uint8Array): DataView {
    if (value.length % 4 !== 0) {
      throw this.problem(property, 'a multiple of 4 bytes', `${value.length} bytes`);
    }
    return new DataView(value.buffer, value.byteOffset, value.length);
  }

  /** The property as a list of NUL-terminated strings. */
  strings(property: string): string[] | undefined {
    const value = this.bytes(property);
    if (value === undefined) return undefined;
    if (value.length === 0) return [];
    if (value[value.length - 1] !== 0) {
      throw this.problem(property, 'NUL-terminated strings', 'no NUL at the end');
    }
    return decoder.decode(value.subarray(0, -1)).split('\0');
  }

  /** The first string of the property. */
  string(property: string): string | undefined {
    return this.strings(property)?.[0];
  }

  get compatible(): readonly string[] {
    return this.strings('compatible') ?? [];
  }

  get phandle(): number | undefined {
    return this.u32('phandle') ?? this.u32('linux,phandle');
  }

  /** `status` is absent, `okay` or `ok`; ancestors are not looked at (see isEnabled). */
  get isAvailable(): boolean {
    if (!this.has('status')) return true;
    const status = this.string('status');
    return status === 'okay' || status === 'ok';
  }

  /** An InputError about a property of this node. */
  problem(property: string, expected: string, found: string): InputError {
    const place = this.properties.get(property)?.place ?? this.place;
    const where = place === undefined ? this.path : `${showPlace(place)}: ${this.path}`;
    return new InputError({ place: where, property, expected, found });
  }

  /** This node and all below it, parents first, in written order. */
  *walk(): Generator<DtNode> {
    yield this;
    for (const child of this.children.values()) yield* child.walk();
  }
}

/** True if the node and all its ancestors are available. */
export const isEnabled = (node: DtNode): boolean => {
  for (let n: DtNode | null = node; n !== null; n = n.parent) if (!n.isAvailable) return false;
  return true;
};

/** A whole tree: nodes, memory reservations, and the phandles that connect them. */
export class DeviceTree {
  readonly root: DtNode;
  readonly memReserve: MemReserve[];
  bootCpu: number;

  constructor(root: DtNode, memReserve: MemReserve[] = [], bootCpu = 0) {
    this.root = root;
    this.memReserve = memReserve;
    this.bootCpu = bootCpu;
  }

  /** The node at a full path (`/soc/serial@1000`) or below an alias (`serial0/child`). */
  at(path: string): DtNode | undefined {
    let node: DtNode | undefined = this.root;
    let rest = path;
    if (!path.startsWith('/')) {
      const [alias, ...below] = path.split('/');
      const target = this.root.children.get('aliases')?.string(alias ?? '');
      if (target === undefined || !target.startsWith('/')) return undefined;
      rest = [target, ...below].join('/');
    }
    for (const part of rest.split('/')) {
      if (part === '' || node === undefined) continue;
      node = findChild(node, part);
    }
    return node;
  }

  /** Phandle to node; made anew at each call, so keep it where it is used in a loop. */
  phandles(): Map<number, DtNode> {
    const map = new Map<number, DtNode>();
    for (const node of this.root.walk()) {
      const phandle = node.phandle;
      if (phandle !== undefined && !map.has(phandle)) map.set(phandle, node);
    }
    return map;
  }
}

/** A child by its full name, or by its base name if that is unique (as the kernel does). */
const findChild = (node: DtNode, part: string): DtNode | undefined => {
  const exact = node.children.get(part);
  if (exact !== undefined || part.includes('@')) return exact;
  for (const child of node.children.values()) if (child.baseName === part) return child;
  return undefined;
};

/** A tree that shares nothing with the given one but the places, so that it can be changed. */
export const copyTree = (tree: DeviceTree): DeviceTree => {
  const root = new DtNode(tree.root.name, null);
  copyInto(root, tree.root);
  return new DeviceTree(root, [...tree.memReserve], tree.bootCpu);
};

const copyInto = (to: DtNode, from: DtNode): void => {
  to.place = from.place;
  to.labels.push(...from.labels);
  for (const { name, value, place } of from.properties.values()) {
    to.setProperty(name, new Uint8Array(value), place);
  }
  for (const child of from.children.values()) copyInto(to.appendChild(child.name), child);
};
