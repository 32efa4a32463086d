import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { BoardFiles } from '../../machines/boards';
import { kindOf, readText } from './files';

/** Beside the compiled modules as beside the sources: the build copies the folder. */
const FOLDER = join(__dirname, '../../machines/boards');

/** The boards that are shipped. */
export const BOARD_FILES: BoardFiles = {
  list: () => readdirSync(FOLDER),
  read: name => {
    const path = join(FOLDER, name);
    return kindOf(path) === 'file' ? readText(path) : undefined;
  },
};

/** The overlays that are shipped, by name. */
export const overlayNames = (): readonly string[] =>
  readdirSync(join(FOLDER, 'overlays'))
    .filter(file => file.endsWith('.dtso'))
    .map(file => basename(file, '.dtso'))
    .sort();

/** The file of an overlay that is shipped, by its name; null: there is none. */
export const overlayFile = (name: string): string | null => {
  if (name.includes('/')) return null;
  const path = join(FOLDER, 'overlays', `${name}.dtso`);
  return kindOf(path) === 'file' ? path : null;
};
