import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the project: its path from the root, with `/`, and its text. */
export interface ProjectFile {
  readonly path: string;
  readonly text: string;
}

const ROOT = join(__dirname, '../..');

/** What is made or installed, not written. */
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', 'package-lock.json']);
const HIDDEN_BUT_OURS = new Set(['.ci']);

const isOurs = (name: string): boolean =>
  !NOT_OURS.has(name) && (!name.startsWith('.') || HIDDEN_BUT_OURS.has(name));

const collect = (folder: string, into: string[]): void => {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (!isOurs(entry.name)) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) collect(path, into);
    else if (entry.isFile()) into.push(path);
  }
};

/** Every file of the project below the folder (the whole of it if empty), sorted by path. */
export const projectFiles = (folder = ''): readonly ProjectFile[] => {
  const paths: string[] = [];
  collect(folder, paths);
  return paths.sort().map(path => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
};

/** Every TypeScript module of the project. */
export const projectModules = (): readonly ProjectFile[] =>
  ['api', 'arch', 'drivers', 'machines', 'mm', 'tests', 'tools']
    .flatMap(folder => projectFiles(folder))
    .filter(({ path }) => path.endsWith('.ts'));
