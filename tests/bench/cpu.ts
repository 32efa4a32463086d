import { RandomAdversary } from '../../arch/arm/adversary/random';
import { Random } from '../../drivers/base/types/random';
import { UncachedMemory } from '../../drivers/base/hw/dma-memory';
import { AddressSpace } from '../../drivers/base/hw/address-space';
import { DmaPort } from '../../drivers/base/hw/dma-port';
import { EventQueue } from '../../drivers/base/hw/event-queue';
import { IoBus } from '../../drivers/base/hw/io-bus';
import { MemoryRegion } from '../../drivers/base/hw/memory-region';
import { Trace } from '../../drivers/base/hw/trace';
import { dmaAddr } from '../../drivers/base/types/address';
import { CacheOp, TlbOp } from '../../drivers/base/types/isa';
import { flatMemory, inlinedLoop } from './baselines';
import type { BaselineResult } from './baselines';
import { makeBenchMachine } from './bench-machine';
import { ROUNDS, WARM, millionsPerSecond, printTable, ratio } from './measure';
import { readTrace } from './trace-file';
import { EXPECTED, REFERENCES, fnv, makeTrace, pagesOf } from './traces';
import type { TraceName } from './traces';

/** What a trace gave, and how fast: millions of references per second. */
interface Measured extends BaselineResult {
  readonly rate: number;
}

type Contender = (trace: Uint32Array) => Measured;

/** Loads and stores of a trace through the whole path of a CPU, on a machine of its own. */
export const throughCpu = (trace: Uint32Array, pages: readonly number[]): Measured => {
  const { cpu, complex } = makeBenchMachine(pages);
  let sum = 0;
  const rate = millionsPerSecond(trace.length, () => {
    for (let i = 0; i < trace.length; i++) {
      const reference = trace[i] as number;
      const address = reference & ~3;
      if ((reference & 1) !== 0) cpu.store32(address, i);
      else sum = (Math.imul(sum, 31) + cpu.load32(address)) | 0;
    }
  });
  return { rate, misses: complex.domain.caches[0]?.fills ?? 0, sum };
};

const baseline = (
  make: (pages: readonly number[]) => (trace: Uint32Array) => BaselineResult,
  trace: Uint32Array,
  pages: readonly number[],
): Measured => {
  const run = make(pages);
  let result = { sum: 0, misses: 0 };
  const rate = millionsPerSecond(trace.length, () => {
    result = run(trace);
  });
  return { ...result, rate };
};

/** One trace: dmabench, the inlined loop and the flat memory, the best of some rounds each. */
export const benchTrace = (
  name: string,
  trace: Uint32Array,
  expected: BaselineResult | null,
): string[] => {
  const pages = pagesOf(trace);
  const contenders: readonly Contender[] = [
    references => throughCpu(references, pages),
    references => baseline(inlinedLoop, references, pages),
    references => baseline(flatMemory, references, pages),
  ];
  for (const run of contenders) run(trace.subarray(0, WARM));
  const rounds = Array.from({ length: ROUNDS }, () => contenders.map(run => run(trace)));
  for (const round of rounds) check(name, round, expected);
  const [ours = 0, inlined = 0, flat = 0] = contenders.map((_, i) =>
    Math.max(...rounds.map(round => round[i]?.rate ?? 0)),
  );
  const { misses = 0, sum = 0 } = rounds[0]?.[0] ?? {};
  return [
    name,
    (trace.length - misses).toLocaleString('en'),
    misses.toLocaleString('en'),
    `${sum}`,
    ours.toFixed(1),
    ratio(ours, inlined),
    ratio(ours, flat),
  ];
};

/** All agree on what they loaded, both that have caches on the misses, and all with what is known. */
const check = (
  name: string,
  [ours, inlined, flat]: readonly BaselineResult[],
  expected: BaselineResult | null,
): void => {
  const known = expected ?? { sum: flat?.sum, misses: inlined?.misses };
  const agreed = (a: number | undefined, b: number | undefined, what: string): void => {
    if (a !== b) throw new Error(`${name}: ${what} ${a}, not ${b}`);
  };
  agreed(flat?.sum, known.sum, 'flat memory: sum');
  agreed(inlined?.sum, known.sum, 'inlined loop: sum');
  agreed(inlined?.misses, known.misses, 'inlined loop: misses');
  agreed(ours?.sum, known.sum, 'dmabench: sum');
  agreed(ours?.misses, known.misses, 'dmabench: misses');
};

const traces = (file: string | null): string[][] => {
  if (file !== null) {
    return [benchTrace(file, readTrace(file), null)];
  }
  return (['mixed', 'hot'] as const).map((name: TraceName) => {
    const trace = makeTrace(name);
    if (fnv(trace) !== EXPECTED[name].fnv) throw new Error(`${name}: not the known trace`);
    return benchTrace(name, trace, EXPECTED[name]);
  });
};

/** Single operations, in loops of their own. */
const operations = (): string[][] => {
  const { cpu, complex, ram } = makeBenchMachine([]);
  const random = new Random(1);
  const base = 0x1000_0000;
  const count = 4_000_000;
  const rows: string[][] = [];
  const measure = (what: string, times: number, body: () => void): void => {
    body();
    rows.push([what, millionsPerSecond(times, body).toFixed(2)]);
  };
  measure('load, L1 hit', count, () => {
    for (let i = 0; i < count; i++) cpu.load32(base + ((i * 4) & 0x3fff));
  });
  measure('store, L1 hit', count, () => {
    for (let i = 0; i < count; i++) cpu.store32(base + ((i * 4) & 0x3fff), i);
  });
  const { cpu: whimsical } = makeBenchMachine([], new RandomAdversary(new Random(1)));
  measure('load, L1 hit, random', count, () => {
    for (let i = 0; i < count; i++) whimsical.load32(base + ((i * 4) & 0x3fff));
  });
  measure('store, L1 hit, random', count, () => {
    for (let i = 0; i < count; i++) whimsical.store32(base + ((i * 4) & 0x3fff), i);
  });
  measure('load byte, L1 hit', count, () => {
    for (let i = 0; i < count; i++) cpu.load8(base + (i & 0x3fff));
  });
  measure('load, L1 miss, L2 hit', count, () => {
    for (let i = 0; i < count; i++) cpu.load32(base + ((i * 32) & 0x3_ffff));
  });
  measure('load, L2 miss', count, () => {
    for (let i = 0; i < count; i++) cpu.load32(base + ((i * 32) & 0x1ff_ffff));
  });
  const pages = Uint32Array.from({ length: 4096 }, () => base + random.below(1 << 13) * 4096);
  measure('translation, micro-TLB miss', count / 4, () => {
    for (let i = 0; i < count / 4; i++) cpu.load32(pages[i & 4095] as number);
  });
  measure('translation, table walk', count / 64, () => {
    for (let i = 0; i < count / 64; i++) {
      cpu.tlbOp(TlbOp.All, 0, 0);
      cpu.load32(base);
    }
  });
  measure('clean and invalidate by address', count / 4, () => {
    for (let i = 0; i < count / 4; i++) cpu.cacheOp(CacheOp.CIVAC, base + ((i * 32) & 0x3fff));
  });
  const space = new AddressSpace('bench', MemoryRegion.container('bench', 2 ** 32));
  const observe = (word: number): void => {
    complex.deviceEvent(word);
  };
  const dma = new DmaPort({
    name: 'bench',
    memory: new UncachedMemory(ram, new IoBus(space), observe),
    windows: null,
    iommu: null,
    events: new EventQueue(),
    timing: 'earliest',
    trace: new Trace(),
  });
  const buffer = new Uint8Array(4096);
  const copies = 4000;
  measure('DMA copy, megabytes', (copies * 4096) / 1, () => {
    for (let i = 0; i < copies; i++) {
      dma.read(dmaAddr(base + (i & 255) * 4096), 4096, buffer);
      dma.write(dmaAddr(base + 0x10_0000 + (i & 255) * 4096), 4096, buffer);
    }
  });
  return rows;
};

/** `npm run bench -- cpu [--trace FILE]`. */
export const benchCpu = (file: string | null): void => {
  const what = file ?? `${REFERENCES.toLocaleString('en')} references each`;
  console.log(`CPU path: MMU on, 32 KiB 4-way L1, 512 KiB 8-way L2, 32-byte lines, LRU; ${what}`);
  printTable(
    [
      'trace',
      'L1 hits',
      'L1 misses',
      'sum of loads',
      'Mref/s',
      'of inlined loop',
      'of flat memory',
    ],
    traces(file),
  );
  if (file === null) printTable(['operation', 'million/s'], operations());
};
