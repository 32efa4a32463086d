import { writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { boardNames } from '../../../machines/boards';
import { BOARD_FILES, overlayNames } from '../../../tools/board/board-files';
import type { Board } from '../../../tools/board/open';
import { notesOf, openBoard, planBoard } from '../../../tools/board/open';
import { temporaryFolder } from '../../support/host';
import { inputError } from '../../support/input-error';

const SOURCE = `/dts-v1/;
/ {
  #address-cells = <1>; #size-cells = <1>; model = "small"; compatible = "test,small";
  cpus { #address-cells = <1>; #size-cells = <0>;
    cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a9"; reg = <0>; }; };
  memory@80000000 { device_type = "memory"; reg = <0x80000000 0x10000000>; };
  soc: soc { compatible = "simple-bus"; #address-cells = <1>; #size-cells = <1>; ranges;
    gic: gic@1000 { compatible = "arm,cortex-a9-gic"; reg = <0x2000 0x1000>, <0x1000 0x100>;
      interrupt-controller; #interrupt-cells = <3>; }; };
};
`;

const OVERLAY = `/dts-v1/; /plugin/;
&soc { added@9000 { compatible = "test,added"; reg = <0x9000 0x100>; dma-coherent; }; };
`;

const PLAIN = { memory: null, quirks: [] };

const file = (t: ExecutionContext, name: string, content: string | Uint8Array): string => {
  const path = join(temporaryFolder(t), name);
  writeFileSync(path, content);
  return path;
};

test('every shipped board opens by its name and makes a machine', t => {
  const names = boardNames(BOARD_FILES);
  t.true(names.includes('pandaboard'));
  for (const name of names) {
    const board = openBoard(name, []);
    t.is(board.source, name);
    t.true(planBoard(board, PLAIN).devices.length > 0, name);
  }
});

test('the hash is that of the tree, in whatever form it is given', t => {
  const source = openBoard(file(t, 'a.dts', SOURCE), []);
  const blob = openBoard(file(t, 'a.dtb', writeFdt(source.tree)), []);
  t.regex(source.hash, /^[0-9a-f]{64}$/);
  t.is(blob.hash, source.hash);
  const other = openBoard(file(t, 'b.dts', SOURCE.replace('small', 'other')), []);
  t.not(other.hash, source.hash);
});

test('overlays are applied in the order given, as source or compiled', t => {
  const path = file(t, 'a.dts', SOURCE);
  const first = file(t, 'first.dts', OVERLAY);
  const second = file(t, 'second.dts', OVERLAY.replace('dma-coherent;', 'second;'));
  const board = openBoard(path, [first, second]);
  t.is(board.source, `${path} + ${first} + ${second}`);
  const added = board.tree.at('/soc/added@9000');
  t.true(added?.has('dma-coherent'));
  t.true(added?.has('second'));
  t.not(board.hash, openBoard(path, []).hash);
});

test('an overlay is no board, and a board no overlay', t => {
  const board = file(t, 'a.dts', SOURCE);
  const overlay = file(t, 'b.dts', OVERLAY);
  t.is(
    inputError(() => openBoard(overlay, [])),
    `${overlay}: expected the device tree of a board, found an overlay (see --overlay)`,
  );
  t.is(
    inputError(() => openBoard(board, [board])),
    `${board}: expected an overlay: nodes with target or target-path and __overlay__, ` +
      'found a tree without any',
  );
});

test('an unknown name is answered with near ones and all there are', t => {
  const message = inputError(() => openBoard('pandabord', []));
  t.true(
    message.startsWith("'pandabord': expected the name of a board or a file, found neither; "),
  );
  t.true(message.includes('did you mean pandaboard?'));
  for (const name of boardNames(BOARD_FILES)) t.true(message.includes(name), name);
  t.false(inputError(() => openBoard('zzzzzzzzzz', [])).includes('did you mean'));
});

test('a path that leads nowhere is no name', t => {
  t.is(
    inputError(() => openBoard('./pandaboard', [])),
    './pandaboard: expected a file to read, found no such file',
  );
});

test('what is wrong in a tree is told with whose tree it is', t => {
  const blob = openBoard(file(t, 'a.dts', SOURCE), []).tree;
  blob.at('/soc')?.setProperty('ranges', Uint8Array.of(1, 2, 3));
  const path = file(t, 'a.dtb', writeFdt(blob));
  const message = inputError(() => planBoard(openBoard(path, []), PLAIN));
  t.true(message.startsWith(`${path}: /soc: property 'ranges': expected `), message);
});

test('a place in a file is told once, its name being absolute', t => {
  const path = file(
    t,
    'a.dts',
    SOURCE.replace('reg = <0x80000000', 'reg = [01 02 03], <0x80000000'),
  );
  t.true(isAbsolute(path));
  const message = inputError(() => planBoard(openBoard(path, []), PLAIN));
  t.true(message.startsWith(`${path}:6:45: /memory@80000000: property 'reg': `), message);
});

test('what is odd about references is told for every source, overlays applied', t => {
  const odd = SOURCE.replace('gic: gic', 'd@8000 { reg = <0x8000 4>; iommus = <&m 1>; }; gic: gic');
  const source = `${odd}/ { m: m { #iommu-cells = <2>; }; };\n`;
  const path = file(t, 'a.dts', source);
  const shown = (board: Board) => notesOf(board, planBoard(board, PLAIN))[0];
  const expected =
    /d@8000: property 'iommus': expected 2 cells after the phandle of \/m, found 1 \[/;
  t.regex(shown(openBoard(path, [])) ?? '', expected);
  const { tree } = openBoard(path, []);
  t.regex(shown(openBoard(file(t, 'a.dtb', writeFdt(tree)), [])) ?? '', expected);
  const mended = file(t, 'mended.dts', '/dts-v1/; /plugin/; &m { #iommu-cells = <1>; };\n');
  t.notRegex(shown(openBoard(path, [mended])) ?? '', expected);
  const broken = file(t, 'broken.dts', '/dts-v1/; /plugin/; &m { #iommu-cells = <3>; };\n');
  t.regex(shown(openBoard(path, [broken])) ?? '', /expected 3 cells after/);
});

test('a tree that does not say how its cells are read is refused, with its name', t => {
  const bare = SOURCE.replace('#address-cells = <1>; ', '');
  const path = file(t, 'a.dts', bare);
  const expected =
    "property '#address-cells': expected the property, as /memory@80000000 has reg, found none";
  t.is(
    inputError(() => openBoard(path, [])),
    `${path}:2:1: /: ${expected}`,
  );
  const blob = openBoard(file(t, 'b.dts', SOURCE), []).tree;
  blob.root.properties.delete('#address-cells');
  const compiled = file(t, 'b.dtb', writeFdt(blob));
  t.is(
    inputError(() => openBoard(compiled, [])),
    `${compiled}: /: ${expected}`,
  );
});

test('paths too long to be told again and again are refused', t => {
  const names = Array.from({ length: 6 }, (_, i) => `${i}`.repeat(100));
  const nested = `${names.map(name => `n${name} {`).join(' ')} ${'};'.repeat(6)}`;
  const path = file(t, 'a.dts', SOURCE.replace('soc: soc', `${nested} soc: soc`));
  t.regex(
    inputError(() => openBoard(path, [])),
    /a\.dts: \/n0+\.\.\.: expected a path of at most 512 characters, found one of 612$/,
  );
});

test('RAM that hides registers which the kernel needs is refused where the user asks for it', t => {
  const board = openBoard('versatile-pb', []);
  const message = inputError(() => planBoard(board, { ...PLAIN, memory: 2 ** 30 }));
  t.regex(message, /^--memory: expected RAM that leaves the registers of /);
});

test('a board whose tree puts RAM over registers is one all the same', t => {
  const path = file(t, 'a.dts', SOURCE.replace(/80000000/g, '0'));
  const { memory, notes } = planBoard(openBoard(path, []), PLAIN);
  t.deepEqual(
    memory.banks.map(({ base, size }) => [base, size]),
    [
      [0n, 0x1000n],
      [0x3000n, 0xfff_d000n],
    ],
  );
  t.is(notes.length, 2);
});

test('notes have what is odd about the tree and what was made of it', t => {
  const { tree } = openBoard(file(t, 'a.dts', SOURCE), []);
  const path = file(t, 'a.dtb', Buffer.concat([writeFdt(tree), Buffer.from('more')]));
  const board = openBoard(path, []);
  const plan = planBoard(board, PLAIN);
  const [first = ''] = notesOf(board, plan);
  t.regex(first, /expected nothing after the total size .* \[trailing-data\]/);
  t.deepEqual(notesOf(board, plan).slice(1), [...plan.notes]);
});

test('an overlay that is shipped is found by name, and every one fits its board', t => {
  for (const name of overlayNames()) {
    const [, board = ''] = /^[a-z]+-(.*?)(?:-iommu)?$/.exec(name) ?? [];
    t.true(BOARD_FILES.read(`${board}.dts`) !== undefined, name);
    t.not(openBoard(board, [name]).hash, openBoard(board, []).hash, name);
  }
  const message = inputError(() => openBoard('mixed', ['gpu-mixd']));
  t.regex(message, /^'gpu-mixd': .* did you mean gpu-mixed/);
});
