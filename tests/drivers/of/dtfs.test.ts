import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import test from 'ava';
import type { DtfsReader } from '../../../drivers/of/dtfs';
import { readDtfs } from '../../../drivers/of/dtfs';
import { printDts } from '../../../drivers/of/dts-print';
import { readFdt } from '../../../drivers/of/fdt';
import { dtcTest, inputError } from '../../support/fdt';

interface Folder {
  readonly [name: string]: string | Folder;
}

/** A reader of nested objects: strings are files. */
const folders = (root: Folder): DtfsReader => {
  const at = (path: string): string | Folder =>
    path
      .split('/')
      .filter(part => part !== '')
      .reduce<string | Folder>(
        (here, part) => (typeof here === 'string' ? {} : (here[part] ?? {})),
        root,
      );
  return {
    list: path =>
      Object.entries(at(path)).map(([name, entry]) => ({
        name,
        kind: typeof entry === 'string' ? 'file' : 'folder',
      })),
    read: path => {
      const entry = at(path);
      return Buffer.from(typeof entry === 'string' ? entry : '', 'latin1');
    },
  };
};

const MACHINE: Folder = {
  name: '\0',
  model: 'test\0',
  'soc@0': { name: 'soc\0', ranges: '', 'b@2': { name: 'b\0' }, 'a@10': { reg: '\0\0\0\x10' } },
  cpus: { 'cpu@4': { reg: '\0\0\0\x04' }, 'cpu@5': { reg: '\0\0\0\x05' } },
};

test('files become properties and folders nodes, by name, without the names Linux adds', t => {
  const tree = readDtfs(folders(MACHINE));
  t.deepEqual(
    [...tree.root.walk()].map(({ path, properties }) => [path, ...properties.keys()]),
    [
      ['/', 'model'],
      ['/cpus'],
      ['/cpus/cpu@4', 'reg'],
      ['/cpus/cpu@5', 'reg'],
      ['/soc@0', 'ranges'],
      ['/soc@0/a@10', 'reg'],
      ['/soc@0/b@2'],
    ],
  );
  t.is(tree.bootCpu, 4);
  t.is(tree.root.string('model'), 'test');
});

test('a folder that Linux had to rename beside a file gets its name back', t => {
  const tree = readDtfs(folders({ l2: 'x\0', 'l2#1': { reg: 'abcd' } }));
  t.true(tree.root.has('l2'));
  t.true(tree.at('/l2')?.has('reg'));
});

test('a folder that is no device tree, goes round or is too large is refused', t => {
  const endless: DtfsReader = {
    list: () => [{ name: 'loop', kind: 'folder' }],
    read: () => new Uint8Array(),
  };
  t.is(
    inputError(() => readDtfs(endless)),
    `${'/loop'.repeat(64)}: expected at most 64 levels of nodes, found more`,
  );
  t.is(
    inputError(() => readDtfs(folders({ a: { b: 'x'.repeat(101) } }), { bytes: 100 })),
    '/a/b: expected at most 100 bytes in all, found more',
  );
  t.is(
    inputError(() => readDtfs(folders({ a: 'x', b: 'y' }), { properties: 1 })),
    '/b: expected at most 1 properties, found more',
  );
  t.is(
    inputError(() => readDtfs(folders({ 'a b': 'x' }))),
    '/a b: expected a name of printable ASCII without \'/\', found "a b"',
  );
  t.is(
    inputError(() => readDtfs(folders({ a: {}, 'a#1': {} }))),
    '/a#1: expected one entry of that name, found two',
  );
  t.regex(
    inputError(() => readDtfs(folders({ ['n'.repeat(256)]: 'x' }))),
    /expected a name of at most 255 characters, found one of 256/,
  );
});

const onDisk = (root: string): DtfsReader => ({
  list: path =>
    readdirSync(join(root, path), { withFileTypes: true }).map(entry => ({
      name: entry.name,
      kind: entry.isDirectory() ? 'folder' : 'file',
    })),
  read: path => readFileSync(join(root, path)),
});

dtcTest('a folder on disk gives the tree that dtc -I fs sorts', t => {
  const root = mkdtempSync(join(tmpdir(), 'dtfs-'));
  const write = (folder: string, content: Folder): void => {
    for (const [name, entry] of Object.entries(content)) {
      const path = join(folder, name);
      if (typeof entry === 'string') {
        writeFileSync(path, entry, 'latin1');
      } else {
        mkdirSync(path);
        write(path, entry);
      }
    }
  };
  try {
    write(root, MACHINE);
    const tree = readDtfs(onDisk(root));
    const { stdout } = spawnSync('dtc', ['-q', '-q', '-s', '-I', 'fs', '-O', 'dtb', root]);
    t.is(printDts(tree), printDts(readFdt(stdout).tree));
  } finally {
    rmSync(root, { recursive: true });
  }
});
