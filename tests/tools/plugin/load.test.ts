import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { main } from '../../../tools/main';
import { TestHost, temporaryFolder } from '../../support/host';

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const dmabench = async (...argv: readonly string[]): Promise<Answer> => {
  const host = new TestHost();
  const status = await main(argv, host);
  return { status, out: host.out.text, err: host.err.text };
};

/** Files in a folder of their own; its name. */
const folderOf = (t: ExecutionContext, files: Readonly<Record<string, string>>): string => {
  const folder = temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
};

const suite = (name: string, body: string, kind = 'exports.suites'): string =>
  `${kind} = [{ name: '${name}', summary: 'a suite', cases: [{ name: 'one', run: t => { ${body} } }] }];\n`;

const OK = "t.ok(true, 'nothing');";
const QUICK = ['--dma-timing', 'latest', '--adversary', 'lru'];

const ways: readonly (readonly [what: string, file: string, text: string])[] = [
  ['CommonJS', 'a.js', suite('own', OK)],
  ['CommonJS by its extension', 'a.cjs', suite('own', OK)],
  [
    'TypeScript',
    'a.ts',
    suite('own', 'const n: number = 1; t.equal(n, 1, "n");', 'export const suites'),
  ],
  [
    'TypeScript with a default export, and a module beside it',
    'a.ts',
    "import { definePlugin } from 'dmabench/plugin';\nimport { suites } from './b.js';\n" +
      'export default definePlugin({ suites });\n',
  ],
];

for (const [what, file, text] of ways) {
  test.serial(`a suite is loaded and run: ${what}`, async t => {
    const folder = folderOf(t, { [file]: text, 'b.ts': suite('own', OK, 'export const suites') });
    const { status, out, err } = await dmabench(
      ...['run', 'versatile-pb', '--load', join(folder, file), ...QUICK],
    );
    t.is(err, '');
    t.is(status, 0);
    t.regex(out, /own {2}1 passed/);
    t.notRegex(out, /memory/);
    t.true(out.includes(`--load ${join(folder, file)} --adversary`));
  });
}

test.serial('--suite chooses among all suites, loaded or not', async t => {
  const folder = folderOf(t, { 'a.js': suite('own', OK), 'b.js': suite('other', OK) });
  const load = ['--load', join(folder, 'a.js'), '--load', join(folder, 'b.js')];
  const { out } = await dmabench(
    ...['run', 'versatile-pb', ...load, '--suite', 'o*', '--suite', 'memory', ...QUICK],
  );
  t.regex(out, /memory +7 passed .*\n +own +1 passed\n +other +1 passed\n/);
  const listed = await dmabench('suites', ...load);
  t.regex(listed.out, /\nown {2}1 case\n {2}a suite\n {4}one\n/);
  t.notRegex((await dmabench('suites')).out, /\nown/);
});

test.serial('what a case throws fails it, with its place in the source', async t => {
  const folder = folderOf(t, {
    'a.ts':
      'interface Nothing {\n  readonly nothing: number;\n}\n' +
      'const fail = (t: Nothing | null): number =>\n  (t as Nothing).nothing;\n' +
      suite('own', 'fail(null)', 'export const suites'),
  });
  const { status, out } = await dmabench(
    ...['run', 'versatile-pb', '--load', join(folder, 'a.ts'), ...QUICK],
  );
  t.is(status, 1);
  t.regex(out, /own\.one\n +.*a\.ts:5: TypeError: Cannot read properties of null/);
});

test.serial('a case that is not done when it returns fails', async t => {
  const text = suite('own', OK).replace('run: t', 'run: async t');
  const folder = folderOf(t, { 'a.js': text });
  const { status, out } = await dmabench(
    ...['run', 'versatile-pb', '--load', join(folder, 'a.js'), ...QUICK],
  );
  t.is(status, 1);
  t.regex(
    out,
    /own\.one\n +expected a case that is done when it returns, but it answers a promise/,
  );
});

const ENGINE = `
  engine@10000000 { compatible = "acme,engine", "dmabench,copy-engine"; reg = <0x10000000 0x1000>; };
  box@10001000 { compatible = "acme,box"; reg = <0x10001000 0x1000>; };`;

const board = (nodes: string): string => `/dts-v1/;
/ { compatible = "acme,board"; #address-cells = <1>; #size-cells = <1>;
  cpus { #address-cells = <1>; #size-cells = <0>;
    cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a7"; reg = <0>; }; };
  memory@80000000 { device_type = "memory"; reg = <0x80000000 0x2000000>; };
${nodes}
};\n`;

const driver = (probe: string, compatible = 'acme,engine'): string =>
  `exports.drivers = [{ name: 'own', compatible: ['${compatible}'], probe: dev => { ${probe} } }];\n`;

const runOn = async (folder: string, ...files: readonly string[]): Promise<Answer> =>
  await dmabench(
    ...['run', join(folder, 'board.dts'), ...files.flatMap(file => ['--load', join(folder, file)])],
    ...QUICK,
  );

test.serial('a driver takes its device from the driver of the general string', async t => {
  const folder = folderOf(t, {
    'board.dts': board(ENGINE),
    'a.js':
      driver("return 'mine';") +
      suite('own', "t.ok(t.machine.devices.some(({ bound }) => bound === 'mine'), 'my device');"),
  });
  const { status, out } = await runOn(folder, 'a.js');
  t.is(status, 0);
  t.regex(out, /own {2}1 passed/);
});

const MODEL = `
const { Device, MemoryRegion, NO_RESET, ResetNode, registerFile } = require('dmabench/hw');
const { defineRegisters } = require('dmabench/types');
const BOX = defineRegisters({ name: 'box', size: 0x100, registers: { ID: { at: 0, access: 'ro', reset: 0x42 } } });
class Box extends Device {
  constructor({ name, onGuestError }) {
    super(name);
    this.regs = registerFile(BOX, { onGuestError });
    this.reset = new ResetNode(name, { ...NO_RESET, enter: () => this.regs.reset() });
  }
  saveState() { return this.regs.saveState(); }
  restoreState(state) { this.regs.restoreState(state); }
  createRegions() { return [MemoryRegion.io(this.name, BOX.size, this.regs)]; }
}
const { ioRegisters } = require('dmabench/kernel');
exports.devices = [{ compatible: ['acme,box'], windows: [BOX.size], makeModel: ports => new Box(ports) }];
exports.drivers = [{ name: 'box', compatible: ['acme,box'], probe: dev => {
  const [{ start, size }] = dev.registers;
  return ioRegisters(BOX, dev.services.io, dev.services.ioremap(start, size));
} }];
`;

test.serial('a device is modelled, driven and described', async t => {
  const folder = folderOf(t, {
    'board.dts': board(ENGINE),
    'a.js':
      MODEL +
      suite(
        'own',
        "const { bound } = t.machine.devices.find(({ dev }) => dev.driver === 'box'); " +
          "t.equal(bound.ID.read().value, 0x42, 'the identity');",
      ),
  });
  const { status, out, err } = await runOn(folder, 'a.js');
  t.is(err, '');
  t.is(status, 0);
  t.regex(out, /own {2}1 passed/);
  const words = ['describe', join(folder, 'board.dts'), '--format', 'json'];
  const described = await dmabench(...words, '--load', join(folder, 'a.js'));
  t.regex(described.out, /"matched": "acme,box"/);
  t.notRegex((await dmabench(...words)).out, /"matched": "acme,box"/);
});

test.serial('a driver that has no device on the board is told', async t => {
  const folder = folderOf(t, {
    'board.dts': board(ENGINE),
    'a.js': driver('return 0;', 'acme,none') + suite('own', OK),
    'b.js': driver('return 0;', 'acme,box') + suite('own', OK),
  });
  t.regex((await runOn(folder, 'a.js')).out, /driver own: this board has no acme,none/);
  t.regex((await runOn(folder, 'b.js')).out, /driver own: nothing models \/box@10001000/);
});

test.serial('what was loaded is gone after the command, whatever became of it', async t => {
  const folder = folderOf(t, {
    'board.dts': board(ENGINE),
    'a.js': MODEL + suite('own', OK),
    'b.js': 'throw new Error("no");',
  });
  const prepare: unknown = Reflect.get(Error, 'prepareStackTrace');
  await runOn(folder, 'a.js');
  await runOn(folder, 'a.js', 'b.js');
  // Its names are free again, and nothing models the box any more.
  t.is((await runOn(folder, 'a.js')).status, 0);
  const { out } = await dmabench('describe', join(folder, 'board.dts'), '--format', 'json');
  t.notRegex(out, /"matched": "acme,box"/);
  t.true(Reflect.get(Error, 'prepareStackTrace') === prepare);
});

const WRONG: readonly (readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  message: RegExp,
])[] = [
  ['no such file', {}, /a\.js: expected a file to read, found no such file$/],
  [
    'nothing exported',
    { 'a.js': '' },
    /a\.js: expected exports of the names suites, drivers, devices, or definePlugin\(…\) as the default, found none of them$/,
  ],
  [
    'a name that is nearly right',
    { 'a.js': 'exports.suits = [];' },
    /found suits; did you mean suites\?$/,
  ],
  [
    'a member too many of the default export',
    { 'a.js': 'exports.default = { suites: [], drives: [] };' },
    /found drives; did you mean drivers\?$/,
  ],
  [
    'a list that is none',
    { 'a.js': 'exports.suites = 3;' },
    /a\.js: property 'suites': expected a list, found 3$/,
  ],
  [
    'a suite without cases',
    { 'a.js': "exports.suites = [{ name: 'a', summary: 's', cases: [] }];" },
    /'suites\[0\]\.cases': expected at least one case, found a list$/,
  ],
  [
    'a case without a body',
    { 'a.js': "exports.suites = [{ name: 'a', summary: 's', cases: [{ name: 'b' }] }];" },
    /'suites\[0\]\.cases\[0\]\.run': expected a function, found nothing$/,
  ],
  [
    'a name that no pattern could select',
    { 'a.js': suite('a.b', OK) },
    /'suites\[0\]\.name': expected a name in lower case, with dashes, found 'a\.b'$/,
  ],
  [
    'two cases of one name',
    {
      'a.js':
        "const c = { name: 'b', run: () => 0 }; exports.suites = [{ name: 'a', summary: 's', cases: [c, c] }];",
    },
    /'suites\[0\]\.cases\[1\]\.name': expected a name that no other case of the suite has, found 'b'$/,
  ],
  [
    'a case with the name of its suite',
    {
      'a.js':
        "exports.suites = [{ name: 'a', summary: 's', cases: [{ name: 'a', run: () => 0 }] }];",
    },
    /'suites\[0\]\.cases\[0\]\.name': expected a name that is not that of the suite, found 'a'$/,
  ],
  [
    'a suite whose name is taken',
    { 'a.js': suite('memory', OK) },
    /property 'suites': expected names that nothing else has, found 'memory', which is taken$/,
  ],
  [
    'a driver whose name is taken',
    {
      'a.js':
        "exports.drivers = [{ name: 'copy-engine', compatible: ['acme,a'], probe: () => 0 }];",
    },
    /property 'drivers': .* found 'copy-engine', which is taken$/,
  ],
  [
    'a string that another driver takes',
    { 'a.js': driver('', 'dmabench,copy-engine') },
    /property 'drivers': .* found 'dmabench,copy-engine', which is taken$/,
  ],
  [
    'a model of what the kernel drives itself',
    {
      'a.js':
        "exports.devices = [{ compatible: ['arm,gic-400'], windows: [16], makeModel: () => 0 }];",
    },
    /property 'devices': .* found 'arm,gic-400', which is taken$/,
  ],
  [
    'a model that nothing drives',
    {
      'a.js': "exports.devices = [{ compatible: ['acme,a'], windows: [16], makeModel: () => 0 }];",
    },
    /property 'drivers': expected one that takes acme,a, found none$/,
  ],
  [
    'a window without bytes',
    { 'a.js': "exports.devices = [{ compatible: ['acme,a'], windows: [0], makeModel: () => 0 }];" },
    /'devices\[0\]\.windows\[0\]': expected 1 to 67108864 bytes, found 0$/,
  ],
  [
    'a throw',
    { 'a.js': '\n\nthrow new RangeError("too far");' },
    /a\.js:3: expected a module that loads, found it throws RangeError: too far$/,
  ],
  [
    'a throw of what is no error',
    { 'a.js': 'throw 7;' },
    /a\.js: expected a module that loads, found it throws number: 7$/,
  ],
  [
    'registers that overlap',
    {
      'a.js':
        "\nrequire('dmabench/types').defineRegisters({ name: 'b', size: 8, registers: { A: { at: 0 }, B: { at: 2 } } });",
    },
    /a\.js:2: expected a module that loads, found it throws BenchError: /,
  ],
  [
    'a syntax error of JavaScript',
    { 'a.js': '\nconst = 2;' },
    /a\.js:2: expected JavaScript, found a syntax error: Unexpected token '='$/,
  ],
  [
    'a syntax error of TypeScript',
    { 'a.ts': 'export const a: number = 1;\nconst = 2;' },
    /a\.ts:2:7: expected TypeScript, found a syntax error: /,
  ],
  [
    'a module that is not there',
    { 'a.js': "require('./b');" },
    /a\.js:1: expected modules that are there, found Cannot find module '\.\/b'$/,
  ],
  [
    'a part of dmabench that is none',
    { 'a.js': "require('dmabench/nm');" },
    /a\.js: expected one of dmabench, dmabench\/devices, .* found 'dmabench\/nm'$/,
  ],
  [
    'nothing in what is exported',
    { 'a.js': 'exports.suites = []; exports.drivers = [];' },
    /a\.js: expected a suite, a driver or a model of a device, found an object$/,
  ],
  [
    'a member that throws',
    { 'a.js': '\nexports.default = { get suites() { throw new Error("no"); } };' },
    /a\.js:2: expected a module that loads, found it throws Error: no$/,
  ],
  ['a file of another kind', { 'a.txt': '' }, /a\.txt: expected a module: \.js, .*, found \.txt$/],
];

for (const [what, files, message] of WRONG) {
  test.serial(`wrong input is told in one line: ${what}`, async t => {
    const folder = folderOf(t, files);
    const [file = 'a.js'] = Object.keys(files);
    const { status, out, err } = await dmabench('run', 'virt', '--load', join(folder, file));
    t.is(status, 2);
    t.is(out, '');
    t.regex(err.trimEnd(), message);
    t.is(err.split('\n').length, 2);
  });
}

const WRONG_AT_BOOT: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  [
    'a probe that throws',
    driver('\nreturn dev.nothing.at;') + suite('own', OK),
    /a\.js:2: expected a model and a driver that come up, found TypeError: /,
  ],
  [
    'a model that is none',
    MODEL.replace('new Box(ports)', '({})') + suite('own', OK),
    /a\.js: property 'devices\[0\]\.makeModel\(\)\.realize': expected a function, found nothing$/,
  ],
];

for (const [what, text, message] of WRONG_AT_BOOT) {
  test.serial(`wrong input is told in one line: ${what}`, async t => {
    const folder = folderOf(t, { 'board.dts': board(ENGINE), 'a.js': text });
    const { status, err } = await runOn(folder, 'a.js');
    t.is(status, 2);
    t.regex(err.trimEnd(), message);
    t.is(err.split('\n').length, 2);
  });
}
