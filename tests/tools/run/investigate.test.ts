import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parseScript } from '../../../arch/arm/adversary/script';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import type { RunArguments } from '../../../tools/commands/arguments';
import { openBoard, planRun } from '../../../tools/board/open';
import { main } from '../../../tools/main';
import { readSavedRun } from '../../../tools/explain/saved-run';
import type { RunResult } from '../../../tools/run/results';
import { runSuites } from '../../../tools/run/runner';
import type { RunOptions } from '../../../tools/run/runner';
import { saveRun, withWitnesses } from '../../../tools/run/save';
import { setOperands, setOwn, waitForDone } from '../../suites/bugs/ring';
import { DESCRIPTOR } from '../../../drivers/misc/test-master/regs';
import { DriverBench } from '../../suites/driver-bench';
import { wrong as refill } from '../../suites/rules/refill-after-invalidate';
import { right, wrong as staleDevice } from '../../suites/rules/stale-device-read';
import { wrong as lost } from '../../suites/rules/lost-device-write';
import { wrong as unmapped } from '../../suites/rules/device-access-after-unmap';
import { wrong as neverWritten } from '../../suites/rules/never-written-bytes';
import type { Case, Suite } from '../../suites/suite';
import { TestHost, temporaryFolder } from '../../support/host';

const BOARD = 'imx6q-sabresd';
const PLAN = planRun(openBoard(BOARD, []), { memory: null, quirks: [] });

const caseOf = (name: string, run: (bench: DriverBench) => void): Case => ({
  name,
  run: t => {
    t.ok(true, 'something');
    run(t.need(DriverBench.on(t.machine, 'non-coherent'), 'a master'));
  },
});

const suiteOf = (...cases: readonly Case[]): Suite => ({ name: 's', summary: '', cases });

const runOf = (suite: Suite, change: Partial<RunOptions> = {}): RunResult =>
  runSuites({
    ...{ board: BOARD, plan: PLAN, suites: [suite], selects: () => true, seed: 1 },
    ...{ adversary: { kind: 'all' }, timings: ['latest'], streaming: ALL_STEPS },
    ...change,
  });

const MIXED = suiteOf(
  caseOf('refills', refill),
  caseOf('is_right', right),
  caseOf('unmaps', unmapped),
  caseOf('leaves', neverWritten),
);

test('a value finding gets its final rule, the missing call, a story, and a witness that replays', t => {
  const { findings, suites } = runOf(MIXED);
  t.deepEqual(
    suites[0]?.cases.map(({ name, outcome }) => [name, outcome]),
    [
      ['refills', 'failed'],
      ['is_right', 'passed'],
      ['unmaps', 'failed'],
      ['leaves', 'passed'],
    ],
  );
  const found = findings.find(({ finding }) => finding.rule === 'refill-after-invalidate');
  t.is(found?.proof, 'replayed');
  t.true(found?.finding.confirmed);
  t.is(found?.finding.missing?.call, 'dmaSyncSingleForCpu');
  t.regex(found?.finding.missing?.between[1] ?? '', /^tests\/suites\/rules\/refill-.*\.ts:\d+$/);
  t.is(found?.story?.rows[found.story.goal]?.effect, 'read');
  t.true((found?.script?.length ?? 0) > 0);
  t.deepEqual(found?.cases, ['s.refills']);
});

test('what has evidence of its own is confirmed without a witness, and notes fail no case', t => {
  const { findings } = runOf(MIXED);
  const evident = findings.filter(({ proof }) => proof === 'evidence');
  const rules = evident.map(({ finding }) => finding.rule);
  t.true(rules.includes('device-access-after-unmap') && rules.includes('never-written-bytes'));
  t.true(evident.every(({ finding, script }) => finding.confirmed && script === null));
});

/** A device writes one half of a word, then the other; a barrier comes after the first only. */
const halves = (bench: DriverBench): void => {
  const { cpu, dev, device } = bench;
  const shared = bench.allocShared();
  device.startRing(shared.dmaAddress, 4);
  for (const half of [0, 1]) {
    const descriptor = bench.cpuAt(shared, half * DESCRIPTOR.SIZE);
    const address = bench.dmaAt(shared, 1024 + 2 * half);
    setOperands(bench, descriptor, { write: true, address, length: 2, seed: 1 });
    dev.services.barriers.dmaWmb();
    setOwn(bench, descriptor, true);
    device.ringDoorbell(half + 1);
    waitForDone(bench, descriptor);
    if (half === 0) dev.services.barriers.dmaRmb();
  }
  cpu.load32(bench.cpuAt(shared, 1024));
  bench.sleepUntilDone();
  device.stopRing();
  bench.freeShared(shared);
};

test('an early load of a word is shown by the half that was written late', t => {
  const { findings } = runOf(suiteOf(caseOf('halves', halves)));
  t.deepEqual(
    findings.map(({ finding, proof }) => [finding.rule, proof]),
    [['missing-read-barrier', 'replayed']],
  );
});

test('the same run makes the same findings, to the byte', t => {
  t.deepEqual(runOf(MIXED).findings, runOf(MIXED).findings);
});

test('one finding of both timings is one, and counted', t => {
  const suite = suiteOf(caseOf('refills', refill));
  const count = (result: RunResult): number => result.findings[0]?.finding.count ?? 0;
  const both = runOf(suite, { timings: ['earliest', 'latest'] });
  t.is(both.findings.length, 1);
  t.is(count(both), 2 * count(runOf(suite)));
});

test('beyond the bound, value findings are kept and not looked at again', t => {
  const suite = suiteOf(
    caseOf('both', bench => {
      refill(bench);
      staleDevice(bench);
    }),
  );
  const { findings } = runOf(suite, { investigated: 1 });
  t.deepEqual(
    findings.map(({ proof }) => proof),
    ['replayed', 'not-investigated'],
  );
  t.false(findings[1]?.finding.confirmed);
});

test('a case that crashes the kernel is looked at as any other', t => {
  const suite = suiteOf(
    caseOf('crashes', bench => {
      refill(bench);
      throw new KernelOops('kernel BUG: sample');
    }),
  );
  const { findings, suites } = runOf(suite);
  t.is(findings[0]?.proof, 'replayed');
  t.is(suites[0]?.cases[0]?.lines[0], 'kernel BUG: sample');
});

test('a witness that is saved replays on the concrete machine, and the wrong bytes appear', async t => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'run');
  const { findings } = runOf(MIXED);
  const args: RunArguments = {
    ...{
      board: BOARD,
      memory: undefined,
      quirk: undefined,
      overlay: undefined,
      load: undefined,
      suite: undefined,
    },
    ...{ adversary: 'all', seed: '1', 'dma-timing': 'latest', format: 'human', save: file },
    drop: undefined,
  };
  const named = withWitnesses(findings, file);
  saveRun(file, args, named);
  const found = named.find(({ proof }) => proof === 'replayed');
  t.truthy(found);
  const witness = `${file}.${found?.finding.id ?? 0}.jsonl`;
  t.is(found?.finding.witness, witness);
  t.deepEqual(readdirSync(folder).sort(), ['run', witness.slice(folder.length + 1)]);
  t.deepEqual(readSavedRun(readFileSync(file), file).findings, named);

  const script = parseScript(readFileSync(witness, 'utf8'), witness);
  const { stale } = runOf(MIXED, { adversary: { kind: 'script', script } });
  const goal = found?.story?.rows[found.story.goal];
  t.true(stale.some(({ event, valuesDiffer }) => event === goal?.event && valuesDiffer));

  const host = new TestHost();
  t.is(await main(['explain', `${file}#${found?.finding.id ?? 0}`], host), 0);
  const command = /To see it happen\n {2}dmabench (.*)\n$/.exec(host.out.text)?.[1];
  t.is(
    command,
    `run imx6q-sabresd --suite s --adversary script:${witness} --seed 1 --dma-timing latest`,
  );
});

test('a step after the last event of a run is taken, and what is lost by it is told', t => {
  const suite = suiteOf(caseOf('loses', lost));
  const plan = planRun(openBoard('versatile-pb', []), { memory: null, quirks: [] });
  const found = runOf(suite, { board: 'versatile-pb', plan }).findings.find(
    ({ finding }) => finding.rule === 'lost-device-write',
  );
  t.is(found?.proof, 'replayed');
  const script = parseScript((found?.script ?? []).join('\n'), 'w');
  const replayed = runOf(suite, {
    ...{ board: 'versatile-pb', plan, adversary: { kind: 'script', script } },
  });
  const byte = found?.story?.byte ?? 0;
  t.true(replayed.lost.some(({ bytes }) => byte >= bytes.start && byte < bytes.start + bytes.size));
});

test('what explain is asked for and is not there is told, with what is', async t => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'a#1');
  const args = ['run', 'versatile-pb', '--suite', 'memory.stores_read_back', '--save', file];
  t.is(await main([...args, '--dma-timing', 'latest'], new TestHost()), 0);
  const ask = async (finding: string): Promise<string> => {
    const host = new TestHost();
    await main(['explain', finding], host);
    return host.out.text + host.err.text;
  };
  t.is(await ask(file), `${file}: no findings\n`);
  t.is(await ask(`${file}#99`), `dmabench: ${file}: expected a run with findings, found none\n`);
  const { findings } = runOf(MIXED);
  const given = {
    ...{ board: BOARD, memory: undefined, quirk: [], overlay: [], load: [], suite: [] },
  };
  const rest = { adversary: 'all', seed: '1', 'dma-timing': 'latest', format: 'human' } as const;
  const drop = undefined;
  saveRun(file, { ...given, ...rest, drop, save: file }, findings);
  const most = findings.length;
  t.is(
    await ask(`${file}#99`),
    `dmabench: ${file}: expected a finding from #1 to #${most}, found #99\n`,
  );
  t.regex(await ask(`${file}#0`), /found #0\n$/);
  const value = findings.findIndex(({ script }) => script !== null) + 1;
  t.regex(await ask(`${file}#${value}`), /with which it is replayed, is not there\.\n$/);
  writeFileSync(file, 'x');
  t.regex(await ask(file), /found a file of another kind\n$/);
});

test('a run that cannot be saved says so', async t => {
  const host = new TestHost();
  const file = join(temporaryFolder(t), 'none/x');
  const args = ['--suite', 'memory.stores_read_back', '--dma-timing', 'latest', '--save', file];
  t.is(await main(['run', 'versatile-pb', ...args], host), 2);
  t.regex(host.err.text, /^dmabench: cannot write the output: ENOENT/);
});
