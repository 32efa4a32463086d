import { dirname, extname, join } from 'node:path';
import { InputError } from '../../drivers/base/types/errors';
import { packageFile, packageMember } from '../version';

/*
 * `dmabench/mm` and the like, as package.json exports them. A user's module that asks for one gets
 * it from the dmabench that loads it, whatever else is installed where the module is: two copies
 * would not know each other's classes.
 */

const NAME = 'dmabench';

/** What package.json says of a subpath. */
interface Export {
  readonly default: string;
}

const isExport = (value: unknown): value is Export =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, 'default') === 'string';

/** Whether a module specifier names something of dmabench. */
export const isOwnName = (specifier: string): boolean =>
  specifier === NAME || specifier.startsWith(`${NAME}/`);

/** By specifier (`dmabench/mm`): the file of this copy of dmabench. */
export const apiFiles = (): ReadonlyMap<string, string> => {
  const root = dirname(packageFile() ?? '');
  const exported = packageMember('exports');
  const files = new Map<string, string>();
  for (const [subpath, target] of Object.entries(exported ?? {}) as [string, unknown][]) {
    if (!isExport(target)) continue;
    files.set(`${NAME}${subpath.slice(1)}`, join(root, inThisForm(target.default)));
  }
  return files;
};

/** Of a compiled file, its source where the sources are what runs. */
const inThisForm = (compiled: string): string =>
  extname(__filename) === '.ts'
    ? compiled.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')
    : compiled;

/** The file behind a specifier of ours; InputError if there is none. */
export const apiFile = (
  files: ReadonlyMap<string, string>,
  specifier: string,
  place: string,
): string => {
  const file = files.get(specifier);
  if (file !== undefined) return file;
  const expected = `one of ${[...files.keys()].join(', ')}`;
  throw new InputError({ place, expected, found: `'${specifier}'` });
};
