import type { SourceMap } from 'node:module';
import { isAbsolute, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeFolder } from '../version';

/*
 * Places in a user's modules: `uart.ts:12`, by the lines of the source, from the folder that the
 * user is in. Everything that writes stacks goes through Error.prepareStackTrace, the places of
 * findings among them.
 */

/** Folders of a checkout that dmabench is; of a package all of its code folder is. */
const OWN_FOLDERS = ['api', 'arch', 'drivers', 'machines', 'mm', 'tests', 'tools'];

/** A module that is neither dmabench's, nor Node's, nor somebody's package. */
export const isUsers = (file: string): boolean => {
  if (!isAbsolute(file) || file.includes(`${sep}node_modules${sep}`)) return false;
  const path = relative(codeFolder(), file);
  if (path.startsWith('..') || isAbsolute(path)) return true;
  const [first = ''] = path.split(sep);
  return first !== path && !OWN_FOLDERS.includes(first);
};

/** A file as a user would name it. */
export const shownName = (file: string): string => {
  const path = relative(process.cwd(), file);
  const isBelow = path !== '' && !path.startsWith('..') && !isAbsolute(path);
  return (isBelow ? path : file).replaceAll(sep, '/');
};

type Formatter = (error: Error, frames: NodeJS.CallSite[]) => unknown;

const formatter = (): Formatter | null => {
  const found: unknown = Reflect.get(Error, 'prepareStackTrace');
  return typeof found === 'function'
    ? (error, frames): unknown => Reflect.apply(found, Error, [error, frames])
    : null;
};

/** Writes stacks with the places of users' modules, until it is taken out. */
export class Places {
  readonly #maps = new Map<string, SourceMap>();
  /** Names of users' files that a stack has shown. */
  readonly #shown = new Set<string>();
  readonly #before: unknown = Reflect.get(Error, 'prepareStackTrace');

  constructor() {
    const before = formatter();
    Error.prepareStackTrace = (error, frames): string => this.#format(error, frames, before);
  }

  /** From now on lines of a compiled file are told as those of its source. */
  addMap(file: string, map: SourceMap): void {
    this.#maps.set(file, map);
  }

  /** The innermost place in a user's module that an error came by; null if it came by none. */
  placeOf(error: unknown): string | null {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    for (const line of stack.split('\n')) {
      const [, file = '', number = ''] = FRAME.exec(line) ?? [];
      if (this.#shown.has(file)) return `${file}:${number}`;
    }
    return null;
  }

  remove(): void {
    Reflect.set(Error, 'prepareStackTrace', this.#before);
  }

  #format(error: Error, frames: NodeJS.CallSite[], before: Formatter | null): string {
    const lines = frames.map(frame => this.#line(frame) ?? otherLine(frame, before));
    return [titleOf(error), ...lines].join('\n');
  }

  /** Null for a frame that is no user's. */
  #line(frame: NodeJS.CallSite): string | null {
    const name = frame.getFileName() ?? '';
    const file = name.startsWith('file:') ? fileURLToPath(name) : name;
    if (!isUsers(file)) return null;
    const shown = shownName(file);
    this.#shown.add(shown);
    const line = frame.getLineNumber() ?? 1;
    const column = frame.getColumnNumber() ?? 1;
    const entry = this.#maps.get(file)?.findEntry(line - 1, column - 1);
    const isMapped = entry !== undefined && 'originalLine' in entry;
    const at = isMapped
      ? `${entry.originalLine + 1}:${entry.originalColumn + 1}`
      : `${line}:${column}`;
    return `    at ${frame.getFunctionName() ?? 'a module'} (${shown}:${at})`;
  }
}

const FRAME = /^\s+at .*\((.+):(\d+):\d+\)$/;

const otherLine = (frame: NodeJS.CallSite, before: Formatter | null): string => {
  const place = `${frame.getFileName()}:${frame.getLineNumber()}:${frame.getColumnNumber()}`;
  const own = `    at ${frame.getFunctionName()} (${place})`;
  if (before === null) return own;
  const written = String(before(new Error(), [frame]));
  return written.split('\n').find(line => /^\s+at /.test(line)) ?? own;
};

const titleOf = (error: unknown): string => {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
};
