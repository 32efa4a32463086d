import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../drivers/base/types/errors';
import type { DtfsEntry, DtfsReader } from '../../drivers/of/dtfs';
import { readBytes, reasonOf } from './files';

/** What the root of every machine's tree has; a folder with none of them is some other folder. */
const ROOT_PROPERTIES = ['#address-cells', '#size-cells', 'compatible', 'model'];

/** A folder such as /proc/device-tree, for readDtfs(). Symbolic links in it are left out. */
export const folderReader = (folder: string): DtfsReader => {
  const reader: DtfsReader = {
    list: path => entriesOf(join(folder, path)),
    read: path => readBytes(join(folder, path)),
  };
  const isTree = reader
    .list('/')
    .some(({ name, kind }) => kind === 'file' && ROOT_PROPERTIES.includes(name));
  if (isTree) return reader;
  throw new InputError({
    place: folder,
    expected: `a device tree's root: a folder with files such as ${ROOT_PROPERTIES.join(', ')}`,
    found: 'none of them',
  });
};

const entriesOf = (path: string): DtfsEntry[] => {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry): DtfsEntry[] => {
      if (entry.isDirectory()) return [{ name: entry.name, kind: 'folder' }];
      return entry.isFile() ? [{ name: entry.name, kind: 'file' }] : [];
    });
  } catch (error) {
    throw new InputError({ place: path, expected: 'a folder to read', found: reasonOf(error) });
  }
};
