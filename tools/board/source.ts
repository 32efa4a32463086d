import { dirname, isAbsolute, join } from 'node:path';
import { InputError } from '../../drivers/base/types/errors';
import type { Diagnostic } from '../../drivers/of/diagnostics';
import { readDtfs } from '../../drivers/of/dtfs';
import { readDts } from '../../drivers/of/dts';
import type { DtsOptions } from '../../drivers/of/dts';
import { PreprocessorNeeded } from '../../drivers/of/dts-source';
import type { SourceResolver } from '../../drivers/of/dts-source';
import { readFdt } from '../../drivers/of/fdt';
import { FDT_MAGIC } from '../../drivers/of/fdt-format';
import type { DeviceTree } from '../../drivers/of/tree';
import { kindOf, readBytes, readText } from './files';
import { folderReader } from './folder';
import { preprocess } from './preprocess';

/** A tree as somebody's file or folder has it, and what is odd about the form it has there. */
export interface SourceTree {
  readonly tree: DeviceTree;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a device tree from a DTB, a source or a folder such as /proc/device-tree: which of them
 * it is, its content says and not its name. InputError for whatever is none of them.
 */
export const readSource = (path: string, options: DtsOptions = {}): SourceTree => {
  if (kindOf(path) === 'folder') {
    return { tree: readDtfs(folderReader(path)), diagnostics: [] };
  }
  const bytes = readBytes(path);
  if (bytes.length === 0) {
    const expected = 'a DTB, device tree source or a folder';
    throw new InputError({ place: path, expected, found: 'an empty file' });
  }
  if (isBlob(bytes)) return readFdt(bytes, { name: path });
  return { tree: readSourceText(path, new TextDecoder().decode(bytes), options), diagnostics: [] };
};

const isBlob = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 &&
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0) === FDT_MAGIC;

const readSourceText = (path: string, text: string, options: DtsOptions): DeviceTree => {
  if (text.includes('\0')) {
    const expected = 'a DTB (which begins with d00dfeed) or device tree source';
    throw new InputError({ place: path, expected, found: 'neither' });
  }
  const resolver = resolverFor(path);
  try {
    return readDts(text, path, resolver, options);
  } catch (error) {
    // What came through a pipe cannot be read again.
    if (!(error instanceof PreprocessorNeeded) || kindOf(path) !== 'file') throw error;
    return readDts(preprocess(path), path, resolver, options);
  }
};

/** `/include/` and `/incbin/`: beside the file that asks, then beside the one that was named. */
const resolverFor = (path: string): SourceResolver => {
  const find = (name: string, from: string): string | undefined => {
    const places = isAbsolute(name)
      ? [name]
      : [join(dirname(from), name), join(dirname(path), name)];
    return places.find(place => kindOf(place) !== 'none');
  };
  return {
    include: (name, from) => {
      const file = find(name, from);
      return file === undefined ? undefined : { file, text: readText(file) };
    },
    incbin: (name, from) => {
      const file = find(name, from);
      return file === undefined ? undefined : readBytes(file);
    },
  };
};
