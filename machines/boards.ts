import { InputError } from '../drivers/base/types/errors';
import { readDts } from '../drivers/of/dts';
import type { SourceResolver } from '../drivers/of/dts-source';
import type { DeviceTree } from '../drivers/of/tree';

/*
 * The boards that come with dmabench: a device tree source each, and what several of them share
 * in soc/. Who has the files hands them in.
 */

/** The folder of boards. */
export interface BoardFiles {
  /** Names of files, relative to the folder. */
  list(): string[];
  /** Text of a file, undefined if there is none of that name. */
  read(name: string): string | undefined;
}

const EXTENSION = '.dts';

/** Names of the boards, in order. */
export const boardNames = (files: BoardFiles): string[] =>
  files
    .list()
    .filter(file => file.endsWith(EXTENSION) && !/[/\\]/.test(file))
    .map(file => file.slice(0, -EXTENSION.length))
    .sort();

/** The tree of a board. InputError for a name that none has, and for a source that is wrong. */
export const loadBoard = (name: string, files: BoardFiles): DeviceTree => {
  const names = boardNames(files);
  const file = `${name}${EXTENSION}`;
  const text = names.includes(name) ? files.read(file) : undefined;
  if (text === undefined) {
    throw new InputError({ place: name, expected: `a board: ${names.join(', ')}`, found: 'none' });
  }
  return readDts(text, file, within(files));
};

/** `/include/` finds files below the folder, by their names relative to the one that includes. */
const within = (files: BoardFiles): SourceResolver => ({
  include: (name, from) => {
    const file = resolve(from, name);
    const text = file === null ? undefined : files.read(file);
    return file === null || text === undefined ? undefined : { file, text };
  },
  incbin: () => undefined,
});

/** `name` as seen from the file `from`; null for what is not below the folder. */
const resolve = (from: string, name: string): string | null => {
  if (name.startsWith('/')) return null;
  const parts = from.split('/').slice(0, -1);
  for (const part of name.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return null;
    } else if (part !== '.') {
      parts.push(part);
    }
  }
  return parts.join('/');
};
