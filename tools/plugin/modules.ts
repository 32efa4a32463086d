import Module, { SourceMap, createRequire } from 'node:module';
import type { SourceMapPayload } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { apiFile, apiFiles, isOwnName } from './api';
import { compile } from './compile';
import { Places, isUsers, shownName } from './places';

/*
 * Users' modules, by Node's own loader of CommonJS, which takes ES modules as well. It is told two
 * things more while it is ours: where dmabench is, and how TypeScript is read.
 */

type Resolve = (request: string, parent: unknown, ...rest: unknown[]) => unknown;
type Extension = (module: object, file: string) => void;

const RESOLVE = '_resolveFilename';
const EXTENSIONS = '_extensions';
const TYPESCRIPT = ['.ts', '.cts'];

const loaderResolve = (): Resolve => {
  const found: unknown = Reflect.get(Module, RESOLVE);
  if (typeof found !== 'function') throw new Error('a Node whose modules are loaded otherwise');
  return (...args): unknown => Reflect.apply(found, Module, args);
};

const loaderExtensions = (): Record<string, Extension | undefined> =>
  Reflect.get(Module, EXTENSIONS) as Record<string, Extension | undefined>;

/** Loads modules of a user, from its construction to its removal. */
export class UserModules {
  readonly places = new Places();
  readonly #files = apiFiles();
  readonly #undo: (() => void)[] = [];

  constructor() {
    this.#hookResolve();
    for (const extension of TYPESCRIPT) this.#hookTypeScript(extension);
  }

  /** What the module of this absolute path exports; throws whatever it throws. */
  load(file: string): unknown {
    return createRequire(__filename)(file);
  }

  /** Names of ours that the user's modules have asked for resolve as before. */
  remove(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.places.remove();
  }

  #hookResolve(): void {
    const original: unknown = Reflect.get(Module, RESOLVE);
    const resolve = loaderResolve();
    Reflect.set(Module, RESOLVE, (request: string, parent: unknown, ...rest: unknown[]) => {
      const from = fileOf(parent);
      if (!isUsers(from)) return resolve(request, parent, ...rest);
      if (isOwnName(request)) return apiFile(this.#files, request, shownName(from));
      try {
        return resolve(request, parent, ...rest);
      } catch (error) {
        const source = sourceOf(request, from);
        if (source === null) throw error;
        return resolve(source, parent, ...rest);
      }
    });
    this.#undo.push(() => Reflect.set(Module, RESOLVE, original));
  }

  #hookTypeScript(extension: string): void {
    const extensions = loaderExtensions();
    const before = extensions[extension];
    extensions[extension] = (module, file): void => {
      if (before !== undefined && !isUsers(file)) before(module, file);
      else this.#compile(module, file);
    };
    this.#undo.push(() => {
      if (before === undefined) Reflect.deleteProperty(extensions, extension);
      else extensions[extension] = before;
    });
  }

  #compile(module: object, file: string): void {
    const { code, map } = compile(file, shownName(file));
    this.places.addMap(file, new SourceMap(JSON.parse(map) as SourceMapPayload));
    const run: unknown = Reflect.get(module, '_compile');
    if (typeof run === 'function') Reflect.apply(run, module, [code, file]);
  }
}

const fileOf = (parent: unknown): string => {
  const file: unknown =
    typeof parent === 'object' && parent !== null ? Reflect.get(parent, 'filename') : null;
  return typeof file === 'string' ? file : '';
};

/** `./driver.js`, as TypeScript for ES modules spells `./driver.ts`; null for anything else. */
const sourceOf = (request: string, from: string): string | null => {
  if (!request.startsWith('.') || !TYPESCRIPT.includes(extname(from))) return null;
  const source = request.replace(/\.(c?)js$/, '.$1ts');
  return source === request ? null : join(dirname(from), source);
};
