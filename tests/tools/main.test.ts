import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { describeMachine } from '../../machines/describe';
import { openBoard, planBoard } from '../../tools/board/open';
import { main } from '../../tools/main';
import { SUITES } from '../suites';
import { TestHost, temporaryFolder } from '../support/host';

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const answer = async (host: TestHost, ...argv: readonly string[]): Promise<Answer> => {
  const status = await main(argv, host);
  return { status, out: host.out.text, err: host.err.text };
};

const dmabench = async (...argv: readonly string[]): Promise<Answer> =>
  await answer(new TestHost(), ...argv);

/** The lightest board and the shortest suite. */
const QUICK = ['run', 'versatile-pb', '--suite', 'memory', '--dma-timing', 'latest'];

const BY_CHANCE = [...QUICK, '--adversary', 'random'];

test('help names every command and every exit status', async t => {
  const { status, out, err } = await dmabench('--help');
  t.is(status, 0);
  t.is(err, '');
  const names = [
    'run',
    'mutate',
    'experiment',
    'explore',
    'render',
    'explain',
    'rules',
    'describe',
    'bench',
    'boards',
    'suites',
    'completion',
  ];
  for (const name of names) {
    t.true(out.includes(`dmabench ${name}`), name);
  }
  t.regex(out, /Exit status: 0 passed, 1 failed, 2 .*, 3 /);
  t.true(out.split('\n').every(line => line.length <= 100));
});

test('the help of run names every option with its default', async t => {
  const { out } = await dmabench('run', '--help');
  const options = [
    'memory',
    'quirk',
    'overlay',
    'suite',
    'adversary',
    'seed',
    'dma-timing',
    'format',
    'save',
  ];
  for (const name of options) t.true(out.includes(`--${name}`), name);
  t.regex(out, /--seed .*\[default: "1"\]/);
  t.regex(out, /--adversary .*\[default: "all"\]/);
  t.regex(out, /\[default: "both"\]/);
});

test('help fits a narrow terminal', async t => {
  const { out } = await answer(new TestHost(60), 'run', '--help');
  t.true(out.split('\n').every(line => line.length <= 60));
});

const WRONG_USES: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
  [[], /^dmabench: which command\?\n'dmabench --help' says more\.\n$/],
  [['rum', 'virt'], /^dmabench: Did you mean run\?\n/],
  [['zzzz'], /^dmabench: Unknown argument: zzzz\n/],
  [['run'], /^dmabench: which board\?\n'dmabench run --help' says more\.\n$/],
  [['mutate'], /^dmabench: which board\?\n'dmabench mutate --help'/],
  [['render'], /^dmabench: which scene\?\n'dmabench render --help'/],
  [['render', 'demo'], /^dmabench: Missing required argument: out\n/],
  [['explain'], /^dmabench: which finding\?\n'dmabench explain --help'/],
  [['explain', 'a', 'b'], /^dmabench: Unknown argument: b\n/],
  [['rules', 'a', 'b'], /^dmabench: Unknown argument: b\n/],
  [['run', 'virt', '--save'], /^dmabench: Not enough arguments following: save\n/],
  [['mutate', 'virt', '--format', 'ktap'], /Invalid values: Argument: format, /],
  [['describe'], /^dmabench: which board\?\n'dmabench describe --help'/],
  [['run', 'virt', 'virt'], /^dmabench: Unknown argument: virt\n/],
  [['run', 'virt', '--sede', '1'], /^dmabench: Unknown argument: sede\n/],
  [['run', 'virt', '--seed'], /^dmabench: Not enough arguments following: seed\n/],
  [['run', 'virt', '--seed', '1', '--seed', '2'], /^dmabench: --seed may be given once\n/],
  [['run', 'virt', '--no-seed'], /^dmabench: Unknown argument/],
  [['run', 'virt', '--format', 'xml'], /Invalid values: Argument: format, Given: "xml", Choices: /],
  [['run', 'virt', '--dma-timing', 'never'], /Invalid values: Argument: dma-timing, /],
  [['describe', 'virt', '--format', 'ktap'], /Invalid values: Argument: format, /],
  [['describe', 'virt', '--seed', '1'], /^dmabench: Unknown argument: seed\n/],
  [['--'], /^dmabench: which command\?\n/],
  [['--', 'foo'], /^dmabench: Did you mean run\?\n/],
  [['boards', '--', 'extra'], /^dmabench: Unknown argument: extra\n/],
  [['run', '--', 'virt', '--seed'], /^dmabench: Unknown argument: \.\/--seed\n/],
  [['run', '--seed', '--', '1'], /^dmabench: Not enough arguments following: seed\n/],
];

for (const [argv, message] of WRONG_USES) {
  test(`wrong use is told on standard error: dmabench ${argv.join(' ')}`, async t => {
    const { status, out, err } = await dmabench(...argv);
    t.is(status, 2);
    t.is(out, '');
    t.regex(err, message);
    t.is(err.split('\n').length, 3);
  });
}

const WRONG_INPUTS: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
  [['run', 'nonesuch'], /^dmabench: 'nonesuch': expected the name of a board or a file, found /],
  [['run', '123'], /^dmabench: '123': expected the name of a board or a file, found /],
  [['run', ''], /^dmabench: '': expected the name of a board or a file, found /],
  [['describe', '-'], /^dmabench: \.\/-: expected a file to read, found no such file$/],
  [['run', '--', 'nonesuch'], /^dmabench: 'nonesuch': expected the name of a board or a file, /],
  [['--', 'run', 'nonesuch'], /^dmabench: 'nonesuch': expected the name of a board or a file, /],
  [['run', '--', '-x.dts'], /^dmabench: \.\/-x\.dts: expected a file to read, found no such /],
  [['run', './nonesuch'], /^dmabench: \.\/nonesuch: expected a file to read, found no such file$/],
  [['run', 'virt', '--seed', 'random'], /^dmabench: --seed: expected an integer from 0 to /],
  [['run', 'virt', '--seed', '-1'], /^dmabench: --seed: expected an integer from 0 to /],
  [['run', 'virt', '--memory', '3'], /^dmabench: --memory: expected 16M to 128T, /],
  [['run', 'virt', '--suite', 'x'], /^dmabench: --suite: expected a pattern that matches one of /],
  [['run', 'virt', '--adversary', 'none'], /^dmabench: --adversary: expected all, lru, random or /],
  [['mutate', 'virt', 'nonesuch'], /^dmabench: 'nonesuch': expected the name of a board or /],
  [['mutate', 'virt', '--suite', 'x'], /^dmabench: --suite: expected a pattern that matches /],
  [['mutate', 'virt', '--seed', 'x'], /^dmabench: --seed: expected an integer from 0 to /],
  [['render', 'x', '--out', 'x.png'], /^dmabench: scene: expected demo, gradient, text, /],
  [['render', 'demo', '--out', 'x', '--bug', 'x'], /^dmabench: --bug: expected missing-colour-/],
  [
    ['render', 'demo', '--out', 'x', '--board', 'virt'],
    /^dmabench: virt: expected a board with a /,
  ],
  [['explain', 'none'], /^dmabench: none: expected a file to read, found no such file$/],
  [['explain', 'none#3'], /^dmabench: none: expected a file to read, found no such file$/],
  [['explain', '.'], /^dmabench: \.: expected a file to read, found a folder$/],
  [['rules', 'stale-cpu'], /^dmabench: 'stale-cpu': .* did you mean stale-cpu-read\?/],
  [['rules', 'toString'], /^dmabench: 'toString': expected the id of a rule, found none\. The /],
  [['run', 'virt', '--adversary', 'script:none'], /^dmabench: none: expected a file to read, /],
  [['run', 'virt', '--overlay', 'none'], /^dmabench: 'none': expected the name of an overlay or /],
  [
    ['describe', 'virt', '--quirk=+none'],
    /^dmabench: --quirk: expected one of mvebu-hwcc, .*none$/,
  ],
  [['describe', 'virt', '--quirk=none'], /^dmabench: --quirk: expected \+NAME or -NAME, /],
];

for (const [argv, message] of WRONG_INPUTS) {
  test(`wrong input is told in one line: dmabench ${argv.join(' ')}`, async t => {
    const { status, out, err } = await dmabench(...argv);
    t.is(status, 2);
    t.is(out, '');
    t.regex(err.trimEnd(), message);
    t.is(err.split('\n').length, 2);
  });
}

test('the boards are listed with what they are', async t => {
  const { status, out } = await dmabench('boards');
  t.is(status, 0);
  t.regex(out, /^pandaboard +2 × cortex-a9 +1 GiB +PandaBoard$/m);
  const json = await dmabench('boards', '--format', 'json');
  const parsed: unknown = JSON.parse(json.out);
  t.true(Array.isArray(parsed) && parsed.length === out.trimEnd().split('\n').length);
});

test('the suites are listed with all their cases', async t => {
  const { status, out } = await dmabench('suites');
  t.is(status, 0);
  const json: unknown = JSON.parse((await dmabench('suites', '--format', 'json')).out);
  t.deepEqual(
    json,
    SUITES.map(({ name, summary, cases }) => ({
      name,
      summary,
      cases: cases.map(one => one.name),
    })),
  );
  for (const { name, cases } of SUITES) {
    t.true(out.includes(name));
    for (const one of cases) t.true(out.includes(`    ${one.name}\n`), one.name);
  }
});

test('describe prints as JSON exactly what describeMachine makes of the board', async t => {
  const { status, out } = await dmabench('describe', 'pandaboard', '--format', 'json');
  t.is(status, 0);
  const board = openBoard('pandaboard', []);
  const plan = planBoard(board, { memory: null, quirks: [] });
  t.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(describeMachine(plan, board))));
});

test('describe takes memory, quirks and overlays', async t => {
  const overlay = join(temporaryFolder(t), 'o.dts');
  writeFileSync(
    overlay,
    '/dts-v1/; /plugin/; &{/ocp} { added { compatible = "test,added"; iommus = <&{/ocp/iommu@4a066000}>; }; };',
  );
  const argv = ['--memory', '256M', '--quirk=-omap-iommu-no-xlate', '--overlay', overlay];
  const { status, out, err } = await dmabench('describe', 'pandaboard', ...argv);
  t.deepEqual([status, err], [0, '']);
  t.regex(out, /source +pandaboard \+ .*o\.dts/);
  t.regex(out, /0x80000000 +256 MiB +--memory/);
  t.regex(out, /off +omap-iommu-no-xlate +asked for with --quirk=-omap-iommu-no-xlate/);
  t.true(out.includes('/ocp/added'));
});

test('a description fits its width, and colour adds no fact', async t => {
  const plain = await dmabench('describe', 'pandaboard');
  t.true(plain.out.split('\n').every(line => line.length <= 100));
  t.regex(plain.out, /^[0-9]+ devices: [0-9]+ modelled, [0-9]+ generic masters, [0-9]+ inert$/m);
  const colourful = await answer(new TestHost(200), 'describe', 'pandaboard');
  t.true(colourful.out.includes('\u001b['));
  t.is(stripVTControlCharacters(colourful.out), plain.out);
});

test('what nobody has looked up is marked in a description', async t => {
  const memory = 'memory@0 { device_type = "memory"; reg = <0 0x2000000>; };';
  const source = `/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; ${memory} };`;
  const path = join(temporaryFolder(t), 'bare.dts');
  writeFileSync(path, source);
  const { status, out } = await dmabench('describe', path);
  t.is(status, 0);
  t.true(out.includes('*assumed*'));
  t.true(out.includes('0 devices: 0 modelled, 0 generic masters, 0 inert'));
});

test('a run that passes has status 0 and says how to repeat it', async t => {
  const { status, out, err } = await dmabench(...QUICK);
  t.deepEqual([status, err], [0, '']);
  t.regex(out, /^versatile-pb: Arm Versatile PB\n/);
  t.regex(out, /adversary +all, seed 1\n/);
  t.true(
    out.endsWith(
      'To repeat it: dmabench run versatile-pb --suite memory --adversary all --seed 1 ' +
        '--dma-timing latest\n',
    ),
  );
});

test('the same command gives the same output in one process twice', async t => {
  const first = await dmabench(...QUICK, '--format', 'json');
  const second = await dmabench(...QUICK, '--format', 'json');
  t.regex(first.out, /"trace": "[0-9a-f]{8}"/);
  t.is(second.out, first.out);
});

test('another seed is another run', async t => {
  const traceOf = ({ out }: Answer): string | undefined => /trace ([0-9a-f]{8})/.exec(out)?.[1];
  const first = traceOf(await dmabench(...BY_CHANCE, '--seed', '1'));
  const second = traceOf(await dmabench(...BY_CHANCE, '--seed', '2'));
  t.not(first, undefined);
  t.not(first, second);
});

test('a run can follow a script, whose wrong lines are told with their place', async t => {
  const script = join(temporaryFolder(t), 'script');
  writeFileSync(script, '\n');
  const { status, out } = await dmabench(...QUICK, '--adversary', `script:${script}`);
  t.is(status, 0);
  t.regex(out, /adversary +script/);
  writeFileSync(script, '\n{"event": 0}\n');
  const wrong = await dmabench(...QUICK, '--adversary', `script:${script}`);
  t.is(wrong.status, 2);
  t.true(wrong.err.startsWith(`dmabench: ${script}:2: property 'event': expected `));
});

test('a run that did not come to all steps of its script is wrong input', async t => {
  const script = join(temporaryFolder(t), 'script');
  writeFileSync(script, '\n{"event": 999999999999, "step": "drop-tlb"}\n');
  const { status, out, err } = await dmabench(...QUICK, '--adversary', `script:${script}`);
  t.deepEqual([status, out], [2, '']);
  t.true(err.startsWith(`dmabench: ${script}:2: property 'event': expected an event to take `));
});

test('an interrupted run tells what was run, and has status 130', async t => {
  const host = new TestHost();
  host.stepsUntilInterrupt = 2;
  const { status, out } = await answer(host, ...QUICK);
  t.is(status, 130);
  t.true(out.includes('(interrupted: not all cases were run)'));
  t.regex(out, /memory +2 passed/);
});

test('progress is shown on a terminal while a run takes long, and is gone at the end', async t => {
  const host = new TestHost(80);
  const untilInterrupted = host.untilInterrupted.bind(host);
  host.untilInterrupted = step =>
    untilInterrupted(() => {
      host.time += 600;
      return step();
    });
  const { status, err } = await answer(host, ...QUICK);
  t.is(status, 0);
  t.regex(err, /memory\.every_width_reads_back/);
  t.true(err.endsWith('\r\u001b[K'));
});

test('completion offers commands, options and values', async t => {
  const offered = async (...words: readonly string[]): Promise<string[]> => {
    const { out } = await dmabench('--get-yargs-completions', 'dmabench', ...words);
    return out.trim().split('\n');
  };
  t.true((await offered('')).includes('describe'));
  t.true((await offered('run', 'virt', '--')).includes('--seed'));
  t.deepEqual(await offered('run', 'virt', '--format', ''), ['human', 'ktap', 'json']);
});
