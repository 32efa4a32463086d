import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../support/host';

/* The command line as a process: what cannot be seen from within one. */

const ROOT = join(__dirname, '../..');
const ENV = { ...process.env, TS_NODE_PROJECT: join(ROOT, 'tsconfig.json') };
const REQUIRED = ['-r', require.resolve('../../tools/build/register.cjs')];
const CLI = [...REQUIRED, join(ROOT, 'tools/cli.ts')];

/** What a shell makes of a command, in which `$dmabench` is ours. */
const shell = (
  command: string,
  env: Readonly<Record<string, string>> = {},
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => {
  const dmabench = [process.execPath, ...CLI].join(' ');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${command}`], {
    encoding: 'utf8',
    env: { ...ENV, ...env, dmabench },
  });
  return { status, stdout, stderr };
};

test('the same command prints the same in two processes', t => {
  const command =
    '$dmabench run versatile-pb --suite memory --suite dma-streaming --dma-timing latest --format json';
  const first = shell(command);
  t.is(first.status, 0);
  t.is(first.stderr, '');
  t.regex(first.stdout, /"trace": "[0-9a-f]{8}"/);
  t.deepEqual(shell(command), first);
});

test('the exit status is that of the run', t => {
  t.is(shell('$dmabench run nonesuch').status, 2);
  t.is(shell('$dmabench --version').status, 0);
});

test('a module that ends the process does not pass', t => {
  const file = join(temporaryFolder(t), 'a.js');
  writeFileSync(file, 'process.exit(0);');
  const { status, stderr } = shell(`$dmabench run versatile-pb --load ${file}`);
  t.is(status, 2);
  t.is(stderr, 'dmabench: a module of --load has ended the process\n');
});

test('a reader that goes away is no error', t => {
  const { status, stderr } = shell('$dmabench describe pandaboard --format json | true');
  t.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

test('output that cannot be written is told', t => {
  const { status, stderr } = shell('$dmabench boards > /dev/full');
  t.is(status, 2);
  t.regex(stderr, /^dmabench: cannot write the output: ENOSPC/);
});

test('a standard error that cannot be written to ends nothing but the message', t => {
  t.is(shell('timeout 60 $dmabench run nonesuch 2> /dev/full').status, 2);
  t.is(shell('timeout 60 $dmabench boards > /dev/full 2> /dev/full').status, 2);
});

/** A child that steps until it is interrupted, and then says whether it was. */
const stepping = (step: string): string => `
  const { processHost } = require('${join(ROOT, 'tools/process-host')}');
  console.log('ready');
  const interrupted = processHost().untilInterrupted(${step});
  console.log(interrupted ? 'interrupted' : 'ran to its end');
`;

for (const [what, step] of [
  ['a step that never returns', '() => { for (;;) ; }'],
  ['a job of many steps', '() => true'],
] as const) {
  test(`SIGINT ends ${what}`, async t => {
    const child = spawn(process.execPath, [...REQUIRED, '-e', stepping(step)], { env: ENV });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output === '') setTimeout(() => child.kill('SIGINT'), 100);
      output += text;
    });
    t.deepEqual(await once(child, 'exit'), [0, null]);
    t.is(output, 'ready\ninterrupted\n');
  });
}

test('what a step throws is thrown to whoever steps', t => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [...REQUIRED, '-e', stepping("() => { throw new Error('sample'); }")],
    { env: ENV, encoding: 'utf8' },
  );
  t.is(status, 1);
  t.regex(stderr, /Error: sample/);
});

/** util-linux's, which runs a command on a terminal of its own. */
const hasScript = spawnSync('script', ['--version']).status === 0;
const terminalTest = hasScript ? test : test.skip;

terminalTest('there are colours on a terminal, unless its user wants none', t => {
  const onTerminal = (env: Readonly<Record<string, string>>): string =>
    shell("script -qec '$dmabench describe versatile-pb' /dev/null", env).stdout;
  const bold = '\u001b[1m';
  t.true(onTerminal({ TERM: 'xterm', NO_COLOR: '' }).includes(bold));
  t.false(onTerminal({ TERM: 'xterm', NO_COLOR: '1' }).includes(bold));
  t.false(onTerminal({ TERM: 'dumb', NO_COLOR: '' }).includes(bold));
});
