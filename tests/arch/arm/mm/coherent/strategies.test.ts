import test from 'ava';
import { COHERENT_KINDS } from '../../../../../arch/arm/mm/coherent';
import { coreNamed } from '../../../../../arch/arm/cores';
import { physAddr } from '../../../../../drivers/base/types/address';
import { GIB, KIB, MIB } from '../../../../../drivers/base/types/bits';
import { TlbOp } from '../../../../../drivers/base/types/isa';
import type { CoherentName } from '../../../../../mm/arch-dma';
import { physToPage } from '../../../../../mm/page-alloc';
import { RAM_BASE } from '../../machine';
import { KERNELS } from '../kernels';
import type { KernelCase } from '../kernels';
import { recording } from '../recorder';
import type { Step } from '../recorder';
import { CoherentBench } from './bench';
import type { CoherentBenchOptions } from './bench';

/* What each strategy does to the mappings of the memory that it gives, and what it refuses. */

const NAMES = COHERENT_KINDS.map(({ name }) => name);
const SIZE = 2 * 4096;

/** With as little memory as the strategy can be shown with. */
const benchOf = (kernel: KernelCase, name: CoherentName): CoherentBench =>
  new CoherentBench(kernel, name, name === 'highmem' ? { ram: GIB } : {});

const isUnfit = (kernel: KernelCase, name: CoherentName): boolean =>
  name === 'highmem' && kernel.image === 'arm64';

for (const kernel of KERNELS) {
  for (const name of NAMES.filter(one => !isUnfit(kernel, one))) {
    const title = `${name}, ${kernel.format} on ${kernel.core}`;

    test(`${title}: memory is zero, uncached, and cached nowhere else; then it is as before`, t => {
      const bench = benchOf(kernel, name);
      const { mm } = bench.kernel;
      const ordinary = bench.walked(mm.layout.pageOffset)?.memory;
      const block = bench.get();
      t.is(block.size, SIZE);
      for (let page = 0; page < SIZE; page += 4096) {
        const seen = bench.walked(block.cpuAddr + page);
        t.is(seen?.pa, block.phys + page);
        t.not(seen?.memory, ordinary);
        const linear = bench.linear(block.phys + page);
        if (bench.coherent.strategy.keepsAlias) t.is(linear?.memory, ordinary);
        else t.true(linear === null || linear.memory === seen?.memory);
        t.is(mm.layout.physToVirt(block.phys) === null, name === 'highmem');
      }
      for (let at = 0; at < SIZE; at += 4) t.is(mm.cpu.load32(block.cpuAddr + at), 0);
      const neighbours = [block.phys - 4096, block.phys + SIZE].map(at => bench.linear(at)?.memory);
      const isPool = name === 'carveout' || name === 'atomic-pool' || name === 'highmem';
      if (!isPool) t.true(neighbours.every(memory => memory === ordinary || memory === undefined));
      bench.coherent.free(block);
      if (!isPool)
        t.deepEqual(bench.linear(block.phys), { pa: block.phys, memory: ordinary ?? '' });
    });

    test(`${title}: what is given back can be had again, and nothing is lost on the way`, t => {
      const bench = benchOf(kernel, name);
      bench.coherent.free(bench.get());
      const before = bench.held();
      for (let round = 0; round < 3; round++) {
        const blocks = [4096, 3 * 4096, 4096].map(size => bench.get({ size }));
        t.is(new Set(blocks.map(({ phys }) => phys)).size, 3);
        for (const block of blocks) bench.coherent.free(block);
      }
      t.deepEqual(bench.held(), before);
      t.is(bench.coherent.counts.allocations, 10);
    });
  }
}

const V7: KernelCase = { format: 'v7', core: 'cortex-a9', image: 'arm', lpae: false };
const V8: KernelCase = { format: 'v8', core: 'cortex-a53', image: 'arm64', lpae: true };
const NOMMU: KernelCase = { format: 'v7', core: 'cortex-m7', image: 'nommu', lpae: false };

/** What is asked of a strategy that cannot serve it, and what it answers. */
const REFUSALS: readonly (readonly [
  name: CoherentName,
  kernel: KernelCase,
  options: CoherentBenchOptions,
  request: Parameters<CoherentBench['ask']>[0],
  answer: RegExp,
])[] = [
  ['highmem', V7, {}, {}, /^no highmem on this machine$/],
  ['highmem', V8, {}, {}, /^no highmem on this machine$/],
  [
    'highmem',
    V7,
    { ram: GIB },
    { limit: physAddr(RAM_BASE + GIB / 2) },
    /^highmem is beyond 0xa0000000/,
  ],
  ['highmem', V7, { ram: GIB }, { gfp: { atomic: true } }, / may sleep$/],
  ['legacy-remap', V7, {}, { gfp: { atomic: true } }, / may sleep$/],
  ['legacy-remap', V7, {}, { limit: physAddr(RAM_BASE - 1) }, /^no memory below 0x7fffffff/],
  ['legacy-remap', V7, {}, { size: 8 * MIB }, /^no free block of 2048 pages$/],
  ['unmap-linear', V7, {}, { gfp: { atomic: true } }, / may sleep$/],
  ['unmap-linear', V7, { memory: { inPages: [] } }, {}, /^the linear map has a block there/],
  ['rewrite-linear', V7, { memory: { inPages: [] } }, {}, /^the linear map has a block there/],
  ['uncached-in-place', V7, {}, { gfp: { atomic: true } }, /stops all CPUs$/],
  ['uncached-in-place', V7, { ram: 2 * MIB }, {}, /cannot be split: it maps the tables/],
  ['uncached-in-place', V8, { ram: 2 * MIB }, {}, /cannot be split: it maps the kernel itself/],
  ['carveout', V7, { memory: { setAside: [] } }, {}, /^no memory was set aside at boot$/],
  ['carveout', V7, {}, { size: 4 * MIB }, /^not 4194304 bytes are left/],
  ['carveout', V7, {}, { limit: physAddr(RAM_BASE + MIB) }, /^what was set aside is beyond/],
  ['cma-remap', V7, { memory: { setAside: [] } }, {}, /^no CMA on this machine$/],
  ['cma-remap', V7, {}, { gfp: { atomic: true } }, / may sleep$/],
  ['cma-remap', V7, {}, { size: 8 * MIB }, /are left of CMA$/],
  ['cma-remap', V7, {}, { limit: physAddr(RAM_BASE + MIB) }, /^CMA is beyond/],
  ['atomic-pool', V7, { memory: { setAside: [] } }, {}, /^no pool was prepared at boot$/],
  ['atomic-pool', V7, {}, { size: 512 * KIB }, /^DMA coherent pool of 262144 bytes is too small$/],
  ['atomic-pool', V7, {}, { limit: physAddr(RAM_BASE + MIB) }, /^the pool is beyond/],
  ...NAMES.map(name => [name, NOMMU, {}, {}, /^no MMU: /] as const),
];

for (const [name, kernel, options, request, answer] of REFUSALS) {
  test(`${name} on ${kernel.core} refuses ${JSON.stringify(request)}: ${answer.source}`, t => {
    const bench = new CoherentBench(kernel, name, options);
    const before = bench.held();
    const answered = bench.ask(request);
    t.regex(typeof answered === 'string' ? answered : 'memory', answer);
    t.deepEqual(bench.held(), before);
    t.is(bench.coherent.counts.refusals, 1);
  });
}

test('those that change no mapping, or entries alone, serve who cannot sleep', t => {
  for (const name of ['rewrite-linear', 'carveout', 'atomic-pool'] as const) {
    const bench = new CoherentBench(V7, name);
    t.is(typeof bench.ask({ gfp: { atomic: true } }), 'object', name);
  }
  const inPlace = new CoherentBench(V7, 'uncached-in-place');
  inPlace.coherent.free(inPlace.get());
  t.is(typeof inPlace.ask({ gfp: { atomic: true } }), 'object', 'the block is split already');
});

test('a pool of the tree is in pages, and nothing else of the linear map is', t => {
  const cma = { base: RAM_BASE + 8 * MIB, size: 4 * MIB };
  const reserved = [cma];
  const options = { board: { cma, dmaEnd: null }, memory: { reserved }, ram: 32 * MIB };
  const bench = new CoherentBench(V7, 'cma-remap', options);
  const { mm } = bench.kernel;
  const spanAt = (at: number): number =>
    mm.tables.spanAt(mm.root, mm.layout.physToVirt(physAddr(at)) ?? 0);
  t.deepEqual([cma.base - MIB, cma.base, cma.base + 3 * MIB, cma.base + cma.size].map(spanAt), [
    MIB,
    4096,
    4096,
    MIB,
  ]);
  const { phys } = bench.get();
  t.true(phys >= cma.base && phys < cma.base + cma.size);
});

test('CMA in highmem is mapped elsewhere', t => {
  const cma = { base: RAM_BASE + 900 * MIB, size: 4 * MIB };
  const options = { board: { cma, dmaEnd: null }, memory: { reserved: [cma] }, ram: GIB };
  const bench = new CoherentBench(V7, 'cma-remap', options);
  bench.coherent.free(bench.get());
  const before = bench.held();
  const block = bench.get();
  t.is(cma.base, block.phys);
  t.is(bench.walked(block.cpuAddr)?.pa, cma.base);
  bench.coherent.free(block);
  t.deepEqual(bench.held(), before);
});

test('without an address, no mapping is made that stays, and none that is cacheable stays', t => {
  for (const name of NAMES) {
    const bench = new CoherentBench(V7, name, name === 'highmem' ? { ram: GIB } : {});
    const { mm, machine } = bench.kernel;
    const ordinary = bench.walked(mm.layout.pageOffset)?.memory;
    bench.coherent.free(bench.get({ isUnmapped: true }));
    const areas = (): number => mm.vmalloc?.areas.length ?? 0;
    const before = { held: bench.held(), areas: areas() };
    const block = bench.get({ isUnmapped: true });
    t.is(areas(), before.areas, name);
    const { strategy } = bench.coherent;
    t.is(bench.linear(block.phys)?.memory === ordinary, strategy.keepsAlias, name);
    t.is(machine.memoryWord(block.phys), 0);
    bench.coherent.free(block);
    t.deepEqual({ held: bench.held(), areas: areas() }, before, name);
  }
});

test('pages of highmem that a temporary mapping has left dirty have no line when they are given', t => {
  for (const name of ['legacy-remap', 'unmap-linear'] as const) {
    for (const isUnmapped of [false, true]) {
      const bench = new CoherentBench(V7, name, { ram: GIB, memory: { inPages: [] } });
      const { mm, machine } = bench.kernel;
      const page = mm.pages.allocPages({ highmem: true }, 0);
      if (page === null || !mm.pages.isHighmem(page)) return t.fail('no highmem');
      mm.kmap.with(page, at => {
        mm.cpu.store32(at + 64, 0x77);
      });
      const back: number[] = [];
      const source = { take: () => page, release: (one: number) => back.push(one) };
      const block = bench.get({ size: 4096, source, isUnmapped });
      mm.kmap.with(page, at => {
        mm.cache.dmaFlushRange(at, 4096);
      });
      t.is(machine.memoryWord(block.phys + 64), 0, 'and not what waited in a line');
      t.is(block.isUnmapped ?? false, isUnmapped);
      bench.coherent.free(block);
      t.deepEqual(back, [page]);
    }
  }
});

test('who is given memory that is mapped already is told as what', t => {
  const asked = (name: CoherentName): string =>
    new CoherentBench(V7, name).get({ memory: 'writecombine' }).memory;
  t.deepEqual((['carveout', 'atomic-pool', 'legacy-remap', 'cma-remap'] as const).map(asked), [
    'dmacoherent',
    'dmacoherent',
    'writecombine',
    'writecombine',
  ]);
});

test("a device's own area comes before the one for all, and is in pages as that is", t => {
  const [cma, own] = [8, 12].map(at => ({ base: RAM_BASE + at * MIB, size: 4 * MIB }));
  if (cma === undefined || own === undefined) return t.fail();
  const options = {
    board: { cma, ownCma: [own], dmaEnd: null },
    memory: { reserved: [cma, own] },
    ram: 32 * MIB,
  };
  const bench = new CoherentBench(V7, 'cma-remap', options);
  const released: number[] = [];
  const area = {
    name: 'own',
    alloc: () => physToPage(physAddr(own.base)),
    release: (page: number) => released.push(page) > 0,
  };
  const block = bench.get({ cma: area });
  t.is(block.phys, physAddr(own.base));
  bench.coherent.free(block);
  t.is(released.length, 1);
  const elsewhere = { ...area, alloc: () => physToPage(physAddr(RAM_BASE + 20 * MIB)) };
  const refused = bench.ask({ cma: elsewhere });
  t.regex(typeof refused === 'string' ? refused : '', /^the linear map has a block there/);
  t.is(released.length, 2);
});

const kindsOf = (steps: readonly Step[]): string =>
  steps
    .map(({ kind }) => kind)
    .filter((kind, i, all) => kind !== all[i - 1])
    .join(' ');

/** From the first entry that is stored: the zeroing before it is left out. */
const sinceFirstEntry = (steps: readonly Step[], page: number): readonly Step[] => {
  const isData = (step: Step): boolean =>
    step.kind === 'store' && step.address >= page && step.address < page + SIZE;
  const last = steps.findLastIndex(isData);
  return steps.slice(last + 1);
};

/** As rewrite-linear makes a page uncached, by the kernel's architecture. */
const ORDERS: Readonly<Record<string, string>> = {
  // Flushed first, by the address that brought the lines; entries are cleaned for the walker.
  'arm926ej-s': 'cache dsb store cache dsb tlb dsb',
  'arm1176jzf-s': 'cache dsb store cache dsb tlb dsb isb',
  // Flushed last; a walker beside the first level has entries cleaned for it.
  'cortex-a8': 'store cache dsb tlb dsb isb cache dsb',
  'cortex-a9': 'store dsb tlb dsb isb cache dsb',
  'cortex-a15': 'store dsb tlb dsb isb cache dsb',
  // Broken before it is made.
  'cortex-a53': 'store dsb tlb dsb isb store dsb isb cache dsb',
};

for (const kernel of KERNELS) {
  test(`${kernel.format} on ${kernel.core}: entry, barrier, TLB, barrier, caches, in that order`, t => {
    const bench = new CoherentBench(kernel, 'rewrite-linear');
    const { steps, value } = recording(bench.kernel.machine.cpu, () => bench.get());
    const expected = ORDERS[kernel.core] ?? '';
    // The second barrier after an entry that is made completes nothing that the first has not.
    t.is(kindsOf(sinceFirstEntry(steps, value.cpuAddr)), expected);
  });
}

test('where nothing is broadcast, every CPU drops its own translations and flushes its own lines', t => {
  const core = { ...coreNamed('cortex-a9'), maintenanceBroadcast: false };
  const bench = new CoherentBench(V7, 'rewrite-linear', { machine: { core, cpus: 2 } });
  const { machine, mm } = bench.kernel;
  const [, second] = machine.cpus;
  if (second === undefined) return t.fail();
  mm.startSecondary(second);
  const { steps } = recording(second, () => bench.get());
  t.is(kindsOf(steps), 'tlb dsb isb cache dsb');
  t.true(steps.every(step => step.kind !== 'tlb' || step.op === TlbOp.Address));
});
