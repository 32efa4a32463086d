import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import { readDts } from '../../../drivers/of/dts';
import { NO_FILES } from '../../../drivers/of/dts-source';
import { inputError, parse } from '../../support/fdt';

/*
 * Wrong sources and all that is said about them. The sources of this table begin on line 2 of
 * t.dts, behind the header.
 */

const number = 'expected a number, a character or an expression in parentheses';

const errors: readonly (readonly [string, string])[] = [
  // What a source is made of.
  ['', "2:1: expected the root node, '/ {', found the end of the source"],
  ['{ };', "2:1: expected the root node, '/ {', found '{'"],
  ['/ { }', "2:6: expected ';', found the end of the source"],
  ['/ { a { } };', "2:11: expected ';', found '}'"],
  ['/ {\n  a = <1>\n};', "4:1: expected ';', found '}'"],
  [
    '/ { }; foo',
    "2:8: expected '/ {', '&reference {', /delete-node/, /omit-if-no-ref/ or the end, found 'foo'",
  ],
  [
    '/ { l: b { }; }; n: m: &l { };',
    "2:21: expected '/ {', '&reference {', /delete-node/, /omit-if-no-ref/ or the end, found the label 'm:'",
  ],
  ['l: / { };', "2:4: expected '/memreserve/' after the label, found '/'"],
  ['/memreserve/ 1; / { };', `2:15: ${number}, found ';'`],
  ['/dts-v1/; /plugin/; / { };', '2:1: expected headers that agree on /plugin/, found both kinds'],
  ['/ { }; /* x', '2:8: expected a comment that ends, found the end of the file'],

  // Nodes and properties.
  ['/ { "x"; };', '2:5: expected a property, a node or \'}\', found the string "x"'],
  ['/ { a b; };', "2:7: expected '=', ';' or '{', found 'b'"],
  [
    '/ { };\n # 1 "x"',
    "3:2: expected '/ {', '&reference {', /delete-node/, /omit-if-no-ref/ or the end, found '#'",
  ],
  [
    '/ { x { name; }; };',
    `2:9: /x: property 'name': expected "x", the node's name, or nothing, found another`,
  ],
  ['/ {\na; #if 1\n};', "3:8: expected '=', ';' or '{', found '1'"],
  ['/ { a :b { }; };', "2:7: expected '=', ';' or '{', found ':'"],
  ['/ { x { }; p; };', "2:12: expected properties before the child nodes, found the property 'p'"],
  [
    '/ { /delete-node/ x; p; };',
    "2:22: expected properties before the child nodes, found the property 'p'",
  ],
  [
    '/ { l: x { }; /delete-node/ &l; };',
    "2:29: expected a node name (a reference is for the top level), found the reference '&l'",
  ],
  ['/ { /delete-property/ ; };', "2:23: expected a property name, found ';'"],
  [
    '/ { a; l: a; };',
    "2:11: /: property 'a': expected one definition in a pair of braces, found another definition",
  ],
  [
    '/ { x { }; y { }; x { }; };',
    '2:19: /x: expected one statement about a node in a pair of braces, found another definition',
  ],
  [
    '/ { x { }; /delete-node/ x; };',
    '2:26: /x: expected one statement about a node in a pair of braces, found its deletion',
  ],
  [
    '/ { n { a*b { }; }; };',
    "2:9: /n/a*b: expected a node name of letters, digits and ,._+-@, found 'a*b'",
  ],
  ['/ { a@1@2 { }; };', "2:5: /a@1@2: expected one '@' in a node name, found 'a@1@2'"],
  [
    '/ { n { a@b; }; };',
    "2:9: /n: property 'a@b': expected a property name of letters, digits and ,._+*#?-, found 'a@b'",
  ],
  [
    '/ { n@1 { name = "n@1"; }; };',
    `2:11: /n@1: property 'name': expected "n", the node's name, or nothing, found another`,
  ],

  // Values.
  [
    '/ { v = ; };',
    '2:9: expected a value: "string", <cells>, [bytes], &reference or /incbin/, found \';\'',
  ],
  [
    '/ { v = <1>,; };',
    '2:13: expected a value: "string", <cells>, [bytes], &reference or /incbin/, found \';\'',
  ],
  [
    "/ { v = 'a'; };",
    '2:9: expected a value: "string", <cells>, [bytes], &reference or /incbin/, found \'a\'',
  ],
  ['/ { v = "a" "b"; };', '2:13: expected \';\', found the string "b"'],
  ['/ { v = "a; };', '2:9: expected a string that ends, found the end of the file'],
  ['/ { v = "\\x"; };', "2:9: expected hexadecimal digits after \\x, found ''"],
  [
    '/ { v = "a\\\nb"; };',
    '2:9: expected an escape after the backslash, found the end of the line',
  ],
  ['/ { v = [123]; };', "2:12: expected two hexadecimal digits, found '3'"],
  ['/ { v = [0x12]; };', "2:10: expected two hexadecimal digits, found '0x12'"],
  ['/ { v = /bits/ 7 <1>; };', "2:16: expected 8, 16, 32 or 64, found '7'"],
  ['/ { v = /bits/ 8 <256>; };', '2:19: expected a number of 8 bits, found 0x100'],
  ['/ { v = /bits/ 16 <1 65536>; };', '2:22: expected a number of 16 bits, found 0x10000'],
  ['/ { v = <0x100000000>; };', '2:10: expected a number of 32 bits, found 0x100000000'],
  [
    '/ { v = /bits/ 64 <&a>; a: a { }; };',
    "2:20: expected a number, as this array has elements of 64 bits, found the reference '&a'",
  ],
  ['/ { v = /incbin/("nope"); };', "2:9: expected a file 'nope' to include, found none"],
  ['/ { v = /incbin/("a", 1); };', "2:24: expected ',', found ')'"],

  // Numbers and expressions.
  ['/ { v = <-1>; };', `2:10: ${number}, found '-'`],
  ['/ { v = <(+1)>; };', `2:11: ${number}, found '+'`],
  ['/ { v = <(1 2)>; };', "2:13: expected ')', found '2'"],
  ['/ { v = <(1 ? 2)>; };', "2:16: expected ':', found ')'"],
  ['/ { v = <(1 ? 2 : 1/0)>; };', '2:20: expected a divisor other than 0, found 0'],
  ['/ { v = <(1 % 0)>; };', '2:13: expected a divisor other than 0, found 0'],
  ['/ { v = <08>; };', "2:10: expected octal digits after a leading 0, found '08'"],
  ['/ { v = <1u>; };', `2:10: ${number}, found '1u'`],
  ['/ { v = <0x>; };', `2:10: ${number}, found '0x'`],
  [
    '/ { v = <&gic GIC_SPI 3>; };',
    `2:15: ${number}, found 'GIC_SPI' (a macro, which the C preprocessor has to replace first?)`,
  ],
  [
    '/ { v = <18446744073709551616>; };',
    "2:10: expected a number of at most 64 bits, found '18446744073709551616'",
  ],
  ["/ { v = <''>; };", '2:10: expected one character between the quotes, found 0 bytes'],
  ["/ { v = <'ab'>; };", '2:10: expected one character between the quotes, found 2 bytes'],
  ["/ { v = <'a>; };", '2:10: expected a character literal that ends, found the end of the file'],

  // References, labels and phandles.
  ['&l { };', "2:1: expected '/ {' before anything is extended, found the reference '&l'"],
  [
    '/ { }; &l { };',
    "2:8: expected a reference to a node defined before, found the reference '&l'",
  ],
  [
    '/ { }; &{/a/b} { };',
    "2:8: expected a reference to a node defined before, found the reference '&{/a/b}'",
  ],
  [
    '/ { l: a { }; }; /delete-node/ &l; &l { };',
    "2:36: expected a reference to a node defined before, found the reference '&l'",
  ],
  ['/ { }; /delete-node/ l;', "2:22: expected a reference: &label or &{/path}, found 'l'"],
  ['/ { }; /delete-node/ &{/};', "2:8: expected a node other than the root, found '/'"],
  [
    '/ { n { v = <1 &l>; }; };',
    "2:16: /n: property 'v': expected a reference to a node that exists, found &l",
  ],
  [
    '/ { v = &{/l}; };',
    "2:9: /: property 'v': expected a reference to a node that exists, found &{/l}",
  ],
  [
    '/ { l: a { }; n { v = <&l>; }; };\n/delete-node/ &{/a};',
    "2:24: /n: property 'v': expected a reference to a node that exists, found &l",
  ],
  [
    '/ { l: a { };\n l: b { }; };',
    "3:5: /b: expected a label that is used once, found 'l', also at t.dts:2:8",
  ],
  [
    '/ { l: p; l: b { }; };',
    "2:14: /b: expected a label that is used once, found 'l', also at t.dts:2:5",
  ],
  [
    '/ { p; }; / { l: p; l: n { }; };',
    "2:24: /n: expected a label that is used once, found 'l', also at t.dts:2:15",
  ],
  [
    '/ { p = l: <1>, l: <2>; };',
    "2:17: /: expected a label that is used once, found 'l', also at t.dts:2:9",
  ],
  [
    '/ { l: a { }; l: b { }; }; &l { };',
    "2:18: expected a label that is used once, found 'l', also at t.dts:2:8",
  ],
  [
    '/ { x { phandle = <1 2>; }; };',
    "2:9: /x: property 'phandle': expected one cell, found 8 bytes",
  ],
  [
    '/ { x { phandle = <0>; }; };',
    "2:9: /x: property 'phandle': expected neither 0 nor 0xffffffff, found 0x0",
  ],
  [
    '/ { x { phandle = <7>; }; y { phandle = <7>; }; };',
    "2:31: /y: property 'phandle': expected a phandle of its own, found 0x7, that of /x",
  ],
  [
    '/ { x { phandle = <7>; linux,phandle = <8>; }; };',
    "2:24: /x: property 'linux,phandle': expected 0x7, found 0x8",
  ],
  [
    '/ { x { phandle = <&y>; }; y: y { }; };',
    "2:9: /x: property 'phandle': expected a reference to the node itself, found &y",
  ],
];

for (const [source, message] of errors) {
  test(`${JSON.stringify(source)} is refused with its place`, t => {
    t.is(
      inputError(() => parse(`/dts-v1/;\n${source}`)),
      `t.dts:${message}`,
    );
  });
}

const pluginErrors: readonly (readonly [string, string])[] = [
  [
    '&a { v = &b; };',
    "2:10: /fragment@0/__overlay__: property 'v': expected a reference to a node that exists, found &b",
  ],
  [
    '/ { fragment@0 { __overlay__ { }; }; }; &x { };',
    '2:41: /fragment@0: expected one statement about a node in a pair of braces, found another definition',
  ],
  [
    '/ { }; l: &x { };',
    "2:11: expected a reference to a node defined before, found the reference '&x'",
  ],
  [
    '/ { }; &{x/y} { };',
    "2:8: expected a reference to a node defined before, found the reference '&{x/y}'",
  ],
  ['/delete-node/ &a;', "2:1: expected the root node, '/ {', found '/delete-node/'"],
];

for (const [source, message] of pluginErrors) {
  test(`the plugin ${JSON.stringify(source)} is refused with its place`, t => {
    t.is(
      inputError(() => parse(`/dts-v1/; /plugin/;\n${source}`)),
      `t.dts:${message}`,
    );
  });
}

test('a source without its version is told what to begin with', t => {
  t.is(
    inputError(() => parse('\n / { };')),
    "t.dts:2:2: expected '/dts-v1/;', found '/'",
  );
  t.is(
    inputError(() => parse('/plugin/; /dts-v1/; / { };')),
    "t.dts:1:1: expected '/dts-v1/;', found '/plugin/'",
  );
});

const repeat = (text: string, count: number): string => text.repeat(count);

test('nesting is bounded in nodes and expressions', t => {
  const nodes = (count: number): string =>
    `/dts-v1/; / { ${repeat('n { ', count)}${repeat('}; ', count)} };`;
  t.notThrows(() => parse(nodes(63)));
  t.regex(
    inputError(() => parse(nodes(64))),
    /^t\.dts:1:267: expected at most 64 levels of nodes, found more$/,
  );
  t.regex(
    inputError(() => parse(nodes(200_000))),
    /expected at most 64 levels of nodes, found more$/,
  );
  for (const expression of [
    `${repeat('(', 50_000)}1${repeat(')', 50_000)}`,
    `(${repeat('-', 50_000)}1)`,
    `(${repeat('1 ? 1 : ', 50_000)}1)`,
    `(${repeat('1 ? ', 50_000)}1${repeat(': 1', 50_000)})`,
  ]) {
    t.regex(
      inputError(() => parse(`/dts-v1/; / { v = <${expression}>; };`)),
      /expected at most 200 (operators|expressions) within each other, found more$/,
    );
  }
  t.is(parse(`/dts-v1/; / { v = <(${repeat('1+', 50_000)}1)>; };`).root.u32('v'), 50_001);
});

test('names, nodes, properties and bytes are bounded', t => {
  const long = repeat('n', 256);
  const limit = (source: string): string => inputError(() => parse(`/dts-v1/; / { ${source} };`));
  for (const source of [`${long};`, `${long} { };`, `${long}: n { };`, `v = <&${long}>;`]) {
    t.regex(limit(source), /expected a name of at most 255 characters, found one of 256/);
  }
  const many = (count: number): string =>
    Array.from({ length: count }, (_, i) => `n${i} { };`).join('');
  t.regex(limit(many(70_000)), /expected at most 65536 nodes, found more$/);
  const again = repeat('&a { };', 70_000);
  t.regex(
    inputError(() => parse(`/dts-v1/; / { a: a { }; }; ${again}`)),
    /expected at most 65536 nodes, found more$/,
  );
  const limits = { bytes: 1000, properties: 2 };
  const small = (source: string): string =>
    inputError(() => readDts(source, 't.dts', NO_FILES, { limits }));
  t.is(small('/dts-v1/; / { a; b; c; };'), 't.dts:1:21: expected at most 2 properties, found more');
  // Each reference of three characters stands for a path of 250.
  const path = `/dts-v1/; / { v = &a${repeat(',&a', 10)}; a: ${repeat('x', 250)} { }; };`;
  t.regex(small(path), /expected at most 1000 bytes in all, found more$/);
});

test('hostile sources are answered in time that their size accounts for', t => {
  const label = repeat('l: ', 100_000);
  const sources = [
    `/ { ${label}n { }; };`,
    `/ { x: n { }; }; ${repeat('&x { x: m { }; }; /delete-node/ &{/n/m};', 3000)}`,
    `/ { x: n { }; }; ${repeat('/ { x: n { }; };', 20_000)}`,
    `/ { ${repeat(' ', 200_000)}${repeat('#a=<1>;#', 20_000)} };`,
    `/ { v = <${repeat('1 ', 400_000)}>; };`,
    `/ { ${repeat('/delete-node/ x;', 20_000)} x { }; };`,
    `/ { ${Array.from({ length: 30_000 }, (_, i) => `p${i};`).join('')} };`,
    `/ { v = <${repeat('&a ', 100_000)}>; a: a { }; };`,
    `/ { v = "${repeat('\\x41', 200_000)}"; };`,
    `/ { ${repeat('/* x */', 100_000)} };`,
    repeat('\n', 500_000),
  ];
  for (const source of sources) {
    const started = performance.now();
    try {
      parse(`/dts-v1/; ${source}`);
    } catch (error) {
      // What is said of them is another test's business.
      if (!(error instanceof InputError)) throw error;
    }
    t.true(performance.now() - started < 5000, source.slice(0, 60));
  }
});
