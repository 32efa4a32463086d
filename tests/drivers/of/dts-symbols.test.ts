import test from 'ava';
import { readDts } from '../../../drivers/of/dts';
import { NO_FILES } from '../../../drivers/of/dts-source';
import type { DtNode } from '../../../drivers/of/tree';
import { inputError, parse } from '../../support/fdt';

const names = (node: DtNode | undefined): string[] => [...(node?.properties.keys() ?? [])];
const children = (node: DtNode | undefined): string[] => [...(node?.children.keys() ?? [])];

test('a symbol is made of every label on request, and every labelled node has a phandle', t => {
  const source =
    '/dts-v1/; / { a: b: x { c: y { }; }; z { }; d: p; __symbols__ { a = "mine"; }; };';
  const ordered = source.replace(' d: p;', '').replace('/ {', '/ { d: p;');
  const { root } = readDts(ordered, 't', NO_FILES, { symbols: true });
  const symbols = root.children.get('__symbols__');
  t.deepEqual(names(symbols), ['a', 'b', 'c']);
  t.deepEqual(symbols?.strings('a'), ['mine']);
  t.is(symbols?.string('c'), '/x/y');
  t.is(root.children.get('x')?.phandle, 1);
  t.is(root.children.get('x')?.children.get('y')?.phandle, 2);
  t.false(parse(ordered).root.children.get('x')?.has('phandle') ?? true);
});

test('what symbols add is bounded', t => {
  const source = `/dts-v1/; / { ${'a'.repeat(200)} { x: y: z: n { }; }; };`;
  const read = (bytes: number): unknown =>
    readDts(source, 't', NO_FILES, { symbols: true, limits: { bytes } });
  t.notThrows(() => read(1000));
  t.regex(
    inputError(() => read(600)),
    /^t:1:\d+: expected at most 600 bytes in all, found more$/,
  );
});

test('a plugin becomes fragments with the fixups an overlay needs', t => {
  const { root } = parse(`/dts-v1/; /plugin/;
    &uart { v = "x", <&gic 1 &here>; here: n { w = <&gic>; }; };
    &{/soc} { p; };
    &here { q; };`);
  t.deepEqual(children(root), ['fragment@0', 'fragment@1', '__fixups__', '__local_fixups__']);
  const first = root.children.get('fragment@0');
  t.is(first?.u32('target'), 0xffffffff);
  const value = first?.children.get('__overlay__')?.bytes('v') ?? [];
  t.is(Buffer.from(value).toString('hex'), '7800ffffffff0000000100000001');
  t.is(root.children.get('fragment@1')?.string('target-path'), '/soc');
  const fixups = root.children.get('__fixups__');
  t.deepEqual(fixups?.strings('uart'), ['/fragment@0:target:0']);
  t.deepEqual(fixups?.strings('gic'), [
    '/fragment@0/__overlay__:v:2',
    '/fragment@0/__overlay__/n:w:0',
  ]);
  const local = root.children.get('__local_fixups__')?.children.get('fragment@0');
  t.deepEqual(local?.children.get('__overlay__')?.cells('v'), [10]);
  t.deepEqual(names(first?.children.get('__overlay__')?.children.get('n')), ['w', 'q', 'phandle']);
});

test('fixups tell where cells are after paths have come before them', t => {
  const { root } = parse(`/dts-v1/; /plugin/;
    &a { v = "s", <&b>, &c, <1 &b 2 &c>; c: cc { }; };`);
  const path = '/fragment@0/__overlay__';
  t.deepEqual(root.children.get('__fixups__')?.strings('b'), [`${path}:v:2`, `${path}:v:37`]);
  const local = root.children.get('__local_fixups__')?.children.get('fragment@0');
  t.deepEqual(local?.children.get('__overlay__')?.cells('v'), [45]);
});

test('a path in a plugin is one of the base, whatever the plugin itself has there', t => {
  const { root } = parse('/dts-v1/; /plugin/; / { x: x { }; }; &{/x} { p; }; &x { q; };');
  t.deepEqual(children(root), ['x', 'fragment@0']);
  t.deepEqual(names(root.children.get('x')), ['q']);
});

test('what fixups add to a plugin is bounded', t => {
  const plugin = (source: string, bytes: number): unknown =>
    readDts(`/dts-v1/; /plugin/; ${source}`, 't', NO_FILES, { limits: { bytes } });
  t.is(
    inputError(() => plugin(`&a { v = <${'&b '.repeat(20)}>; };`, 500)),
    '/fragment@0/__overlay__:v:40: expected at most 500 bytes in all, found more',
  );
  t.regex(
    inputError(() => plugin(`&a { v = <&{/${'x/'.repeat(130)}x}>; };`, 5000)),
    /^\/fragment@0\/__overlay__:v:0: expected a name of at most 255 characters, found one of 262/,
  );
});

test('the plugin option reads an overlay that does not say so', t => {
  const source = '/dts-v1/;\n&uart { status = "okay"; };';
  t.is(
    inputError(() => parse(source)),
    "t.dts:2:1: expected '/ {' before anything is extended, found the reference '&uart'",
  );
  const { root } = readDts(source, 't', NO_FILES, { plugin: true });
  t.deepEqual(root.children.get('__fixups__')?.strings('uart'), ['/fragment@0:target:0']);
});
