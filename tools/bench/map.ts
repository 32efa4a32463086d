import type { Device } from '../../drivers/base/kernel/device';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import type { Machine } from '../../machines/machine';
import {
  DmaDirection,
  dmaBitMask,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMask,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { memset } from '../../mm/string';
import { pageToPhys } from '../../mm/page-alloc';
import { getOrder } from '../../mm/zone';
import { Average } from './average';

/** What to measure: the parameters of the kernel's dma_map_benchmark, and how often. */
export interface MapParameters {
  readonly threads: number;
  /** Of each thread. */
  readonly iterations: number;
  readonly dir: Exclude<DmaDirection, typeof DmaDirection.None>;
  readonly dmaBits: number;
  /** How long a transfer takes, in ns. */
  readonly dmaTransNs: number;
  /** Pages of a mapping. */
  readonly granule: number;
}

/** What a call makes the CPU do, all calls together. */
export interface MapCounts {
  /** Maintenance of lines, inside the cores and in the cache outside them. */
  readonly innerLines: number;
  readonly outerLines: number;
  readonly tableWrites: number;
  readonly tlbInvalidations: number;
  /** Loads, stores and barriers; copies to and from bounce buffers are made of them. */
  readonly accesses: number;
}

/** One of the two calls. */
export interface MeasuredCall {
  readonly counts: MapCounts;
  /** Simulated ns, all calls together. */
  readonly simulated: number;
  /** Of this computer, in ms for each call: it says how fast dmabench is, not the board. */
  readonly host: Average;
}

/** What was measured of a device, or why nothing was. */
export interface MapResult {
  readonly device: string;
  readonly failed: string | null;
  readonly calls: number;
  readonly map: MeasuredCall;
  readonly unmap: MeasuredCall;
}

/** What the buffers of threads are filled with: it makes the lines dirty. */
const FILL = 0x66;

const NOTHING: MapCounts = {
  innerLines: 0,
  outerLines: 0,
  tableWrites: 0,
  tlbInvalidations: 0,
  accesses: 0,
};

/** Sums up what calls do and take. */
class Meter implements MeasuredCall {
  readonly host = new Average();
  counts = NOTHING;
  simulated = 0;
  readonly #machine: Machine;
  readonly #now: () => number;

  constructor(machine: Machine, now: () => number) {
    this.#machine = machine;
    this.#now = now;
  }

  measure<Value>(call: () => Value): Value {
    const { events } = this.#machine.hardware;
    const before = this.#counts();
    const simulated = events.now;
    const started = this.#now();
    const value = call();
    this.host.add(this.#now() - started);
    this.simulated += events.now - simulated;
    const after = this.#counts();
    const sum = (key: keyof MapCounts): number => this.counts[key] + after[key] - before[key];
    this.counts = {
      innerLines: sum('innerLines'),
      outerLines: sum('outerLines'),
      tableWrites: sum('tableWrites'),
      tlbInvalidations: sum('tlbInvalidations'),
      accesses: sum('accesses'),
    };
    return value;
  }

  #counts(): MapCounts {
    const { mm } = this.#machine.kernel;
    const { cacheOps, tlbOps } = mm.cpu;
    return {
      innerLines: cacheOps,
      outerLines: mm.outer.lines,
      tableWrites: mm.tables.writes,
      tlbInvalidations: tlbOps,
      accesses: this.#machine.hardware.complex.pulse.now - cacheOps - tlbOps,
    };
  }
}

/**
 * dma_map_benchmark (kernel/dma/map_benchmark.c): each thread fills its buffer, unless only the
 * device writes it, maps it, waits as long as a transfer takes, and unmaps it. Threads take turns,
 * on the machine's CPUs. `now` is the host's clock, in ms.
 */
export const benchMap = (
  machine: Machine,
  dev: Device,
  parameters: MapParameters,
  now: () => number,
): MapResult => {
  const { threads, iterations, dmaBits, granule } = parameters;
  const { kernel } = machine;
  const map = new Meter(machine, now);
  const unmap = new Meter(machine, now);
  const order = getOrder(granule * PAGE_SIZE);
  const pages = Array.from({ length: threads }, () =>
    kernel.mm.pages.allocPages(GFP_KERNEL, order),
  );
  const buffers = pages.map(page =>
    page === null ? null : kernel.mm.layout.physToVirt(pageToPhys(page)),
  );
  const run = (): string | null => {
    if (dmaSetMask(dev, dmaBitMask(dmaBits)) !== 0) return 'Failed to set DMA mask';
    for (let i = 0; i < iterations; i++) {
      for (const [thread, buffer] of buffers.entries()) {
        if (buffer === null) return 'out of memory';
        const once = (): boolean => mapOnce(machine, dev, parameters, buffer, { map, unmap });
        if (!kernel.cpu.on(thread % kernel.cpu.online, once)) {
          return `dma_map_single failed on ${dev.name}`;
        }
      }
    }
    return null;
  };
  const failed = run();
  for (const page of pages) if (page !== null) kernel.mm.pages.freePagesAt(page, order);
  return { device: dev.name, failed, calls: unmap.host.count, map, unmap };
};

/** False if the buffer cannot be mapped. */
const mapOnce = (
  { kernel }: Machine,
  dev: Device,
  { dir, granule, dmaTransNs }: MapParameters,
  buffer: Parameters<typeof dmaMapSingle>[1],
  { map, unmap }: { readonly map: Meter; readonly unmap: Meter },
): boolean => {
  const size = granule * PAGE_SIZE;
  if (dir !== DmaDirection.FromDevice) memset(kernel.io.relaxed, buffer, FILL, size);
  const address = map.measure(() => dmaMapSingle(dev, buffer, size, dir));
  if (dmaMappingError(dev, address) !== 0) return false;
  if (dmaTransNs > 0) kernel.cpu.relax(dmaTransNs);
  unmap.measure(() => {
    dmaUnmapSingle(dev, address, size, dir);
  });
  return true;
};
