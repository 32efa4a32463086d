import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { DmaDirection, dmaMapSingle, dmaUnmapSingle } from '../../../mm/dma-mapping-common';
import { openBoard, planRun } from '../../../tools/board/open';
import { main } from '../../../tools/main';
import { mutateHuman } from '../../../tools/mutate/mutate-human';
import { MutationRun, splitPlace } from '../../../tools/mutate/mutation-run';
import type { MutatedSite } from '../../../tools/mutate/mutation-run';
import { SUITES } from '../../suites';
import { DriverBench } from '../../suites/driver-bench';
import type { Suite } from '../../suites/suite';
import { TestHost } from '../../support/host';

const SIZE = 256;

/** A device writes a buffer, which the CPU then reads; on an SMP kernel it is done twice. */
const SUITE: Suite = {
  name: 's',
  summary: '',
  cases: [
    {
      name: 'receives',
      run: t => {
        const bench = t.need(DriverBench.on(t.machine, 'non-coherent'), 'a master');
        const { dev, device } = bench;
        const buffer = bench.kmalloc(SIZE);
        bench.fill(buffer, SIZE, 1);
        const dma = bench.mapped(dmaMapSingle(dev, buffer, SIZE, DmaDirection.FromDevice));
        device.writePattern(dma, SIZE, 2);
        dmaUnmapSingle(dev, dma, SIZE, DmaDirection.FromDevice);
        t.equal(bench.wrongBytes(buffer, SIZE, 2), 0, 'the wrong bytes');
        if (t.machine.kernel.cpu.online > 1) bench.kernel.mm.barriers.rmb();
        bench.kfree(buffer);
      },
    },
  ],
};

/** Two barriers before one doorbell: one of them is needed. */
const DOORBELL: Suite = {
  name: 'd',
  summary: '',
  cases: [
    {
      name: 'sends',
      run: t => {
        const bench = t.need(DriverBench.on(t.machine, 'non-coherent'), 'a master');
        const shared = bench.allocShared();
        bench.storeWords(shared.cpuAddress, SIZE, 3);
        bench.kernel.mm.barriers.wmb();
        bench.kernel.mm.barriers.wmb();
        bench.device.startCheck(shared.dmaAddress, SIZE, 3, 'relaxed');
        t.equal(bench.device.finishCheck().mismatches, 0, 'the wrong bytes');
        bench.freeShared(shared);
      },
    },
  ],
};

const optionsOf = (board: string): ConstructorParameters<typeof MutationRun>[0][number] => ({
  ...{ board, plan: planRun(openBoard(board, []), { memory: null, quirks: [] }), seed: 1 },
  ...{ suites: [SUITE], selects: () => true, adversary: { kind: 'all' } },
  ...{ timings: ['earliest', 'latest'], streaming: ALL_STEPS },
});

const finished = (boards: ConstructorParameters<typeof MutationRun>[0]): MutationRun => {
  const run = new MutationRun(boards);
  while (run.next !== null) run.step();
  return run;
};

const BOTH = finished(['imx6q-sabresd', 'versatile-pb'].map(optionsOf));

/** What became of a call on each board. */
const effectsOf = (sites: readonly MutatedSite[], call: string): readonly string[] =>
  sites.find(({ site }) => site.call === call)?.effects.map(({ kind }) => kind) ?? [];

const ruleOf = (sites: readonly MutatedSite[], call: string): string | null => {
  const effect = sites.find(({ site }) => site.call === call)?.effects[0];
  return effect?.kind === 'needed' ? effect.rule : null;
};

test('on a core that speculates both syncs are needed, on one that does not only the first', t => {
  const { sites, failing } = BOTH.result();
  t.deepEqual(failing, []);
  t.deepEqual(effectsOf(sites, 'maintenance in dmaMap'), ['needed', 'needed']);
  t.deepEqual(effectsOf(sites, 'maintenance in dmaUnmap'), ['needed', 'not needed']);
  t.is(ruleOf(sites, 'maintenance in dmaUnmap'), 'refill-after-invalidate');
  t.deepEqual(effectsOf(sites, 'dmaUnmapArea'), ['needed', 'not needed']);
  t.deepEqual(effectsOf(sites, 'rmb'), ['not needed', 'not exercised']);
});

/** Why a call is not needed on the board of this number. */
const becauseOf = (sites: readonly MutatedSite[], call: string, board: number): readonly string[] =>
  sites.flatMap(({ site, effects }) => {
    const effect = effects[board];
    if (site.call !== call || effect?.kind !== 'not needed') return [];
    return [effect.because === 'spare' ? `beside ${effect.beside.call}` : effect.because];
  });

test('what is not needed is idle, or spare beside another, or nothing depends on it', t => {
  const { sites } = BOTH.result();
  t.deepEqual(becauseOf(sites, 'maintenance in dmaUnmap', 1), ['idle']);
  t.deepEqual(becauseOf(sites, 'rmb', 0), ['nothing depends on it']);
  const run = finished([{ ...optionsOf('pandaboard'), suites: [DOORBELL] }]);
  // The first of the three is in allocShared().
  t.deepEqual(becauseOf(run.result().sites, 'wmb', 0), [
    ...['nothing depends on it', 'nothing depends on it', 'beside wmb'],
  ]);
});

test('calls of drivers are named by their lines, maintenance by who in the kernel calls it', t => {
  const { sites } = BOTH.result();
  const placeOf = (call: string): string =>
    splitPlace(sites.find(({ site }) => site.call === call)?.site.at ?? ':')[0];
  t.is(placeOf('maintenance in dmaMap'), 'tests/tools/mutate/mutate.test.ts');
  t.is(placeOf('dmaMapArea'), 'arch/arm/mm/dma.ts');
  t.false(sites.some(({ site }) => site.at.startsWith('tools/')));
});

const COPY_ENGINE = 'drivers/dma/copy-engine/driver.ts';

/** Lines that call what mutate leaves out; a probe's are not: a machine boots with all calls in place. */
const callsIn = (source: string): readonly number[] => {
  const [start] = /^ {2}start\(\)[^]*?^ {2}\}$/m.exec(source) ?? [''];
  const blank = source.replace(start, '\n'.repeat(start.split('\n').length - 1));
  return blank
    .split('\n')
    .flatMap((line, i) =>
      /\bdma(?:Map|Unmap|Sync)[A-Z]\w*\(|\.(?:read|write)\(/.test(line) ? [i + 1] : [],
    );
};

test('the suite comes to every call of the copy engine, those on its ways out among them', t => {
  const options = optionsOf('versatile-pb');
  const selects = (_: string, name: string): boolean => name.startsWith('the_copy_engine_');
  const run = new MutationRun([{ ...options, suites: SUITES, selects, timings: ['latest'] }]);
  run.step();
  const { sites, failing } = run.result();
  t.deepEqual(failing, []);
  const places = sites.map(({ site }) => splitPlace(site.at));
  const exercised = new Set(
    places.filter(([file]) => file === COPY_ENGINE).map(([, line]) => line),
  );
  const source = readFileSync(join(__dirname, '../../..', COPY_ENGINE), 'utf8');
  const calls = callsIn(source);
  t.true(calls.length >= 14);
  t.deepEqual(
    calls.filter(line => !exercised.has(line)),
    [],
  );
});

test('a run that is stopped tells what is known', t => {
  const { result } = ((): { result: MutationRun } => {
    const run = new MutationRun([
      { ...optionsOf('versatile-pb'), board: 'b', timings: ['latest'] },
    ]);
    t.is(run.next, 'b: all calls');
    run.step();
    t.regex(run.next ?? '', /^b: .*:\d+ /);
    t.true(run.progress.total > 0);
    run.step();
    return { result: run };
  })();
  const { sites } = result.result();
  t.is(sites.filter(({ effects }) => effects[0]?.kind !== 'not exercised').length, 1);
});

const site = (at: string, call: string): MutatedSite['site'] => ({ at, call, layer: 'cache' });
const NEEDED = { kind: 'needed', rule: 'stale-cpu-read', inCase: 's.c', text: '' } as const;
const NEEDLESS = { kind: 'not needed', because: 'nothing depends on it' } as const;
const REPORT = {
  ...{ boards: ['pandaboard', 'rpi-b'], suites: ['dma-*'], failing: [], isComplete: true },
  sites: [
    { site: site('a.ts:7', 'clean'), effects: [NEEDED, NEEDED] },
    { site: site('a.ts:78', 'invalidate'), effects: [NEEDED, NEEDLESS] },
    {
      site: site('a.ts:80', 'mb'),
      effects: [
        { kind: 'not needed', because: 'spare', beside: site('a.ts:7', 'clean') },
        { kind: 'not needed', because: 'spare', beside: site('b.ts:120', 'rmb') },
      ],
    },
    { site: site('b.ts:9', 'wmb'), effects: [{ kind: 'not needed', because: 'idle' }, NEEDLESS] },
    {
      site: site('b.ts:120', 'rmb'),
      effects: [{ kind: 'not exercised' }, { ...NEEDED, rule: null, text: 'expected 1' }],
    },
  ],
} as const;

test('the table has a line for each call and a column for each board', t => {
  t.is(
    mutateHuman(REPORT, (_style, text) => text, 80),
    `dma-* on pandaboard, rpi-b

                   pandaboard  rpi-b
a.ts
    7  clean       needed      needed  stale-cpu-read
   78  invalidate  needed      –       stale-cpu-read
   80  mb          spare       spare   beside 7 clean, beside b.ts:120 rmb

b.ts
    9  wmb         idle        –
  120  rmb                     needed  s.c fails: expected 1

  needed: without it the finding at the end of the line is made
  spare: not needed, as the call at the end of the line does as much; one of the
         two is
  idle: not needed, as it does nothing there: without it the machine does just
        the same
  –: not needed: nothing depends on it there, whatever caches do and whenever
     devices move data, not even without all others marked so
  blank: the suite does not come there on this board

5 calls, 3 needed somewhere
`,
  );
});

test('many boards are numbered, and what fails as it is, is said', t => {
  const boards = ['pandaboard', 'imx6q-sabresd', 'versatile-pb', 'vexpress-a15'];
  const failing = [{ board: 'rpi-b', cases: ['s.c'] }];
  const text = mutateHuman({ ...REPORT, boards, failing, isComplete: false }, (_s, x) => x, 80);
  t.true(text.includes('  [4] vexpress-a15\n'));
  t.true(text.includes('rpi-b fails even with all calls in place: s.c.'));
  t.true(text.includes('(interrupted: not all calls were tried)'));
  t.true(text.split('\n').every(line => line.length <= 80));
});

test('mutate prints JSON with an effect for each board', async t => {
  const host = new TestHost();
  const suite = 'memory.stores_read_back';
  const status = await main(
    ['mutate', 'versatile-pb', 'rpi-b', '--suite', suite, '--format', 'json'],
    host,
  );
  t.is(status, 0, host.err.text);
  const document = JSON.parse(host.out.text) as { readonly boards: readonly string[] };
  t.deepEqual(document.boards, ['versatile-pb', 'rpi-b']);
});
