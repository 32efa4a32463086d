import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The package.json of the package that this module is part of, compiled or not; null without one. */
export const packageFile = (): string | null =>
  ['../package.json', '../../package.json']
    .map(path => join(__dirname, path))
    .find(path => existsSync(path)) ?? null;

/** What a member of package.json says; undefined where there is none. */
export const packageMember = (name: string): unknown => {
  const file = packageFile();
  const parsed: unknown = file === null ? null : JSON.parse(readFileSync(file, 'utf8'));
  return typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, name) : undefined;
};

/** The folder whose modules are dmabench's own: `dist` of a package, all of a checkout. */
export const codeFolder = (): string => dirname(__dirname);

/** The version of the package. */
export const version = (): string => {
  const found = packageMember('version');
  return typeof found === 'string' ? found : 'unknown';
};
