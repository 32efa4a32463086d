import { relative } from 'node:path';
import test from 'ava';
import { main } from '../../tools/main';
import { TestHost } from '../support/host';

/** Modules of the project that have been loaded into this process, from its root. */
const loaded = (): string[] =>
  Object.keys(require.cache)
    .map(path => relative(`${__dirname}/../..`, path).replaceAll('\\', '/'))
    .filter(path => /^(?:arch|drivers|machines|mm|tests\/suites|tools)\//.test(path));

const isHeavy = (path: string): boolean =>
  !path.startsWith('tools/') && path !== 'drivers/base/types/errors.ts';

// One after the other: what is loaded stays loaded.
test.serial('help, version, wrong use and completion load no machine, suite or driver', async t => {
  const uses = [
    ['--help'],
    ['run', '--help'],
    ['describe', '--help'],
    ['--version'],
    [],
    ['run'],
    ['rum'],
    ['completion'],
    ['--get-yargs-completions', 'dmabench', 'run', 'v'],
  ];
  for (const argv of uses) await main(argv, new TestHost());
  t.true(loaded().includes('tools/commands/run.ts'));
  t.deepEqual(loaded().filter(isHeavy), []);
  t.false(loaded().includes('tools/run/run.ts'));
});

test.serial('a command loads what it needs', async t => {
  await main(['suites'], new TestHost());
  t.true(loaded().some(isHeavy));
  t.false(loaded().includes('tools/describe/describe.ts'));
});
