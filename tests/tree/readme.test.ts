import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { renderReadme } from './readme';

test('a block that shows something else is found', async t => {
  const shown = '```console\n$ npx dmabench --version\n0.0.0-never\n```\n';
  const rendered = await renderReadme(shown);
  t.not(rendered, shown);
  t.regex(rendered, /^```console\n\$ npx dmabench --version\n\d+\.\d+\.\d+\n```\n$/);
});

test('a source that is shown otherwise than it is is found', async t => {
  const file = 'examples/camera/driver.ts';
  const source = readFileSync(join(__dirname, '../..', file), 'utf8');
  const rendered = await renderReadme(`\`\`\`ts\n// ${file}\nsomething else\n\`\`\`\n`);
  t.is(rendered, `\`\`\`ts\n// ${file}\n${source}\`\`\`\n`);
});

test('a command that is not ours is left as it stands', async t => {
  const shown = '```console\n$ npm test\n1 test passed\n```\n';
  t.is(await renderReadme(shown), shown);
});
