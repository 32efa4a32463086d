import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { main } from '../../tools/main';
import { TestHost } from '../support/host';

/*
 * The README shows commands with what they print. A block of it that begins with `$ npx dmabench …`
 * or `$ npm start` is made by running the command; a block of TypeScript that begins with the name of a
 * file shows that file.
 */

const ROOT = join(__dirname, '../..');
export const README = join(ROOT, 'README.md');

const BLOCK = /^```console\n\$ (.*)\n[^]*?^```$/gm;

const SOURCE = /^```ts\n\/\/ (\S+\.ts)\n[^]*?^```$/gm;

/** The file, under its name. */
const sourceBlock = (file: string): string =>
  `\`\`\`ts\n// ${file}\n${readFileSync(join(ROOT, file), 'utf8')}\`\`\``;

/** The arguments of a shown command; undefined for one that is not ours to run. */
const argumentsOf = (command: string): string[] | undefined => {
  const words = command.split(' ').map(word => word.replaceAll("'", ''));
  if (words[0] === 'npx' && words[1] === 'dmabench') return words.slice(2);
  if (command !== 'npm start') return undefined;
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  return scripts.start.split(' ').slice(2);
};

/** Files that shown commands write findings and pictures to: not where the reader's own are. */
const SAVED = /^(?:findings(?=#|$)|[\w-]+\.png$)/;

const outputOf = async (argv: readonly string[], folder: string): Promise<string> => {
  const host = new TestHost();
  await main(
    argv.map(word => word.replace(SAVED, file => join(folder, file))),
    host,
  );
  return (host.out.text + host.err.text).replaceAll(`${folder}${sep}`, '');
};

/** The README with every block as its command prints it today, or its file is. */
export const renderReadme = async (text: string): Promise<string> => {
  const blocks = new Map<string, string>();
  const folder = mkdtempSync(join(tmpdir(), 'readme-'));
  for (const [block, command = ''] of text.matchAll(BLOCK)) {
    const argv = argumentsOf(command);
    if (argv === undefined) continue;
    blocks.set(block, `\`\`\`console\n$ ${command}\n${await outputOf(argv, folder)}\`\`\``);
  }
  rmSync(folder, { recursive: true });
  return text
    .replaceAll(BLOCK, block => blocks.get(block) ?? block)
    .replaceAll(SOURCE, (_block, file: string) => sourceBlock(file));
};
