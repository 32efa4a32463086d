import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { InputError } from '../../drivers/base/types/errors';
import { DEFAULT_LIMITS } from '../../drivers/of/limits';

/** What the operating system says, in words that fit behind "found". */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'a file that may not be read',
  EPERM: 'a file that may not be read',
  EISDIR: 'a folder',
  ELOOP: 'a loop of symbolic links',
  ENAMETOOLONG: 'a name that is too long',
};

/** What is wrong with a file, from what the operating system threw; anything else is thrown on. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') {
    throw error;
  }
  return REASONS[error.code] ?? error.code;
};

/** What kind of thing a path names: `none` also where it cannot be asked. */
export const kindOf = (path: string): 'file' | 'folder' | 'other' | 'none' => {
  try {
    const found = statSync(path);
    return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'other';
  } catch {
    return 'none';
  }
};

/** Bytes asked of the system at once. */
const CHUNK = 65_536;

/**
 * All bytes of a file, a pipe or a device, but never more than `limit`: what is longer is an
 * InputError, and so is everything that cannot be read.
 */
export const readBytes = (path: string, limit: number = DEFAULT_LIMITS.bytes): Uint8Array => {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const file = openSync(path, 'r');
    try {
      for (;;) {
        const chunk = new Uint8Array(CHUNK);
        const count = readSync(file, chunk, 0, CHUNK, null);
        if (count === 0) break;
        length += count;
        if (length > limit) break;
        chunks.push(chunk.subarray(0, count));
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new InputError({ place: path, expected: 'a file to read', found: reasonOf(error) });
  }
  if (length > limit) {
    throw new InputError({ place: path, expected: `at most ${limit} bytes`, found: 'more' });
  }
  return Buffer.concat(chunks);
};

const utf8 = new TextDecoder();

/** As readBytes(), as text. Bytes that are not UTF-8 become U+FFFD. */
export const readText = (path: string, limit?: number): string =>
  utf8.decode(readBytes(path, limit));
