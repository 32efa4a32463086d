import test from 'ava';
import { checkGlobals } from './host-globals';
import { checkImports } from './module-graph';
import type { Violation } from './module-graph';
import { projectModules } from './project-files';

const show = ({ rule, file, what }: Violation): string => `${rule}: ${file}: ${what}`;

test('the project keeps the import rules', t => {
  t.deepEqual(checkImports(projectModules()).map(show), []);
});

test('the simulation sees nothing of its host', t => {
  t.deepEqual(checkGlobals(projectModules()).map(show), []);
});

/** What the checker says of modules, given as path and source. */
const check = (modules: Readonly<Record<string, string>>): string[] => {
  const files = Object.entries(modules).map(([path, text]) => ({ path, text }));
  return [...checkImports(files), ...checkGlobals(files)].map(({ rule }) => rule);
};

/** A module that imports another one, both in memory. */
const importing = (from: string, specifier: string, to: string): string[] =>
  check({
    [from]: `import { x } from '${specifier}';\nexport const y = x;`,
    [to]: 'export const x = 1;',
  });

const FORBIDDEN: readonly (readonly [rule: string, from: string, specifier: string, to: string])[] =
  [
    ['base/types imports nothing', 'drivers/base/types/a.ts', '../hw/b', 'drivers/base/hw/b.ts'],
    [
      'base/hw does not import base/kernel',
      'drivers/base/hw/a.ts',
      '../kernel/b',
      'drivers/base/kernel/b.ts',
    ],
    [
      'base/kernel does not import base/hw',
      'drivers/base/kernel/a.ts',
      '../hw/b',
      'drivers/base/hw/b.ts',
    ],
    ['base/kernel does not import mm', 'drivers/base/kernel/a.ts', '../../../mm/b', 'mm/b.ts'],
    ['mm does not import base/hw', 'mm/a.ts', '../drivers/base/hw/b', 'drivers/base/hw/b.ts'],
    ['mm does not import the architecture', 'mm/a.ts', '../arch/arm/mm/b', 'arch/arm/mm/b.ts'],
    [
      'mm does not import a driver',
      'mm/a.ts',
      '../drivers/dma/d/driver',
      'drivers/dma/d/driver.ts',
    ],
    ['of does not import mm', 'drivers/of/a.ts', '../../mm/b', 'mm/b.ts'],
    ['arch hardware does not import arch software', 'arch/arm/a.ts', './mm/b', 'arch/arm/mm/b.ts'],
    [
      'arch hardware does not import base/kernel',
      'arch/arm/a.ts',
      '../../drivers/base/kernel/b',
      'drivers/base/kernel/b.ts',
    ],
    ['arch software does not import arch hardware', 'arch/arm/mm/a.ts', '../b', 'arch/arm/b.ts'],
    [
      'arch software does not import base/hw',
      'arch/arm/mm/a.ts',
      '../../../drivers/base/hw/b',
      'drivers/base/hw/b.ts',
    ],
    [
      'a model does not import its driver',
      'drivers/dma/d/model.ts',
      './driver',
      'drivers/dma/d/driver.ts',
    ],
    [
      'a driver does not import its model',
      'drivers/dma/d/driver.ts',
      './model',
      'drivers/dma/d/model.ts',
    ],
    [
      'a part of a driver does not import a part of its model',
      'drivers/dma/d/driver/a.ts',
      '../model/b',
      'drivers/dma/d/model/b.ts',
    ],
    ['a model does not import mm', 'drivers/dma/d/model.ts', '../../../mm/b', 'mm/b.ts'],
    ['a model does not import of', 'drivers/dma/d/model.ts', '../../of/b', 'drivers/of/b.ts'],
    [
      'a driver does not import base/hw',
      'drivers/dma/d/driver.ts',
      '../../base/hw/b',
      'drivers/base/hw/b.ts',
    ],
    [
      'a data sheet does not import base/hw',
      'drivers/dma/d/regs.ts',
      '../../base/hw/b',
      'drivers/base/hw/b.ts',
    ],
    [
      'a data sheet in a folder does not import base/kernel',
      'arch/arm/regs/a.ts',
      '../../../drivers/base/kernel/b',
      'drivers/base/kernel/b.ts',
    ],
    [
      'a driver does not import machines',
      'drivers/dma/d/driver.ts',
      '../../../machines/b',
      'machines/b.ts',
    ],
    ['machines does not import tools', 'machines/a.ts', '../tools/b', 'tools/b.ts'],
    [
      'machines does not import the suites',
      'machines/a.ts',
      '../tests/suites/b',
      'tests/suites/b.ts',
    ],
    ['the suites do not import tools', 'tests/suites/a.ts', '../../tools/b', 'tools/b.ts'],
    ['tools do not import tests', 'tools/a.ts', '../tests/support/b', 'tests/support/b.ts'],
  ];

for (const [rule, from, specifier, to] of FORBIDDEN) {
  test(`the checker finds that ${rule}`, t => {
    t.deepEqual(importing(from, specifier, to), ['layer']);
  });
}

const ALLOWED: readonly (readonly [from: string, specifier: string, to: string])[] = [
  ['drivers/base/types/a.ts', './b', 'drivers/base/types/b.ts'],
  ['drivers/base/hw/a.ts', '../types/b', 'drivers/base/types/b.ts'],
  ['drivers/dma/d/model.ts', './regs', 'drivers/dma/d/regs.ts'],
  ['drivers/dma/d/driver.ts', './regs', 'drivers/dma/d/regs.ts'],
  ['drivers/dma/d/driver.ts', '../../../mm/b', 'mm/b.ts'],
  ['drivers/dma/d/driver.ts', '../../of/b', 'drivers/of/b.ts'],
  ['drivers/dma/d/model/a.ts', './b', 'drivers/dma/d/model/b.ts'],
  ['arch/arm/mm/a.ts', '../../../mm/b', 'mm/b.ts'],
  ['arch/arm/mm/a.ts', '../regs/b', 'arch/arm/regs/b.ts'],
  ['arch/arm/mmu/a.ts', '../regs/b', 'arch/arm/regs/b.ts'],
  ['machines/a.ts', '../drivers/dma/d/model', 'drivers/dma/d/model.ts'],
  ['machines/a.ts', '../drivers/dma/d/driver', 'drivers/dma/d/driver.ts'],
  ['tests/suites/a.ts', '../../machines/b', 'machines/b.ts'],
  ['tools/a.ts', '../tests/suites', 'tests/suites/index.ts'],
  ['tests/mm/a.test.ts', '../../tools/b', 'tools/b.ts'],
];

for (const [from, specifier, to] of ALLOWED) {
  test(`the checker lets ${from} import ${to}`, t => {
    t.deepEqual(importing(from, specifier, to), []);
  });
}

const MODEL = 'drivers/dma/d/model.ts';
const DRIVER = 'drivers/dma/d/driver.ts';

const WAYS_TO_IMPORT: readonly (readonly [what: string, source: string])[] = [
  ['of a type', "import type { x } from './driver';"],
  ['for its effects', "import './driver';"],
  ['when it runs', "export const f = async () => await import('./driver');"],
  ['in a type', "export type X = import('./driver').X;"],
  ['to export it again', "export { x } from './driver';"],
  ['to export all of it again', "export * from './driver';"],
  ['by require', "export const x = require('./driver');"],
];

for (const [what, source] of WAYS_TO_IMPORT) {
  test(`the checker finds an import ${what}`, t => {
    t.true(check({ [MODEL]: source, [DRIVER]: 'export const x = 1;' }).includes('layer'));
  });
}

test('the checker finds a cycle of three modules, one import of them being of a type', t => {
  const violations = check({
    'mm/a.ts': "import { b } from './b'; export const a = b;",
    'mm/b.ts': "import type { C } from './c'; export const b: C = 1;",
    'mm/c.ts': "import { a } from './a'; export type C = number; export const c = a;",
    'mm/d.ts': "import { a } from './a'; export const d = a;",
  });
  t.deepEqual(violations, ['cycle']);
});

test('the checker finds a module that imports itself', t => {
  t.deepEqual(check({ 'mm/a.ts': "import { a } from './a'; export const b = a;" }), ['cycle']);
});

test('the checker takes two ways to one module for no cycle', t => {
  const violations = check({
    'mm/a.ts': "import './b'; import './c';",
    'mm/b.ts': "import './d';",
    'mm/c.ts': "import './d';",
    'mm/d.ts': 'export {};',
  });
  t.deepEqual(violations, []);
});

test('the checker finds packages and modules of Node outside tools and tests', t => {
  const source = "import { readFileSync } from 'node:fs'; export const x = readFileSync;";
  t.deepEqual(check({ 'mm/a.ts': source }), ['package']);
  t.deepEqual(check({ 'tests/suites/a.ts': source }), ['package']);
  t.deepEqual(check({ 'machines/a.ts': "import 'yargs';" }), ['package']);
  t.deepEqual(check({ 'tools/a.ts': source, 'tests/mm/a.test.ts': source }), []);
});

test('the checker finds an import that leads nowhere, as one with an extension does', t => {
  t.deepEqual(importing('mm/a.ts', './nowhere', 'mm/b.ts'), ['unresolved']);
  t.deepEqual(importing('mm/a.ts', './b.ts', 'mm/b.ts'), ['unresolved']);
});

test('the checker finds a module that belongs to no part', t => {
  t.deepEqual(check({ 'drivers/dma/d/helper.ts': '', 'lib/a.ts': '' }), ['place', 'place']);
});

const HOST_USES: readonly string[] = [
  'process.exit(1);',
  "console.log('x');",
  'export const now = Date.now();',
  'export const now = new Date();',
  'export const now = performance.now();',
  'setTimeout(f, 1);',
  'setInterval(f, 1);',
  'setImmediate(f);',
  'queueMicrotask(f);',
  'export const chance = Math.random();',
  "export const chance = Math['random']();",
  'export const { random } = Math;',
  'export const all = globalThis;',
  'export const bytes = Buffer.alloc(1);',
  'export const all = { process };',
  'export const all = { host: process };',
  'export const f = (at = Date) => at;',
  'export class A { at = performance; }',
  'export const f = async (name: string) => await import(name);',
  'if (x) { const process = 1; f(process); } process.exit();',
];

for (const source of HOST_USES) {
  test(`the checker finds what sees the host in: ${source}`, t => {
    t.deepEqual(check({ 'mm/a.ts': source }), ['global']);
    t.deepEqual(check({ 'tests/suites/a.ts': source }), ['global']);
    t.deepEqual(check({ 'tools/a.ts': source }), []);
    t.deepEqual(check({ 'tests/mm/a.test.ts': source }), []);
  });
}

const HARMLESS: readonly string[] = [
  '// console.log(Date.now())',
  "export const text = 'process.exit(Math.random())';",
  'export const task = { process: 1 }; export const pid = task.process;',
  'export const x = Math.imul(1, 2);',
  'export const f = (process: number) => process + 1;',
  'export const f = () => { const performance = 1; return performance; };',
  'export class Timer { setTimeout() { return 1; } } new Timer().setTimeout();',
  'export interface Machine { readonly console: number; }',
  "import { Date } from './b'; export const d = Date;",
];

for (const source of HARMLESS) {
  test(`the checker finds nothing in: ${source}`, t => {
    t.deepEqual(check({ 'mm/a.ts': source, 'mm/b.ts': '' }), []);
  });
}
