import { InputError } from '../../drivers/base/types/errors';
import type { DeviceKinds } from '../../machines/devices';
import { isModelled } from '../../machines/models';
import type { Suite } from '../../tests/suites/suite';
import type { Plugin } from './plugin';

/** InputError for a name or a compatible string that is taken, and for a device without a driver. */
export const checkFree = (
  { suites, drivers, devices }: Required<Plugin>,
  file: string,
  before: { readonly suites: readonly Suite[]; readonly kinds: DeviceKinds },
): void => {
  const { kinds } = before;
  checkNames('suites', namesOf(suites), namesOf(before.suites), file);
  checkNames('drivers', namesOf(drivers), namesOf(kinds.drivers), file);
  checkNames('drivers', stringsOf(drivers), stringsOf(kinds.drivers), file);
  // Interrupt controllers and the like, which the kernel brings up itself, are known by windows.
  const own = stringsOf(devices).filter(string => isModelled([string], kinds));
  checkNames('devices', stringsOf(devices), [...stringsOf(kinds.models), ...own], file);
  const driven = new Set([...stringsOf(kinds.drivers), ...stringsOf(drivers)]);
  const alone = devices.find(({ compatible }) => !compatible.some(string => driven.has(string)));
  if (alone === undefined) return;
  throw new InputError({
    place: file,
    property: 'drivers',
    expected: `one that takes ${alone.compatible.join(' or ')}`,
    found: 'none',
  });
};

const namesOf = (all: readonly { readonly name: string }[]): string[] =>
  all.map(({ name }) => name);

const stringsOf = (all: readonly { readonly compatible: readonly string[] }[]): string[] =>
  all.flatMap(({ compatible }) => compatible);

const checkNames = (
  property: keyof Plugin,
  names: readonly string[],
  taken: readonly string[],
  file: string,
): void => {
  const all = new Set(taken);
  for (const name of names) {
    if (all.has(name)) {
      const expected = 'names that nothing else has';
      throw new InputError({ place: file, property, expected, found: `'${name}', which is taken` });
    }
    all.add(name);
  }
};
