import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { kindOf, readBytes, readText } from '../../../tools/board/files';
import { temporaryFolder } from '../../support/host';
import { inputError } from '../../support/input-error';

test('a file is read whole', t => {
  const path = join(temporaryFolder(t), 'file');
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  writeFileSync(path, bytes);
  t.deepEqual(Uint8Array.from(readBytes(path)), bytes);
  t.is(kindOf(path), 'file');
});

test('text is UTF-8, and what is not becomes a replacement character', t => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, Uint8Array.of(0xc3, 0xa9, 0x20, 0xff));
  t.is(readText(path), 'é \ufffd');
});

test('a file of exactly the limit is read, one byte more is not', t => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, new Uint8Array(100));
  t.is(readBytes(path, 100).length, 100);
  t.is(
    inputError(() => readBytes(path, 99)),
    `${path}: expected at most 99 bytes, found more`,
  );
});

test('a file of a gigabyte is refused before it is read', t => {
  const path = join(temporaryFolder(t), 'file');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 30);
  const before = process.memoryUsage().rss;
  t.is(
    inputError(() => readBytes(path)),
    `${path}: expected at most 16777216 bytes, found more`,
  );
  t.true(process.memoryUsage().rss - before < 2 ** 28);
});

test('a device without an end is refused like a file that is too long', t => {
  t.regex(
    inputError(() => readBytes('/dev/zero')),
    /^\/dev\/zero: expected at most 16777216 bytes/,
  );
});

test('what cannot be read is refused with the reason', t => {
  const folder = temporaryFolder(t);
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('file'), 'x');
  symlinkSync('loop', path('loop'));
  mkdirSync(path('folder'));
  const reasons = [
    ['none', 'no such file'],
    ['file/below', 'no such file'],
    ['folder', 'a folder'],
    ['loop', 'a loop of symbolic links'],
    ['n'.repeat(300), 'a name that is too long'],
  ] as const;
  for (const [name, reason] of reasons) {
    const message = inputError(() => readBytes(path(name)));
    t.is(message, `${path(name)}: expected a file to read, found ${reason}`);
  }
});

test('what is not there, or cannot be asked, is none', t => {
  const folder = temporaryFolder(t);
  symlinkSync('loop', join(folder, 'loop'));
  t.is(kindOf(join(folder, 'nothing')), 'none');
  t.is(kindOf(join(folder, 'loop')), 'none');
  t.is(kindOf(folder), 'folder');
  t.is(kindOf('/dev/null'), 'other');
});

test('a pipe is read to its end', t => {
  const program = `
    require(${JSON.stringify(require.resolve('../../../tools/build/register.cjs'))});
    const { readText } = require(${JSON.stringify(require.resolve('../../../tools/board/files'))});
    process.stdout.write(String(readText('/dev/stdin').length));
  `;
  const command = 'head -c 300000 /dev/zero | "$0" -e "$1"';
  const { stdout } = spawnSync('sh', ['-c', command, process.execPath, program], {
    encoding: 'utf8',
  });
  t.is(stdout, '300000');
});
