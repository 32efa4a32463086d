import test from 'ava';
import { EINVAL, ENXIO } from '../../drivers/base/kernel/errno';
import { GFP_ATOMIC, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import type { UserVma } from '../../drivers/base/kernel/user-vma';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { KIB, MIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import type { ArchDma, CoherentName } from '../../mm/arch-dma';
import type { SetAside } from '../../mm/dma-direct-alloc';
import { IommuAllocation } from '../../mm/dma-iommu-alloc';
import {
  DmaAttr,
  DmaDirection,
  dmaAllocAttrs,
  dmaAllocCoherent,
  dmaAllocNoncontiguous,
  dmaAllocPages,
  dmaFreeAttrs,
  dmaFreeCoherent,
  dmaFreeNoncontiguous,
  dmaFreePages,
  dmaGetSgtable,
  dmaMmapCoherent,
  dmaMmapNoncontiguous,
  dmaVmapNoncontiguous,
  dmaVunmapNoncontiguous,
} from '../../mm/dma-mapping-common';
import { PageAllocator, pfnToPage } from '../../mm/page-alloc';
import { boot } from '../support/booted';
import { FakeIommuBench } from '../support/fake-iommu';

const { services } = boot('versatile-pb').kernel;
const { Bidirectional, FromDevice } = DmaDirection;
/** Of RAM, all of it lowmem but for the last quarter. */
const PAGES = 4096;
const LOW = 3072;
const LINEAR = 0xc000_0000;
const VMALLOC = 0xe000_0000;
/** The memory of the atomic pool. */
const POOL = cpuAddr(0xf000_0000);
const POOL_PHYS = physAddr(0x7000_0000);
/** Where the architecture makes memory uncached. */
const BLOCK = 0x1000;

interface Options {
  readonly coherent?: boolean;
  readonly name?: CoherentName;
  readonly pageSizes?: number;
  readonly pages?: number;
}

const bench = ({ coherent = true, name = 'legacy-remap', ...iommu }: Options = {}) => {
  const made = new FakeIommuBench(services, iommu);
  const told: string[] = [];
  const pages = new PageAllocator(
    { ranges: [{ start: 16, end: PAGES }], dmaEnd: null, dma32End: null, lowEnd: LOW },
    { clearPage: () => undefined },
  );
  const mapped = new Map<CpuAddr, readonly Page[]>();
  const room = { vmap: true, block: true };
  const arch: ArchDma = {
    syncForDevice: () => undefined,
    syncForCpu: () => undefined,
    minAlign: 64,
    prepareCoherent: (at, size) => told.push(`flush ${size / PAGE_SIZE} at ${at / PAGE_SIZE}`),
    vmap: (list, memory) => {
      if (!room.vmap) return null;
      const at = cpuAddr(VMALLOC + mapped.size * MIB);
      mapped.set(at, list);
      told.push(`vmap ${list.length} ${memory}`);
      return at;
    },
    vunmap: address => {
      mapped.delete(address);
      told.push('vunmap');
    },
    coherent: {
      name,
      keepsAlias: name === 'legacy-remap',
      alloc: ({ size, memory }) => {
        if (!room.block) return { refused: 'none today' };
        told.push(`block ${size / PAGE_SIZE} ${memory}`);
        return {
          cpuAddr: cpuAddr(VMALLOC),
          phys: physAddr(BLOCK * PAGE_SIZE),
          page: null,
          size,
          memory,
        };
      },
      free: () => told.push('free block'),
    },
  };
  const linear = {
    virtToPhys: (at: CpuAddr) => (at < VMALLOC ? physAddr(at - LINEAR) : null),
    physToVirt: (at: number) => (at < LOW * PAGE_SIZE ? cpuAddr(at + LINEAR) : null),
  };
  const setAside: SetAside = {
    cma: null,
    globalPool: null,
    atomicPool: null,
  };
  const sources = { pages, linear, arch, dmaZoneLimit: null, setAside };
  const allocation = new IommuAllocation(made.dma, sources);
  const dev = made.device(0, { coherent }, { allocation });
  const table = made.tableOf(dev);
  const before = { free: pages.freePages, frames: made.freeFrames(dev) };
  const isClean = (): boolean =>
    table.entries.size === 0 &&
    pages.freePages === before.free &&
    made.freeFrames(dev) === before.frames &&
    mapped.size === 0;
  return { made, dev, table, pages, told, mapped, room, isClean, setAside };
};

/** Takes every other page, so that no two are neighbours. */
const fragment = (pages: PageAllocator): (() => void) => {
  const taken: Page[] = [];
  for (;;) {
    const page = pages.allocKernelPages({ highmem: true }, 0);
    if (page === null) break;
    taken.push(page);
  }
  const odd = taken.filter(page => page % 2 === 1);
  for (const page of taken) if (page % 2 === 0) pages.freePagesAt(page, 0);
  return () => {
    for (const page of odd) pages.freePagesAt(page, 0);
  };
};

test('rule 65: scattered pages are contiguous to the device and to the CPU', t => {
  const { dev, table, pages, told, mapped, isClean } = bench();
  const restore = fragment(pages);
  const memory = dmaAllocCoherent(dev, 5 * PAGE_SIZE - 1, GFP_KERNEL);
  t.truthy(memory);
  if (memory === null) return;
  const first = memory.dmaHandle / PAGE_SIZE;
  const frames = [0, 1, 2, 3, 4].map(n => table.entries.get(first + n)?.frame ?? -1);
  t.deepEqual(mapped.get(memory.cpuAddr), frames.map(pfnToPage));
  t.true(frames.every((frame, n) => frame % 2 === 0 && frame !== (frames[n - 1] ?? -2) + 1));
  t.deepEqual(told, ['vmap 5 cached']);
  dmaFreeCoherent(dev, 5 * PAGE_SIZE - 1, memory.cpuAddr, memory.dmaHandle);
  restore();
  t.true(isClean());
});

test('the largest pieces that the IOMMU can map come first', t => {
  const { dev, told, isClean } = bench({ coherent: false, pageSizes: PAGE_SIZE + 64 * KIB });
  const memory = dmaAllocCoherent(dev, 18 * PAGE_SIZE, GFP_KERNEL);
  const flushed = told.filter(each => each.startsWith('flush')).map(each => each.split(' ')[1]);
  t.deepEqual(flushed, ['16', '1', '1']);
  t.is(told.at(-1), 'vmap 18 dmacoherent');
  dmaFreeCoherent(dev, 18 * PAGE_SIZE, memory?.cpuAddr ?? null, memory?.dmaHandle ?? dmaAddr(0));
  t.true(isClean());
  const single = dmaAllocNoncontiguous(
    dev,
    16 * PAGE_SIZE,
    FromDevice,
    GFP_KERNEL,
    DmaAttr.AllocSinglePages,
  );
  t.is(told.filter(each => each.startsWith('flush 16')).length, 1, 'unless single pages will do');
  if (single !== null) dmaFreeNoncontiguous(dev, 16 * PAGE_SIZE, single, FromDevice);
  t.true(isClean());
});

test('rule 65: with FORCE_CONTIGUOUS, and for who cannot sleep, memory is in one piece', t => {
  for (const [gfp, attrs] of [
    [GFP_KERNEL, DmaAttr.ForceContiguous],
    [GFP_ATOMIC, DmaAttr.None],
  ] as const) {
    const { dev, table, told, isClean } = bench();
    const memory = dmaAllocAttrs(dev, 3 * PAGE_SIZE, gfp, attrs);
    if (memory === null) throw new Error('no memory');
    const first = memory.dmaHandle / PAGE_SIZE;
    const [one = 0, two, three] = [0, 1, 2].map(n => table.entries.get(first + n)?.frame);
    t.deepEqual([two, three], [one + 1, one + 2]);
    t.is(memory.cpuAddr, cpuAddr(LINEAR + one * PAGE_SIZE));
    t.deepEqual(told, []);
    dmaFreeAttrs(dev, 3 * PAGE_SIZE, memory.cpuAddr, memory.dmaHandle, attrs);
    t.true(isClean());
  }
});

test('where the architecture has its own way to make memory uncached, that is taken', t => {
  const { dev, table, told, room, isClean } = bench({ coherent: false, name: 'cma-remap' });
  const memory = dmaAllocAttrs(dev, PAGE_SIZE, GFP_KERNEL, DmaAttr.WriteCombine);
  t.is(table.entries.get((memory?.dmaHandle ?? 0) / PAGE_SIZE)?.frame, BLOCK);
  t.deepEqual(told, ['block 1 writecombine']);
  dmaFreeAttrs(dev, PAGE_SIZE, memory?.cpuAddr ?? null, memory?.dmaHandle ?? dmaAddr(0), 4);
  t.is(told.at(-1), 'free block');
  t.true(isClean());
  room.block = false;
  const said = services.log.lines.length;
  t.is(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL), null);
  t.is(services.log.lines.length, said + 1);
  t.is(dmaAllocAttrs(dev, PAGE_SIZE, GFP_KERNEL, DmaAttr.NoWarn), null);
  t.is(services.log.lines.length, said + 1, 'rule 67');
});

test('rule 63: without a kernel mapping no address space is used', t => {
  const { dev, table, mapped, told, isClean } = bench({ coherent: false });
  const attrs = DmaAttr.NoKernelMapping;
  const memory = dmaAllocAttrs(dev, 2 * PAGE_SIZE, GFP_KERNEL, attrs);
  if (memory === null) throw new Error('no memory');
  t.is(mapped.size, 0);
  t.is(told.filter(each => each.startsWith('vmap')).length, 0);
  t.true(memory.cpuAddr < LINEAR, 'a cookie');
  t.is(table.entries.size, 2);
  dmaFreeAttrs(dev, 2 * PAGE_SIZE, memory.cpuAddr, memory.dmaHandle, attrs);
  t.true(isClean());
});

for (const [what, options, breakIt] of [
  ['a table', {}, made => (made.table.mapsLeft = 0)],
  ['address space', {}, made => (made.room.vmap = false)],
  ['addresses of the device', { pages: 8 }, () => undefined],
] as readonly [string, Options, (made: ReturnType<typeof bench>) => unknown][]) {
  test(`without ${what} there is no memory, and nothing is kept`, t => {
    const made = bench(options);
    const { dev } = made;
    breakIt(made);
    const size = 8 * PAGE_SIZE;
    t.is(dmaAllocCoherent(dev, size, GFP_KERNEL), null);
    t.true(made.isClean());
    if (what === 'address space') return;
    t.is(dmaAllocPages(dev, size, FromDevice, GFP_KERNEL), null);
    t.is(dmaAllocNoncontiguous(dev, size, FromDevice, GFP_KERNEL, 0), null);
    t.is(dmaAllocAttrs(dev, size, GFP_KERNEL, DmaAttr.ForceContiguous), null);
    t.true(made.isClean());
  });
}

test('without enough pages, or none in one piece, what was taken goes back', t => {
  const { dev, pages } = bench({ pages: 2 * PAGES });
  const restore = fragment(pages);
  const free = pages.freePages;
  t.is(dmaAllocAttrs(dev, 2 * PAGE_SIZE, GFP_KERNEL, DmaAttr.ForceContiguous), null);
  t.is(dmaAllocCoherent(dev, PAGES * PAGE_SIZE, GFP_KERNEL), null);
  t.is(pages.freePages, free);
  restore();
});

test('rule 57: pages are mapped for their direction, cached', t => {
  const { dev, table, told, isClean } = bench({ coherent: false });
  const got = dmaAllocPages(dev, 2 * PAGE_SIZE, FromDevice, GFP_KERNEL);
  if (got === null) throw new Error('no pages');
  t.true(table.permits(got.dmaHandle, 2 * PAGE_SIZE, true));
  t.false(table.permits(got.dmaHandle, 1, false));
  t.is(table.entries.get(got.dmaHandle / PAGE_SIZE)?.frame, got.page);
  t.false(told.some(each => each.startsWith('vmap')));
  dmaFreePages(dev, 2 * PAGE_SIZE, got.page, got.dmaHandle, FromDevice);
  t.true(isClean());
});

/** A range of user mode that notes what it is given. */
const userArea = (size: number, pgoff = 0): UserVma & { readonly got: string[] } => {
  const got: string[] = [];
  return {
    start: 0x1_0000,
    size,
    pgoff,
    got,
    insertPage: (address, page, memory) => {
      got.push(`${(address - 0x1_0000) / PAGE_SIZE}: ${page} ${memory}`);
      return 0;
    },
  };
};

test('rules 59, 61: noncontiguous memory is one segment, can be mapped for kernel and user', t => {
  const { dev, table, pages, mapped, isClean } = bench();
  const restore = fragment(pages);
  const size = 3 * PAGE_SIZE;
  const sgt = dmaAllocNoncontiguous(dev, size, Bidirectional, GFP_KERNEL, 0);
  if (sgt === null) throw new Error('no memory');
  const [first] = sgt.sgl;
  t.deepEqual([sgt.nents, sgt.origNents, first?.dmaLength], [1, 3, size]);
  const frames = sgt.sgl.map(({ page }) => page);
  const base = (first?.dmaAddress ?? 0) / PAGE_SIZE;
  t.deepEqual(
    frames.map((_, n) => table.entries.get(base + n)?.frame),
    frames.map(Number),
  );
  const address = dmaVmapNoncontiguous(dev, size, sgt);
  t.deepEqual(mapped.get(address ?? cpuAddr(0)), frames);
  if (address !== null) dmaVunmapNoncontiguous(dev, address);
  const area = userArea(2 * PAGE_SIZE, 1);
  t.is(dmaMmapNoncontiguous(dev, area, size, sgt), 0);
  t.deepEqual(area.got, [`0: ${frames[1]} cached`, `1: ${frames[2]} cached`]);
  t.is(dmaMmapNoncontiguous(dev, userArea(3 * PAGE_SIZE, 1), size, sgt), -ENXIO);
  dmaFreeNoncontiguous(dev, size, sgt, Bidirectional);
  restore();
  t.true(isClean());
});

test('coherent memory is mapped to user mode, and exported, page by page', t => {
  const { dev, pages } = bench({ coherent: false });
  fragment(pages);
  const size = 2 * PAGE_SIZE;
  const memory = dmaAllocCoherent(dev, size, GFP_KERNEL);
  if (memory === null) throw new Error('no memory');
  const table = dmaGetSgtable(dev, memory.cpuAddr, memory.dmaHandle, size);
  if (typeof table === 'number') throw new Error(`${table}`);
  const frames = table.sgl.map(({ page }) => page);
  t.is(frames.length, 2);
  const area = userArea(size);
  t.is(dmaMmapCoherent(dev, area, memory.cpuAddr, memory.dmaHandle, size), 0);
  t.deepEqual(
    area.got,
    frames.map((page, n) => `${n}: ${page} dmacoherent`),
  );
  t.is(dmaGetSgtable(dev, cpuAddr(4), memory.dmaHandle, size), -EINVAL);
});

test('who cannot sleep has memory of the atomic pool for a device that does not snoop', t => {
  const { dev, table, told, setAside, isClean } = bench({ coherent: false });
  let left = 1;
  setAside.atomicPool = {
    alloc: size => (size <= left * PAGE_SIZE ? { cpuAddr: POOL, phys: POOL_PHYS } : null),
    free: (address, size) => {
      told.push(`pool ${size / PAGE_SIZE}`);
      return address === POOL;
    },
    contains: address => address === POOL,
  };
  const memory = dmaAllocCoherent(dev, 64, GFP_ATOMIC);
  t.is(memory?.cpuAddr, POOL);
  const frame = table.entries.get((memory?.dmaHandle ?? 0) / PAGE_SIZE)?.frame;
  t.is(frame, POOL_PHYS / PAGE_SIZE);
  dmaFreeCoherent(dev, 64, POOL, memory?.dmaHandle ?? dmaAddr(0));
  t.deepEqual(told, ['pool 1']);
  left = 0;
  t.is(dmaAllocCoherent(dev, 64, GFP_ATOMIC), null);
  t.true(isClean());
});

test('memory in one piece is of contiguous areas first, where it may be without an address', t => {
  const { dev, told, mapped, setAside, isClean } = bench();
  const high = pfnToPage(LOW + 64);
  setAside.cma = {
    name: 'area',
    alloc: count => (count === 2 ? high : null),
    release: (page, count) => page === high && told.push(`release ${count}`) > 0,
  };
  const attrs = DmaAttr.ForceContiguous;
  const memory = dmaAllocAttrs(dev, 2 * PAGE_SIZE, GFP_KERNEL, attrs);
  t.deepEqual(mapped.get(memory?.cpuAddr ?? cpuAddr(0)), [high, pfnToPage(high + 1)]);
  dmaFreeAttrs(
    dev,
    2 * PAGE_SIZE,
    memory?.cpuAddr ?? cpuAddr(0),
    memory?.dmaHandle ?? dmaAddr(0),
    attrs,
  );
  t.deepEqual(told, ['vmap 2 cached', 'vunmap', 'release 2']);
  const other = dmaAllocAttrs(dev, 3 * PAGE_SIZE, GFP_KERNEL, attrs);
  t.true((other?.cpuAddr ?? 0) < VMALLOC, 'the area has none: of the allocator, linear');
  dmaFreeAttrs(
    dev,
    3 * PAGE_SIZE,
    other?.cpuAddr ?? cpuAddr(0),
    other?.dmaHandle ?? dmaAddr(0),
    attrs,
  );
  t.true(isClean());
});

test('a free with a wrong handle, and of what was not allocated, are warned of', t => {
  const { dev, table } = bench();
  const memory = dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL);
  const before = services.log.lines.length;
  dmaFreeCoherent(dev, PAGE_SIZE, memory?.cpuAddr ?? cpuAddr(0), dmaAddr(0x3000));
  t.is(table.entries.size, 1, 'it is still mapped, as in Linux');
  dmaFreeCoherent(dev, PAGE_SIZE, memory?.cpuAddr ?? cpuAddr(0), dmaAddr(0x3000));
  t.deepEqual(
    services.log.lines.slice(before).map(({ text }) => text),
    [
      'platform dev: WARNING: unmap of 0x0 of 0x1000 bytes at 0x3000, which is no mapping',
      `platform dev: WARNING: free of 0x${VMALLOC.toString(16)}, which was not allocated`,
    ],
  );
});
