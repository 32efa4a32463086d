import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { stringBytes } from '../../../drivers/of/bytes';
import { readSource } from '../../../tools/board/source';
import { dt } from '../../support/dt';
import { temporaryFolder } from '../../support/host';
import { inputError } from '../../support/input-error';

const TREE = dt({ model: 'sample', '#address-cells': [1], soc: { reg: [0x1000, 2] } });

/** Writes files, by their paths below a folder of the test; answers the path of one. */
const written = (
  t: ExecutionContext,
  files: Readonly<Record<string, string | Uint8Array>>,
): ((name: string) => string) => {
  const folder = temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return name => join(folder, name);
};

const modelOf = (path: string): string | undefined => readSource(path).tree.root.string('model');

const hasCpp = spawnSync('cpp', ['--version']).status === 0;
const cppTest = hasCpp ? test : test.skip;

test('a DTB is known by how it begins, whatever its name', t => {
  const at = written(t, { 'a.dts': writeFdt(TREE), b: writeFdt(TREE) });
  t.is(modelOf(at('a.dts')), 'sample');
  t.is(modelOf(at('b')), 'sample');
});

test('source is read as such, whatever its name', t => {
  const at = written(t, { 'a.dtb': '/dts-v1/; / { model = "text"; };' });
  t.is(modelOf(at('a.dtb')), 'text');
});

test('a folder such as /proc/device-tree is a tree', t => {
  const at = written(t, {
    'tree/model': stringBytes('folder'),
    'tree/soc/reg': Uint8Array.of(0, 0, 0x10, 0),
  });
  symlinkSync('/proc', at('tree/link'));
  const { tree } = readSource(at('tree'));
  t.is(tree.root.string('model'), 'folder');
  t.deepEqual(tree.at('/soc')?.cells('reg'), [0x1000]);
  t.deepEqual([...tree.root.children.keys()], ['soc']);
});

test('a folder with nothing of a tree in it is refused before it is searched', t => {
  const at = written(t, { 'some/file': 'x', 'some/folder/model': 'x' });
  t.regex(
    inputError(() => readSource(at('some'))),
    /some: expected a device tree's root: .*found none/,
  );
});

test('what is no tree in any form is refused with its place', t => {
  const at = written(t, {
    empty: '',
    binary: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0, 0),
    text: 'hello',
    cut: writeFdt(TREE).subarray(0, 60),
  });
  const expectations = [
    ['empty', 'expected a DTB, device tree source or a folder, found an empty file'],
    ['binary', 'expected a DTB (which begins with d00dfeed) or device tree source, found neither'],
    ['text', /text:1:1: expected /],
    ['cut', /cut: .*expected /],
    ['nothing', 'expected a file to read, found no such file'],
  ] as const;
  for (const [name, expected] of expectations) {
    const message = inputError(() => readSource(at(name)));
    if (typeof expected === 'string') t.is(message, `${at(name)}: ${expected}`);
    else t.regex(message, expected);
  }
});

test('included files are looked for beside the file that includes them, then beside the first', t => {
  const at = written(t, {
    'a.dts': '/dts-v1/; / { model = "a"; }; /include/ "sub/b.dtsi"',
    'sub/b.dtsi': '/include/ "c.dtsi" /include/ "d.dtsi"',
    'sub/c.dtsi': '/ { data = /incbin/("data"); };',
    'd.dtsi': '/ { model = "d"; };',
    'sub/data': 'bytes',
  });
  const { tree } = readSource(at('a.dts'));
  t.is(tree.root.string('model'), 'd');
  t.is(Buffer.from(tree.root.bytes('data') ?? []).toString(), 'bytes');
});

cppTest('source with directives goes through the C preprocessor, and keeps its places', t => {
  const at = written(t, {
    'a.dts': '#include "b.h"\n#include <c.h>\n/dts-v1/;\n/ { model = MODEL; x = <BAD>; };\n',
    'b.h': '#define MODEL "from b"\n',
    'c.h': '#ifdef __DTS__\n#define BAD 1\n#endif\n#ifdef linux\n#error host\n#endif\n',
    'wrong.dts': '#define A 1\n\n/dts-v1/;\n/ { x = A; };\n',
  });
  t.is(modelOf(at('a.dts')), 'from b');
  t.regex(
    inputError(() => readSource(at('wrong.dts'))),
    /wrong\.dts:4:9: expected /,
  );
});

cppTest('what the C preprocessor refuses is told with its place', t => {
  const at = written(t, {
    'a.dts': '/dts-v1/;\n#include "missing.h"\n',
    'b.dts': '#error not this way\n',
    'c.dts': '#include "c.dts"\n',
  });
  t.is(
    inputError(() => readSource(at('a.dts'))),
    `${at('a.dts')}:2:10: expected source that cpp accepts, found missing.h: No such file or directory`,
  );
  t.regex(
    inputError(() => readSource(at('b.dts'))),
    /b\.dts:1:2: .*found #error not this way/,
  );
  t.regex(
    inputError(() => readSource(at('c.dts'))),
    /c\.dts:1:[0-9]+: .*nested depth/,
  );
});

cppTest('a file whose name begins with a dash is no option of cpp', t => {
  const at = written(t, { '-dM.dts': '#define M "dash"\n/dts-v1/; / { model = M; };' });
  const program = `
    require(${JSON.stringify(require.resolve('../../../tools/build/register.cjs'))});
    const { readSource } = require(${JSON.stringify(require.resolve('../../../tools/board/source'))});
    process.stdout.write(readSource('-dM.dts').tree.root.string('model'));
  `;
  const { stdout } = spawnSync(process.execPath, ['-e', program], {
    cwd: dirname(at('-dM.dts')),
    env: { ...process.env, TS_NODE_PROJECT: join(__dirname, '../../../tsconfig.json') },
    encoding: 'utf8',
  });
  t.is(stdout, 'dash');
});

/** Programs are looked for in this folder alone until the test ends. */
const findPrograms = (t: ExecutionContext, folder: string): void => {
  const path = process.env['PATH'];
  t.teardown(() => {
    process.env['PATH'] = path;
  });
  process.env['PATH'] = folder;
};

test.serial('without a C preprocessor, the message says which package has one', t => {
  const at = written(t, { 'a.dts': '#define A 1\n' });
  findPrograms(t, at('bin'));
  t.regex(
    inputError(() => readSource(at('a.dts'))),
    /needs, found no program 'cpp' \(Debian: /,
  );
});

test.serial('a preprocessor that writes without end is stopped', t => {
  const at = written(t, { 'a.dts': '#define A 1\n', 'bin/cpp': '#!/bin/sh\nexec /usr/bin/yes\n' });
  chmodSync(at('bin/cpp'), 0o755);
  findPrograms(t, at('bin'));
  t.regex(
    inputError(() => readSource(at('a.dts'))),
    /expected at most 33554432 bytes of source/,
  );
});

cppTest('a source that includes a device without end is refused before memory is short', t => {
  const at = written(t, { 'a.dts': '#include "/dev/zero"\n' });
  t.regex(
    inputError(() => readSource(at('a.dts'))),
    /a\.dts: expected source that cpp reads within 512 MiB of memory, found it takes more$/,
  );
});

test.serial('a preprocessor that never ends is stopped, and its children with it', async t => {
  const at = written(t, {
    'a.dts': '#define A 1\n',
    'bin/cpp': '#!/bin/sh\n/bin/sleep 60 &\necho $! >"${0%/*}/pid"\nwait\n',
  });
  chmodSync(at('bin/cpp'), 0o755);
  findPrograms(t, at('bin'));
  t.regex(
    inputError(() => readSource(at('a.dts'))),
    /a\.dts: expected source that cpp reads within 5 s, found it takes longer$/,
  );
  const command = `/proc/${readFileSync(at('bin/pid'), 'utf8').trim()}/cmdline`;
  // Of a process that is dead but not yet waited for it is empty.
  const isAlive = (): boolean => existsSync(command) && readFileSync(command).length > 0;
  for (let i = 0; i < 50 && isAlive(); i++) await setTimeout(20);
  t.false(isAlive());
});
