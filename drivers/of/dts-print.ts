import { InputError } from '../base/types/errors';
import { cellAt } from './bytes';
import { isNodeName, isPropertyName } from './names';
import type { DeviceTree, DtNode, Property } from './tree';

/**
 * A tree as device tree source that can be read again, by dtc or readDts(), to the same tree.
 * Whether a value is strings, cells or bytes is guessed by dtc's rule. The boot CPU has no place
 * in the language: compilers guess it from the first CPU's `reg`.
 *
 * A name that the language has no spelling for is an InputError.
 */
export const printDts = (tree: DeviceTree): string => {
  const lines = ['/dts-v1/;', ''];
  for (const { address, size } of tree.memReserve) {
    lines.push(`/memreserve/\t${hex64(address)} ${hex64(size)};`);
  }
  printNode(tree.root, 0, lines);
  return `${lines.join('\n')}\n`;
};

const printNode = (node: DtNode, level: number, lines: string[]): void => {
  const indent = '\t'.repeat(level);
  const labels = node.labels.map(label => `${label}: `).join('');
  lines.push(`${indent}${labels}${node.parent === null ? '/' : printableName(node)} {`);
  for (const property of node.properties.values()) {
    const value = property.value.length === 0 ? '' : ` = ${printValue(property.value)}`;
    lines.push(`${indent}\t${printablePropertyName(node, property)}${value};`);
  }
  for (const child of node.children.values()) {
    lines.push('');
    printNode(child, level + 1, lines);
  }
  lines.push(`${indent}};`);
};

const printableName = (node: DtNode): string => {
  if (isNodeName(node.name) && node.name.split('@').length <= 2) return node.name;
  throw new InputError({
    place: node.path,
    expected: 'a node name that device tree source can spell',
    found: `'${node.name}'`,
  });
};

const printablePropertyName = (node: DtNode, { name }: Property): string => {
  if (isPropertyName(name)) return name;
  throw node.problem(name, 'a name that device tree source can spell', `'${name}'`);
};

const printValue = (value: Uint8Array): string => {
  switch (guessType(value)) {
    case 'strings':
      return printStrings(value);
    case 'cells':
      return `<${eachCell(value).map(hexCell).join(' ')}>`;
    case 'bytes':
      return `[${[...value].map(hexByte).join(' ')}]`;
  }
};

/**
 * Strings: ends with NUL, only text, and at most half of it NULs. Else cells if the length
 * permits.
 */
const guessType = (value: Uint8Array): 'strings' | 'cells' | 'bytes' => {
  const nuls = value.reduce((count, byte) => count + (byte === 0 ? 1 : 0), 0);
  const isText = value.every(byte => byte === 0 || isTextByte(byte));
  if (value.at(-1) === 0 && isText && 2 * nuls <= value.length) return 'strings';
  return value.length % 4 === 0 ? 'cells' : 'bytes';
};

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [7, '\\a'],
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [11, '\\v'],
  [12, '\\f'],
  [13, '\\r'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

const isTextByte = (byte: number): boolean => (byte >= 0x20 && byte <= 0x7e) || ESCAPES.has(byte);

/** One string after another, each with its NUL; `value` ends with one. */
const printStrings = (value: Uint8Array): string => {
  const parts: string[] = [];
  let text = '';
  for (const byte of value) {
    if (byte === 0) {
      parts.push(`"${text}"`);
      text = '';
    } else {
      text += ESCAPES.get(byte) ?? String.fromCharCode(byte);
    }
  }
  return parts.join(', ');
};

const eachCell = (value: Uint8Array): number[] =>
  Array.from({ length: value.length / 4 }, (_, i) => cellAt(value, 4 * i) ?? 0);

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');
const hexCell = (cell: number): string => `0x${cell.toString(16).padStart(2, '0')}`;
const hex64 = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;
