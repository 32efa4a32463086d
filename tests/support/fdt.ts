import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { cellBytes, stringBytes } from '../../drivers/of/bytes';
import { readDts } from '../../drivers/of/dts';
import { NO_FILES } from '../../drivers/of/dts-source';
import { writeFdt } from '../../drivers/of/fdt-write';
import { DeviceTree, DtNode } from '../../drivers/of/tree';
/** The words of a blob's header by name, for tests that damage one. */
export { HEADER as HEADER_AT } from '../../drivers/of/fdt-format';
export { inputError } from './input-error';
import { MOST_IN_TESTS, sampleBoards } from './corpus';

/* Shared by the tests of the device tree readers and writers. */

export interface Board {
  readonly name: string;
  readonly path: string;
  readonly blob: Uint8Array;
}

/** Real boards of the corpus, or none. */
export const boards: readonly Board[] = sampleBoards(MOST_IN_TESTS).map(({ path }) => ({
  name: basename(path, '.dtb'),
  path,
  blob: readFileSync(path),
}));

const runs = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const hasDtc = runs('dtc');

/** Tests that need dtc, the boards, or both; skipped by name where these are not. */
export const dtcTest = hasDtc ? test : test.skip;
export const boardsTest = boards.length > 0 ? test : test.skip;
export const boardsDtcTest = hasDtc && boards.length > 0 ? test : test.skip;
export const overlayToolTest = hasDtc && runs('fdtoverlay') ? test : test.skip;

/** What dtc answers, or undefined if it refuses the input. */
export const dtc = (
  args: readonly string[],
  input: string | Uint8Array,
): Uint8Array | undefined => {
  const { status, stdout } = spawnSync('dtc', ['-q', '-q', ...args, '-'], {
    input,
    maxBuffer: 1 << 26,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout : undefined;
};

/** The blob that dtc makes of a source; undefined if it refuses, or is not installed. */
export const compile = (source: string, ...args: readonly string[]): Uint8Array | undefined =>
  dtc([...args, '-I', 'dts', '-O', 'dtb'], source);

/** dtc's normal form of a blob. */
export const normalise = (blob: Uint8Array): Uint8Array | undefined =>
  dtc(['-f', '-I', 'dtb', '-O', 'dtb'], blob);

/** The same bytes. */
export const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Reads source that stands alone; its file is `t.dts`. */
export const parse = (source: string): DeviceTree => readDts(source, 't.dts', NO_FILES);

/** Reads the inside of a root node. */
export const parseRoot = (inside: string): DtNode => parse(`/dts-v1/;\n/ { ${inside} };`).root;

/** A tree with what a readable blob needs: two levels, each kind of value, a reservation. */
export const smallTree = (): DeviceTree => {
  const root = new DtNode('', null);
  root.setProperty('#address-cells', cellBytes([1]));
  root.setProperty('model', stringBytes('small'));
  const soc = root.appendChild('soc');
  soc.setProperty('ranges', new Uint8Array());
  const uart = soc.appendChild('serial@1000');
  uart.setProperty('reg', cellBytes([0x1000, 0x100]));
  uart.setProperty('address-cells', Uint8Array.of(1, 2, 3));
  return new DeviceTree(root, [{ address: 0x8000_0000_0000n, size: 0x1000n }], 3);
};

/** A copy of the blob with words replaced. */
export const patched = (
  blob: Uint8Array,
  words: readonly (readonly [at: number, word: number])[],
): Uint8Array => {
  const copy = Uint8Array.from(blob);
  const view = new DataView(copy.buffer);
  for (const [at, word] of words) view.setUint32(at, word);
  return copy;
};

/** The big-endian word at a byte offset. */
export const word = (blob: Uint8Array, at: number): number =>
  new DataView(blob.buffer, blob.byteOffset, blob.length).getUint32(at);

type Part = number | string | Uint8Array;

/** A version 17 blob whose structure block holds just these words, strings and bytes. */
export const blobOf = (parts: readonly Part[], strings = ''): Uint8Array => {
  const bytes = parts.flatMap(part => {
    if (typeof part === 'number') return [...cellBytes([part])];
    const value = typeof part === 'string' ? stringBytes(part) : part;
    return [...value, ...new Uint8Array((4 - (value.length % 4)) % 4)];
  });
  const structure = Uint8Array.from(bytes);
  const names = Buffer.from(strings, 'latin1');
  const header = cellBytes([
    0xd00dfeed,
    56 + structure.length + names.length,
    56,
    56 + structure.length,
    40,
    17,
    16,
    0,
    names.length,
    structure.length,
  ]);
  return Uint8Array.from([...header, ...new Uint8Array(16), ...structure, ...names]);
};

/** The same tree, read and written or not: compared as blobs, which have all but the labels. */
export const sameTree = (a: DeviceTree, b: DeviceTree): boolean =>
  isEqual(writeFdt(a), writeFdt(b));

const NODE_CHARACTERS = 'abcxyz019,._+-';
const name = (characters: string): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...characters.split('')), minLength: 1, maxLength: 12 });

const nodeName = fc
  .tuple(name(NODE_CHARACTERS), fc.option(name(NODE_CHARACTERS), { nil: undefined }))
  .map(([base, unit]) => (unit === undefined ? base : `${base}@${unit}`));

// `name` is dropped by readers, and phandles have to be unique: neither is any other property.
const propertyName = name(`${NODE_CHARACTERS}#?*`).filter(
  text => text !== 'name' && !text.endsWith('phandle'),
);

const text = fc.string({
  unit: fc.constantFrom(
    'a',
    '0',
    '1',
    'x',
    ' ',
    '"',
    '\\',
    '\n',
    '\t',
    '\r',
    '\x07',
    '/',
    '*',
    '#',
  ),
});

const value: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constant(new Uint8Array()),
  fc
    .array(text, { maxLength: 4 })
    .map(texts => Uint8Array.from(texts.flatMap(t => [...stringBytes(t)]))),
  fc.array(fc.nat(0xffff_ffff), { maxLength: 5 }).map(cellBytes),
  fc.uint8Array({ maxLength: 12 }),
);

interface Shape {
  readonly properties: readonly (readonly [string, Uint8Array])[];
  readonly children: readonly (readonly [string, Shape])[];
}

const shape = fc.letrec<{ node: Shape }>(tie => ({
  node: fc.record({
    properties: fc.uniqueArray(fc.tuple(propertyName, value), {
      selector: ([key]) => key,
      maxLength: 5,
    }),
    children: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant([]),
      fc.uniqueArray(fc.tuple(nodeName, tie('node')), { selector: ([key]) => key, maxLength: 4 }),
    ),
  }),
})).node;

const grow = (node: DtNode, { properties, children }: Shape): void => {
  for (const [key, bytes] of properties) node.setProperty(key, bytes);
  for (const [key, below] of children) grow(node.appendChild(key), below);
};

/** Any tree that blobs and source can both hold. */
export const anyTree: fc.Arbitrary<DeviceTree> = fc
  .record({
    shape,
    bootCpu: fc.nat(0xffff_ffff),
    memReserve: fc.array(
      fc.record({ address: fc.bigInt(0n, 2n ** 64n - 1n), size: fc.bigInt(1n, 2n ** 64n - 1n) }),
      { maxLength: 3 },
    ),
  })
  .map(({ shape: root, bootCpu, memReserve }) => {
    const tree = new DeviceTree(new DtNode('', null), memReserve, bootCpu);
    grow(tree.root, root);
    return tree;
  });
