// Compiles the product into dist/: everything but the tests, with the boards it is shipped with.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

// tsc copies nothing that it does not compile.
cpSync(join(root, 'machines/boards'), join(root, 'dist/machines/boards'), {
  recursive: true,
  filter: path => ['', '.dts', '.dtsi', '.dtso'].includes(extname(path)),
});
// In a folder of their own: beside its .d.ts, a .ts would be what a user's compiler takes.
cpSync(join(root, 'tests/suites/rules'), join(root, 'dist/tests/suites/rules/source'), {
  recursive: true,
  filter: path => ['', '.ts'].includes(extname(path)),
});
chmodSync(join(root, 'dist/tools/cli.js'), 0o755);
