import assert from 'node:assert/strict';
import test from 'ava';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { deviceDmaOf } from '../../drivers/base/kernel/device';
import type { Device, DeviceDma } from '../../drivers/base/kernel/device';
import { DmaDirection } from '../../drivers/base/kernel/dma-mapping';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { EBUSY, EINVAL, ENODEV } from '../../drivers/base/kernel/errno';
import { GFP_ATOMIC, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import { UnmodelledError } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { parseBounce } from '../../machines/bounce';
import { loadBoard } from '../../machines/boards';
import { bootMachine } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import { planMachine } from '../../machines/plan';
import { parseKernelParameters } from '../../machines/kernel-parameters';
import type { DmaMemoryOptions } from '../../machines/kernel-parameters';
import { dmaAllocCoherent, dmaFreeCoherent } from '../../mm/dma-alloc';
import {
  DMA_MAPPING_ERROR,
  dmaAllocNoncoherent,
  dmaFreeNoncoherent,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import type { CoherentName } from '../../mm/arch-dma';
import { CmaArea } from '../../mm/cma';
import type { MovableOwner } from '../../mm/movable';
import { pageToPhys, pfnToPage, physToPage } from '../../mm/page-alloc';
import { boot } from '../support/booted';
import { BOARD_FOLDER } from '../support/board-folder';
import { dt, ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';
import { inputError } from '../support/input-error';

const { FromDevice, Bidirectional } = DmaDirection;
const POOL = 'shared-dma-pool';

const SMALL: DtLiteral = {
  compatible: 'acme,soc',
  '#address-cells': [1],
  '#size-cells': [1],
  cpus: {
    '#address-cells': [1],
    '#size-cells': [0],
    'cpu@0': { device_type: 'cpu', compatible: 'arm,cortex-a9', reg: [0] },
  },
  memory: { device_type: 'memory', reg: [0x8000_0000, 0x1000_0000] },
};

/** 256 MiB, with a pool, an area for movable pages, and what is neither. */
const TREE = dt({
  ...SMALL,
  'reserved-memory': {
    '#address-cells': [1],
    '#size-cells': [1],
    ranges: true,
    'pool: pool@88000000': { compatible: POOL, 'no-map': true, reg: [0x8800_0000, 0x4000] },
    'area: area@89000000': { compatible: POOL, reusable: true, reg: [0x8900_0000, 0x80_0000] },
    'all: all@8a000000': {
      compatible: POOL,
      reusable: true,
      'linux,cma-default': true,
      reg: [0x8a00_0000, 0x40_0000],
    },
    'off: off@8b000000': { compatible: POOL, status: 'disabled', reg: [0x8b00_0000, 0x1000] },
    'plain: plain@8b100000': { reg: [0x8b10_0000, 0x1000] },
    'jail: jail@8b200000': { compatible: 'restricted-dma-pool', reg: [0x8b20_0000, 0x10_0000] },
  },
  'copy-engine@3000': {
    compatible: 'dmabench,copy-engine',
    reg: [0x3000, 0x1000],
    'memory-region': [ref('pool')],
  },
  'wifi@2000': {
    compatible: 'acme,wifi',
    reg: [0x2000, 0x1000],
    'memory-region': ['pool', 'area', 'all', 'off', 'plain', 'jail'].map(ref),
  },
});

const PLAIN = { memory: null, quirks: [] } as const;

const bootTree = (
  dmaMemory: DmaMemoryOptions = {},
  coherent: CoherentName = 'cma-remap',
): Machine =>
  bootMachine(planMachine(TREE, { ...PLAIN, dmaMemory, coherent }), {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });

const bootPlain = (tree: DtLiteral): Machine =>
  bootMachine(planMachine(dt(tree), PLAIN), {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });

const device = ({ kernel }: Machine, dma: Partial<DeviceDma> = {}, path = '/wifi@2000'): Device =>
  kernel.addDevice('wifi', path, deviceDmaOf({ ops: kernel.dma.opsFor(false), ...dma }), [], []);

const machine = bootTree();
const init = (dev: Device, index: number): number => dev.services.reservedMemDeviceInit(dev, index);

test('a device has the pool of its memory-region, and memory nowhere else', t => {
  const dev = device(machine);
  t.is(init(dev, 0), 0);
  const blocks = Array.from({ length: 4 }, () => dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL));
  t.deepEqual(
    blocks.map(block => block?.dmaHandle as number | undefined),
    [0x8800_0000, 0x8800_1000, 0x8800_2000, 0x8800_3000],
  );
  t.is(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL), null);
  const [block] = blocks;
  assert.ok(block);
  const { kernel, hardware } = machine;
  t.is(kernel.mm.layout.virtToPhys(block.cpuAddr), null);
  kernel.cpu.store32(block.cpuAddr, 0x1234_5678);
  kernel.cpu.dsb();
  t.is(hardware.debugPort().read32(physAddr(0x8800_0000)), 0x1234_5678);
  dmaFreeCoherent(dev, PAGE_SIZE, block.cpuAddr, block.dmaHandle);
  t.is(dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL)?.dmaHandle, block.dmaHandle);
  t.is(init(dev, 0), -EBUSY);
});

test('a pool beyond the reach of a device is given all the same, and told of', t => {
  const dev = device(machine, { coherentMask: 0x87ff_ffff });
  t.is(init(dev, 0), 0);
  t.is(
    machine.kernel.log.lines.at(-1)?.text,
    "platform wifi: reserved memory is beyond device's set DMA address range",
  );
});

test('the driver of an engine takes the memory that its tree reserves for it', t => {
  const [engine] = machine.copyEngines;
  t.is(engine?.dev.dma.pool?.name, 'pool@88000000');
});

test('areas for movable pages are given by name, and are what memory is from; what is none of this is an error', t => {
  const dev = device(machine);
  t.is(init(dev, 1), 0);
  t.is(dev.dma.cma?.name, 'area@89000000');
  const own = dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL);
  t.is(own?.dmaHandle, dmaAddr(0x8900_0000), 'and its memory is from there');
  t.is(init(dev, 2), 0);
  t.is(dev.dma.cma, machine.kernel.setAside.cma);
  t.is(init(dev, 3), 0);
  t.is(init(dev, 4), -EINVAL);
  t.is(init(dev, 6), -ENODEV);
  t.is(init(device(machine, {}, '/nobody'), 0), -ENODEV);
  t.throws(() => init(dev, 5), { instanceOf: UnmodelledError, message: /a restricted pool/ });
});

/** Has pages whose first word says which they are. */
class Movers implements MovableOwner {
  readonly pages = new Map<Page, number>();
  moved = 0;

  migrate(from: Page, to: Page, copy: () => void): number {
    copy();
    this.moved++;
    this.pages.set(to, this.pages.get(from) ?? 0);
    this.pages.delete(from);
    return 0;
  }
}

test('coherent memory takes CMA from movable pages, whose data moves with them', t => {
  const { kernel } = bootTree();
  const { mm, cpu } = kernel;
  t.is(kernel.coherent.name, 'cma-remap');
  const movers = new Movers();
  const wordAt = (page: Page): number => mm.layout.physToVirt(pageToPhys(page)) ?? 0;
  // One area after the other is used up before anything else where it has most of what is free.
  while (mm.pages.allocPages(GFP_KERNEL, 10) !== null) continue;
  for (let i = 0; i < 3 * 1024; i++) {
    const page = mm.pages.allocPages({ movable: true }, 0);
    if (page === null) break;
    mm.pages.movable.setOwner(page, movers);
    cpu.store32(wordAt(page), i);
    movers.pages.set(page, i);
  }
  const [first] = [...movers.pages.keys()].filter(page => pageToPhys(page) >= 0x8a00_0000);
  assert.ok(first !== undefined);
  for (const page of [...movers.pages.keys()].slice(-64)) {
    mm.pages.freePagesAt(page, 0);
    movers.pages.delete(page);
  }
  const dev = kernel.addDevice('dev', null, deviceDmaOf({ ops: kernel.dma.opsFor(false) }), [], []);
  const block = dmaAllocCoherent(dev, 8 * PAGE_SIZE, GFP_KERNEL);
  assert.ok(block);
  t.true(block.dmaHandle >= 0x8a00_0000 && block.dmaHandle < 0x8a40_0000);
  t.true(movers.moved > 0);
  let wrong = 0;
  for (const [page, word] of movers.pages) if (cpu.load32(wordAt(page)) !== word) wrong++;
  t.is(wrong, 0);
  const free = mm.pages.freePages;
  dmaFreeCoherent(dev, 8 * PAGE_SIZE, block.cpuAddr, block.dmaHandle);
  t.is(mm.pages.freePages, free + 8);
});

test('who cannot sleep has pools from boot on, of 256 KiB or as large as is said', t => {
  const { kernel } = bootTree({ coherentPool: 16 * 1024 });
  const atBoot = kernel.poolPages;
  t.is(atBoot, 4);
  const dev = kernel.addDevice('dev', null, deviceDmaOf({ ops: kernel.dma.opsFor(false) }), [], []);
  const blocks = Array.from({ length: 4 }, () => dmaAllocCoherent(dev, 1, GFP_ATOMIC));
  t.false(blocks.includes(null));
  t.is(dmaAllocCoherent(dev, 1, GFP_ATOMIC), null);
  t.is(kernel.poolPages, 4);
  dev.services.waitUntil(() => false, 10);
  t.is(kernel.poolPages, 8);
  t.truthy(dmaAllocCoherent(dev, 1, GFP_ATOMIC));
  t.is(machine.kernel.poolPages, 64);
  const used = machine.kernel.usedPages;
  t.truthy(dmaAllocCoherent(device(machine, { pool: null }), 1, GFP_ATOMIC));
  t.is(machine.kernel.usedPages, used, 'nothing is allocated while nobody can sleep');
});

test('on a board with swiotlb what a device does not reach comes and goes through slots', t => {
  const { kernel, hardware } = boot('rpi-4');
  const { mm, swiotlb, cpu } = kernel;
  assert.ok(swiotlb);
  const limit = 1024 * MIB - 1;
  t.true(swiotlb.pool.start + 64 * MIB <= limit + 1);
  const dma = deviceDmaOf({ mask: limit, coherentMask: limit, ops: kernel.dma.opsFor(false) });
  const dev = kernel.addDevice('dev', null, dma, [], []);
  const page = mm.pages.allocPages(GFP_KERNEL, 0);
  assert.ok(page !== null && pageToPhys(page) > limit);
  const buffer = mm.layout.physToVirt(pageToPhys(page));
  assert.ok(buffer !== null);
  for (let at = 0; at < 64; at += 4) cpu.store32(buffer + at, at);
  const memory = hardware.debugPort();
  for (const direction of [FromDevice, Bidirectional]) {
    const handle = dmaMapSingle(dev, buffer, 64, direction);
    t.true(swiotlb.isSlot(dev, physAddr(handle)));
    t.is(memory.read32(physAddr(handle + 60)), 60);
    memory.write32(physAddr(handle + 8), 0x77);
    dmaUnmapSingle(dev, handle, 64, direction);
    t.deepEqual(
      [4, 8, 12].map(at => cpu.load32(buffer + at)),
      [4, 0x77, 12],
    );
    t.is(swiotlb.pool.used, 0);
  }
  t.is(dmaMapSingle(dev, buffer, 256 * 1024 + 1, FromDevice), DMA_MAPPING_ERROR);
  t.regex(
    kernel.log.lines.at(-1)?.text ?? '',
    /^platform dev: swiotlb buffer is full \(sz: 262145/,
  );
});

test('the words of a command line mean what they mean to Linux', t => {
  const read = (text: string): DmaMemoryOptions => parseKernelParameters(text, '--cmdline');
  const cases: Readonly<Record<string, DmaMemoryOptions>> = {
    '': {},
    'swiotlb=force': { swiotlb: { force: true } },
    'swiotlb=noforce': { swiotlb: { disabled: true } },
    'swiotlb=65536': { swiotlb: { slots: 65536 } },
    'swiotlb=0x100,4,force': { swiotlb: { slots: 256, areas: 4, force: true } },
    'swiotlb=512,noforce': { swiotlb: { slots: 512, disabled: true } },
    'swiotlb=1 swiotlb=force': { swiotlb: { force: true } },
    'coherent_pool=1M': { coherentPool: MIB },
    'coherent_pool=5000': { coherentPool: 8192 },
    'cma=16M': { cma: { size: 16 * MIB, start: 0, end: null } },
    'cma=0': { cma: { size: 0, start: 0, end: null } },
    'cma=4m@0x84000000': { cma: { size: 4 * MIB, start: 0x8400_0000, end: 0x8440_0000 } },
    'cma=4M@1G-0x50000000': { cma: { size: 4 * MIB, start: 2 ** 30, end: 0x5000_0000 } },
  };
  for (const [text, expected] of Object.entries(cases)) t.deepEqual(read(text), expected, text);
  const wrong = [
    'swiotlb=',
    'swiotlb',
    'swiotlb=x',
    'swiotlb=1,2,3',
    'swiotlb=9e9',
    'cma=',
    'cma=M',
  ];
  wrong.push('cma=1M@', 'cma=1M-2M', 'cma=1M@0-', 'coherent_pool=0', 'coherent_pool=1X', 'quiet');
  wrong.push(`swiotlb=${2 ** 40}`, `swiotlb=1,${2 ** 40}`, `cma=${2 ** 60}`, '__proto__=1');
  for (const text of wrong) {
    t.regex(
      inputError(() => read(text)),
      /^--cmdline: expected .*, found '.+'$/,
      text,
    );
  }
});

test('a tree has a command line as well, with words for others; what is typed comes after it', t => {
  const withArgs = (bootargs: string) => planMachine(dt({ ...SMALL, chosen: { bootargs } }), PLAIN);
  const { dmaMemory } = withArgs('console=ttyS0 cma=8M swiotlb=force root=/dev/ram');
  t.deepEqual(dmaMemory, {
    cma: { size: 8 * MIB, start: 0, end: null },
    swiotlb: { force: true },
  });
  t.regex(
    inputError(() => withArgs('cma=x')),
    /^\/chosen: property 'bootargs': expected cma=/,
  );
});

test('cma= is in place of the area of the tree, whose memory is like any other then', t => {
  for (const coherent of ['cma-remap', 'legacy-remap'] as const) {
    const { kernel } = bootTree({ cma: { size: 3 * MIB, start: 0, end: null } }, coherent);
    const { cma } = kernel.setAside;
    assert.ok(cma instanceof CmaArea);
    t.is(cma.count * PAGE_SIZE, 4 * MIB);
    t.regex(kernel.log.lines.map(({ text }) => text).join('\n'), /bypass all@8a000000 node/);
    const dev = device({ ...machine, kernel });
    const block = dmaAllocCoherent(dev, 2 * PAGE_SIZE, GFP_KERNEL);
    t.true(block !== null && cma.release(physToPage(physAddr(block.dmaHandle)), 2), 'it is there');
    t.is(init(dev, 2), -EINVAL);
    const page = physToPage(physAddr(0x8a00_0000));
    t.true(kernel.mm.pages.isFree(page), 'and not set aside');
  }
  const fixed = bootTree({ cma: { size: 4 * MIB, start: 0x8400_0000, end: 0x8440_0000 } });
  const area = fixed.kernel.setAside.cma;
  t.is(area instanceof CmaArea && area.base * PAGE_SIZE, 0x8400_0000);
  const nowhere = bootTree({ cma: { size: 512 * MIB, start: 0, end: null } }).kernel;
  t.is(nowhere.setAside.cma, null);
  t.true(nowhere.log.lines.some(({ text }) => text === 'cma: Failed to reserve 512 MiB'));
  t.is(
    bootTree({ cma: { size: 0, start: 0, end: null } }, 'legacy-remap').kernel.setAside.cma,
    null,
  );
});

/** A bus like that of an IXP4xx: its masters reach the first 64 MiB of RAM. */
const WINDOW: DtLiteral = {
  ...SMALL,
  'bus@0': {
    compatible: 'simple-bus',
    '#address-cells': [1],
    '#size-cells': [1],
    ranges: true,
    'dma-ranges': [0, 0x8000_0000, 0x400_0000],
    'dma@1000': { compatible: 'acme,dma', reg: [0x1000, 0x1000], dmas: [ref('ctl')] },
    'ctl: ctl@2000': { compatible: 'acme,ctl', reg: [0x2000, 0x1000], '#dma-cells': [0] },
  },
};

test('dmabounce is had by name, of a user or of a tree, and takes data round where a bus ends', t => {
  const choices = { 'dmabench,bounce': 'dmabounce', 'dmabench,coherent': 'legacy-remap' };
  const chosen = { chosen: choices };
  t.is(planMachine(dt({ ...WINDOW, ...chosen }), PLAIN).bounce, 'dmabounce');
  const { kernel, hardware, masters } = bootPlain({ ...WINDOW, ...chosen });
  t.is(kernel.dma.bounce?.name, 'dmabounce');
  const dev = masters.map(({ device: { dev: one } }) => one).find(one => one.dma.busLimit !== null);
  assert.ok(dev);
  const { pages, layout } = kernel.mm;
  const taken = Array.from({ length: 32 }, () => pages.allocPages(GFP_KERNEL, 10) ?? pfnToPage(0));
  const isFar = (page: Page): boolean => pageToPhys(page) >= 0x8400_0000;
  for (const page of taken.filter(one => !isFar(one))) pages.freePagesAt(page, 10);
  const [far] = taken.filter(isFar);
  assert.ok(far !== undefined);
  const buffer = layout.physToVirt(pageToPhys(far));
  assert.ok(buffer !== null);
  const used = kernel.usedPages - kernel.poolPages;
  const handle = dmaMapSingle(dev, buffer, 64, FromDevice);
  t.true(handle < 0x400_0000);
  hardware.debugPort().write32(physAddr(0x8000_0000 + handle + 8), 0x77);
  dmaUnmapSingle(dev, handle, 64, FromDevice);
  t.is(kernel.cpu.load32(buffer + 8), 0x77);
  t.is(kernel.usedPages - kernel.poolPages, used);
  const wrong = inputError(() =>
    planMachine(loadBoard('juno', BOARD_FOLDER), { ...PLAIN, bounce: 'dmabounce' }),
  );
  t.is(wrong, '--bounce: expected a 32-bit ARM machine, found arm64');
  t.is(
    inputError(() => parseBounce('x', 'p')),
    "p: expected swiotlb or dmabounce, found 'x'",
  );
});

test('what is behind a port that leads out of the case is not trusted', t => {
  const host = (port: DtLiteral): DtLiteral => ({
    ...SMALL,
    'pcie@4000': {
      ...{ compatible: 'acme,pcie', device_type: 'pci', reg: [0x4000, 0x1000] },
      ...{ '#address-cells': [3], '#size-cells': [2], ranges: true },
      'pcie@0,0': { device_type: 'pci', reg: [0, 0, 0, 0, 0], ...port },
    },
  });
  const trust = (port: DtLiteral): boolean[] =>
    bootPlain(host(port)).masters.map(({ device: { dev } }) => !dev.dma.isUntrusted);
  t.deepEqual(trust({}), [true]);
  t.deepEqual(trust({ 'external-facing': true }), [false]);
});

test('a device with a restricted pool has its memory there, and its data goes through it', t => {
  const tree: DtLiteral = {
    ...SMALL,
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      'cpu@0': { device_type: 'cpu', compatible: 'arm,cortex-a53', reg: [0] },
    },
    'reserved-memory': {
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: true,
      // A segment and a half of slots.
      'jail: jail@8b200000': { compatible: 'restricted-dma-pool', reg: [0x8b20_0000, 0x6_0000] },
    },
    'dma@3000': {
      ...{ compatible: 'acme,dma', reg: [0x3000, 0x1000], '#dma-cells': [0] },
      'memory-region': [ref('jail')],
    },
    'dma@4000': { compatible: 'acme,dma', reg: [0x4000, 0x1000], '#dma-cells': [0] },
  };
  const { kernel, hardware, masters } = bootPlain(tree);
  t.deepEqual(
    masters.map(({ plan }) => plan.label),
    ['non-coherent, with restricted pool jail@8b200000', 'non-coherent'],
  );
  const [dev, other] = masters.map(({ device: { dev: one } }) => one);
  assert.ok(dev && other);
  const isInside = (at: number): boolean => at >= 0x8b20_0000 && at < 0x8b26_0000;
  const block = dmaAllocCoherent(dev, 5000, GFP_KERNEL);
  assert.ok(block && isInside(block.dmaHandle));
  t.is(block.dmaHandle % 8192, 0);
  const buffer = kernel.slab.kmalloc(512, GFP_KERNEL);
  assert.ok(buffer !== null);
  kernel.cpu.store32(buffer + 8, 0x11);
  const handle = dmaMapSingle(dev, buffer, 512, Bidirectional);
  t.true(isInside(handle));
  t.is(hardware.debugPort().read32(physAddr(handle + 8)), 0x11);
  dmaUnmapSingle(dev, handle, 512, Bidirectional);
  t.false(isInside(dmaMapSingle(other, buffer, 512, Bidirectional)));
  t.is(
    dmaAllocCoherent(dev, 0x4_0001, GFP_KERNEL),
    null,
    'no more than a segment, and from nowhere else',
  );
  dmaFreeCoherent(dev, 5000, block.cpuAddr, block.dmaHandle);
  // Pages of the pool stand for no other memory: nothing is copied to or from anywhere.
  const pages = dmaAllocNoncoherent(dev, PAGE_SIZE, Bidirectional, GFP_KERNEL);
  assert.ok(pages && isInside(pages.dmaHandle));
  kernel.cpu.store32(pages.cpuAddr, 0x22);
  dmaSyncSingleForDevice(dev, pages.dmaHandle, PAGE_SIZE, Bidirectional);
  dmaSyncSingleForCpu(dev, pages.dmaHandle, PAGE_SIZE, Bidirectional);
  t.is(kernel.cpu.load32(pages.cpuAddr), 0x22);
  dmaFreeNoncoherent(dev, PAGE_SIZE, pages.cpuAddr, pages.dmaHandle, Bidirectional);
  const blocks = Array.from({ length: 97 }, () => dmaAllocCoherent(dev, PAGE_SIZE, GFP_KERNEL));
  t.is(blocks.indexOf(null), 96);
  t.true(blocks.every(one => one === null || isInside(one.dmaHandle)));
});

test('swiotlb is where Linux has it', t => {
  t.is(machine.kernel.swiotlb, null);
  const of = (board: string): readonly number[] | undefined => {
    const pool = boot(board).kernel.swiotlb?.pool;
    return pool && [(pool.slots * 2048) / MIB, pool.areas];
  };
  t.is(of('versatile-pb'), undefined);
  t.deepEqual(of('imx8mm'), [2, 4]);
  const cpu = { device_type: 'cpu', compatible: 'arm,cortex-a35', reg: [0] };
  const small = bootPlain({
    ...SMALL,
    cpus: { '#address-cells': [1], '#size-cells': [0], 'cpu@0': cpu },
    memory: { device_type: 'memory', reg: [0x8000_0000, 0x400_0000] },
  });
  t.is(small.kernel.swiotlb?.pool.slots, 128);
});
