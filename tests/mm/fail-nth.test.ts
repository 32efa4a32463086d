import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { COHERENT_KINDS } from '../../arch/arm/mm/coherent';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { Device } from '../../drivers/base/kernel/device';
import { EIO, ENOMEM } from '../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { MIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import { Random } from '../../drivers/base/types/random';
import { loadBoard } from '../../machines/boards';
import { bootMachine } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import { planMachine } from '../../machines/plan';
import type { PlanOptions } from '../../machines/plan';
import {
  DmaIovaState,
  dmaIovaDestroy,
  dmaIovaLink,
  dmaIovaSync,
  dmaIovaTryAlloc,
} from '../../mm/dma-iova';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaAllocAttrs,
  dmaAllocNoncontiguous,
  dmaAllocPages,
  dmaBitMask,
  dmaFreeAttrs,
  dmaFreeNoncontiguous,
  dmaFreePages,
  dmaMapPage,
  dmaMapSgtable,
  dmaMmapAttrs,
  dmaSetMaskAndCoherent,
  dmaUnmapPage,
  dmaUnmapSgtable,
  dmaVmapNoncontiguous,
  dmaVunmapNoncontiguous,
} from '../../mm/dma-mapping-common';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { pageToPhys } from '../../mm/page-alloc';
import { SLOT_SIZE } from '../../mm/swiotlb-slots';
import { SgEntry, SgTable } from '../../mm/scatterlist';
import { BOARD_FOLDER } from '../support/board-folder';
import { boot, planOf } from '../support/booted';

/*
 * The n-th allocation of memory, of a slot to bounce through or of addresses of an IOMMU fails, for
 * every n, in every path: the error is the documented one, and nothing stays allocated, mapped or
 * reserved.
 */

const { Bidirectional } = DmaDirection;
const SIZE = 5 * PAGE_SIZE;
const USER = 0x40_0000;
/** More than any path allocates. */
const MOST = 60;

interface Given {
  readonly machine: Machine;
  readonly dev: Device;
  /** Pages no two of which are neighbours. */
  readonly scattered: readonly Page[];
}

/** Does something, and answers how to undo it; null: it failed as its documentation says. */
type Path = (given: Given) => (() => void) | null;

const alloc =
  (attrs: number): Path =>
  ({ dev }) => {
    const memory = dmaAllocAttrs(dev, SIZE, GFP_KERNEL, attrs);
    if (memory === null) return null;
    return () => {
      dmaFreeAttrs(dev, SIZE, memory.cpuAddr, memory.dmaHandle, attrs);
    };
  };

const withoutFailures = <Value>({ kernel }: Machine, body: () => Value): Value => {
  const { pages } = kernel.mm;
  const { failNth } = pages;
  pages.failNth = null;
  const value = body();
  pages.failNth = failNth;
  return value;
};

/** Lets something fail, the n-th time from when it was asked to. */
interface Failures {
  begin(n: number): void;
  /** True if the failure that was asked for is still to come; it is not wanted any more. */
  end(): boolean;
}

const failuresOfPages = ({ kernel }: Machine): Failures => {
  const { pages } = kernel.mm;
  return {
    begin: n => {
      pages.failNth = n;
    },
    end: () => {
      const isPending = pages.failNth !== null;
      pages.failNth = null;
      return isPending;
    },
  };
};

/** Of methods, and what they answer then. */
const failuresOf = (
  target: object,
  names: readonly string[],
  answer: number | null = null,
): Failures => {
  let left = 0;
  for (const name of names) {
    const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
    Reflect.set(target, name, (...args: unknown[]): unknown => {
      if (left > 0 && --left === 0) return answer;
      return Reflect.apply(method, target, args);
    });
  }
  return {
    begin: n => {
      left = n;
    },
    end: () => {
      const isPending = left > 0;
      left = 0;
      return isPending;
    },
  };
};

const PATHS: Readonly<Record<string, Path>> = {
  'coherent memory': alloc(DmaAttr.NoWarn),
  'write-combined memory': alloc(DmaAttr.NoWarn + DmaAttr.WriteCombine),
  'memory without a mapping': alloc(DmaAttr.NoWarn + DmaAttr.NoKernelMapping),
  'contiguous memory': alloc(DmaAttr.NoWarn + DmaAttr.ForceContiguous),
  pages: ({ dev }) => {
    const pages = dmaAllocPages(dev, SIZE, Bidirectional, GFP_KERNEL);
    if (pages === null) return null;
    return () => {
      dmaFreePages(dev, SIZE, pages.page, pages.dmaHandle, Bidirectional);
    };
  },
  'noncontiguous memory, mapped': ({ dev }) => {
    const table = dmaAllocNoncontiguous(dev, SIZE, Bidirectional, GFP_KERNEL, 0);
    if (table === null) return null;
    const address = dmaVmapNoncontiguous(dev, SIZE, table);
    const free = (): void => {
      if (address !== null) dmaVunmapNoncontiguous(dev, address);
      dmaFreeNoncontiguous(dev, SIZE, table, Bidirectional);
    };
    if (address !== null) return free;
    free();
    return null;
  },
  'a page': ({ dev, scattered: [page] }) => {
    if (page === undefined) return null;
    const address = dmaMapPage(dev, page, 0, PAGE_SIZE, Bidirectional);
    if (address === DMA_MAPPING_ERROR) return null;
    return () => {
      dmaUnmapPage(dev, address, PAGE_SIZE, Bidirectional);
    };
  },
  'a part of a page': ({ dev, scattered: [page] }) => {
    if (page === undefined) return null;
    const address = dmaMapPage(dev, page, 512, 1024, Bidirectional, DmaAttr.NoWarn);
    if (address === DMA_MAPPING_ERROR) return null;
    return () => {
      dmaUnmapPage(dev, address, 1024, Bidirectional);
    };
  },
  'a list': ({ dev, scattered }) => {
    const table = new SgTable(scattered.map(page => new SgEntry(page, 0, PAGE_SIZE)));
    const result = dmaMapSgtable(dev, table, Bidirectional);
    if (result !== 0) {
      if (result !== -ENOMEM && result !== -EIO) throw new Error(`${result}`);
      return null;
    }
    return () => {
      dmaUnmapSgtable(dev, table, Bidirectional);
    };
  },
  'memory that is linked to addresses': ({ dev, scattered }) => {
    const state = new DmaIovaState();
    const size = scattered.length * PAGE_SIZE;
    const [first] = scattered;
    if (first === undefined || !dmaIovaTryAlloc(dev, state, pageToPhys(first), size)) return null;
    let linked = 0;
    const undo = (): void => {
      dmaIovaDestroy(dev, state, linked, Bidirectional);
    };
    for (const page of scattered) {
      const physical = pageToPhys(page);
      const result = dmaIovaLink(dev, state, physical, linked, PAGE_SIZE, Bidirectional);
      if (result !== 0) {
        undo();
        if (result !== -ENOMEM) throw new Error(`${result}`);
        return null;
      }
      linked += PAGE_SIZE;
    }
    if (dmaIovaSync(dev, state, 0, size) !== 0) throw new Error('sync');
    return undo;
  },
  'user mode': ({ machine, dev }) => {
    const { users } = machine.kernel;
    const memory = dmaAllocAttrs(dev, SIZE, GFP_KERNEL, DmaAttr.NoWarn);
    if (memory === null) return null;
    // A process that is there already: its first table is none of the DMA layer's.
    const space = withoutFailures(machine, () => users.create());
    const { cpuAddr, dmaHandle } = memory;
    const vma = users.vma(space, USER, SIZE);
    const result = dmaMmapAttrs(dev, vma, cpuAddr, dmaHandle, SIZE, DmaAttr.NoWarn);
    const undo = (): void => {
      for (const at of [...space.pages.keys()]) users.unmapPage(space, at);
      users.destroy(space);
      dmaFreeAttrs(dev, SIZE, cpuAddr, dmaHandle, DmaAttr.NoWarn);
    };
    if (result === 0) return undo;
    undo();
    if (result !== -ENOMEM) throw new Error(`${result}`);
    return null;
  },
};

const scatteredPages = ({ kernel }: Machine): readonly Page[] => {
  const { pages } = kernel.mm;
  const taken = Array.from({ length: 16 }, () => pages.allocPages(GFP_KERNEL, 0));
  return taken.filter((page, i): page is Page => page !== null && i % 2 === 0);
};

/**
 * What a leak would change. Tables of the kernel's own addresses stay, and those of IOMMUs, and what
 * a pool has come to.
 */
const inUse = ({ kernel }: Machine, dev: Device): readonly number[] => {
  const domain = kernel.iommus.dmaDomain(dev);
  return [
    kernel.usedPages - kernel.poolPages,
    kernel.mm.vmalloc?.areas.length ?? 0,
    kernel.swiotlb?.pool.used ?? 0,
    // What a lazy domain has not invalidated yet keeps its addresses.
    domain?.queue === null ? domain.iova.live : 0,
  ];
};

/** What one table maps, in every format of the kernel's tables. */
const TABLE_SPAN = 2 * MIB;

/** The next mapping needs a table: what lies before it in the kernel's addresses is taken. */
const takeAddressesWithTables = ({ kernel }: Machine): void => {
  const { vmalloc } = kernel.mm;
  if (vmalloc === null) return;
  const tableOf = (address: number): number => Math.floor(address / TABLE_SPAN);
  const last = Math.max(0, ...vmalloc.areas.map(({ start, size }) => tableOf(start + size)));
  for (;;) {
    const area = vmalloc.reserve(SIZE, 'taken');
    if (area === null) return;
    if (tableOf(area.start) <= last) continue;
    vmalloc.release(area.start);
    return;
  }
};

/** How often the path failed of so many allocations that it made; and what it left behind. */
const failEach = (
  given: Given,
  path: Path,
  failures: Failures,
): { readonly failed: number; readonly left: string[] } => {
  const { machine, dev } = given;
  takeAddressesWithTables(machine);
  const before = inUse(machine, dev).join(' ');
  const left: string[] = [];
  let failed = 0;
  for (let n = 1; n <= MOST; n++) {
    failures.begin(n);
    const undo = path(given);
    const isOver = failures.end();
    undo?.();
    const after = inUse(machine, dev).join(' ');
    if (after !== before) left.push(`${n}: ${before} is ${after}`);
    if (isOver) return { failed, left };
    if (undo === null) failed++;
  }
  return { failed, left: [...left, 'no end'] };
};

/** How often something has failed, in all paths; nothing is ever left. */
const failAll = (t: ExecutionContext, given: Given, failures: Failures): number => {
  let failed = 0;
  for (const [name, path] of Object.entries(PATHS)) {
    const found = failEach(given, path, failures);
    t.deepEqual(found.left, [], name);
    failed += found.failed;
  }
  return failed;
};

/** Masters that snoop and that do not; on `mixed` and `iommus` behind IOMMUs of every kind, too. */
for (const board of ['juno', 'mixed', 'iommus']) {
  const machine = boot(board);
  const scattered = scatteredPages(machine);
  const ofPages = failuresOfPages(machine);
  for (const {
    device: { dev },
  } of machine.masters) {
    const way = dev.dma.coherent ? 'snooping' : 'not snooping';
    test(`${board}, ${dev.name}, ${way}: whichever allocation fails, nothing is left`, t => {
      if (dev.dma.rangeMap === null) dmaSetMaskAndCoherent(dev, dmaBitMask(32));
      const given = { machine, dev, scattered };
      t.true(failAll(t, given, ofPages) > 0);
      const domain = machine.kernel.iommus.dmaDomain(dev);
      if (domain === null) return;
      const ofAddresses = failuresOf(domain.iova, ['allocFast', 'allocBelow4GiBFirst']);
      t.true(failAll(t, given, ofAddresses) > 0);
      const ofMappings = failuresOf(domain.ops, ['map'], -ENOMEM);
      t.true(failAll(t, given, ofMappings) > 0);
      // Nobody trusts it: what does not fill a page goes through a slot, which is mapped.
      const { isUntrusted } = dev.dma;
      Object.assign(dev.dma, { isUntrusted: true });
      const { swiotlb } = machine.kernel;
      const undo = PATHS['a part of a page']?.(given);
      if (swiotlb !== null) t.is(swiotlb.pool.used, PAGE_SIZE / SLOT_SIZE);
      undo?.();
      t.true(failAll(t, given, ofMappings) > 0);
      Object.assign(dev.dma, { isUntrusted });
    });
  }
}

const bootWith = (board: string, options: Partial<PlanOptions>): Machine =>
  bootMachine(
    planMachine(loadBoard(board, BOARD_FOLDER), { memory: null, quirks: [], ...options }),
    {
      adversary: new LruAdversary(),
      random: new Random(1),
      timing: 'latest',
      streaming: ALL_STEPS,
    },
  );

for (const [board, bounce] of [
  ['imx8mm', 'swiotlb'],
  ['versatile-pb', 'dmabounce'],
] as const) {
  test(`${bounce} on ${board}: whichever allocation or slot fails, nothing is left`, t => {
    const machine = bootWith(board, { bounce, memory: 128 * MIB });
    const [master] = machine.masters;
    if (master === undefined) throw new Error('no master');
    const { dev } = master.device;
    Object.assign(dev.dma, { forcesBounce: true });
    const given = { machine, dev, scattered: scatteredPages(machine) };
    t.true(failAll(t, given, failuresOfPages(machine)) > 0);
    const pool = machine.kernel.swiotlb?.pool;
    if (pool === undefined) return;
    // A page, a part of one, and each page of a list.
    t.is(failAll(t, given, failuresOf(pool, ['take'])), 2 + given.scattered.length);
  });
}

for (const { name } of COHERENT_KINDS) {
  test(`${name}: whichever allocation fails, nothing is left`, t => {
    const plan = { ...planOf('pandaboard'), coherent: name };
    const adversary = new LruAdversary();
    const random = new Random(1);
    const options = { adversary, random, timing: 'latest', streaming: ALL_STEPS } as const;
    const machine = bootMachine(plan, options);
    const dev = machine.masters[0]?.device.dev;
    if (dev === undefined) throw new Error('no master');
    const given = { machine, dev, scattered: [] };
    for (const path of ['coherent memory', 'write-combined memory', 'user mode'] as const) {
      const found = failEach(given, PATHS[path] ?? (() => null), failuresOfPages(machine));
      t.deepEqual(found.left, [], path);
    }
  });
}
