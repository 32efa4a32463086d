import test from 'ava';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import { invariant } from '../../../drivers/base/types/errors';
import type { DmaDebugOptions } from '../../../mm/dma-debug';
import {
  DmaDirection,
  dmaAllocCoherent,
  dmaFreeCoherent,
  dmaMapSingle,
} from '../../../mm/dma-mapping-common';
import { openBoard, planRun } from '../../../tools/board/open';
import { main } from '../../../tools/main';
import type { RunResult } from '../../../tools/run/results';
import { runSuites } from '../../../tools/run/runner';
import { TestHost } from '../../support/host';
import { DriverBench } from '../../suites/driver-bench';
import { wrong as twoSizes } from '../../suites/rules/dma-debug';
import type { Suite } from '../../suites/suite';

/* What a user sees of dma-debug, and sets; and that it is a side layer. */

const BOARD = 'versatile-pb';
const PLAN = planRun(openBoard(BOARD, []), { memory: null, quirks: [] });

/** A mistake, coherent memory, and what is left behind. */
const DRIVER: Suite = {
  name: 'driver',
  summary: '',
  cases: [
    {
      name: 'errs',
      run: t => {
        const bench = t.need(DriverBench.on(t.machine, 'non-coherent'), 'a master');
        const { dev, device } = bench;
        twoSizes(bench);
        const memory = dmaAllocCoherent(dev, 4096, GFP_KERNEL);
        invariant(memory !== null, 'no memory');
        t.equal(device.writePattern(memory.dmaHandle, 64, 5), 0, 'written');
        t.ok(bench.cpu.load32(memory.cpuAddr) !== 0, 'what the device wrote');
        dmaFreeCoherent(dev, 4096, memory.cpuAddr, memory.dmaHandle);
        dmaMapSingle(dev, bench.kmalloc(64), 64, DmaDirection.ToDevice);
      },
    },
  ],
};

const runWith = (dmaDebug: DmaDebugOptions): RunResult =>
  runSuites({
    ...{ board: BOARD, plan: PLAN, suites: [DRIVER], selects: () => true, seed: 1 },
    ...{ adversary: { kind: 'all' }, timings: ['latest'], streaming: ALL_STEPS },
    dmaDebug,
  });

/** What a run has shown without dma-debug. */
const withoutIt = ({ trace, events, findings, suites }: RunResult) => ({
  trace,
  events,
  others: findings
    .map(({ finding: { rule, bytes } }) => ({ rule, bytes }))
    .filter(({ rule }) => rule !== 'dma-debug'),
  expectations: suites.map(({ cases }) => cases.map(one => one.expectations)),
});

test('without dma-debug, and out of memory for it, everything else is the same to the event', t => {
  const run = runWith({});
  t.deepEqual(
    run.findings.map(({ finding: { rule } }) => rule),
    ['dma-debug', 'dma-debug'],
  );
  for (const options of [
    { isOff: true },
    { entries: 1, hasMemory: () => false },
    { version: '6.1', driver: 'none' },
  ] as const) {
    const other = runWith(options);
    t.deepEqual(withoutIt(other), withoutIt(run), JSON.stringify(options));
    t.deepEqual(other.findings, [], 'and it says nothing');
  }
});

test('the counters and the dump are in the result, as they are when a suite is over', t => {
  const [state, ...more] = runWith({}).dmaDebug;
  t.deepEqual(more, []);
  t.like(state, {
    suite: 'driver',
    timing: 'latest',
    disabled: false,
    errorCount: 2,
    allErrors: true,
    nrTotalEntries: 65536,
    minFreeEntries: 65535,
    numFreeEntries: 65535,
    driverFilter: '',
    log: [
      'DMA-API: preallocated 65536 debug entries',
      'DMA-API: debugging enabled by kernel config',
    ],
  });
  t.is(state?.dump.length, 1);
  t.regex(
    state?.dump[0] ?? '',
    /^test-master \S+ single idx \d+ P=0x[0-9a-f]{8} D=[0-9a-f]+ L=40 cln=0x[0-9a-f]{8} DMA_TO_DEVICE dma map error not checked$/,
  );
  t.is(runWith({ driver: 'none' }).dmaDebug[0]?.errorCount, 2, 'those of other drivers count');
});

test('a user sets it as at the boot of a kernel, and finds it in the document', async t => {
  const run = async (...settings: string[]): Promise<{ repeat: string; dmaDebug: object[] }> => {
    const host = new TestHost();
    const words = ['run', BOARD, '--suite', 'rules.dma_debug', '--dma-timing', 'latest'];
    const options = settings.flatMap(one => ['--dma-debug', one]);
    await main([...words, '--format', 'json', ...options], host);
    const document: unknown = JSON.parse(host.out.text);
    return document as { repeat: string; dmaDebug: object[] };
  };
  const { repeat, dmaDebug } = await run('entries=100', 'driver=test-master', 'version=6.1');
  t.true(
    repeat.endsWith(
      '--dma-debug entries=100 --dma-debug driver=test-master --dma-debug version=6.1',
    ),
    repeat,
  );
  t.like(dmaDebug[0], {
    suite: 'rules',
    nrTotalEntries: 128,
    driverFilter: 'test-master',
    dump: [],
  });
  t.like((await run('off')).dmaDebug[0], { disabled: true, errorCount: 0 });
});
