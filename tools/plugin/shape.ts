import type { Driver } from '../../drivers/base/kernel/device';
import { InputError } from '../../drivers/base/types/errors';
import type { ModelKind } from '../../machines/devices';
import type { Suite } from '../../tests/suites/suite';
import { nearest } from '../board/nearest';
import type { Plugin } from './plugin';

/* What a module exports is anything: here it is looked at before anybody relies on it. */

/** A value, and where it stands. */
interface Found {
  readonly file: string;
  /** `suites[0].cases`; empty for what the module exports as a whole. */
  readonly path: string;
  readonly value: unknown;
}

const MEMBERS = ['suites', 'drivers', 'devices'] as const;
/** Of suites, cases, strings: more is a mistake. */
const MOST = 10_000;
/** Bytes of registers: what a kernel maps as a whole. */
const LARGEST_WINDOW = 2 ** 26;

const SUITE_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const CASE_NAME = /^[a-z0-9]+(?:_[a-z0-9]+)*$/;
const COMPATIBLE = /^[\x21-\x7e]{1,64}$/;

/** The plugin that a module exports; InputError, with the member, for anything else. */
export const readPlugin = (exported: unknown, file: string): Required<Plugin> => {
  const plugin = pluginOf({ file, path: '', value: exported });
  const suites = listOf(member(plugin, 'suites'), toSuite);
  const drivers = listOf(member(plugin, 'drivers'), toDriver);
  const devices = listOf(member(plugin, 'devices'), toModelKind);
  if (suites.length + drivers.length + devices.length === 0) {
    throw wrong({ ...plugin, path: '' }, 'a suite, a driver or a model of a device');
  }
  return { suites, drivers, devices };
};

/** The default export, of which nothing may be left over; else the module, which may have more. */
const pluginOf = (module: Found): Found => {
  const names = isObject(module.value) ? Object.keys(module.value) : [];
  const isNamed = names.some(name => isMember(name));
  const inner = isObject(module.value) ? member(module, 'default') : module;
  if (!isNamed && isObject(inner.value)) {
    const unknown = Object.keys(inner.value).find(name => !isMember(name));
    if (unknown === undefined && Object.keys(inner.value).length > 0) return inner;
    throw wrongExport(module.file, unknown === undefined ? [] : [unknown]);
  }
  if (isNamed) return module;
  throw wrongExport(
    module.file,
    names.filter(name => name !== 'default' && name !== '__esModule'),
  );
};

const isMember = (name: string): boolean => MEMBERS.some(one => one === name);

const wrongExport = (file: string, names: readonly string[]): InputError => {
  const [hint] = names.flatMap(name => nearest(name, MEMBERS));
  const found = names.length === 0 ? 'none of them' : names.slice(0, 8).join(', ');
  return new InputError({
    place: file,
    expected: `exports of the names ${MEMBERS.join(', ')}, or definePlugin(…) as the default`,
    found: hint === undefined ? found : `${found}; did you mean ${hint}?`,
  });
};

const toSuite = (found: Found): Suite => {
  const own = member(found, 'name');
  text(own, SUITE_NAME, 'a name in lower case, with dashes');
  text(member(found, 'summary'), /\S/, 'a sentence');
  optionalFunction(member(found, 'unfit'));
  const cases = member(found, 'cases');
  if (list(cases).length === 0) throw wrong(cases, 'at least one case');
  const names = new Set<unknown>();
  for (const one of list(cases)) {
    const name = member(one, 'name');
    text(name, CASE_NAME, 'a name in lower case, with underscores');
    if (names.has(name.value)) throw wrong(name, 'a name that no other case of the suite has');
    // kunit.py would take its result for that of the suite.
    if (name.value === own.value) throw wrong(name, 'a name that is not that of the suite');
    names.add(name.value);
    optionalFunction(member(one, 'unfit'));
    needFunction(member(one, 'run'));
  }
  return found.value as Suite;
};

const toDriver = (found: Found): Driver<unknown> => {
  text(member(found, 'name'), COMPATIBLE, 'a name without blanks');
  compatibleStrings(found);
  needFunction(member(found, 'probe'));
  return found.value as Driver<unknown>;
};

const toModelKind = (found: Found): ModelKind => {
  compatibleStrings(found);
  for (const window of list(member(found, 'windows'))) {
    const { value } = window;
    const isSize = typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
    if (!isSize || value > LARGEST_WINDOW) throw wrong(window, `1 to ${LARGEST_WINDOW} bytes`);
  }
  needFunction(member(found, 'makeModel'));
  return checkingModels(found.value as ModelKind, found);
};

/** The kind, whose models are looked at when they are made. */
const checkingModels = (kind: ModelKind, found: Found): ModelKind => ({
  compatible: kind.compatible,
  windows: kind.windows,
  makeModel: ports => {
    const model = kind.makeModel(ports);
    const made = { ...found, path: `${found.path}.makeModel()`, value: model };
    for (const name of ['realize', 'saveState', 'restoreState']) needFunction(member(made, name));
    if (!isObject(member(made, 'reset').value)) throw wrong(member(made, 'reset'), 'a ResetNode');
    return model;
  },
});

const compatibleStrings = (found: Found): void => {
  const strings = list(member(found, 'compatible'));
  if (strings.length === 0) throw wrong(member(found, 'compatible'), 'at least one string');
  for (const one of strings) text(one, COMPATIBLE, "a compatible string, such as 'acme,uart'");
};

/** What is not there is an empty list. */
const listOf = <One>(found: Found, read: (one: Found) => One): readonly One[] =>
  found.value === undefined ? [] : list(found).map(read);

const list = (found: Found): readonly Found[] => {
  const { value, file, path } = found;
  if (!Array.isArray(value) || value.length > MOST) throw wrong(found, 'a list');
  const values: readonly unknown[] = value;
  return Array.from(values, (one, i) => ({ file, path: `${path}[${i}]`, value: one }));
};

const member = (found: Found, name: string): Found => {
  if (!isObject(found.value)) throw wrong(found, `an object with ${name}`);
  const path = found.path === '' ? name : `${found.path}.${name}`;
  return { file: found.file, path, value: Reflect.get(found.value, name) };
};

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const text = (found: Found, pattern: RegExp, expected: string): void => {
  if (typeof found.value !== 'string' || !pattern.test(found.value)) throw wrong(found, expected);
};

const needFunction = (found: Found): void => {
  if (typeof found.value !== 'function') throw wrong(found, 'a function');
};

const optionalFunction = (found: Found): void => {
  if (found.value !== undefined) needFunction(found);
};

const wrong = ({ file, path, value }: Found, expected: string): InputError =>
  new InputError({
    place: file,
    ...(path === '' ? {} : { property: path }),
    expected,
    found: shown(value),
  });

const shown = (value: unknown): string => {
  switch (typeof value) {
    case 'string':
      return `'${value.slice(0, 40)}'`;
    case 'number':
    case 'boolean':
      return String(value);
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object';
    default:
      return 'nothing';
  }
};
