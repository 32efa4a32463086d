import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AddressSpace } from '../../drivers/base/hw/address-space';
import { IoBus } from '../../drivers/base/hw/io-bus';
import { MemoryRegion } from '../../drivers/base/hw/memory-region';
import { cpuAddr } from '../../drivers/base/types/address';
import { CacheOp } from '../../drivers/base/types/isa';
import type { Verdict } from '../../drivers/base/types/observer';
import { PLAIN_MACHINE } from '../spin/machine';
import { modelOf } from '../spin/promela';
import type { Program } from '../spin/scenario';
import { SpinModel, missingProgram } from '../spin/spin';
import { makeCheckedBenchMachine } from './bench-machine';
import { printTable } from './measure';
import { logLogPlot } from './plot';

/*
 * One scenario on more and more lines: the CPU dirties them, cleans and invalidates them, a device
 * writes them, the CPU invalidates them and reads them. SPIN looks at every schedule of the whole
 * machine, here of the simplest there is; the checker goes through the whole path of its CPU.
 */

const LINE = 32;
const BUFFER = 0x1000_0000;
/** SPIN takes minutes and gigabytes beyond. */
const SPIN_LINES = 11;
const CHECKER_LINES = [1, 2, 4, 8, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
/** The best of so many, on machines of their own. */
const ROUNDS = 3;
/** Slots of SPIN's hash table, as a power of 2: what is not needed takes time to clear. */
const hashBits = (lines: number): number => Math.min(25, 12 + 2 * lines);

const PLOT = join(__dirname, 'scaling.svg');

interface Point {
  readonly lines: number;
  readonly seconds: number;
  readonly states: number;
}

const programOf = (lines: number, isRight: boolean): Program => {
  const each = Array.from({ length: lines }, (_, line) => line);
  return {
    name: `${lines} lines`,
    lines,
    steps: [
      ...each.map(line => ({ do: 'store', line, word: 0, mapping: 'cached' }) as const),
      ...each.map(line => ({ do: 'maintain', line, op: 'clean+invalidate' }) as const),
      ...each.map(line => ({ do: 'device write', line, word: 0, snoops: false }) as const),
      ...(isRight ? each : []).map(line => ({ do: 'maintain', line, op: 'invalidate' }) as const),
      ...each.map(line => ({ do: 'load', line, word: 0, mapping: 'cached' }) as const),
    ],
    droppable: [],
  };
};

const bySpin = (lines: number): Point => {
  const program = programOf(lines, true);
  const model = new SpinModel(modelOf(PLAIN_MACHINE, [program], { words: 1, asksAll: true }), true);
  try {
    const verdict = model.judge({ program: 0, dropped: [] }, hashBits(lines));
    if (verdict.canFail) throw new Error(`SPIN finds ${lines} lines wrong`);
    return { lines, seconds: Math.max(0.01, verdict.seconds), states: verdict.states };
  } finally {
    model.close();
  }
};

/** The scenario through the CPU and a DMA port; how many reads may be stale, and how long it took. */
const throughChecker = (lines: number, isRight: boolean): { stale: number; seconds: number } => {
  const { cpu, complex } = makeCheckedBenchMachine([], false);
  const io = new IoBus(new AddressSpace('bench', MemoryRegion.container('bench', 2 ** 32)));
  const device = complex.masterMemory('device', io, false);
  const data = new Uint8Array(LINE);
  let stale = 0;
  complex.observer = {
    verdict: ({ access }: Verdict) => {
      if (access === 'load') stale++;
    },
    mismatch: () => undefined,
    staleTranslation: () => undefined,
    cpuTouches: () => undefined,
    deviceTouches: () => undefined,
    transferBegins: () => undefined,
    transferActs: () => undefined,
    transferEnds: () => undefined,
  };
  const end = BUFFER + lines * LINE;
  const before = process.cpuUsage();
  for (let at = BUFFER; at < end; at += LINE) cpu.store32(at, at);
  for (let at = BUFFER; at < end; at += LINE) cpu.cacheOp(CacheOp.CIVAC, cpuAddr(at));
  cpu.dsb();
  for (let at = BUFFER; at < end; at += LINE) device.write(at, LINE, data, 0);
  if (isRight) {
    for (let at = BUFFER; at < end; at += LINE) cpu.cacheOp(CacheOp.IVAC, cpuAddr(at));
    cpu.dsb();
  }
  for (let at = BUFFER; at < end; at += LINE) cpu.load32(at);
  const { user, system } = process.cpuUsage(before);
  return { stale, seconds: Math.max(1e-6, (user + system) / 1e6) };
};

const byChecker = (lines: number): Point => {
  const wrong = throughChecker(lines, false).stale;
  if (wrong !== lines) throw new Error(`${wrong} of ${lines} lines found stale without the sync`);
  const rounds = Array.from({ length: ROUNDS }, () => throughChecker(lines, true));
  const stale = rounds.find(round => round.stale !== 0);
  if (stale !== undefined) throw new Error(`${stale.stale} of ${lines} lines found wrong`);
  return { lines, seconds: Math.min(...rounds.map(({ seconds }) => seconds)), states: lines };
};

const count = (value: number): string => value.toLocaleString('en-US');

/** Prints both, and writes the plot beside this file. */
export const benchScaling = (file: string | null): void => {
  if (file !== null) throw new Error('scaling reads no trace');
  const missing = missingProgram();
  console.log('dirty, clean+invalidate, device writes, invalidate, read\n');
  byChecker(65_536);
  const checked = CHECKER_LINES.map(byChecker);
  const spun = missing === null ? Array.from({ length: SPIN_LINES }, (_, n) => bySpin(n + 1)) : [];
  if (missing !== null) console.log(`  no figures of SPIN: ${missing}\n`);
  printTable(
    ['SPIN: lines', 'states', 'seconds'],
    spun.map(({ lines, states, seconds }) => [`${lines}`, count(states), seconds.toFixed(2)]),
  );
  printTable(
    ['checker: lines', 'seconds', 'ns per line'],
    checked.map(({ lines, seconds }) => [
      count(lines),
      seconds.toFixed(6),
      ((seconds * 1e9) / lines).toFixed(0),
    ]),
  );
  if (missing === null) writeFileSync(PLOT, plotOf(spun, checked));
};

const plotOf = (spun: readonly Point[], checked: readonly Point[]): string => {
  const points = (all: readonly Point[]) =>
    all.map(({ lines, seconds }) => [lines, seconds] as const);
  const last = spun.at(-1);
  const growth = ((last?.states ?? 0) / Math.max(1, spun.at(-2)?.states ?? 1)).toFixed(1);
  const most = checked.at(-1);
  return logLogPlot({
    title: 'Every cache behaviour of one DMA transfer',
    subtitle: 'The CPU dirties, flushes; a device writes; the CPU invalidates, reads',
    x: 'cache lines',
    y: 'seconds',
    series: [
      {
        name: 'SPIN',
        colour: '#b35900',
        points: points(spun),
        note: `${count(last?.states ?? 0)} states at ${last?.lines ?? 0} lines, ×${growth} a line`,
      },
      {
        name: 'dmabench, --adversary all',
        colour: '#0550ae',
        points: points(checked),
        note: `${count(most?.lines ?? 0)} lines in ${(most?.seconds ?? 0).toFixed(2)} s`,
      },
    ],
  });
};
