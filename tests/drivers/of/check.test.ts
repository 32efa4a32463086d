import test from 'ava';
import { checkTree } from '../../../drivers/of/check';
import { showDiagnostic } from '../../../drivers/of/diagnostics';
import { readFdt } from '../../../drivers/of/fdt';
import { writeFdt } from '../../../drivers/of/fdt-write';
import type { DeviceTree } from '../../../drivers/of/tree';
import { inputError } from '../../support/input-error';
import { boards, boardsTest, parse } from '../../support/fdt';

/** The tree of a root node with the given inside, read from a blob: places are paths. */
const treeOf = (inside: string): DeviceTree =>
  readFdt(writeFdt(parse(`/dts-v1/; / { ${inside} };`))).tree;

const warnings = (inside: string): string[] => checkTree(treeOf(inside)).map(showDiagnostic);

const MMU = 'mmu: mmu { #iommu-cells = <2>; #dma-cells = <1>; #interrupt-cells = <0>; };';

test('references that resolve are not remarked upon', t => {
  t.deepEqual(
    warnings(`interrupt-parent = <&mmu>; memory-region = <&m &mmu>; next-level-cache = <&m>;
      iommus = <&mmu 1 2>, <&mmu 3 4>; dmas = <0>, <&mmu 1>; iommu-map = <0 &mmu 0 16 32 &mmu 5 6>;
      interrupts-extended = <&mmu>, <&mmu>; ${MMU} m: m { };`),
    [],
  );
});

const cases: readonly (readonly [string, string])[] = [
  [
    'interrupt-parent = <7>;',
    "/: property 'interrupt-parent': expected the phandle of a node, found 0x7 [broken-reference]",
  ],
  [
    'interrupt-parent = <0xffffffff>;',
    "/: property 'interrupt-parent': expected the phandle of a node, found 0xffffffff [broken-reference]",
  ],
  [
    'memory-region = <&mmu 9>;',
    "/: property 'memory-region': expected the phandle of a node, found 0x9 [broken-reference]",
  ],
  [
    'next-level-cache = <9>;',
    "/: property 'next-level-cache': expected the phandle of a node, found 0x9 [broken-reference]",
  ],
  [
    'iommus = <9 1 2>;',
    "/: property 'iommus': expected the phandle of a node, found 0x9 [broken-reference]",
  ],
  [
    'iommus = <&mmu 1>;',
    "/: property 'iommus': expected 2 cells after the phandle of /mmu, found 1 [broken-reference]",
  ],
  [
    'interconnects = <&mmu 1>;',
    "/: property 'interconnects': expected #interconnect-cells in /mmu, found none [broken-reference]",
  ],
  [
    'dmas = "abc", "d";',
    "/: property 'dmas': expected a multiple of 4 bytes, found 6 bytes [broken-reference]",
  ],
  [
    'interrupts-extended = <&mmu 5>;',
    "/: property 'interrupts-extended': expected the phandle of a node, found 0x5 [broken-reference]",
  ],
  [
    'iommu-map = <0 9 0 16>;',
    "/: property 'iommu-map': expected the phandle of a node, found 0x9 [broken-reference]",
  ],
  [
    'msi-map = <0 &mmu 0>;',
    "/: property 'msi-map': expected a multiple of 16 bytes, found 12 bytes [broken-reference]",
  ],
];

for (const [property, warning] of cases) {
  test(`a warning is given for ${property}`, t => {
    t.deepEqual(warnings(`${property} keep = <&mmu>; ${MMU}`), [warning]);
  });
}

test('each dangling phandle of a plain list is named, but of a list with cells only the first', t => {
  t.is(warnings('memory-region = <7 8>;').length, 2);
  t.is(warnings('iommus = <7 8>;').length, 1);
});

test('phandles that clash, are out of range or disagree are warnings', t => {
  // The source reader refuses these, so they are made in the tree.
  const tree = parse('/dts-v1/; / { x = <&a>; a: a { }; b { }; c { }; d { }; e { }; f { }; };');
  const set = (node: string, property: string, ...bytes: number[]): void => {
    tree.root.children.get(node)?.setProperty(property, Uint8Array.from(bytes));
  };
  set('b', 'phandle', 0, 0, 0, 1);
  set('c', 'phandle', 0, 0, 0, 0);
  set('d', 'phandle', 0xff, 0xff, 0xff, 0xff);
  set('e', 'phandle', 1, 2, 3);
  set('f', 'phandle', 0, 0, 0, 5);
  set('f', 'linux,phandle', 0, 0, 0, 6);
  t.deepEqual(
    checkTree(tree).map(({ rule, place, found }) => [rule, place.replace(/^.*: /, ''), found]),
    [
      ['duplicate-phandle', '/b', '0x1, that of /a'],
      ['invalid-phandle', '/c', '0x0'],
      ['invalid-phandle', '/d', '0xffffffff'],
      ['invalid-phandle', '/e', '3 bytes'],
      ['phandle-disagreement', '/f', '0x6'],
    ],
  );
});

test('of two phandles that disagree, the one called phandle counts', t => {
  const tree = parse('/dts-v1/; / { memory-region = <5 6>; f { phandle = <5>; }; };');
  tree.root.children.get('f')?.setProperty('linux,phandle', Uint8Array.of(0, 0, 0, 6));
  t.deepEqual(
    checkTree(tree).map(({ rule, found }) => [rule, found]),
    [
      ['phandle-disagreement', '0x6'],
      ['broken-reference', '0x6'],
    ],
  );
});

test('an overlay may leave references to its base open', t => {
  const overlay = '/dts-v1/; /plugin/; &a { iommus = <&mmu 1>; interrupt-parent = <&gic>; };';
  t.deepEqual(checkTree(parse(overlay)), []);
});

test('an IOMMU that an enabled device names has to say how many cells specify an ID', t => {
  const device = (status: string) =>
    `d { status = "${status}"; iommus = <&mute 1>; }; mute: mute { };`;
  t.is(
    inputError(() => warnings(device('okay'))),
    "/mute: property '#iommu-cells': expected the property, as /d has it in iommus, found none",
  );
  t.deepEqual(warnings(device('disabled')), [
    "/d: property 'iommus': expected #iommu-cells in /mute, found none [broken-reference]",
  ]);
  t.deepEqual(warnings(`off { status = "disabled"; ${device('okay')} };`).length, 1);
});

const CELLS = '#address-cells = <1>; #size-cells = <1>;';

test('the root has to say how many cells an address has, once there is one', t => {
  t.deepEqual(warnings('soc { };'), []);
  t.deepEqual(warnings('d@1 { reg = <1 1>; status = "disabled"; };'), []);
  t.is(
    inputError(() => warnings('#size-cells = <1>; d@1 { reg = <1 1>; };')),
    "/: property '#address-cells': expected the property, as /d@1 has reg, found none",
  );
  t.regex(
    inputError(() => warnings('#address-cells = <1>; d@1 { reg = <1 1>; };')),
    /^\/: property '#size-cells': /,
  );
});

test('a bus that leaves its cells to the buses above it is a warning', t => {
  const bus = '#address-cells = <2>; #size-cells = <0>; bus { d@1 { reg = <0 1>; }; };';
  t.deepEqual(warnings(bus), [
    "/bus: property '#address-cells': expected the property, as /bus/d@1 has reg, " +
      'found none; Linux takes 2, from above [missing-cells]',
    "/bus: property '#size-cells': expected the property, as /bus/d@1 has reg, " +
      'found none; Linux takes 0, from above [missing-cells]',
  ]);
  t.deepEqual(warnings(`${CELLS} pcie { d@1 { reg = <0 0 0 0 0>; }; };`), [], 'PCI has its own');
});

test('cells left over at the end of a list are a warning', t => {
  const left = (inside: string) => warnings(`${CELLS} bus { ${CELLS} ${inside} };`);
  t.deepEqual(left('ranges; d@1 { reg = <1 1 2 2>; };'), []);
  t.deepEqual(left('ranges; d@1 { reg = <1 1 2>; };'), [
    "/bus/d@1: property 'reg': expected entries of 2 cells, found 3 cells [incomplete-entry]",
  ]);
  t.deepEqual(left('ranges = <0 0 1>; dma-ranges = <0 0 1 1>;'), [
    "/bus: property 'dma-ranges': expected entries of 3 cells, found 4 cells [incomplete-entry]",
  ]);
  t.deepEqual(left('status = "disabled"; dma-ranges = <0 0 1 1>;'), []);
});

test('windows below a PCI bus that are not written in its cells are a warning', t => {
  const below = (cells: number) => `${CELLS}
    pcie { #address-cells = <${cells}>; #size-cells = <2>;
      bus { ${CELLS} dma-ranges = <0 ${'0 '.repeat(cells)} 1>; }; };`;
  t.deepEqual(warnings(below(3)), []);
  t.deepEqual(warnings(below(2)), [
    "/pcie/bus: property 'dma-ranges': expected parent addresses of 3 cells, as below any pci " +
      'bus, found 2, by #address-cells; Linux reads on into the cells that follow [cell-counts]',
  ]);
});

boardsTest('no real board gives a warning', t => {
  for (const { name, blob } of boards) {
    const { tree, diagnostics } = readFdt(blob);
    t.deepEqual([...diagnostics, ...checkTree(tree)].map(showDiagnostic), [], name);
  }
});
