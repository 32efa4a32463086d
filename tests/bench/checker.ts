import type { CheckedCpu } from '../../arch/arm/checked/cpu';
import { AddressSpace } from '../../drivers/base/hw/address-space';
import { IoBus } from '../../drivers/base/hw/io-bus';
import { MemoryRegion } from '../../drivers/base/hw/memory-region';
import { flatMemory } from './baselines';
import { makeCheckedBenchMachine } from './bench-machine';
import { throughCpu } from './cpu';
import { ROUNDS, WARM, millionsPerSecond, printTable, ratio } from './measure';
import { readTrace } from './trace-file';
import { EXPECTED, REFERENCES, fnv, makeTrace, pagesOf } from './traces';
import type { TraceName } from './traces';

interface Measured {
  readonly sum: number;
  /** Millions of references per second. */
  readonly rate: number;
}

type Contender = (trace: Uint32Array) => Measured;

/** As throughCpu: the loop stands once for each kind of CPU, so that each copy sees one kind. */
const throughChecked = (cpu: CheckedCpu, trace: Uint32Array): Measured => {
  let sum = 0;
  const rate = millionsPerSecond(trace.length, () => {
    for (let i = 0; i < trace.length; i++) {
      const reference = trace[i] as number;
      const address = reference & ~3;
      if ((reference & 1) !== 0) cpu.store32(address, i);
      else sum = (Math.imul(sum, 31) + cpu.load32(address)) | 0;
    }
  });
  return { rate, sum };
};

const throughFlatMemory = (pages: readonly number[], trace: Uint32Array): Measured => {
  const run = flatMemory(pages);
  let sum = 0;
  const rate = millionsPerSecond(trace.length, () => {
    ({ sum } = run(trace));
  });
  return { rate, sum };
};

/** One trace: `all`, the concrete machine and the flat memory, the best of some rounds each. */
export const benchCheckedTrace = (
  name: string,
  trace: Uint32Array,
  expected: number | null,
): string[] => {
  const pages = pagesOf(trace);
  const contenders: readonly Contender[] = [
    references => throughChecked(makeCheckedBenchMachine(pages).cpu, references),
    references => throughCpu(references, pages),
    references => throughFlatMemory(pages, references),
  ];
  for (const run of contenders) run(trace.subarray(0, WARM));
  const rounds = Array.from({ length: ROUNDS }, () => contenders.map(run => run(trace)));
  const known = expected ?? rounds[0]?.[2]?.sum;
  for (const { sum } of rounds.flat()) {
    if (sum !== known) throw new Error(`${name}: sum of loads ${sum}, not ${known}`);
  }
  const [checked = 0, concrete = 0, flat = 0] = contenders.map((_, i) =>
    Math.max(...rounds.map(round => round[i]?.rate ?? 0)),
  );
  return [
    name,
    checked.toFixed(1),
    concrete.toFixed(1),
    flat.toFixed(1),
    ratio(checked, concrete),
    ratio(checked, flat),
  ];
};

const traces = (file: string | null): string[][] => {
  if (file !== null) return [benchCheckedTrace(file, readTrace(file), null)];
  return (['mixed', 'hot'] as const).map((name: TraceName) => {
    const trace = makeTrace(name);
    if (fnv(trace) !== EXPECTED[name].fnv) throw new Error(`${name}: not the known trace`);
    return benchCheckedTrace(name, trace, EXPECTED[name].sum);
  });
};

const BUFFER = 0x1000_0000;
/** As large, and left alone by the device. */
const CALM = 0x1010_0000;
/** Bytes that the device writes at once, and in how many lines. */
const BURST = 4096;
const LINES = BURST / 32;
const BURSTS = 2000;

/**
 * Accesses to lines that a device writes again and again and nobody maintains: each is in hazard,
 * and looked at anew. What the device itself takes is measured apart and left out.
 */
const hazards = (): string[][] => {
  const { cpu, complex } = makeCheckedBenchMachine([]);
  const io = new IoBus(new AddressSpace('bench', MemoryRegion.container('bench', 2 ** 32)));
  const device = complex.masterMemory('device', io, false);
  const data = new Uint8Array(BURST);
  const seconds = (isWritten: boolean, touch: () => void): number => {
    const rate = millionsPerSecond(BURSTS, () => {
      for (let burst = 0; burst < BURSTS; burst++) {
        if (isWritten) device.write(BUFFER, BURST, data, 0);
        touch();
      }
    });
    return BURSTS / rate;
  };
  const nothing = (): void => undefined;
  const row = (what: string, step: number, touch: (address: number) => void): string[] => {
    const all = (buffer: number) => (): void => {
      for (let at = 0; at < BURST; at += step) touch(buffer + at);
    };
    seconds(true, all(BUFFER));
    seconds(false, all(CALM));
    const count = (BURSTS * BURST) / step;
    const calm = count / seconds(false, all(CALM));
    const hazard = count / Math.max(1, seconds(true, all(BUFFER)) - seconds(true, nothing));
    return [what, calm.toFixed(1), hazard.toFixed(1), `${(calm / hazard).toFixed(1)}x`];
  };
  return [
    row('loads, one of each line', BURST / LINES, address => cpu.load32(address)),
    row('loads, every word', 4, address => cpu.load32(address)),
    row('stores, one of each line', BURST / LINES, address => {
      cpu.store32(address, address);
    }),
  ];
};

/** `npm run bench -- checker [--trace FILE]`. */
export const benchChecker = (file: string | null): void => {
  const what = file ?? `${REFERENCES.toLocaleString('en')} references each`;
  console.log(`--adversary all through the whole CPU path, Cortex-A9 with an outer cache; ${what}`);
  printTable(
    ['trace', 'all, Mref/s', 'concrete', 'flat memory', 'of concrete', 'of flat memory'],
    traces(file),
  );
  if (file !== null) return;
  console.log('Lines that a device writes again and again, without any maintenance');
  printTable(['accesses', 'calm, Mref/s', 'in hazard', 'costs'], hazards());
};
