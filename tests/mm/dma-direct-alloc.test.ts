import test from 'ava';
import fc from 'fast-check';
import type { DeviceDma, LinearMap } from '../../drivers/base/kernel/device';
import { gatedDma } from '../../drivers/base/kernel/call-gate';
import type { UserVma } from '../../drivers/base/kernel/user-vma';
import type { DmaMemory } from '../../drivers/base/kernel/dma-map-ops';
import type { AtomicPool, CmaPool, DevicePool } from '../../drivers/base/kernel/dma-pools';
import { GFP_ATOMIC, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import type { ArchDma, CoherentBlock, CoherentRequest } from '../../mm/arch-dma';
import { directTranslation } from '../../mm/dma-direct';
import { DirectAllocation } from '../../mm/dma-direct-alloc';
import type { SetAside } from '../../mm/dma-direct-alloc';
import {
  DmaAttr,
  dmaAllocAttrs,
  dmaAllocCoherent,
  dmaAllocWc,
  dmaBitMask,
  dmaFreeAttrs,
  dmaFreeCoherent,
  dmaMmapCoherent,
  dmaMmapWc,
} from '../../mm/dma-mapping-common';
import { composeDmaOps } from '../../mm/dma-ops';
import { PageAllocator, pageToPhys, pfnToPage, physToPage } from '../../mm/page-alloc';
import { boot } from '../support/booted';
import { dmaDevice } from '../support/dma-device';
import { RecordingObserver } from './recording-observer';

const { services } = boot('versatile-pb').kernel;
/** 64 MiB of RAM at 0, lowmem but for the last 16; ZONE_DMA is the first 16. */
const RAM = 64 * MIB;
const LOW = 48 * MIB;
const ZONE_DMA = 16 * MIB;
const LINEAR = 0xc000_0000;
const VMALLOC = 0xe000_0000;

/** Where memory came from, by what is told: `page 0x4000 2`, `coherent …`, `cma …`. */
class Sources {
  readonly told: string[] = [];
  readonly setAside: SetAside = { cma: null, globalPool: null, atomicPool: null };
  readonly requests: CoherentRequest[] = [];
  /** What the architecture gives next; taken in turn, then nothing. */
  blocks: CoherentBlock[] = [];
  readonly cleared: number[] = [];
  readonly pages = new PageAllocator(
    {
      ranges: [{ start: 0x10, end: RAM / PAGE_SIZE }],
      dmaEnd: ZONE_DMA / PAGE_SIZE,
      dma32End: null,
      lowEnd: LOW / PAGE_SIZE,
    },
    { clearPage: page => this.cleared.push(page) },
  );
  readonly linear: LinearMap = {
    virtToPhys: address =>
      address >= LINEAR && address < LINEAR + LOW ? physAddr(address - LINEAR) : null,
    physToVirt: address => (address < LOW ? cpuAddr(address + LINEAR) : null),
  };
  readonly arch: ArchDma = {
    syncForDevice: () => undefined,
    syncForCpu: () => undefined,
    minAlign: 64,
    coherent: {
      name: 'carveout',
      keepsAlias: false,
      alloc: request => {
        this.requests.push(request);
        return this.blocks.shift() ?? this.fromSource(request);
      },
      free: ({ phys, page, source }) => {
        this.told.push(`block ${phys} back`);
        if (page !== null) source?.release(page);
      },
    },
    prepareCoherent: (address, size) => this.told.push(`flushed ${address} ${size}`),
    vmap: pages => {
      this.told.push(`vmap ${pages.length}`);
      return this.hasAddresses ? cpuAddr(VMALLOC) : null;
    },
    vunmap: address => this.told.push(`vunmap ${address}`),
  };
  hasAddresses = true;
  readonly allocation = new DirectAllocation({
    pages: this.pages,
    linear: this.linear,
    arch: this.arch,
    dmaZoneLimit: ZONE_DMA - 1,
    setAside: this.setAside,
  });

  device(dma: Partial<DeviceDma>) {
    const translation = directTranslation({ maxAddress: RAM, dmaZoneLimit: ZONE_DMA - 1 });
    const { allocation } = this;
    const ops = composeDmaOps({ translation, cache: this.arch, bounce: null, allocation });
    return dmaDevice(services, { ops, ...dma });
  }

  /** As an architecture that changes the mapping of any page. */
  fromSource({ source, size, memory }: CoherentRequest): ReturnType<ArchDma['coherent']['alloc']> {
    const page = source?.take(false) ?? null;
    if (page === null || source === undefined) return { refused: 'nothing left' };
    const phys = pageToPhys(page);
    return { cpuAddr: cpuAddr(VMALLOC + phys), phys, page, size, memory, source };
  }

  take(): string[] {
    return this.told.splice(0);
  }
}

const block = (phys: number, size = PAGE_SIZE): CoherentBlock => ({
  cpuAddr: cpuAddr(VMALLOC + phys),
  phys: physAddr(phys),
  page: physToPage(physAddr(phys)),
  size,
  memory: 'dmacoherent',
});

const must = (memory: DmaMemory | null): DmaMemory => {
  if (memory === null) throw new Error('no memory');
  return memory;
};

/** A pool at one physical address, whose memory is never exhausted. */
const poolAt = (phys: number, told: string[]): DevicePool & AtomicPool => ({
  name: 'pool',
  alloc: size => {
    told.push(`pool ${size}`);
    return { cpuAddr: cpuAddr(VMALLOC + phys), phys: physAddr(phys) };
  },
  release: (address, size) => {
    if (address !== VMALLOC + phys) return false;
    told.push(`pool takes ${size}`);
    return true;
  },
  free: (address, size) => {
    if (address !== VMALLOC + phys) return false;
    told.push(`pool takes ${size}`);
    return true;
  },
  contains: address => address === VMALLOC + phys,
  mmap: (_vma, address) => (address === VMALLOC + phys ? 77 : null),
});

const cmaAt = (first: number, told: string[]): CmaPool => ({
  name: 'cma',
  alloc: (count, order, noWarn) => {
    told.push(`cma ${count} ${order}${noWarn ? ' quietly' : ''}`);
    return pfnToPage(first);
  },
  release: (page, count) => {
    if (page !== first) return false;
    told.push(`cma takes ${count}`);
    return true;
  },
});

test('a device with a pool of its own gets its memory there and nowhere else', t => {
  const sources = new Sources();
  const dev = sources.device({ pool: poolAt(0x5000, sources.told) });
  const { cpuAddr: at, dmaHandle } = must(dmaAllocCoherent(dev, 100, GFP_KERNEL));
  t.is(dmaHandle, dmaAddr(0x5000));
  const vma = { start: 0, size: PAGE_SIZE, pgoff: 0, insertPage: () => 0 };
  t.is(dmaMmapCoherent(dev, vma, at, dmaHandle, 100), 77);
  dmaFreeCoherent(dev, 100, at, dmaHandle);
  t.deepEqual(sources.take(), ['pool 100', 'pool takes 100']);
  const empty: DevicePool = { ...poolAt(0, []), alloc: () => null };
  t.is(dmaAllocCoherent(sources.device({ pool: empty }), 100, GFP_KERNEL), null);
  const declared: DevicePool = {
    ...poolAt(0, []),
    alloc: () => ({ cpuAddr: cpuAddr(1), phys: physAddr(0x7000), dmaHandle: dmaAddr(0x77) }),
  };
  const observer = new RecordingObserver();
  const { ops } = dev.dma;
  const watched = dmaDevice({ ...services, observer }, { ops, pool: declared });
  const far = must(dmaAllocCoherent(watched, 1, GFP_KERNEL));
  t.is(far.dmaHandle, dmaAddr(0x77), 'where the bus has it, as it was declared');
  t.regex(observer.take().join(), /^memory allocated 28672\+1 as .*119/, 'and where it is');
  t.deepEqual([sources.requests.length, sources.pages.freePages], [0, sources.pages.managedPages]);
});

test('the order of sources: the global pool, the atomic pool, the architecture', t => {
  const sources = new Sources();
  const dev = sources.device({});
  const { setAside } = sources;
  sources.blocks = [block(0x9000), block(0x9000)];
  t.is(must(dmaAllocCoherent(dev, 1, GFP_ATOMIC)).dmaHandle, dmaAddr(0x9000));
  t.true(sources.requests[0]?.gfp.atomic === true, 'the architecture is told');
  setAside.atomicPool = poolAt(0x6000, sources.told);
  t.is(must(dmaAllocCoherent(dev, 1, GFP_KERNEL)).dmaHandle, dmaAddr(0x9000));
  t.deepEqual(sources.take(), []);
  const atomic = must(dmaAllocCoherent(dev, 5000, GFP_ATOMIC));
  t.is(atomic.dmaHandle, dmaAddr(0x6000));
  dmaFreeCoherent(dev, 5000, atomic.cpuAddr, atomic.dmaHandle);
  t.deepEqual(sources.take(), ['pool 8192', 'pool takes 8192']);
  setAside.globalPool = poolAt(0x7000, sources.told);
  const global = must(dmaAllocCoherent(dev, 1, GFP_ATOMIC));
  t.is(global.dmaHandle, dmaAddr(0x7000));
  dmaFreeCoherent(dev, 1, global.cpuAddr, global.dmaHandle);
  t.deepEqual(sources.take(), ['pool 4096', 'pool takes 4096']);
  const snoops = sources.device({ coherent: true });
  const cached = must(dmaAllocCoherent(snoops, 1, GFP_ATOMIC));
  t.is(cached.cpuAddr, cpuAddr(Number(cached.dmaHandle) + LINEAR));
  dmaFreeCoherent(snoops, 1, cached.cpuAddr, cached.dmaHandle);
  t.is(sources.pages.freePages, sources.pages.managedPages);
  t.deepEqual(sources.take(), []);
});

test('a block goes back to the architecture, by itself and once', t => {
  const sources = new Sources();
  const dev = sources.device({});
  sources.blocks = [block(0x9000, 2 * PAGE_SIZE), block(0xa000)];
  const first = must(dmaAllocWc(dev, 5000, GFP_KERNEL));
  must(dmaAllocCoherent(dev, 5, GFP_KERNEL));
  const [wc, plain] = sources.requests;
  t.deepEqual([wc?.memory, wc?.size], ['writecombine', 2 * PAGE_SIZE]);
  t.deepEqual([plain?.memory, plain?.size], ['dmacoherent', PAGE_SIZE]);
  dmaFreeCoherent(dev, 5000, first.cpuAddr, first.dmaHandle);
  t.deepEqual(sources.take(), [`block 36864 back`]);
  t.throws(
    () => {
      dmaFreeCoherent(dev, 5000, first.cpuAddr, first.dmaHandle);
    },
    { instanceOf: KernelOops },
  );
});

test('who needs no address gets what the architecture makes uncached, by the number of its page', t => {
  const sources = new Sources();
  const dev = sources.device({});
  const attrs = DmaAttr.NoKernelMapping;
  const ask = (gfp: Gfp): DmaMemory => must(dmaAllocAttrs(dev, 1, gfp, attrs));
  const give = ({ cpuAddr: cookie, dmaHandle }: DmaMemory): void => {
    dmaFreeAttrs(dev, 1, cookie, dmaHandle, attrs);
  };
  const cookie = ask(GFP_KERNEL);
  t.is(cookie.cpuAddr, cpuAddr(Number(cookie.dmaHandle) / PAGE_SIZE));
  t.true(sources.requests.at(-1)?.isUnmapped);
  give(cookie);
  t.deepEqual(sources.take(), [`block ${cookie.dmaHandle} back`]);
  sources.setAside.globalPool = poolAt(0x7000, sources.told);
  give(ask(GFP_KERNEL));
  sources.setAside.globalPool = null;
  sources.take();
  sources.setAside.atomicPool = poolAt(0x6000, sources.told);
  const pooled = ask(GFP_ATOMIC);
  t.is(pooled.cpuAddr, cpuAddr(6));
  give(pooled);
  t.deepEqual(sources.take(), ['pool 4096', 'pool takes 4096']);
  t.is(sources.pages.freePages, sources.pages.managedPages);
});

test('a mapping for user mode is of the same memory type as the one there is', t => {
  const sources = new Sources();
  const dev = sources.device({});
  const memoryOf = ({ cpuAddr: address, dmaHandle }: DmaMemory): string[] => {
    const seen: string[] = [];
    const vma: UserVma = {
      ...{ start: 0, size: PAGE_SIZE, pgoff: 0 },
      insertPage: (_address, _page, memory) => {
        seen.push(memory);
        return 0;
      },
    };
    t.is(dmaMmapWc(dev, vma, address, dmaHandle, PAGE_SIZE), 0);
    return seen;
  };
  sources.blocks = [block(0x9000)];
  t.deepEqual(memoryOf(must(dmaAllocWc(dev, 1, GFP_KERNEL))), ['dmacoherent']);
  t.deepEqual(memoryOf(must(dmaAllocWc(dev, 1, GFP_KERNEL))), ['writecombine']);
  sources.setAside.atomicPool = poolAt(0x6000, sources.told);
  t.deepEqual(memoryOf(must(dmaAllocWc(dev, 1, GFP_ATOMIC))), ['dmacoherent']);
});

test('no warning means that none is given, by whichever way it is asked for', t => {
  const sources = new Sources();
  sources.setAside.cma = cmaAt(0x300, sources.told);
  const dev = sources.device({ coherent: true });
  must(dmaAllocAttrs(dev, 3 * PAGE_SIZE, GFP_KERNEL, DmaAttr.NoWarn));
  must(dmaAllocAttrs(sources.device({}), 3 * PAGE_SIZE, GFP_KERNEL, DmaAttr.NoWarn));
  t.deepEqual(sources.take(), ['cma 3 2 quietly', 'cma 3 2 quietly']);
});

test("CMA is taken for more than a page, the device's own for any size, and never in atomic context", t => {
  const sources = new Sources();
  const { told, setAside } = sources;
  setAside.cma = cmaAt(0x300, told);
  const dev = sources.device({ coherent: true });
  const give = (one: typeof dev, size: number, gfp: Gfp): string[] => {
    const memory = must(dmaAllocCoherent(one, size, gfp));
    dmaFreeCoherent(one, size, memory.cpuAddr, memory.dmaHandle);
    return sources.take();
  };
  t.deepEqual(give(dev, PAGE_SIZE, GFP_KERNEL), []);
  t.deepEqual(give(dev, 3 * PAGE_SIZE, GFP_KERNEL), ['cma 3 2', 'cma takes 3']);
  t.deepEqual(give(dev, 3 * PAGE_SIZE, { noWarn: true }), ['cma 3 2 quietly', 'cma takes 3']);
  t.deepEqual(give(dev, 3 * PAGE_SIZE, GFP_ATOMIC), []);
  t.deepEqual(give(dev, 4 * MIB, GFP_KERNEL), ['cma 1024 8', 'cma takes 1024']);
  const own = sources.device({ coherent: true, cma: cmaAt(0x500, told) });
  t.deepEqual(give(own, 1, GFP_KERNEL), ['cma 1 0', 'cma takes 1']);
  const back = (first: number): string => `block ${first * PAGE_SIZE} back`;
  const uncached = sources.device({});
  t.deepEqual(give(uncached, 9000, GFP_KERNEL), ['cma 3 2', back(0x300), 'cma takes 3']);
  const ownUncached = sources.device({ cma: cmaAt(0x500, told) });
  t.deepEqual(give(ownUncached, 1, GFP_KERNEL), ['cma 1 0', back(0x500), 'cma takes 1']);
  t.is(sources.pages.freePages, sources.pages.managedPages);
});

test('CMA that the device does not reach is given back, and pages are taken', t => {
  const sources = new Sources();
  sources.setAside.cma = cmaAt(0x3000, sources.told);
  const dev = sources.device({ coherent: true, coherentMask: LOW - 1 });
  const memory = must(dmaAllocCoherent(dev, 2 * PAGE_SIZE, GFP_KERNEL));
  t.true(memory.dmaHandle < LOW);
  t.deepEqual(sources.take(), ['cma 2 1', 'cma takes 2']);
});

test('CMA in highmem is mapped; without room for that, it goes back', t => {
  const sources = new Sources();
  sources.setAside.cma = cmaAt(0x3400, sources.told);
  const dev = sources.device({ coherent: true });
  const memory = must(dmaAllocCoherent(dev, 2 * PAGE_SIZE, GFP_KERNEL));
  t.is(memory.cpuAddr, cpuAddr(VMALLOC));
  dmaFreeCoherent(dev, 2 * PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
  t.deepEqual(sources.take(), ['cma 2 1', 'vmap 2', `vunmap ${VMALLOC}`, 'cma takes 2']);
  sources.hasAddresses = false;
  t.is(dmaAllocCoherent(dev, 2 * PAGE_SIZE, GFP_KERNEL), null);
  t.deepEqual(sources.take(), ['cma 2 1', 'vmap 2', 'cma takes 2']);
});

test('rule 24: whatever mask, bus and windows: memory is within them, or there is none', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 18, max: 34 }),
      fc.option(fc.integer({ min: 18, max: 34 })),
      fc.option(fc.tuple(fc.nat(15), fc.integer({ min: 1, max: 16 }), fc.nat(100))),
      fc.integer({ min: 1, max: 64 }),
      fc.boolean(),
      (mask, bus, window, pages, mapped) => {
        const sources = new Sources();
        const [cpu, size, dma] = (window ?? [0, 16, 0]).map(unit => unit * 4 * MIB);
        const region = { dma: dmaAddr(dma ?? 0), cpu: physAddr(cpu ?? 0), size: size ?? 0 };
        const busLimit = bus === null ? null : dmaBitMask(bus);
        const dev = sources.device({
          coherent: true,
          coherentMask: dmaBitMask(mask),
          busLimit,
          rangeMap: window === null ? null : [region],
        });
        const bytes = pages * PAGE_SIZE;
        const attrs = mapped ? DmaAttr.None : DmaAttr.NoKernelMapping;
        const memory = dmaAllocAttrs(dev, bytes, GFP_KERNEL, attrs);
        if (memory !== null) {
          const { dmaHandle, cpuAddr: at } = memory;
          t.true(dmaHandle + bytes - 1 <= Math.min(dmaBitMask(mask), busLimit ?? Infinity));
          const phys = dmaHandle - region.dma + region.cpu;
          if (mapped && window !== null) t.is(at, cpuAddr(phys + LINEAR));
          dmaFreeAttrs(dev, bytes, at, dmaHandle, attrs);
        }
        t.is(sources.pages.freePages, sources.pages.managedPages);
      },
    ),
    { numRuns: 100 },
  );
});

test('the architecture is told how far a device reaches; what is beyond that goes back', t => {
  const sources = new Sources();
  const ask = (dma: Partial<DeviceDma>, ...blocks: number[]): DmaMemory | null => {
    sources.requests.length = 0;
    sources.blocks = blocks.map(phys => block(phys));
    return dmaAllocCoherent(sources.device(dma), 1, { noWarn: true });
  };
  const limits = (): number[] => sources.requests.map(({ limit }) => limit);
  const window = (dma: number, cpu: number, size: number) => ({
    dma: dmaAddr(dma),
    cpu: physAddr(cpu),
    size,
  });
  t.truthy(ask({ coherentMask: dmaBitMask(24) }, 0x8000));
  t.deepEqual(limits(), [dmaBitMask(24)]);
  ask({ coherentMask: dmaBitMask(64), busLimit: 0x1ff_ffff }, 0x8000);
  t.deepEqual(limits(), [0x1ff_ffff]);
  const windows = [window(0x8000_0000, 0, 4 * MIB), window(0, 32 * MIB, 8 * MIB)];
  t.is(ask({ rangeMap: windows, coherentMask: 5 * MIB - 1 }, 0x8000), null);
  t.deepEqual(limits(), [37 * MIB - 1]);
  t.deepEqual(sources.take(), [`block 32768 back`]);
  t.is(ask({ coherentMask: dmaBitMask(64), rangeMap: windows }, 33 * MIB)?.dmaHandle, dmaAddr(MIB));
  const low = ask({ coherentMask: dmaBitMask(24) });
  t.true(low !== null && low.dmaHandle < ZONE_DMA, 'what the source gives is within reach');
});

test("with the call left out, memory is cached as kmalloc's is, and is freed as if nothing were", t => {
  const sources = new Sources();
  const { allocation } = sources;
  const asked: string[] = [];
  let isCarriedOut = false;
  const gate = {
    isCarriedOut: (layer: string, name: string): boolean => {
      asked.push(`${layer} ${name}`);
      return isCarriedOut;
    },
  };
  const plain = sources.device({}).dma.ops;
  if (plain === null) throw new Error('no ops');
  const dev = sources.device({ ops: gatedDma(gate, plain, allocation.allocCached) });
  const memory = must(dmaAllocCoherent(dev, 1, GFP_KERNEL));
  t.is(memory.cpuAddr, cpuAddr(Number(memory.dmaHandle) + LINEAR));
  dmaFreeCoherent(dev, 1, memory.cpuAddr, memory.dmaHandle);
  t.is(sources.pages.freePages, sources.pages.managedPages);
  isCarriedOut = true;
  sources.blocks = [block(0x9000)];
  t.is(must(dmaAllocCoherent(dev, 1, GFP_KERNEL)).dmaHandle, dmaAddr(0x9000));
  t.deepEqual(asked, ['dma alloc', 'dma alloc']);
});

test('a page is freed by its cookie, and by nothing else', t => {
  const sources = new Sources();
  const dev = sources.device({});
  const attrs = DmaAttr.NoKernelMapping;
  const { cpuAddr: cookie, dmaHandle } = must(dmaAllocAttrs(dev, 1, GFP_KERNEL, attrs));
  t.is(pageToPhys(pfnToPage(cookie)), physAddr(dmaHandle));
  for (const wrong of [cpuAddr(cookie + 1), cpuAddr(LINEAR)]) {
    t.throws(
      () => {
        dmaFreeAttrs(dev, 1, wrong, dmaHandle, attrs);
      },
      { instanceOf: KernelOops },
    );
  }
  dmaFreeAttrs(dev, 1, cookie, dmaHandle, attrs);
  t.is(sources.pages.freePages, sources.pages.managedPages);
});
