import test from 'ava';
import { hex } from '../../../drivers/base/types/address';
import type { DiagnosticRule } from '../../../drivers/of/diagnostics';
import { MAX_DIAGNOSTICS, showDiagnostic } from '../../../drivers/of/diagnostics';
import { readFdt } from '../../../drivers/of/fdt';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { DeviceTree, DtNode } from '../../../drivers/of/tree';
import {
  blobOf,
  HEADER_AT,
  inputError,
  isEqual,
  patched,
  sameTree,
  smallTree,
  word,
} from '../../support/fdt';

const BEGIN = 1;
const END_NODE = 2;
const PROP = 3;
const NOP = 4;
const END = 9;

const small = writeFdt(smallTree());

const warnings = (blob: Uint8Array): string[] => readFdt(blob).diagnostics.map(showDiagnostic);
const rules = (blob: Uint8Array): DiagnosticRule[] =>
  readFdt(blob).diagnostics.map(({ rule }) => rule);
const refusal = (blob: Uint8Array): string => inputError(() => readFdt(blob, { name: 'b.dtb' }));

test('a blob gives back nodes, properties, reservations and the boot CPU', t => {
  const { tree, diagnostics } = readFdt(small);
  t.deepEqual(diagnostics, []);
  t.true(sameTree(tree, smallTree()));
  t.deepEqual(tree.memReserve, [{ address: 0x8000_0000_0000n, size: 0x1000n }]);
  t.is(tree.bootCpu, 3);
  t.is(tree.at('/soc/serial@1000')?.u32('reg'), 0x1000);
  t.deepEqual([...(tree.at('/soc')?.properties.keys() ?? [])], ['ranges']);
});

test('a tree keeps nothing of the bytes it was read from, nor does a Buffer give views of itself', t => {
  const given = Buffer.from(small);
  const { tree } = readFdt(given);
  given.fill(0xff);
  t.true(sameTree(tree, smallTree()));
});

test('bytes that begin inside a larger buffer are read from where they begin', t => {
  const larger = new Uint8Array(small.length + 20);
  larger.set(small, 12);
  t.true(sameTree(readFdt(larger.subarray(12, 12 + small.length)).tree, smallTree()));
});

test('version 16, which states no size of the structure block, reads the same', t => {
  const v16 = patched(small, [
    [HEADER_AT.version, 16],
    [HEADER_AT.structSize, 0xffff_ffff],
  ]);
  t.deepEqual(rules(v16), []);
  t.true(sameTree(readFdt(v16).tree, smallTree()));
});

test('a version 16 structure block ends at the next block at the latest', t => {
  const structEnd = word(small, HEADER_AT.stringsOffset);
  const open = patched(small, [
    [HEADER_AT.version, 16],
    [structEnd - 4, NOP],
  ]);
  t.is(
    refusal(open),
    `b.dtb: byte ${hex(structEnd)}: expected a token, found the end of the structure block`,
  );
});

test('a later version that can be read as 17 is read', t => {
  t.true(sameTree(readFdt(patched(small, [[HEADER_AT.version, 18]])).tree, smallTree()));
});

test('FDT_NOP may stand anywhere', t => {
  const blob = blobOf(
    [NOP, BEGIN, '', NOP, PROP, 4, 0, 7, NOP, BEGIN, 'a', NOP, END_NODE, NOP, END_NODE, NOP, END],
    'p\0',
  );
  const { tree } = readFdt(blob);
  t.is(tree.root.u32('p'), 7);
  t.true(tree.root.children.has('a'));
});

test('blocks may stand in any order with gaps between them', t => {
  const moved = new Uint8Array(small.length + 64);
  const structAt = word(small, HEADER_AT.structOffset);
  const structSize = word(small, HEADER_AT.structSize);
  const stringsAt = word(small, HEADER_AT.stringsOffset);
  const stringsSize = word(small, HEADER_AT.stringsSize);
  const reserveAt = word(small, HEADER_AT.reserveOffset);
  moved.set(small.subarray(0, 40));
  moved.set(small.subarray(stringsAt, stringsAt + stringsSize), 48);
  const newStruct = 48 + stringsSize + (4 - (stringsSize % 4));
  moved.set(small.subarray(structAt, structAt + structSize), newStruct);
  const newReserve = newStruct + structSize + (8 - ((newStruct + structSize) % 8));
  moved.set(small.subarray(reserveAt, structAt), newReserve);
  const blob = patched(moved, [
    [HEADER_AT.totalSize, moved.length],
    [HEADER_AT.structOffset, newStruct],
    [HEADER_AT.stringsOffset, 48],
    [HEADER_AT.reserveOffset, newReserve],
  ]);
  t.deepEqual(rules(blob), []);
  t.true(isEqual(writeFdt(readFdt(blob).tree), small));
});

const structAt = word(small, HEADER_AT.structOffset);
const total = small.length;

const brokenHeaders: readonly (readonly [string, Uint8Array, string])[] = [
  ['nothing', new Uint8Array(), 'byte 0x0: expected a header of 36 bytes, found 0 bytes'],
  [
    'a header cut off',
    small.subarray(0, 35),
    'byte 0x0: expected a header of 36 bytes, found 35 bytes',
  ],
  [
    'another magic number',
    patched(small, [[HEADER_AT.magic, 0xedfe0dd0]]),
    'byte 0x0: expected the magic number 0xd00dfeed, found 0xedfe0dd0',
  ],
  [
    'a total size beyond the bytes',
    patched(small, [[HEADER_AT.totalSize, total + 1]]),
    `byte 0x4: expected a total size from 36 to the ${total} bytes given, found ${total + 1}`,
  ],
  [
    'a total size below the header',
    patched(small, [[HEADER_AT.totalSize, 8]]),
    `byte 0x4: expected a total size from 36 to the ${total} bytes given, found 8`,
  ],
  [
    'version 17 in a header of version 16',
    patched(small, [[HEADER_AT.totalSize, 36]]),
    'byte 0x4: expected a total size of at least 40, found 36',
  ],
  [
    'a version before 16',
    patched(small, [[HEADER_AT.version, 3]]),
    'byte 0x14: expected version 16 or later, found version 3',
  ],
  [
    'a last compatible version that is newer',
    patched(small, [
      [HEADER_AT.version, 20],
      [HEADER_AT.lastCompVersion, 18],
    ]),
    'byte 0x18: expected a blob readable as version 17 (last compatible version at most 17), found 18',
  ],
  [
    'a last compatible version above the version',
    patched(small, [
      [HEADER_AT.version, 16],
      [HEADER_AT.lastCompVersion, 17],
    ]),
    'byte 0x18: expected a blob readable as version 16 (last compatible version at most 16), found 17',
  ],
  [
    'strings beyond the end',
    patched(small, [[HEADER_AT.stringsSize, 0xffff_ffff]]),
    `byte 0xc: expected the strings block inside the ${hex(total)} bytes of the blob, found ` +
      `${hex(word(small, HEADER_AT.stringsOffset))} to ${hex(word(small, HEADER_AT.stringsOffset) + 0xffff_ffff)}`,
  ],
  [
    'a structure block beyond the end',
    patched(small, [[HEADER_AT.structOffset, 0xffff_fff0]]),
    `byte 0x8: expected the structure block inside the ${hex(total)} bytes of the blob, found ` +
      `0xfffffff0 to ${hex(0xffff_fff0 + word(small, HEADER_AT.structSize))}`,
  ],
  [
    'a structure block off its alignment',
    patched(small, [
      [HEADER_AT.structOffset, structAt + 2],
      [HEADER_AT.structSize, 8],
    ]),
    `byte 0x8: expected a structure block aligned to 4 bytes, found offset ${hex(structAt + 2)}`,
  ],
  [
    'a version 16 structure block outside',
    patched(small, [
      [HEADER_AT.version, 16],
      [HEADER_AT.structOffset, total],
    ]),
    `byte 0x8: expected the structure block inside the ${hex(total)} bytes of the blob, found ${hex(total)}`,
  ],
  [
    'blocks that overlap',
    patched(small, [[HEADER_AT.stringsOffset, structAt + 4]]),
    `byte ${hex(structAt + 4)}: expected the strings block after the structure block, ` +
      `which ends at ${hex(word(small, HEADER_AT.stringsOffset))}, found an overlap`,
  ],
  [
    'a reservation block in the header',
    patched(small, [[HEADER_AT.reserveOffset, 8]]),
    'byte 0x8: expected the memory reservation block after the header, which ends at 0x28, found an overlap',
  ],
  [
    'reservations without an end',
    patched(small, [[HEADER_AT.reserveOffset, total - (total % 8)]]),
    `byte ${hex(total - (total % 8))}: expected a memory reservation of size 0, which ends the block, ` +
      'found the end of the blob',
  ],
];

for (const [title, blob, message] of brokenHeaders) {
  test(`a blob is refused with its byte: ${title}`, t => {
    t.is(refusal(blob), `b.dtb: ${message}`);
  });
}

/** The blob with 8 zeros after its strings, inside the total size. */
const withGap = (blob: Uint8Array): Uint8Array => {
  const longer = new Uint8Array(blob.length + 8);
  longer.set(blob);
  return patched(longer, [[HEADER_AT.totalSize, longer.length]]);
};

const brokenStructures: readonly (readonly [string, Uint8Array, string])[] = [
  ['an unknown token', blobOf([7]), 'byte 0x38: expected a token from 1 to 4 or 9, found 0x7'],
  ['no root', blobOf([END]), 'byte 0x38: expected a root node, found FDT_END'],
  [
    'an end without a beginning',
    blobOf([END_NODE]),
    'byte 0x38: expected FDT_BEGIN_NODE, found FDT_END_NODE',
  ],
  [
    'a second root',
    blobOf([BEGIN, '', END_NODE, BEGIN, '', END_NODE, END]),
    'byte 0x44: expected FDT_END after the root node, found a second root',
  ],
  [
    'an open node at the end',
    blobOf([BEGIN, '', BEGIN, 'a', END_NODE, END]),
    'byte 0x4c (in /): expected FDT_END_NODE, found FDT_END',
  ],
  [
    'no FDT_END',
    blobOf([BEGIN, '', END_NODE]),
    'byte 0x44: expected a token, found the end of the structure block',
  ],
  [
    'a node name without an end',
    blobOf([BEGIN, Uint8Array.of(0x61, 0x61, 0x61, 0x61)], 'aa\0'),
    'byte 0x3c: expected a NUL-terminated node name, found the end of the structure block',
  ],
  [
    'an empty node name',
    blobOf([BEGIN, '', BEGIN, '', END_NODE, END_NODE, END]),
    'byte 0x44 (in /): expected a node name, found an empty one',
  ],
  [
    'a slash in a node name',
    blobOf([BEGIN, '', BEGIN, 'a/b', END_NODE, END_NODE, END]),
    "byte 0x44 (in /): expected a node name without '/', found 'a/b'",
  ],
  [
    'a control character in a node name',
    blobOf([BEGIN, '', BEGIN, 'a\x01', END_NODE, END_NODE, END]),
    'byte 0x44 (in /): expected a node name of printable ASCII, found "a\\u0001"',
  ],
  [
    'a node name that is too long',
    blobOf([BEGIN, '', BEGIN, 'n'.repeat(256), END_NODE, END_NODE, END]),
    'byte 0x44 (in /): expected a node name of at most 255 characters, found one of 256',
  ],
  [
    'a property outside the root',
    blobOf([PROP, 0, 0], 'p\0'),
    'byte 0x38: expected a property inside a node, found one outside',
  ],
  [
    'a property after a child',
    blobOf([BEGIN, '', BEGIN, 'a', END_NODE, PROP, 0, 0, END_NODE, END], 'p\0'),
    'byte 0x4c (in /): expected properties before the child nodes, found one after',
  ],
  [
    'a property longer than the block',
    blobOf([BEGIN, '', PROP, 0xffff_fff0, 0, END_NODE, END], 'p\0'),
    "byte 0x4c (in /): expected the 4294967280 bytes of property 'p', found 8 bytes",
  ],
  [
    'a property cut off',
    blobOf([BEGIN, '', PROP, 0]),
    'byte 0x48 (in /): expected the name of a property, found the end of the structure block',
  ],
  [
    'a property name outside the strings',
    blobOf([BEGIN, '', PROP, 0, 2, END_NODE, END], 'p\0'),
    'byte 0x48 (in /): expected an offset into the 2 bytes of the strings block, found 0x2',
  ],
  [
    'a property name without an end',
    withGap(blobOf([BEGIN, '', PROP, 0, 0, END_NODE, END], 'pq')),
    'byte 0x54 (in /): expected a NUL-terminated property name in the strings block, ' +
      'found the end of the strings block',
  ],
  [
    'an empty property name',
    blobOf([BEGIN, '', PROP, 0, 1, END_NODE, END], 'p\0'),
    'byte 0x48 (in /): expected a property name, found an empty one',
  ],
  [
    'a property name that is too long',
    blobOf([BEGIN, '', PROP, 0, 0, END_NODE, END], `${'p'.repeat(256)}\0`),
    'byte 0x54 (in /): expected a property name of at most 255 characters, found one of 256',
  ],
];

for (const [title, blob, message] of brokenStructures) {
  test(`a structure block is refused with its byte and node: ${title}`, t => {
    t.is(refusal(blob), `b.dtb: ${message}`);
  });
}

test('what can be read all the same is a warning with its place', t => {
  const blob = blobOf(
    [
      ...[BEGIN, 'top', PROP, 4, 0, 1, PROP, 4, 0, 2, PROP, 2, 2, 'x'],
      ...[BEGIN, 'a', BEGIN, 'first', END_NODE, END_NODE, BEGIN, 'a', BEGIN, 'late', END_NODE],
      ...[END_NODE, BEGIN, 'b!c', PROP, 0, 7, END_NODE, END_NODE, END, 5],
    ],
    'p\0name\0q/r\0',
  );
  t.deepEqual(warnings(blob), [
    "/: expected a root without a name, found 'top' [root-name]",
    "/: property 'p': expected one property of that name, found two (first kept) [duplicate-property]",
    "/: property 'name': expected the node's name, or none, found another [name-property]",
    '/a: expected nodes of different names, found a second one (ignored) [duplicate-node]',
    "/b!c: expected a node name of letters, digits and ,._+-@, found 'b!c' [name-characters]",
    "/b!c: property 'q/r': expected a property name of letters, digits and ,._+*#?-, found 'q/r' [name-characters]",
    'dtb: byte 0xc8: expected the end of the structure block after FDT_END, found 4 bytes [trailing-data]',
  ]);
  const { root } = readFdt(blob).tree;
  t.is(root.u32('p'), 1);
  t.deepEqual([...(root.children.get('a')?.children.keys() ?? [])], ['first']);
});

test('a name property that repeats the node name is dropped, as Linux adds its own', t => {
  const blob = blobOf(
    [BEGIN, '', PROP, 1, 0, '', BEGIN, 'cpu@0', PROP, 4, 0, 'cpu', END_NODE, END_NODE, END],
    'name\0',
  );
  const { tree, diagnostics } = readFdt(blob);
  t.deepEqual(diagnostics, []);
  t.false(tree.root.has('name'));
  t.false(tree.at('/cpu@0')?.has('name') ?? true);
});

test('bytes after the total size, and a reservation block off its alignment, are warnings', t => {
  const longer = new Uint8Array(small.length + 3);
  longer.set(small);
  t.deepEqual(warnings(longer), [
    `dtb: byte ${hex(total)}: expected nothing after the total size of ${total} bytes, found 3 bytes [trailing-data]`,
  ]);
  // The reservation of this tree, read 4 bytes further on in a gap of zeros, is another one.
  const shifted = new Uint8Array(small.length + 44);
  shifted.set(small);
  const blob = patched(shifted, [
    [HEADER_AT.totalSize, shifted.length],
    [HEADER_AT.reserveOffset, total + 8 - (total % 8) + 4],
  ]);
  t.deepEqual(rules(blob), ['blob-layout']);
});

test('warnings are counted beyond a number, not kept', t => {
  const parts = Array.from({ length: MAX_DIAGNOSTICS + 50 }, () => [PROP, 0, 0]).flat();
  const { diagnostics } = readFdt(blobOf([BEGIN, '', ...parts, END_NODE, END], 'p\0'));
  t.is(diagnostics.length, MAX_DIAGNOSTICS + 1);
  t.is(diagnostics.at(-1)?.rule, 'too-many');
});

const deep = (levels: number): Uint8Array =>
  blobOf([
    ...Array.from({ length: levels }, (_, i) => [BEGIN, i === 0 ? '' : 'n']).flat(),
    ...Array.from({ length: levels }, () => END_NODE),
    END,
  ]);

test('depth, nodes, properties and bytes are bounded', t => {
  t.notThrows(() => readFdt(deep(64)));
  t.regex(refusal(deep(65)), /expected at most 64 levels of nodes, found more$/);
  t.regex(refusal(deep(100_000)), /expected at most 64 levels of nodes, found more$/);
  const limited = (limits: object): string => inputError(() => readFdt(small, { limits }));
  t.is(limited({ nodes: 2 }), 'dtb: byte 0x88 (in /soc): expected at most 2 nodes, found more');
  t.is(
    limited({ properties: 3 }),
    'dtb: byte 0x98 (in /soc/serial@1000): expected at most 3 properties, found more',
  );
  t.is(limited({ bytes: 100 }), `dtb: byte 0x4: expected at most 100 bytes, found ${total}`);
});

test('many tiny nodes are refused before they cost more than a real tree', t => {
  const nodes = Array.from({ length: 70_000 }, (_, i) => [BEGIN, `n${i}`, END_NODE]).flat();
  t.regex(
    refusal(blobOf([BEGIN, '', ...nodes, END_NODE, END])),
    /at most 65536 nodes, found more$/,
  );
});

test('a reservation of size 0 ends the reservations, whatever its address', t => {
  const reserveAt = word(small, HEADER_AT.reserveOffset);
  const { tree } = readFdt(
    patched(small, [
      [reserveAt + 8, 0],
      [reserveAt + 12, 0],
    ]),
  );
  t.deepEqual(tree.memReserve, []);
});

test('a block without bytes may be anywhere', t => {
  const blob = blobOf([BEGIN, '', BEGIN, 'a', END_NODE, END_NODE, END]);
  for (const offset of [0, 44, 60]) {
    const { tree } = readFdt(patched(blob, [[HEADER_AT.stringsOffset, offset]]));
    t.true(tree.root.children.has('a'), `strings at ${offset}`);
  }
});

test('a property name is stored once, and not at all if it ends one stored before', t => {
  const tree = new DeviceTree(new DtNode('', null));
  const names = ['#size-cells', 'cells', 'size', 's', 'size-cells', 'a#size-cells', 'size'];
  const child = tree.root.appendChild('n');
  for (const name of names) {
    tree.root.setProperty(name, new Uint8Array());
    child.setProperty(name, new Uint8Array());
  }
  const blob = writeFdt(tree);
  const strings = Buffer.from(blob.subarray(word(blob, HEADER_AT.stringsOffset))).toString(
    'latin1',
  );
  t.is(strings, '#size-cells\0size\0a#size-cells\0');
  t.true(sameTree(readFdt(blob).tree, tree));
  // Of two places where a name ends, the first counts.
  const both = new DeviceTree(new DtNode('', null));
  for (const name of ['xab', 'yab', 'ab']) both.root.setProperty(name, new Uint8Array());
  const second = writeFdt(both);
  t.is(word(second, 56 + 8 + 2 * 12 + 8), 1);
});

test('an empty tree is a tree', t => {
  const empty = new DeviceTree(new DtNode('', null));
  t.true(sameTree(readFdt(writeFdt(empty)).tree, empty));
});
