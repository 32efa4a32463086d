import { ByteWriter } from './bytes';
import {
  FDT_BEGIN_NODE,
  FDT_COMPATIBLE_VERSION,
  FDT_END,
  FDT_END_NODE,
  FDT_MAGIC,
  FDT_PROP,
  FDT_VERSION,
  HEADER,
  HEADER_SIZE_V17,
  TOKEN_SIZE,
} from './fdt-format';
import type { DeviceTree, DtNode, MemReserve } from './tree';

/**
 * Writes a tree as a flattened device tree in normal form, byte for byte what `dtc -O dtb`
 * makes of it: version 17; header, reservations, structure and strings in this order without
 * gaps; nodes and properties as the tree orders them; each property name where the strings block
 * first has it, be it as the end of a longer one.
 */
export const writeFdt = (tree: DeviceTree): Uint8Array => {
  const strings = new StringsBlock();
  const structure = new ByteWriter();
  writeNode(tree.root, structure, strings);
  structure.u32(FDT_END);

  const blob = new ByteWriter();
  const reserveSize = 16 * (tree.memReserve.length + 1);
  const structOffset = HEADER_SIZE_V17 + reserveSize;
  const stringsOffset = structOffset + structure.length;
  writeHeader(blob, {
    totalSize: stringsOffset + strings.length,
    structOffset,
    stringsOffset,
    reserveOffset: HEADER_SIZE_V17,
    bootCpu: tree.bootCpu,
    stringsSize: strings.length,
    structSize: structure.length,
  });
  writeReserveBlock(blob, tree.memReserve);
  blob.bytes(structure.take());
  blob.bytes(strings.take());
  return blob.take();
};

type HeaderValues = Record<
  Exclude<keyof typeof HEADER, 'magic' | 'version' | 'lastCompVersion'>,
  number
>;

const writeHeader = (blob: ByteWriter, values: HeaderValues): void => {
  const words = {
    ...values,
    magic: FDT_MAGIC,
    version: FDT_VERSION,
    lastCompVersion: FDT_COMPATIBLE_VERSION,
  };
  const inOrder = Object.entries(HEADER) as [keyof typeof HEADER, number][];
  for (const [word] of inOrder.sort(([, a], [, b]) => a - b)) blob.u32(words[word]);
};

const writeReserveBlock = (blob: ByteWriter, entries: readonly MemReserve[]): void => {
  for (const { address, size } of [...entries, { address: 0n, size: 0n }]) {
    blob.u64(address);
    blob.u64(size);
  }
};

const writeNode = (node: DtNode, structure: ByteWriter, strings: StringsBlock): void => {
  structure.u32(FDT_BEGIN_NODE);
  structure.string(node.name);
  structure.align(TOKEN_SIZE);
  for (const { name, value } of node.properties.values()) {
    structure.u32(FDT_PROP);
    structure.u32(value.length);
    structure.u32(strings.offsetOf(name));
    structure.bytes(value);
    structure.align(TOKEN_SIZE);
  }
  for (const child of node.children.values()) writeNode(child, structure, strings);
  structure.u32(FDT_END_NODE);
};

/** Property names, each stored once; a name that ends an earlier one is not stored at all. */
class StringsBlock {
  readonly #bytes = new ByteWriter();
  /** First offset of every string in the block, the ends of the stored names included. */
  readonly #offsets = new Map<string, number>();

  get length(): number {
    return this.#bytes.length;
  }

  offsetOf(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const start = this.#bytes.length;
    this.#bytes.string(name);
    for (let i = 0; i <= name.length; i++) {
      const ending = name.slice(i);
      if (!this.#offsets.has(ending)) this.#offsets.set(ending, start + i);
    }
    return start;
  }

  take(): Uint8Array {
    return this.#bytes.take();
  }
}
