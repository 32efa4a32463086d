import { readDts } from '../../../drivers/of/dts';
import { NO_FILES } from '../../../drivers/of/dts-source';
import { InputError } from '../../../drivers/base/types/errors';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { compile, dtcTest } from '../../support/fdt';

/*
 * The language as dtc understands it: each source gives the same bytes, or is refused by both.
 * Only what dtc 1.6 and 1.8 agree on stands here. Known differences, all on purpose: a comment
 * may end a file without a newline, the root cannot be deleted, '\\' may be followed by another
 * character literal, and paths may be references in plugins.
 */

const ours = (source: string, symbols: boolean): Uint8Array | undefined => {
  try {
    return writeFdt(readDts(source, 't.dts', NO_FILES, { symbols }));
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
};

const outcome = (blob: Uint8Array | undefined): string =>
  blob === undefined ? 'refused' : Buffer.from(blob).toString('hex');

/** Sources that are `accepted` must also be so by both: an error proves little about numbers. */
const compare = (title: string, sources: readonly string[], accepted = false): void => {
  dtcTest(`dtc and this reader agree on ${title}`, t => {
    for (const source of sources) {
      if (accepted) t.not(outcome(ours(`/dts-v1/;\n${source}`, false)), 'refused', source);
      const whole = source.startsWith('/dts-v1/') ? source : `/dts-v1/;\n${source}`;
      t.is(outcome(ours(whole, false)), outcome(compile(whole)), source);
      t.is(outcome(ours(whole, true)), outcome(compile(whole, '-@')), `${source} with symbols`);
    }
  });
};

const OPERATORS = '+ - * / % << >> < > <= >= == != & ^ | && ||'.split(' ');
const OPERANDS = ['0', '3', '0xffffffffffffffff', '0x8000000000000000', '65'];

compare(
  'every operator on every pair of interesting numbers',
  OPERATORS.map(operator => {
    const divides = operator === '/' || operator === '%';
    const pairs = OPERANDS.flatMap(a =>
      OPERANDS.filter(b => !divides || b !== '0').map(b => `(${a} ${operator} ${b})`),
    );
    return `/ { v = /bits/ 64 <${pairs.join(' ')}>; };`;
  }),
  true,
);

compare(
  'the precedence of every pair of operators',
  OPERATORS.map(first => {
    const pairs = OPERATORS.map(second => `(7 ${first} 2 ${second} 5)`);
    return `/ { v = /bits/ 64 <${pairs.join(' ')} (1 ${first} 2 ? 3 : 4) (- 1 ${first} ~ 2)>; };`;
  }),
  true,
);

compare(
  'numbers',
  [
    ...['1?2:3?4:5', '0?2:0?4:5', "'a'", "'\\n'", "'\\''", "'\\x41'", "'\\101'", "'\\\\'", '010'],
    ...['0x10UL', '10ULL', '1U', '1L', '1LL', '077', '08', '0xg', '1u', '0XFF', '00', '0x', 'a'],
    ...['18446744073709551615', '18446744073709551616', '0x1ffffffffffffffff', '1/0', '1?2:1/0'],
    ...["'ab'", "''", '1 2', '0b1', '1UU', '', '+1', '1+', '!-1', '-!1', '1,2'],
  ].map(expression => `/ { v = /bits/ 64 <(${expression})>; };`),
);

compare(
  'arrays',
  [
    ...['<1 2 3>', '<-1>', '<(-1) (-2147483648) (0xffffffff00000000)>', '<>', '<l: 1 m: &a n:>'],
    ...[
      '<1&a>',
      '<(1&1)>',
      '<(1 &a)>',
      '<(1)(2)3>',
      "<'a' 'b'>",
      '<0x1>,/**/<2>',
      '<1> <2>',
      '<1>,',
    ],
    ...['/bits/ 8 <1 255 (-1) (-128)>', '/bits/ 16 <0x1234 (-1)>', '/bits/ 32 <1>', '/bits/ 8 <>'],
    ...['/bits/ 64 <1 (-1)>', '/bits/ 7 <1>', '/bits/ 8 <&a>', '/bits/ (8) <1>', '/bits/ 0x8 <1>'],
    ...['/bits/ 8 <1 2>, /bits/ 16 <3>, <4>, "x", [05]', '[00ff Ab]', '[0]', '[123]', '[]'],
    ...['[12 l: 34]', '[ab: 12]', '[g0]', '["x"]', '[01:]', '[01 // x\n 02]', '[0102 03]'],
  ].map(value => `/ { v = ${value}; a: a { }; };`),
);

compare(
  'strings, references and labels in values',
  [
    ...[
      '"a", "b"',
      '"a","b",<1>,[12 34],&a',
      '"\\x41\\102\\n\\t\\"\\\\"',
      '"\\0"',
      '"\\x"',
      '"\\xg"',
    ],
    ...[
      '"\\777"',
      '"a\nb"',
      '"é"',
      'l: "a" m:, n: <1> o:',
      '&a',
      '&{/a}',
      '&nope',
      '<&nope>',
      '"\\e"',
    ],
    ...['&{/nope}', '"a" "b"', '', "'a'", '1', '&a, &a', '<&a>, &a, <&a &b>', '"//x"', '"/* x */"'],
    ...[
      '"x" l: m: , "y"',
      '"\\1\\12\\123\\1234"',
      '"\\x1\\x12\\x123"',
      '<&{/}>',
      '&{/}',
      '<&{/a/b} &b>',
    ],
  ].map(value => `/ { v = ${value}; a: a { b: b { }; }; };`),
);

compare('what comes when', [
  '/dts-v1/; /dts-v1/; / { };',
  '/dts-v1/; /plugin/; / { };',
  '/dts-v1/ ;/plugin/ ; / { };',
  '/dts-v1/; /plugin/; /dts-v1/; / { };',
  '/dts-v1/; /plugin/; /dts-v1/; /plugin/; / { };',
  '/dts-v1/',
  '/memreserve/ 1 2;\nl: /memreserve/ 0x3 (1+3);/ { };',
  '/memreserve/ -1 2;/ { };',
  '/memreserve/ 1;/ { };',
  '/ { } ;/ { a; };',
  '/ { };;',
  ';/ { };',
  '/ { }; foo',
  '/ { p = "a"; l: q; m: n: r = l2: <1 l3: 2> l4: ; };',
  '/{a{b;};};',
  '/{a:b{};};&a{c;};',
  '# 1 "foo.dts"\n# 2 "bar.dts" 1 3\n/ { };',
  '/ { a = <1 // x\n 2>; };',
  ' # 1 "x"\n/ { };',
  '/ { #a; # ; };',
  '/***/ / { };',
  '/**//**/ / { /**/ };',
  '/ { cpus { cpu@3 { reg = <3>; }; cpu@4 { reg = <4>; }; }; };',
  '/ { cpus { a: cpu@3 { reg = <3>; }; cpu@4 { reg = <4>; }; }; }; /delete-node/ &a;',
  '/ { cpus { cpu@3 { reg = <3 4>; }; }; };',
]);

compare('merging and deleting', [
  '/ { a; b; c; };/ { b = "x"; d; /delete-property/ a; };',
  '/ { a; b; /delete-property/ a; };',
  '/ { /delete-property/ a; a; };',
  '/ { a; /delete-property/ a; }; / { b; };',
  '/ { a; b; }; / { /delete-property/ a; }; / { a; };',
  '/ { a; b; }; / { /delete-property/ a; a = "n"; };',
  '/ { x { }; y { }; }; / { /delete-node/ x; }; / { x { n; }; };',
  '/ { x { }; y { }; }; / { /delete-node/ x; x { n; }; };',
  '/ { x { }; /delete-node/ x; };',
  '/ { /delete-node/ x; x { }; };',
  '/ { /delete-node/ x; }; / { y { }; x { p; }; };',
  '/ { /delete-node/ x; y; };',
  '/ { l: x { p; y { q; }; }; z { }; }; /delete-node/ &l; / { x { y { r; }; }; };',
  '/ { l: x { }; }; /delete-node/ &l; / { a = <&l>; };',
  '/ { l: x { }; }; /delete-node/ &l; / { a = <&l>; l: x { }; };',
  '/ { l: x { }; }; /delete-node/ &{/x}; &l { };',
  '/ { l: x { }; }; /delete-node/ l;',
  '/ { l: x { }; /delete-node/ &l; };',
  '/ { x { }; p; };',
  '/ { a; a; };',
  '/ { }; / { a; a = "2"; };',
  '/ { x { }; x { }; };',
  '/ { y { }; }; / { y { x { a; }; x { b; }; }; };',
  '/ { y { }; }; / { z { x { a; }; x { b; }; }; };',
  '/ { l: b { }; }; n: &l { q; }; / { r = <&n>; };',
  '/ { l: b { }; }; n: m: &l { q; };',
  '/ { l: b { }; }; &{/b} { q; }; &{/b/} { r; }; &{//b} { s; };',
  '/ { l: b { }; }; &{/} { q; };',
  '/ { l: b { }; }; &{/nope} { q; };',
  '&l { };',
]);

compare('labels and symbols', [
  '/ { l: a { }; l: b { }; };',
  '/ { l: p; l: b { }; };',
  '/ { l: l: b { }; };',
  '/ { l: l: p; };',
  '/ { p; }; / { l: p; l: n { }; };',
  '/ { v = <&l>; x { }; }; / { l: x { }; }; &l { p; };',
  '/ { p = l: <1>; l: b { }; };',
  '/ { l: b { }; m: c { }; }; / { l: c { }; };',
  '/ { l: b { }; }; / { l: b { }; m: b2 { }; };',
  '/ { a: b: c: x { }; }; / { d: a: x { }; e: x2 { }; };',
  '/ { a: x { }; }; /delete-node/ &a; / { x { }; };',
  '/ { __symbols__ { q = "x"; }; q: q { }; r: s: r { }; };',
]);

compare('phandles', [
  '/ { a = <&x &y>; x: x { }; y: y { phandle = <1>; }; };',
  '/ { a = <&x &y &z>; x: x { }; y: y { phandle = <2>; }; z: z { }; };',
  '/ { a = <&y>; x: x { phandle = <&x>; }; y: y { }; };',
  '/ { a = <&x>; x: x { linux,phandle = <&x>; }; };',
  '/ { a = <&x>; x: x { linux,phandle = <7>; }; };',
  '/ { x: x { phandle = <7>; linux,phandle = <7>; }; };',
  '/ { x: x { phandle = <7>; linux,phandle = <8>; }; };',
  '/ { x: x { phandle = <7>; }; y { phandle = <7>; }; };',
  '/ { x { phandle = <0>; }; };',
  '/ { x { phandle = <0xffffffff>; }; };',
  '/ { x { phandle = <1 2>; }; };',
  '/ { x: x { phandle = <&y>; }; y: y { }; };',
  '/ { x: x { phandle = "abc"; }; };',
  '/ { x: x { phandle; }; };',
  '/ { x = <&a>; a: a { }; }; &a { y = <&b>; b: b { z = <&a>; }; };',
  '/ { x = <&a &b &c>; a: a { }; }; / { c: c { }; b: b { }; };',
]);

compare('/omit-if-no-ref/', [
  '/ { a = <&y>; /omit-if-no-ref/ x: x { c: c { }; }; /omit-if-no-ref/ y: y { }; };',
  '/ { a = <&c>; /omit-if-no-ref/ x: x { c: c { }; }; };',
  '/ { x: x { }; }; /omit-if-no-ref/ &x;',
  '/ { a = &x; x: x { }; }; /omit-if-no-ref/ &x;',
  '/ { l: /omit-if-no-ref/ x: x { }; };',
  '/ { /omit-if-no-ref/ /omit-if-no-ref/ x: x { }; };',
  '/ { /omit-if-no-ref/ x: x { y { r = <&z>; }; }; /omit-if-no-ref/ z: z { }; };',
  '/ { x { }; }; / { /omit-if-no-ref/ x { }; };',
  '/ { /omit-if-no-ref/ x { }; }; / { x { }; };',
  '/ { /omit-if-no-ref/ x { phandle = <1>; }; y: y { }; };',
]);

compare('names', [
  '/ { 1 = "x"; #b; a,b.c_d+e*f?g-h; 2a { }; };',
  '/ { a@b; };',
  '/ { a*b { }; };',
  '/ { a@b@c { }; };',
  '/ { \\a; \\b { }; };',
  '/ { a#b { }; };',
  '/ { name = "x"; };',
  '/ { name = ""; };',
  '/ { x { name = "x"; }; y@1 { name = "y"; }; };',
  '/ { x@1 { name = "x@1"; }; };',
  '/ { x { name; }; };',
  '/ { memreserve; dts-v1; };',
  '/ { a-b: c { }; };',
  '/ { a b; };',
  '/ { : };',
  '/ { a :b { }; };',
  '/ { 0x12: a { }; };',
]);

compare(
  'plugins',
  [
    '&a { x = <&b>; };',
    '/ { l: f@0 { target = <&l>; __overlay__ { }; }; };',
    '&a { l: n { y = <&l &q>; }; }; &l { z; }; &q { w = <&l>; };',
    '/ { x: x { }; }; &{/x} { y; }; l: &x { z; };',
    '/ { x: x { }; }; l: &y { z; };',
    '&a { x = &b; };',
    '&a { x = &b; b: b { }; };',
    '&{/foo} { };',
    '/ { fragment@0 { __overlay__ { }; }; }; &x { };',
    '&a { b: b { phandle = <&b>; }; };',
    '&a { x = "s", <&b>, &c, <1 &b 2>; c: cc { }; };',
    '/delete-node/ &a;',
    '&a { }; /delete-node/ &b;',
    '&a { }; /omit-if-no-ref/ &b;',
    '/ { b = <&q>; /omit-if-no-ref/ a: a { }; };',
    '/ { c = <&q>; b = <&q 1 &q>; __fixups__ { q = "x"; }; };',
  ].map(source => `/dts-v1/; /plugin/;\n${source}`),
);
