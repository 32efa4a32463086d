import { readFileSync } from 'node:fs';
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
import { makeBenchMachine } from './bench-machine';
import { millionsPerSecond, printTable, ratio } from './measure';
import { EXPECTED, REFERENCES, fnv, makeTrace, pagesOf } from './traces';
import type { TraceName } from './traces';

/** Loads and stores of a trace through the whole path of a CPU. */
const throughCpu = (
  trace: Uint32Array,
  pages: readonly number[],
): { readonly rate: number; readonly misses: number; readonly sum: number } => {
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

/** One trace: dmabench, the inlined loop and the flat memory, one after the other. */
export const benchTrace = (
  name: string,
  trace: Uint32Array,
  expected: { readonly misses: number; readonly sum: number } | null,
): string[] => {
  const pages = pagesOf(trace);
  // Once unmeasured: the loops are compiled, and what they compute is checked.
  const warm = throughCpu(trace.subarray(0, 2_000_000), pages);
  const flat = flatMemory(pages);
  const inlined = inlinedLoop(pages);
  const ours = throughCpu(trace, pages);
  let inlinedResult = { sum: 0, misses: 0 };
  let flatResult = { sum: 0, misses: 0 };
  const inlinedRate = millionsPerSecond(trace.length, () => {
    inlinedResult = inlined(trace);
  });
  const flatRate = millionsPerSecond(trace.length, () => {
    flatResult = flat(trace);
  });
  if (ours.sum !== flatResult.sum || inlinedResult.sum !== flatResult.sum) {
    throw new Error(`${name}: sums differ: ${ours.sum}, ${inlinedResult.sum}, ${flatResult.sum}`);
  }
  if (ours.misses !== inlinedResult.misses || warm.misses > ours.misses) {
    throw new Error(`${name}: misses differ: ${ours.misses}, ${inlinedResult.misses}`);
  }
  if (expected !== null && (ours.misses !== expected.misses || ours.sum !== expected.sum)) {
    throw new Error(`${name}: ${ours.misses} misses and sum ${ours.sum} are not the known ones`);
  }
  return [
    name,
    ours.misses.toLocaleString('en'),
    ours.rate.toFixed(1),
    ratio(ours.rate, inlinedRate),
    ratio(ours.rate, flatRate),
  ];
};

const traces = (file: string | null): string[][] => {
  if (file !== null) {
    const bytes = readFileSync(file);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
    return [benchTrace(file, words, null)];
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
  printTable(['trace', 'L1 misses', 'Mref/s', 'of inlined loop', 'of flat memory'], traces(file));
  if (file === null) printTable(['operation', 'million/s'], operations());
};
