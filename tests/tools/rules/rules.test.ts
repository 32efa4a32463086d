import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { RULES } from '../../../drivers/base/types/rules';
import { main } from '../../../tools/main';
import { declarationOf } from '../../../tools/rules/example-source';
import { TestHost } from '../../support/host';

const FOLDER = join(__dirname, '../../suites/rules');

const rules = async (...argv: readonly string[]): Promise<string> => {
  const host = new TestHost();
  const status = await main(['rules', ...argv], host);
  if (status !== 0) throw new Error(host.err.text);
  return host.out.text;
};

test('all rules are listed with their sentences, in lines that fit', async t => {
  const text = await rules();
  for (const id of Object.keys(RULES)) t.regex(text, new RegExp(`^${id} +[A-Z]`, 'm'));
  t.true(text.split('\n').every(line => line.length <= 100));
  const json = JSON.parse(await rules('--format', 'json')) as readonly { readonly id: string }[];
  t.deepEqual(
    json.map(({ id }) => id),
    Object.keys(RULES),
  );
});

test('every rule has wrong and right code, and it is what stands in the file that is run', async t => {
  const files = readdirSync(FOLDER);
  for (const id of Object.keys(RULES)) {
    t.true(files.includes(`${id}.ts`), id);
    const source = readFileSync(join(FOLDER, `${id}.ts`), 'utf8');
    const json = JSON.parse(await rules(id, '--format', 'json')) as {
      readonly example: { readonly wrong: string; readonly right: string };
    };
    for (const part of ['wrong', 'right'] as const) {
      const shown = json.example[part];
      t.regex(shown, new RegExp(`^(?:const|function) ${part}\\b`, 'm'), id);
      for (const line of shown.split('\n')) t.true(source.includes(line), `${id}: ${line}`);
      t.true(/^[)}\]]*;?$|;$/.test(shown.split('\n').at(-1) ?? ''), `${id}: ${shown}`);
    }
  }
});

test('a rule is explained: sentence, reason, wrong and right code, source', async t => {
  const text = await rules('stale-cpu-read');
  const parts = ['stale-cpu-read  error\n', '\nWhy\n', '\nWrong\n', '\nRight\n', '\nSource  '];
  const at = parts.map(part => text.indexOf(part));
  t.false(at.includes(-1), text);
  t.deepEqual(
    at,
    [...at].sort((a, b) => a - b),
  );
});

test('a declaration goes from its comment to its last line', t => {
  const text = [
    'const other = 1;',
    '',
    '/** A comment',
    ' * of two lines. */',
    'export const wrong = (',
    '  bench: Bench,',
    '): void => {',
    '  one();',
    '',
    '  two();',
    '};',
    '',
    '/** Another. */',
    'export function right(): void {',
    '  three();',
    '}',
  ].join('\n');
  const lines = text.split('\n');
  t.is(
    declarationOf(text, 'wrong'),
    lines.slice(2, 11).join('\n').replace('export const wrong', 'const wrong'),
  );
  t.is(declarationOf(text, 'right'), '/** Another. */\nfunction right(): void {\n  three();\n}');
  t.is(declarationOf(text, 'righ'), null);
});
