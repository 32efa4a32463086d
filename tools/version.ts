import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of the package that this module is part of, compiled or not. */
export const version = (): string => {
  const places = ['../package.json', '../../package.json'].map(path => join(__dirname, path));
  const file = places.find(path => existsSync(path));
  const parsed: unknown = file === undefined ? null : JSON.parse(readFileSync(file, 'utf8'));
  const isPackage = typeof parsed === 'object' && parsed !== null && 'version' in parsed;
  return isPackage ? String(parsed.version) : 'unknown';
};
