// `npm ci` in a checkout: builds dist/ and makes `npx dmabench` find it. npm links the commands of
// dependencies only, not those of the package itself.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const isInstalled = name => {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
};

if (isInstalled('typescript')) {
  await import('./build.mjs');
  const bin = fileURLToPath(new URL('../../node_modules/.bin', import.meta.url));
  const link = join(bin, 'dmabench');
  mkdirSync(bin, { recursive: true });
  rmSync(link, { force: true });
  if (process.platform !== 'win32') symlinkSync('../../dist/tools/cli.js', link);
} else {
  console.warn(
    'dmabench: the compiler is a development dependency and not installed, so dist/ is not built.\n' +
      "For use without development dependencies, install what 'npm pack' makes of a full checkout.",
  );
}
