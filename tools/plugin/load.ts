import { spawnSync } from 'node:child_process';
import { extname, resolve } from 'node:path';
import type { Driver } from '../../drivers/base/kernel/device';
import { InputError, UnmodelledError } from '../../drivers/base/types/errors';
import { DeviceKinds } from '../../machines/devices';
import type { DeviceModule } from '../../machines/devices';
import type { MachinePlan } from '../../machines/plan';
import { SUITES } from '../../tests/suites';
import type { Suite } from '../../tests/suites/suite';
import { readBytes } from '../board/files';
import { UserModules } from './modules';
import type { PlaceOf } from '../run/case';
import type { Plugin } from './plugin';
import { readPlugin } from './shape';
import { checkFree } from './taken';

/** What the files of `--load` have added. */
export interface Loaded {
  /** All suites there are now. */
  readonly suites: readonly Suite[];
  /** Models and drivers that a machine is to be made with: a part of its PlanOptions. */
  readonly modules: readonly DeviceModule[];
  /** The patterns of `--suite`, or what stands in their place: the users' suites, if there are any. */
  readonly patterns: (asked: readonly string[] | undefined) => readonly string[];
  /** What a reader should know of the users' drivers on this board: those that have no device there. */
  readonly notes: (plan: MachinePlan) => readonly string[];
  /** The place in a user's module that an error came by; null for errors that are not theirs. */
  readonly placeOf: PlaceOf;
}

const NOTHING: Loaded = {
  suites: SUITES,
  modules: [],
  patterns: (asked = []) => asked,
  notes: () => [],
  placeOf: () => null,
};

/**
 * Does something with what the files of `--load` add; stacks show places of their sources meanwhile. InputError for a file
 * that does not load or exports something else, and for names that are taken.
 */
export const withPlugins = <Result>(
  files: readonly string[] | undefined,
  body: (loaded: Loaded) => Result,
): Result => {
  if (files === undefined || files.length === 0) return body(NOTHING);
  const users = new UserModules();
  try {
    const own: Suite[] = [];
    const modules: DeviceModule[] = [];
    for (const file of files) {
      const { suites, drivers, devices } = load(users, file);
      const before = { suites: [...SUITES, ...own], kinds: new DeviceKinds(modules) };
      checkFree({ suites, drivers, devices }, file, before);
      own.push(...suites);
      modules.push({ models: devices, drivers });
    }
    const drivers = modules.flatMap(module => module.drivers);
    return body({
      suites: [...SUITES, ...own],
      modules,
      patterns: (asked = own.map(({ name }) => name)) => asked,
      notes: plan => drivers.flatMap(driver => idleNote(driver, plan)),
      placeOf: error => users.places.placeOf(error),
    });
  } finally {
    users.remove();
  }
};

/** Why a driver has nothing to do on a board; none if it has. */
const idleNote = ({ name, compatible }: Driver<unknown>, { devices }: MachinePlan): string[] => {
  const strings = compatible.join(' or ');
  const nodes = devices.filter(({ device }) =>
    device.compatible.some(string => compatible.includes(string)),
  );
  const [first] = nodes;
  if (first === undefined) return [`driver ${name}: this board has no ${strings}`];
  if (nodes.some(({ status }) => status === 'modelled')) return [];
  return [`driver ${name}: nothing models ${first.device.node.path}, so it is not probed`];
};

const EXTENSIONS = ['.js', '.cjs', '.mjs', '.ts', '.cts'];

const load = (modules: UserModules, file: string): Required<Plugin> => {
  readBytes(file);
  const extension = extname(file);
  if (!EXTENSIONS.includes(extension)) {
    const expected = `a module: ${EXTENSIONS.join(', ')}`;
    throw new InputError({ place: file, expected, found: extension === '' ? 'none' : extension });
  }
  try {
    return readPlugin(modules.load(resolve(file)), file);
  } catch (error) {
    throw asInputError(error, file, modules.places.placeOf(error));
  }
};

/** What a module threw while it loaded or was looked at, as what is wrong with it. */
const asInputError = (error: unknown, file: string, at: string | null): Error => {
  if (error instanceof InputError || error instanceof UnmodelledError) return error;
  const place = at ?? file;
  if (error instanceof SyntaxError) {
    const expected = 'JavaScript';
    const found = `a syntax error: ${textOf(error)}`;
    return new InputError({ place: syntaxPlace(error, file), expected, found });
  }
  switch (codeOf(error)) {
    case 'MODULE_NOT_FOUND':
    case 'ERR_MODULE_NOT_FOUND':
      return new InputError({ place, expected: 'modules that are there', found: textOf(error) });
    case 'ERR_REQUIRE_ASYNC_MODULE':
      return new InputError({ place, expected: 'no await at the top of a module', found: 'one' });
    default:
      return new InputError({
        place,
        expected: 'a module that loads',
        found: `it throws ${nameOf(error)}: ${textOf(error)}`,
      });
  }
};

const codeOf = (error: unknown): unknown =>
  error instanceof Error ? Reflect.get(error, 'code') : null;

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/** Of an error: characters that fit a line. */
const LONGEST = 200;

const textOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, LONGEST);
};

const PLACE = /^(?:file:\/\/)?(.+):(\d+)$/;

/** Node writes the place before the error; of an ES module only if it is asked for nothing else. */
const syntaxPlace = (error: SyntaxError, file: string): string => {
  const asked = [
    error.stack ?? '',
    spawnSync(process.execPath, ['--check', resolve(file)], { encoding: 'utf8' }).stderr,
  ];
  for (const text of asked) {
    const [, , line] = PLACE.exec(text.split('\n')[0] ?? '') ?? [];
    if (line !== undefined) return `${file}:${line}`;
  }
  return file;
};
