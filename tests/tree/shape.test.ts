import test from 'ava';
import { projectFiles, projectModules } from './project-files';

/** A module that has grown beyond this would be easier to find apart. */
const MOST_LINES = 500;

test(`no module has more than ${MOST_LINES} lines`, t => {
  const long = projectModules()
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > MOST_LINES);
  t.deepEqual(long, []);
});

/** Not written as they stand, so that this file is not among those it finds. */
const MACHINE_PATHS = ['work', 'tmp', 'root', 'home'].map(
  name => new RegExp(`(?<![\\w.}])/${name}/`),
);

test('no file names a path of the machine it was written on', t => {
  const found = projectFiles()
    .filter(({ text }) => MACHINE_PATHS.some(path => path.test(text)))
    .map(({ path }) => path);
  t.deepEqual(found, []);
});

/** Folders of drivers/ that are no devices. */
const NOT_DEVICES = /^drivers\/(?:base|of|gpu\/drm|iommu\/(?:hw|walk|regs))\//;

/** What is shared by several devices has no data sheet of its own. */
const WITHOUT: Readonly<Record<string, readonly string[]>> = {
  'drivers/irqchip/common': ['regs', 'driver'],
};

test('every device has a data sheet, a model and a driver', t => {
  const parts = new Map<string, Set<string>>();
  for (const { path } of projectModules()) {
    const [, device, part] = /^(drivers\/[^/]+\/[^/]+)\/([^/.]+)(?:\.ts$|\/)/.exec(path) ?? [];
    if (device === undefined || part === undefined || NOT_DEVICES.test(path)) continue;
    parts.set(device, (parts.get(device) ?? new Set()).add(part));
  }
  t.true(parts.size > 0);
  for (const [device, has] of parts) {
    const missing = ['regs', 'model', 'driver'].filter(part => !has.has(part));
    t.deepEqual(missing, WITHOUT[device] ?? [], device);
  }
});

test('no folder of a device holds anything but its three parts', t => {
  const parts = projectModules().flatMap(({ path }) => {
    if (!path.startsWith('drivers/') || NOT_DEVICES.test(path)) return [];
    const [, part] = /^drivers\/[^/]+\/[^/]+\/([^/.]+)/.exec(path) ?? [];
    return ['regs', 'model', 'driver'].includes(part ?? '') ? [] : [path];
  });
  t.deepEqual(parts, []);
});
