import { join } from 'node:path';
import { BenchError } from '../../drivers/base/types/errors';
import { kindOf, readText } from '../board/files';

/** The text of the two functions of a rule's example. */
export interface ExampleSource {
  readonly wrong: string;
  readonly right: string;
}

const FOLDER = join(__dirname, '../../tests/suites/rules');

/** Sources of examples: as they stand in a checkout, and where the build puts them. */
const PLACES = [FOLDER, join(FOLDER, 'source')];

/**
 * The code that the tests run for a rule, from the file that they run; null if there is no file.
 * BenchError if it does not have both functions.
 */
export const exampleSource = (rule: string): ExampleSource | null => {
  const path = PLACES.map(folder => join(folder, `${rule}.ts`)).find(
    candidate => kindOf(candidate) === 'file',
  );
  if (path === undefined) return null;
  const text = readText(path);
  const part = (name: string): string => {
    const found = declarationOf(text, name);
    if (found === null) throw new BenchError(`${rule}.ts: no function ${name}`);
    return found;
  };
  return { wrong: part('wrong'), right: part('right') };
};

/**
 * The declaration of a name at the top level of a module, with the comment above it, as it is
 * formatted: it ends at the last line before one that is not indented, its closing line included.
 */
export const declarationOf = (text: string, name: string): string | null => {
  const lines = text.split('\n');
  const start = lines.findIndex(line =>
    new RegExp(`^(?:export )?(?:const|function\\*?) ${name}\\b`).test(line),
  );
  if (start < 0) return null;
  let first = start;
  while (/^(?:\/\*| \*|\/\/)/.test(lines[first - 1] ?? '')) first -= 1;
  let last = start;
  while (/^(?:\s|[)\]}]|$)/.test(lines[last + 1] ?? '}') && last + 1 < lines.length) last += 1;
  return lines
    .slice(first, last + 1)
    .join('\n')
    .replace(/^export /m, '')
    .trimEnd();
};
