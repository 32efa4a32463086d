import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { checkTree } from '../../../drivers/of/check';
import { readDts } from '../../../drivers/of/dts';
import { printDts } from '../../../drivers/of/dts-print';
import { NO_FILES } from '../../../drivers/of/dts-source';
import { readFdt } from '../../../drivers/of/fdt';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { applyOverlay, isOverlay } from '../../../drivers/of/overlay';
import type { DeviceTree } from '../../../drivers/of/tree';
import {
  boards,
  boardsTest,
  inputError,
  normalise,
  overlayToolTest,
  parse,
} from '../../support/fdt';

const BASE = `/dts-v1/;
/memreserve/ 0x1000 0x2000;
/ {
	#address-cells = <1>; #size-cells = <1>; ref = <&gic>;
	aliases { ser = "/soc/serial@1000"; };
	soc: soc {
		a = <1>;
		uart: serial@1000 { reg = <0x1000 4>; status = "disabled"; led: led { x; }; };
		gic: intc@2000 { reg = <0x2000 4>; };
		i2c: i2c { };
	};
};`;

const base = (symbols: boolean): DeviceTree => readDts(BASE, 'base.dts', NO_FILES, { symbols });

/** The same tree as a blob gives it: without labels. */
const withoutLabels = (tree: DeviceTree): DeviceTree => readFdt(writeFdt(tree)).tree;

const plugin = (source: string): DeviceTree =>
  readDts(`/dts-v1/; /plugin/;\n${source}`, 'overlay.dts', NO_FILES);

const apply = (tree: DeviceTree, source: string): DeviceTree => applyOverlay(tree, plugin(source));

const OVERLAYS: readonly string[] = [
  `&uart {
     status = "okay"; zz = <&gic 1 &uart>;
     new1 { p = <&n2>; q; };
     n2: new2@5 { reg = <5>; back = <&n2>; };
   };
   &{/soc} { b; c; a = <9>; lll { }; };`,
  `/ { fragment@7 { target-path = "ser"; __overlay__ { k: kk { parent = <&gic>; }; }; };
       other { target = <&i2c>; __overlay__ { m: dev@1 { reg = <1>; }; inner: led { }; }; };
       not-a-fragment { x; }; };`,
  `/ { f0 { target-path = "/soc/"; __overlay__ { top: foo { }; }; };
       f1 { target-path = "/soc/foo"; __overlay__ { deep; }; };
       f2 { target-path = "/"; rr: __overlay__ { serial = "x"; newroot: nr { }; }; }; };`,
  '&soc { serial { found-by-base-name; }; intc { y; }; };',
  `&soc { a1: x1 { z = <&a2>; }; a2: x2 { z = <&a1 &a2 &gic>; }; };
   &i2c { q = "s", <&a1>; };`,
  '&soc { one@1 { x; }; one { y; }; two { }; two@2 { }; };',
  '&soc { serial { }; two@2 { x; }; two { y; }; };',
  `/ { f0 { target-path = "/soc"; __overlay__ { n: new { }; }; };
       f1 { target = <&n>; __overlay__ { later; }; };
       f2 { target = <0>; target-path = "/"; __overlay__ { p; }; }; };`,
  `/ { f { target = <&uart>; target-path = "/"; __overlay__ { s: sub { }; }; }; };`,
];

for (const [i, overlay] of OVERLAYS.entries()) {
  for (const symbols of [true, false]) {
    const title = `overlay ${i}, ${symbols ? 'with' : 'without'} symbols of its own,`;
    overlayToolTest(`${title} gives what fdtoverlay gives`, t => {
      const folder = mkdtempSync(join(tmpdir(), 'overlay-'));
      const file = (name: string): string => join(folder, name);
      const patch = readDts(`/dts-v1/; /plugin/;\n${overlay}`, 'o', NO_FILES, { symbols });
      try {
        writeFileSync(file('base'), writeFdt(base(true)));
        writeFileSync(file('overlay'), writeFdt(patch));
        const args = ['-i', file('base'), '-o', file('result'), file('overlay')];
        t.is(spawnSync('fdtoverlay', args).status, 0);
        const expected = normalise(readFileSync(file('result'))) ?? new Uint8Array();
        const mine = applyOverlay(base(true), patch);
        t.deepEqual(printDts(withoutLabels(mine)), printDts(readFdt(expected).tree));
        t.is(Buffer.compare(writeFdt(mine), expected), 0);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
}

test('an overlay changes neither its base nor itself', t => {
  const tree = base(true);
  const patch = plugin(OVERLAYS[0] ?? '');
  const before = [writeFdt(tree), writeFdt(patch)];
  applyOverlay(tree, patch);
  t.deepEqual([writeFdt(tree), writeFdt(patch)], before);
});

test("an overlay's own phandles move above those of the base", t => {
  const tree = apply(base(true), '&soc { m: mmu { }; dev { memory-region = <&m>, <&gic>; }; };');
  const soc = tree.at('/soc');
  const mmu = tree.at('/soc/mmu')?.phandle ?? 0;
  t.is(mmu, 6);
  const references = soc?.children.get('dev')?.cells('memory-region');
  t.deepEqual(references, [mmu, tree.at('/soc/intc@2000')?.phandle]);
  t.deepEqual(
    checkTree(tree).filter(({ rule }) => rule === 'duplicate-phandle'),
    [],
  );
});

test('what is new comes first, as libfdt puts it', t => {
  const tree = apply(base(true), '&soc { a = <2>; b; c; n1 { }; n2 { }; };');
  t.deepEqual([...(tree.at('/soc')?.properties.keys() ?? [])], ['c', 'b', 'a', 'phandle']);
  t.deepEqual(
    [...(tree.at('/soc')?.children.keys() ?? [])],
    ['n2', 'n1', 'serial@1000', 'intc@2000', 'i2c'],
  );
});

test('a node of the base keeps its phandle when the overlay has one for it too', t => {
  const source = '&soc { mine: intc@2000 { p = <&mine>; }; user { q = <&mine>; }; };';
  const before = base(true).at('/soc/intc@2000')?.phandle;
  const tree = apply(base(true), source);
  const gic = tree.at('/soc/intc@2000');
  t.is(gic?.phandle, before);
  t.is(gic?.u32('p'), before);
  t.is(tree.at('/soc/user')?.u32('q'), before);
  t.is(tree.root.u32('ref'), before);
});

test('labels of a base that was read from source do without symbols', t => {
  const tree = apply(base(false), '&i2c { dev { parent = <&gic>, <&uart>; }; };');
  const gic = tree.at('/soc/intc@2000')?.phandle;
  const uart = tree.at('/soc/serial@1000')?.phandle;
  t.deepEqual(tree.at('/soc/i2c/dev')?.cells('parent'), [gic, uart]);
  t.not(uart, gic);
  t.false(tree.root.children.has('__symbols__'));
});

test('an overlay may refer to what another one has added', t => {
  const labelled = apply(base(false), '&soc { added: dev { }; };');
  t.true(apply(labelled, '&added { later; };').at('/soc/dev')?.has('later'));

  const first = readDts('/dts-v1/; /plugin/; &soc { added: dev { }; };', 'o', NO_FILES, {
    symbols: true,
  });
  const symbols = withoutLabels(applyOverlay(base(true), first));
  t.is(symbols.root.children.get('__symbols__')?.string('added'), '/soc/dev');
  t.true(apply(symbols, '&added { later; };').at('/soc/dev')?.has('later'));
});

test('a fragment may be for what an earlier one has added, and 0 is no target', t => {
  const tree = apply(
    base(true),
    `/ { f0 { target-path = "/soc"; __overlay__ { n: new { }; }; };
         f1 { target = <&n>; __overlay__ { later; }; };
         f2 { target = <0>; target-path = "/"; __overlay__ { p; }; }; };`,
  );
  t.true(tree.at('/soc/new')?.has('later'));
  t.true(tree.root.has('p'));
});

test('a child without a unit address is the first of that name, as for libfdt', t => {
  const tree = apply(base(true), '&soc { serial { found; }; two@2 { x; }; two { y; }; };');
  t.true(tree.at('/soc/serial@1000')?.has('found'));
  t.deepEqual([...(tree.at('/soc/two@2')?.properties.keys() ?? [])], ['y', 'x']);
  t.false(tree.at('/soc')?.children.has('two') ?? true);
  const two = parse('/dts-v1/; / { led@1 { }; led@2 { }; led { }; };');
  t.true(apply(two, '&{/} { led { x; }; };').at('/led@1')?.has('x'));
});

test('symbols of an overlay become those of a base that had none, named by where they are', t => {
  const patch = readDts(
    `/dts-v1/; /plugin/;
     / { f { target-path = "ser"; a: __overlay__ { b: sub { }; }; };
         g { target = <&{/soc/i2c}>; target-path = "/"; __overlay__ { c: sub { }; }; };
         d: outside { }; };`,
    'o',
    NO_FILES,
    { symbols: true },
  );
  const tree = withoutLabels(applyOverlay(withoutLabels(base(false)), patch));
  const { root } = tree;
  t.is([...root.children.keys()][0], '__symbols__');
  const symbols = root.children.get('__symbols__');
  t.is(symbols?.string('b'), 'ser/sub');
  t.is(symbols?.string('a'), 'ser/');
  t.is(symbols?.string('c'), '/soc/i2c/sub');
  t.false(symbols?.has('d') ?? true);
  t.true(apply(tree, '&b { later; };').at('/soc/serial@1000/sub')?.has('later'));
});

test('a label goes to the node that the newest overlay gives it', t => {
  const tree = apply(base(false), '&soc { uart: other { }; };');
  t.deepEqual(tree.at('/soc/serial@1000')?.labels, []);
  t.deepEqual(tree.at('/soc/other')?.labels, ['uart']);
  t.notThrows(() => parse(printDts(tree)));
});

test('a base without symbols takes paths as targets and as references', t => {
  const bare = withoutLabels(base(false));
  const tree = apply(
    bare,
    `&{/soc/i2c} { dev { dmas = <&{/soc/intc@2000} 3>, <&{/soc/serial@1000} 4>; }; };
     / { f { target-path = "ser"; __overlay__ { status = "okay"; }; }; };`,
  );
  const gic = tree.at('/soc/intc@2000')?.phandle;
  const uart = tree.at('/soc/serial@1000')?.phandle;
  t.deepEqual(tree.at('/soc/i2c/dev')?.cells('dmas'), [gic, 3, uart, 4]);
  t.is(tree.at('ser')?.string('status'), 'okay');
  t.deepEqual(
    checkTree(tree).filter(({ rule }) => rule === 'duplicate-phandle'),
    [],
  );
});

const errors: readonly (readonly [string, string, string])[] = [
  [
    'a label where the base has none',
    '&uart { };',
    "overlay.dts:2:1: /fragment@0: property 'target': expected a base that has symbols, to find the label 'uart' " +
      '(a path works with every base: target-path = "/...", or &{/...}), found one without __symbols__',
  ],
  [
    'a path the base has not',
    '&{/soc/gpu} { };',
    "overlay.dts:2:1: /fragment@0: property 'target-path': expected a node of the base, found '/soc/gpu'",
  ],
  [
    'a reference to a path the base has not',
    '&{/soc} { v = <1 &{/gpu}>; };',
    "overlay.dts:2:11: /fragment@0/__overlay__: property 'v': expected a path of the base, found '/gpu'",
  ],
  [
    'a fragment without a target',
    '/ { f { __overlay__ { }; }; };',
    "overlay.dts:2:5: /f: property 'target-path': expected a node of the base, found none",
  ],
  [
    'a target that is no cell',
    '/ { f { target = "x"; __overlay__ { }; }; };',
    "overlay.dts:2:9: /f: property 'target': expected one cell, found 2 bytes",
  ],
  [
    'no fragment at all',
    '/ { f { target-path = "/soc"; }; };',
    'overlay.dts:2:1: expected an overlay: 1 to 4096 nodes with target and __overlay__, found 0',
  ],
  [
    'too many fragments',
    '&{/} { };'.repeat(4097),
    'overlay.dts:2:1: expected an overlay: 1 to 4096 nodes with target and __overlay__, found 4097',
  ],
  [
    'local fixups of a node that is not there',
    '/ { f { target-path = "/"; __overlay__ { }; }; __local_fixups__ { nope { }; }; };',
    "/__local_fixups__/nope: expected a node 'nope' in / of the overlay, found none",
  ],
  [
    'local fixups of a property that is not there',
    '/ { f { target-path = "/"; __overlay__ { }; }; __local_fixups__ { p = <0>; }; };',
    "overlay.dts:2:67: /__local_fixups__: property 'p': expected a property of / by that name, found none",
  ],
  [
    'local fixups beyond a property',
    '/ { p = <1>; f { target-path = "/"; __overlay__ { }; }; __local_fixups__ { p = <1>; }; };',
    "overlay.dts:2:76: /__local_fixups__: property 'p': expected offsets into 4 bytes, found 1",
  ],
  [
    'fixups that are no triples',
    '/ { f { target-path = "/"; __overlay__ { }; }; __fixups__ { gic = "/f:target"; }; };',
    "overlay.dts:2:61: /__fixups__: property 'gic': expected 'path:property:offset', found '/f:target'",
  ],
  [
    'fixups of what is not there',
    '/ { f { target-path = "/"; __overlay__ { }; }; __fixups__ { gic = "/f:target:0"; }; };',
    "overlay.dts:2:61: /__fixups__: property 'gic': expected a cell of a property of the overlay, found '/f:target:0'",
  ],
  [
    'fixups beyond a property',
    '/ { f { target-path = "/"; __overlay__ { }; }; __fixups__ { gic = "/f:target-path:0"; }; };',
    "overlay.dts:2:61: /__fixups__: property 'gic': expected a cell of a property of the overlay, found '/f:target-path:0'",
  ],
  [
    'symbols that are no paths',
    '/ { f { target-path = "/"; __overlay__ { }; }; __symbols__ { a = "b"; }; };',
    "overlay.dts:2:62: /__symbols__: property 'a': expected one full path, found 'b'",
  ],
  [
    'symbols of several paths',
    '/ { f { target-path = "/"; __overlay__ { }; }; __symbols__ { a = "/f/__overlay__", "b"; }; };',
    "overlay.dts:2:62: /__symbols__: property 'a': expected one full path, found '/f/__overlay__'",
  ],
  [
    'symbols in a fragment that is not there',
    '/ { f { target-path = "/"; __overlay__ { }; }; __symbols__ { a = "/g/__overlay__/b"; }; };',
    "overlay.dts:2:62: /__symbols__: property 'a': expected a path in a fragment, found '/g/__overlay__/b'",
  ],
  [
    'a phandle that cannot move',
    '/ { f { target-path = "/"; __overlay__ { n { phandle = <0xfffffffe>; }; }; }; };',
    "overlay.dts:2:46: /f/__overlay__/n: property 'phandle': expected a cell of at most 4294967293, found 4294967294",
  ],
];

for (const [title, source, message] of errors) {
  test(`an overlay is refused with its place: ${title}`, t => {
    const bare = withoutLabels(base(false));
    t.is(
      inputError(() => apply(bare, source)),
      message,
    );
  });
}

test('a label that the symbols do not have, or have wrong, is told apart', t => {
  const tree = withoutLabels(base(true));
  t.is(
    inputError(() => apply(tree, '&gpu { };')),
    "overlay.dts:2:1: /fragment@0: property 'target': expected a label of the base, found 'gpu'",
  );
  tree.at('/soc')?.children.delete('i2c');
  t.is(
    inputError(() => apply(tree, '&i2c { };')),
    "overlay.dts:2:1: /fragment@0: property 'target': expected a node of the base at '/soc/i2c', " +
      'as its __symbols__ say, found none',
  );
});

test('overlays cannot grow a tree beyond what readers accept', t => {
  const levels = (count: number): string => `${'n { '.repeat(count)}${'}; '.repeat(count)}`;
  const tree = parse(`/dts-v1/; / { ${levels(40)} };`);
  const path = '/n'.repeat(40);
  t.notThrows(() => apply(tree, `&{${path}} { ${levels(23)} };`));
  t.is(
    inputError(() => apply(tree, `&{${path}} { ${levels(24)} };`)),
    `${'/n'.repeat(64)}: expected at most 64 levels of nodes, found more`,
  );
});

test('an overlay is told from a whole tree', t => {
  t.true(isOverlay(plugin('&a { };')));
  t.false(isOverlay(base(true)));
});

boardsTest('devices can be added by path to every real board, and nothing else changes', t => {
  for (const { name, blob } of boards) {
    const { tree } = readFdt(blob);
    const before = new Set([...tree.root.walk()].map(({ path }) => path));
    const after = apply(tree, '&{/} { bench: bench@0 { reg = <0 0>; self = <&bench>; }; };');
    const added = [...after.root.walk()].map(({ path }) => path).filter(path => !before.has(path));
    t.deepEqual(added, ['/bench@0'], name);
    const bench = after.at('/bench@0');
    t.is(bench?.u32('self'), bench?.phandle, name);
    after.root.children.delete('bench@0');
    t.is(Buffer.compare(writeFdt(after), writeFdt(tree)), 0, name);
  }
});
