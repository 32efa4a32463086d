import test from 'ava';
import { hex } from '../../../drivers/base/types/address';
import { readDts } from '../../../drivers/of/dts';
import { NO_FILES } from '../../../drivers/of/dts-source';
import type { DtNode } from '../../../drivers/of/tree';
import { parse, parseRoot } from '../../support/fdt';

const bytesOf = (value: string): string => {
  const bytes = parseRoot(`v = ${value};`).bytes('v');
  return Buffer.from(bytes ?? []).toString('hex');
};

/** The value of an expression as 64 bits. */
const valueOf = (expression: string): string => {
  const [hi = 0, lo = 0] = parseRoot(`v = /bits/ 64 <(${expression})>;`).cells('v') ?? [];
  return hex((BigInt(hi) << 32n) + BigInt(lo));
};

const names = (node: DtNode | undefined): string[] => [...(node?.properties.keys() ?? [])];
const children = (node: DtNode | undefined): string[] => [...(node?.children.keys() ?? [])];

const MAX = '0xffffffffffffffff';

const expressions: readonly (readonly [string, string])[] = [
  ['1+2*3', '0x7'],
  ['(1|2)&1', '0x1'],
  ['1|2&1', '0x1'],
  ['4|2^6&3', '0x4'],
  ['1==1&2', '0x0'],
  ['8>>1+1', '0x2'],
  ['1<<2<3', '0x0'],
  ['10-3-2', '0x5'],
  ['100/10/5', '0x2'],
  ['7%4*2', '0x6'],
  ['-1', MAX],
  ['~0', MAX],
  ['!0+!5', '0x1'],
  ['- -5', '0x5'],
  ['~-1', '0x0'],
  ['0xffffffffffffffff+1', '0x0'],
  ['0-1', MAX],
  ['0x8000000000000000*2', '0x0'],
  ['1<<63', '0x8000000000000000'],
  ['1<<64', '0x0'],
  ['1<<(-1)', '0x0'],
  ['-1>>60', '0xf'],
  ['-7/2', '0x7ffffffffffffffc'],
  ['-1>1', '0x1'],
  ['3<=3', '0x1'],
  ['4>=5', '0x0'],
  ['1!=2', '0x1'],
  ['1||0&&0', '0x1'],
  ['0?2:1?3:4', '0x3'],
  ['1?0?2:3:4', '0x3'],
  ["'a'+'\\n'", '0x6b'],
  ["'\\''", '0x27'],
  ["'\\\\'", '0x5c'],
  ["'\\x41'", '0x41'],
  ["'\\377'", '0xff'],
  ['010', '0x8'],
  ['0x10UL+1ULL+1L+1U', '0x13'],
  ['18446744073709551615', MAX],
  ['0000000000000000000000000000001', '0x1'],
];

for (const [expression, value] of expressions) {
  test(`the expression ${expression} is ${value}`, t => {
    t.is(valueOf(expression), value);
  });
}

const values: readonly (readonly [string, string])[] = [
  ['<1 0x20 (1+2)>', '000000010000002000000003'],
  ['<>', ''],
  ['<(-1) (-2147483648) 0xffffffff>', 'ffffffff80000000ffffffff'],
  ['<(0xffffffff00000001)>', '00000001'],
  ["<'A' 010>", '0000004100000008'],
  ['/bits/ 8 <1 0xff (-128)>', '01ff80'],
  ['/bits/ 16 <1 (-1)>', '0001ffff'],
  ['/bits/ 32 <1>', '00000001'],
  ['/bits/ 64 <1 (-1)>', '0000000000000001ffffffffffffffff'],
  ['[00 ff Ab12]', '00ffab12'],
  ['[]', ''],
  ['"a", "b"', '61006200'],
  ['""', '00'],
  ['"\\a\\b\\t\\n\\v\\f\\r\\"\\\\"', '0708090a0b0c0d225c00'],
  ['"\\x4\\x41\\1\\12\\1234\\777\\e\\0"', '0441010a5334ff650000'],
  ['"a\nb"', '610a6200'],
  ['"é\\é"', 'c3a9c3a900'],
  ['"/* x */ // y"', '2f2a2078202a2f202f2f207900'],
  ['"x", <1>, [2a], /bits/ 8 <3>', '7800000000012a03'],
  ['[2a], <1>', '2a00000001'],
  ['/* a */ <1 /* b */> // c\n, <2>', '0000000100000002'],
  ['l: <1 m: 2 n:> o:, p: [q: 12 r:] s:, t: "x" u:', '0000000100000002127800'],
];

for (const [source, expected] of values) {
  test(`the value ${JSON.stringify(source)} is the bytes ${expected}`, t => {
    t.is(bytesOf(source), expected);
  });
}

test('/bits/ holds only for the array it precedes', t => {
  t.is(bytesOf('/bits/ 8 <1>, <1>, "x", /bits/ 16 <1>'), '010000000178000001');
});

test('a reference in an array is a phandle, beside it a path', t => {
  const { root } = parse(`/dts-v1/;
    / { cells = <&a 7 &{/b/c}>; paths = &a, "x", &{/b/c}, &{/};
        a: a { }; b { c { }; }; };`);
  t.deepEqual(root.cells('cells'), [1, 7, 2]);
  t.deepEqual(root.strings('paths'), ['/a', 'x', '/b/c', '/']);
  t.is(root.children.get('a')?.phandle, 1);
});

test('cells after a path in the same value are filled in where they have moved to', t => {
  const { root } = parse('/dts-v1/; / { v = &a, <&a>, &a, <5 &b>; a: a { }; b: b { }; };');
  t.is(
    Buffer.from(root.bytes('v') ?? []).toString('latin1'),
    '/a\0\0\0\0\x01/a\0\0\0\0\x05\0\0\0\x02',
  );
});

test('phandles count from 1 in the order of the references, around those stated', t => {
  const { root } = parse(`/dts-v1/;
    / { v = <&c &b &a &e>;
        a: a { }; b: b { phandle = <2>; }; c: c { }; d { phandle = <3>; };
        e: e { linux,phandle = <9>; }; f { }; };`);
  t.deepEqual(root.cells('v'), [1, 2, 4, 9]);
  t.deepEqual(names(root.children.get('f')), []);
  t.deepEqual(names(root.children.get('e')), ['linux,phandle']);
});

test('phandle = <&itself> asks for a phandle', t => {
  t.is(parseRoot('x: x { phandle = <&x>; }; y { phandle = <1>; };').children.get('x')?.phandle, 2);
});

test('a phandle is the last property of its node', t => {
  const { root } = parse('/dts-v1/; / { v = <&a>; a: a { p; }; }; &a { q; };');
  t.deepEqual(names(root.children.get('a')), ['p', 'q', 'phandle']);
});

test('a path below a label is a reference', t => {
  const { root } = parse(`/dts-v1/;
    / { v = <&{soc/uart@1}>; s = &{soc/uart@1}; soc: bus { uart@1 { }; }; };
    &{soc/uart@1} { p; };`);
  t.is(root.u32('v'), 1);
  t.is(root.string('s'), '/bus/uart@1');
  t.deepEqual(names(root.children.get('bus')?.children.get('uart@1')), ['p', 'phandle']);
});

test('definitions of a node merge, keeping where each property and child stood first', t => {
  const { root } = parse(`/dts-v1/;
    / { a = "1"; b; l: n { x; m { }; }; };
    / { c; a = "2"; n { y; }; o { }; };
    &l { x = "3"; m { z; }; };
    &{/n/m} { w; };
    k: &l { v; };
    &k { u; };`);
  t.deepEqual(names(root), ['a', 'b', 'c']);
  t.is(root.string('a'), '2');
  const n = root.children.get('n');
  t.deepEqual(names(n), ['x', 'y', 'v', 'u']);
  t.deepEqual(names(n?.children.get('m')), ['z', 'w']);
  t.deepEqual(children(root), ['n', 'o']);
  t.deepEqual(n?.labels, ['k', 'l']);
});

test('a label counts for the node that its definition is merged into', t => {
  const { root } = parse(`/dts-v1/;
    / { v = <&l>; x { }; };
    / { l: x { }; };
    &l { p; };`);
  t.deepEqual(names(root.children.get('x')), ['p', 'phandle']);
  t.is(root.u32('v'), 1);
});

test('nodes of many properties and children merge like small ones', t => {
  const list = Array.from({ length: 30 }, (_, i) => i);
  const all = (mark: string): string =>
    list.map(i => `p${i} = "${mark}";`).join('') + list.map(i => `n${i} { ${mark}; };`).join('');
  const { root } = parse(`/dts-v1/; / { ${all('a')} }; / { ${all('b')} }; &{/n29} { c; };`);
  t.deepEqual(
    names(root),
    list.map(i => `p${i}`),
  );
  t.deepEqual(
    children(root),
    list.map(i => `n${i}`),
  );
  t.is(root.string('p29'), 'b');
  t.deepEqual(names(root.children.get('n29')), ['a', 'b', 'c']);
});

test('what was deleted comes back in its old place when it is written again', t => {
  const { root } = parse(`/dts-v1/;
    / { a; b; x { p; y { q; }; }; z { }; };
    / { /delete-property/ a; /delete-node/ x; };
    / { c; a = "n"; x { r; }; };`);
  t.deepEqual(names(root), ['a', 'b', 'c']);
  t.deepEqual(children(root), ['x', 'z']);
  t.deepEqual(names(root.children.get('x')), ['r']);
  t.deepEqual(children(root.children.get('x')), []);
});

test('a deletion before a definition in the same braces does not touch it', t => {
  t.deepEqual(names(parseRoot('/delete-node/ x; x { p; };').children.get('x')), ['p']);
  t.deepEqual(names(parseRoot('/delete-property/ p; p = "x";')), ['p']);
});

test('a node is deleted with all it contains, by reference or by name', t => {
  const { root } = parse(`/dts-v1/;
    / { a: a { b: b { }; }; c { d { }; }; e: e { f { }; }; };
    /delete-node/ &a;
    /delete-node/ &{/c/d};
    / { e { /delete-node/ f; }; b: g { }; };`);
  t.deepEqual(children(root), ['c', 'e', 'g']);
  t.deepEqual(children(root.children.get('c')), []);
  t.deepEqual(children(root.children.get('e')), []);
  t.deepEqual(root.children.get('g')?.labels, ['b']);
});

test('nodes marked /omit-if-no-ref/ are left out unless something refers to them', t => {
  const { root } = parse(`/dts-v1/;
    / { v = <&a>; w = &b;
        /omit-if-no-ref/ a: a { }; /omit-if-no-ref/ b: b { };
        /omit-if-no-ref/ c: c { u = <&d>; }; /omit-if-no-ref/ d: d { }; e: e { }; };
    /omit-if-no-ref/ &e;`);
  t.deepEqual(children(root), ['a', 'b', 'd']);
});

test('with symbols, which may be referred to later, labelled nodes are never left out', t => {
  const source = '/dts-v1/; / { /omit-if-no-ref/ a: a { }; /omit-if-no-ref/ b { }; };';
  const { root } = readDts(source, 't', NO_FILES, { symbols: true });
  t.deepEqual(children(root), ['a', '__symbols__']);
});

test('the phandle of a node that is left out is free for symbols to use', t => {
  const source = `/dts-v1/; / { /omit-if-no-ref/ x { phandle = <1>; }; y: y { }; };`;
  t.is(readDts(source, 't', NO_FILES, { symbols: true }).root.children.get('y')?.phandle, 1);
});

test('reservations, labels before them included, and the boot CPU are read', t => {
  const tree = parse(`/dts-v1/;
    /memreserve/ 0x10000000 (4 * 1024);
    l: /memreserve/ 0xffffffffffffffff 1;
    / { cpus { cpu@3 { reg = <3>; }; cpu@0 { reg = <0>; }; }; };`);
  t.deepEqual(tree.memReserve, [
    { address: 0x1000_0000n, size: 4096n },
    { address: 2n ** 64n - 1n, size: 1n },
  ]);
  t.is(tree.bootCpu, 3);
  t.is(parse('/dts-v1/; / { cpus { cpu { reg = <3 4>; }; }; };').bootCpu, 0);
  const first = 'cpus { a: cpu@3 { reg = <3>; }; cpu@4 { reg = <4>; }; };';
  t.is(parse(`/dts-v1/; / { ${first} }; /delete-node/ &a;`).bootCpu, 0);
});

test('names may begin with digits and with a backslash, which is not part of them', t => {
  const root = parseRoot('0 = "x"; #cells; \\a; a,b._+*#?-; 1f { }; \\memory@0 { };');
  t.deepEqual(names(root), ['0', '#cells', 'a', 'a,b._+*#?-']);
  t.deepEqual(children(root), ['1f', 'memory@0']);
});

test('a name property that repeats the node name is dropped', t => {
  t.deepEqual(names(parseRoot('n@1 { name = "n"; p; };').children.get('n@1')), ['p']);
});
