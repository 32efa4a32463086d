import test from 'ava';
import { readDts } from '../../../drivers/of/dts';
import type { SourceResolver } from '../../../drivers/of/dts-source';
import { PreprocessorNeeded } from '../../../drivers/of/dts-source';
import type { DtNode } from '../../../drivers/of/tree';
import { showPlace } from '../../../drivers/of/tree';
import { inputError, parse, parseRoot } from '../../support/fdt';

/* Where source comes from: files, their places, and what the preprocessor leaves of them. */

const names = (node: DtNode | undefined): string[] => [...(node?.properties.keys() ?? [])];

test('nodes and properties know the file, line and column they were written at', t => {
  const { root } = parse(
    '/dts-v1/;\n/ {\n\tp = <1>;\n\tl: n {\n\t\tq;\n\t};\n};\n&l { q = "2"; };',
  );
  const n = root.children.get('n');
  const place = (property: string, node = n): string => {
    const at = node?.properties.get(property)?.place;
    return at === undefined ? 'nowhere' : showPlace(at);
  };
  t.is(place('p', root), 't.dts:3:2');
  t.deepEqual(n?.place, { file: 't.dts', line: 4, column: 5 });
  t.is(place('q'), 't.dts:8:6');
});

test('line markers of the preprocessor name the original file and line', t => {
  const source = `# 1 "board.dts"\n/dts-v1/;\n# 1 "soc.dtsi" 1\n\n/ { p = <1>;\n# 40 "board.dts" 2\n q = <%>; };`;
  t.is(
    inputError(() => parse(source)),
    "board.dts:40:7: expected a number, a character or an expression in parentheses, found '%'",
  );
  const tree = parse(source.replace('<%>', '<2>'));
  t.like(tree.root.properties.get('p')?.place, { file: 'soc.dtsi', line: 2 });
  t.like(parse('#line 7 "x"\n/dts-v1/;\n/ { };').root.place, { file: 'x', line: 8 });
});

const directives = [
  '#include <dt-bindings/gpio/gpio.h>',
  '#include "soc.dtsi"',
  '#define A 1',
  '# ifdef A',
  '\t#if 1',
  '#else',
  '#endif',
  '#undef A',
  '#pragma once',
];

for (const directive of directives) {
  test(`source with ${directive.trim()} is told to need the preprocessor`, t => {
    const error = t.throws(() => parse(`/dts-v1/;\n${directive}\n/ { };`), {
      instanceOf: PreprocessorNeeded,
    });
    const column = directive.indexOf('#') + 1;
    t.is(
      error.message,
      `t.dts:2:${column}: expected device tree source as the C preprocessor leaves it ` +
        `(run cpp on it first), found the directive '${directive.trim()}'`,
    );
  });
}

test('a property whose name looks like a directive is a property', t => {
  t.deepEqual(names(parseRoot('\n#define = <1>;\n#if;\n#include-cells = <2>;\n#else\n= "x";')), [
    '#define',
    '#if',
    '#include-cells',
    '#else',
  ]);
});

const files = (texts: Readonly<Record<string, string>>): SourceResolver => ({
  include: (name, from) => {
    const file = from.includes('/') ? `${from.slice(0, from.lastIndexOf('/'))}/${name}` : name;
    const text = texts[file];
    return text === undefined ? undefined : { file, text };
  },
  incbin: name => {
    const text = texts[name];
    return text === undefined ? undefined : Buffer.from(text, 'latin1');
  },
});

test('/include/ puts a file in its place, wherever that is', t => {
  const tree = readDts(
    '/dts-v1/; /include/ "a/res.dtsi" / { p = </include/ "number">; /include/ "a/body" }; ',
    'top.dts',
    files({
      'a/res.dtsi': '/memreserve/ 1 2;',
      number: '0x2a',
      'a/body': 'q = "x"; /include/ "more"',
      'a/more': 'n { };',
    }),
  );
  t.is(tree.memReserve.length, 1);
  t.is(tree.root.u32('p'), 42);
  t.is(tree.root.string('q'), 'x');
  t.like(tree.root.children.get('n')?.place, { file: 'a/more', line: 1, column: 1 });
});

const include = (texts: Readonly<Record<string, string>>): string =>
  inputError(() => readDts(texts['a'] ?? '', 'a', files(texts)));

test('includes that are missing, go round or go too deep are refused', t => {
  t.is(include({ a: '\n/include/ "b"' }), "a:2:1: expected a file 'b' to include, found none");
  t.is(
    include({ a: '/include/ "b"', b: ' /include/ "a"' }),
    'b:1:2: expected includes without a cycle, found a -> b -> a',
  );
  t.is(include({ a: '/include/ "a"' }), 'a:1:1: expected includes without a cycle, found a -> a');
  const chain = Object.fromEntries(
    Array.from({ length: 70 }, (_, i) => [`f${i}`, `/include/ "f${i + 1}"`]),
  );
  t.is(
    include({ a: '/include/ "f0"', ...chain }),
    'f62:1:1: expected at most 64 includes within each other, found more',
  );
  t.is(
    include({ a: '/include/ b' }),
    'a:1:1: expected a file name in quotes after /include/, found something else',
  );
});

test('files that include others many times over are bounded by the text they make', t => {
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`f${i}`, `/include/ "f${i + 1}" /include/ "f${i + 1}"`]),
  );
  const texts: Record<string, string> = { a: '/include/ "f0"', ...doubling, f40: '' };
  const resolver = files(texts);
  const message = inputError(() =>
    readDts(texts['a'] ?? '', 'a', resolver, { limits: { bytes: 100_000 } }),
  );
  t.regex(message, /: expected at most 100000 bytes in all, found more$/);
});

test('/incbin/ takes a file, or part of it, and less if the file is shorter', t => {
  const tree = readDts(
    `/dts-v1/; / { all = /incbin/("f"); part = "x", /incbin/("f", 1, 2), <1>;
       late = /incbin/("f", 9, 1); long = /incbin/("f", (1 + 1), 0xffffffffffffffff); };`,
    't',
    files({ f: 'abcd' }),
  );
  const text = (name: string): string =>
    Buffer.from(tree.root.bytes(name) ?? []).toString('latin1');
  t.is(text('all'), 'abcd');
  t.is(text('part'), 'x\0bc\0\0\0\x01');
  t.is(text('late'), '');
  t.is(text('long'), 'cd');
});

test('what the values of a source hold together is bounded', t => {
  const resolver = files({ f: 'x'.repeat(300) });
  const read = (value: string): unknown =>
    readDts(`/dts-v1/; / { v = ${value}; };`, 't', resolver, { limits: { bytes: 1000 } });
  t.notThrows(() => read('/incbin/("f"), /incbin/("f")'));
  t.is(
    inputError(() => read(Array(10).fill('/incbin/("f")').join())),
    't:1:47: expected at most 1000 bytes in all, found more',
  );
});

test('a comment may end the source without a newline', t => {
  t.notThrows(() => parse('/dts-v1/; / { }; // end'));
});
