import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BoardFiles } from '../../machines/boards';

const FOLDER = join(__dirname, '../../machines/boards');

/** The boards that come with dmabench. */
export const BOARD_FOLDER: BoardFiles = {
  list: () => readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }),
  read: name => {
    const path = join(FOLDER, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  },
};

/** A folder of boards in memory. */
export const boardFolder = (files: Readonly<Record<string, string>>): BoardFiles => ({
  list: () => Object.keys(files),
  read: name => files[name],
});
