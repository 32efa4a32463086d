import test from 'ava';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DeviceDma } from '../../drivers/base/kernel/device';
import { ENXIO } from '../../drivers/base/kernel/errno';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, offsetBy, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { GFP_ATOMIC, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { TestMasterDevice } from '../../drivers/misc/test-master/driver';
import type { Machine } from '../../machines/machine';
import {
  DmaAttr,
  DmaDirection,
  dmaAllocAttrs,
  dmaAllocCoherent,
  dmaAllocNoncoherent,
  dmaAllocNoncontiguous,
  dmaAllocPages,
  dmaAllocWc,
  dmaBitMask,
  dmaCanMmap,
  dmaFreeAttrs,
  dmaFreeCoherent,
  dmaFreeNoncoherent,
  dmaFreeNoncontiguous,
  dmaFreePages,
  dmaFreeWc,
  dmaGetSgtable,
  dmaMmapAttrs,
  dmaMmapCoherent,
  dmaMmapNoncontiguous,
  dmaMmapPages,
  dmaMmapWc,
  dmaSetMaskAndCoherent,
  dmaSyncSgtableForCpu,
  dmaSyncSgtableForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaVmapNoncontiguous,
  dmaVunmapNoncontiguous,
} from '../../mm/dma-mapping-common';
import { dmaToPhys } from '../../mm/dma-direct';
import { pageToPhys, pfnToPage } from '../../mm/page-alloc';
import { SgTable } from '../../mm/scatterlist';
import { boot } from '../support/booted';
import { RecordingObserver } from './recording-observer';

/*
 * A device's own memory, on machines whose devices do not snoop, and on one that has one that does:
 * the rules of parts 2.1 and 2.6, by their numbers.
 */

const { Bidirectional, FromDevice, None, ToDevice } = DmaDirection;
const SIZE = PAGE_SIZE + 904;
const USER = 0x40_0000;

/** ARMv5, ARMv7 with an outer cache, ARMv8; and the ARMv8 with a device that snoops. */
const KINDS = [
  ['versatile-pb', false],
  ['pandaboard', false],
  ['imx8mm', false],
  ['juno', true],
] as const;

interface Bench {
  readonly machine: Machine;
  readonly master: TestMasterDevice;
  readonly dev: Device;
  /** The bytes at an address that are not the pattern of `seed`. */
  readonly differing: (at: CpuAddr, seed: number) => number;
  readonly fill: (at: CpuAddr, seed: number) => void;
  /** What a leak would change. */
  readonly inUse: () => readonly number[];
}

/** The same device with something else, told of to an observer. */
const copyOf = (
  dev: Device,
  dma: Partial<DeviceDma>,
  observer: RecordingObserver | null = null,
): Device =>
  new Device({
    name: dev.name,
    ofPath: null,
    dma: deviceDmaOf({ ...dev.dma, ...dma }),
    registers: [],
    irqs: [],
    services: { ...dev.services, observer },
  });

const physOf = (dev: Device, address: DmaAddr): number => dmaToPhys(dev, address) ?? -1;

const machines = new Map<string, Machine>();

const bench = (board: string, coherent: boolean): Bench => {
  const machine = machines.get(board) ?? boot(board);
  machines.set(board, machine);
  const { cpu, mm } = machine.kernel;
  const master = machine.masters.find(({ device }) => device.dev.dma.coherent === coherent)?.device;
  if (master === undefined) throw new Error(`${board}: no such master`);
  dmaSetMaskAndCoherent(master.dev, dmaBitMask(64));
  const offsets = Array.from({ length: SIZE }, (_, i) => i);
  return {
    machine,
    master,
    dev: master.dev,
    differing: (at, seed) => offsets.filter(i => cpu.load8(at + i) !== patternByte(seed, i)).length,
    fill: (at, seed) => {
      for (const i of offsets) cpu.store8(at + i, patternByte(seed, i));
    },
    inUse: () => [mm.pages.freePages + mm.tablePages, mm.vmalloc?.areas.length ?? 0],
  };
};

for (const [board, coherent] of KINDS) {
  const name = `${board}, ${coherent ? 'snooping' : 'not snooping'}`;

  test(`${name}: rules 1, 3, 9: coherent memory is zeroed, and what either side writes the other reads`, t => {
    const { dev, master, machine, fill, differing, inUse } = bench(board, coherent);
    const { cpu, barriers } = { cpu: machine.kernel.cpu, barriers: machine.kernel.mm.barriers };
    const before = inUse();
    for (const [round, alloc] of [dmaAllocCoherent, dmaAllocWc].entries()) {
      const memory = alloc(dev, SIZE, GFP_KERNEL);
      if (memory === null) throw new Error('no memory');
      let dirty = 0;
      for (let i = 0; i < 2 * PAGE_SIZE; i += 4) if (cpu.load32(memory.cpuAddr + i) !== 0) dirty++;
      t.is(dirty, 0);
      fill(memory.cpuAddr, round + 1);
      barriers.wmb();
      t.is(master.checkPattern(memory.dmaHandle, SIZE, round + 1).mismatches, 0);
      t.is(master.writePattern(memory.dmaHandle, SIZE, round + 7), 0);
      t.is(differing(memory.cpuAddr, round + 7), 0);
      const free = alloc === dmaAllocWc ? dmaFreeWc : dmaFreeCoherent;
      free(dev, SIZE, memory.cpuAddr, memory.dmaHandle);
    }
    t.deepEqual(inUse(), before);
  });

  test(`${name}: rules 6, 7: both addresses are aligned to the order of the size, below the mask`, t => {
    const { dev, inUse } = bench(board, coherent);
    const before = inUse();
    for (const pages of [1, 2, 3, 4, 7, 16]) {
      const size = pages * PAGE_SIZE - 100;
      const memory = dmaAllocCoherent(dev, size, GFP_KERNEL);
      if (memory === null) throw new Error(`no memory of ${pages} pages`);
      const granule = PAGE_SIZE * 2 ** Math.ceil(Math.log2(pages));
      t.is(memory.dmaHandle % granule, 0);
      t.is(memory.cpuAddr % PAGE_SIZE, 0);
      dmaFreeCoherent(dev, size, memory.cpuAddr, memory.dmaHandle);
    }
    dev.dma.coherentMask = dmaBitMask(32);
    const low = dmaAllocCoherent(dev, 64, GFP_KERNEL);
    t.true(low !== null && low.dmaHandle + 64 <= 2 ** 32);
    dmaFreeCoherent(dev, 64, low?.cpuAddr ?? null, low?.dmaHandle ?? dmaAddr(0));
    dev.dma.coherentMask = dmaBitMask(64);
    t.deepEqual(inUse(), before);
  });

  test(`${name}: rule 63: without a kernel mapping no kernel address is used, and user mode shares it with the device`, t => {
    const { machine, dev, master, inUse } = bench(board, coherent);
    const { mm, users, cpu } = machine.kernel;
    const attrs = DmaAttr.NoKernelMapping;
    const before = inUse();
    const memory = dmaAllocAttrs(dev, SIZE, GFP_KERNEL, attrs);
    if (memory === null) throw new Error('no memory');
    t.is(mm.vmalloc?.areas.length, before[1]);
    t.throws(() => cpu.load8(memory.cpuAddr), { instanceOf: KernelOops });
    const space = users.create();
    const vma = users.vma(space, USER, 2 * PAGE_SIZE);
    t.is(dmaMmapAttrs(dev, vma, memory.cpuAddr, memory.dmaHandle, SIZE, attrs), 0);
    users.switchTo(space);
    let dirty = 0;
    for (let i = 0; i < 2 * PAGE_SIZE; i += 4) if (cpu.loadUser32(USER + i) !== 0) dirty++;
    t.is(dirty, 0, "user mode sees nobody else's data");
    t.is(master.writePattern(memory.dmaHandle, SIZE, 3), 0);
    t.is((cpu.loadUser32(USER + 64) >>> 0) % 256, patternByte(3, 64));
    cpu.storeUser32(USER + 4, 0x0403_0201);
    mm.barriers.wmb();
    // What snoops sees the cache, where this is; what does not sees memory.
    const at = physOf(dev, memory.dmaHandle) + 4;
    const seen = coherent
      ? cpu.load32(mm.layout.physToVirt(physAddr(at)) ?? 0)
      : machine.hardware.debugPort().read32(at);
    t.is(seen, 0x0403_0201);
    for (const page of [USER, USER + PAGE_SIZE]) users.unmapPage(space, page);
    users.switchToKernel();
    users.destroy(space);
    dmaFreeAttrs(dev, SIZE, memory.cpuAddr, memory.dmaHandle, attrs);
    t.deepEqual(inUse(), before);
  });

  test(`${name}: coherent and write-combined memory can be mapped to user mode, a part of it too`, t => {
    const { machine, dev, master } = bench(board, coherent);
    const { users, cpu, mm } = machine.kernel;
    t.true(dmaCanMmap(dev));
    for (const [alloc, mmap, free] of [
      [dmaAllocCoherent, dmaMmapCoherent, dmaFreeCoherent],
      [dmaAllocWc, dmaMmapWc, dmaFreeWc],
    ] as const) {
      const memory = alloc(dev, 3 * PAGE_SIZE, GFP_KERNEL);
      if (memory === null) throw new Error('no memory');
      const { cpuAddr: kernel, dmaHandle } = memory;
      const space = users.create();
      const map = (pages: number, pgoff: number): number =>
        mmap(
          dev,
          users.vma(space, USER, pages * PAGE_SIZE, pgoff),
          kernel,
          dmaHandle,
          3 * PAGE_SIZE,
        );
      t.deepEqual([map(1, 3), map(3, 1), map(4, 0)], [-ENXIO, -ENXIO, -ENXIO]);
      t.is(space.pages.size, 0);
      t.is(map(2, 1), 0);
      users.switchTo(space);
      cpu.store32(kernel + PAGE_SIZE, 0x1234_5678);
      mm.barriers.wmb();
      t.is(cpu.loadUser32(USER) >>> 0, 0x1234_5678);
      t.is(master.writePattern(offsetBy(dmaHandle, 2 * PAGE_SIZE), 64, 9), 0);
      t.is((cpu.loadUser32(USER + PAGE_SIZE) >>> 0) % 256, patternByte(9, 0));
      for (const page of [USER, USER + PAGE_SIZE]) users.unmapPage(space, page);
      users.switchToKernel();
      users.destroy(space);
      free(dev, 3 * PAGE_SIZE, kernel, dmaHandle);
    }
  });

  test(`${name}: the pieces of coherent memory are one run, in whole pages`, t => {
    const { dev } = bench(board, coherent);
    const memory = dmaAllocCoherent(dev, SIZE, GFP_KERNEL);
    if (memory === null) throw new Error('no memory');
    const table = dmaGetSgtable(dev, memory.cpuAddr, memory.dmaHandle, SIZE);
    if (typeof table === 'number') throw new Error(`${table}`);
    const pieces = table.sgl.map(({ page, offset, length }) => [pageToPhys(page), offset, length]);
    t.deepEqual(pieces, [[physOf(dev, memory.dmaHandle), 0, 2 * PAGE_SIZE]]);
    dmaFreeCoherent(dev, SIZE, memory.cpuAddr, memory.dmaHandle);
  });

  test(`${name}: rules 57, 58: pages and noncoherent memory are cached, zeroed, and synced by the driver`, t => {
    const { dev, master, machine, fill, differing, inUse } = bench(board, coherent);
    const { mm } = machine.kernel;
    const before = inUse();
    const memory = dmaAllocNoncoherent(dev, SIZE, Bidirectional, GFP_KERNEL);
    if (memory === null) throw new Error('no memory');
    const { cpuAddr: at, dmaHandle } = memory;
    t.not(mm.layout.virtToPhys(at), null, 'in the linear map');
    t.true([0, 4, SIZE - 1].every(i => mm.cpu.load8(at + i) === 0));
    fill(at, 5);
    dmaSyncSingleForDevice(dev, dmaHandle, SIZE, Bidirectional);
    t.is(master.checkPattern(dmaHandle, SIZE, 5).mismatches, 0);
    t.is(master.writePattern(dmaHandle, SIZE, 6), 0);
    dmaSyncSingleForCpu(dev, dmaHandle, SIZE, Bidirectional);
    t.is(differing(at, 6), 0);
    dmaFreeNoncoherent(dev, SIZE, at, dmaHandle, Bidirectional);
    const pages = dmaAllocPages(dev, SIZE, FromDevice, GFP_KERNEL);
    if (pages === null) throw new Error('no pages');
    t.is(Number(pageToPhys(pages.page)), physOf(dev, pages.dmaHandle));
    const { users } = machine.kernel;
    const space = users.create();
    t.is(dmaMmapPages(dev, users.vma(space, USER, PAGE_SIZE, 2), SIZE, pages.page), -ENXIO);
    t.is(dmaMmapPages(dev, users.vma(space, USER, PAGE_SIZE, 1), SIZE, pages.page), 0);
    t.deepEqual([...space.pages.values()], [pages.page + 1]);
    users.unmapPage(space, USER);
    users.destroy(space);
    dmaFreePages(dev, SIZE, pages.page, pages.dmaHandle, FromDevice);
    t.deepEqual(inUse(), before);
  });

  test(`${name}: rules 59, 61: noncontiguous memory is one segment for the device, and one run for the CPU`, t => {
    const { dev, master, machine, fill, differing, inUse } = bench(board, coherent);
    const before = inUse();
    const table = dmaAllocNoncontiguous(dev, SIZE, Bidirectional, GFP_KERNEL, DmaAttr.None);
    if (table === null) throw new Error('no memory');
    t.deepEqual([table.nents, table.origNents], [1, table.sgl.length]);
    const { dmaAddress, dmaLength } = table.sgl[0] ?? { dmaAddress: dmaAddr(0), dmaLength: 0 };
    t.is(dmaLength, 2 * PAGE_SIZE);
    const at = dmaVmapNoncontiguous(dev, SIZE, table);
    if (at === null) throw new Error('no address');
    fill(at, 11);
    machine.kernel.services.flushKernelVmapRange(at, SIZE);
    dmaSyncSgtableForDevice(dev, table, Bidirectional);
    t.is(master.checkPattern(dmaAddress, SIZE, 11).mismatches, 0);
    t.is(master.writePattern(dmaAddress, SIZE, 12), 0);
    dmaSyncSgtableForCpu(dev, table, Bidirectional);
    machine.kernel.services.invalidateKernelVmapRange(at, SIZE);
    t.is(differing(at, 12), 0);
    const { users } = machine.kernel;
    const space = users.create();
    t.is(dmaMmapNoncontiguous(dev, users.vma(space, USER, 3 * PAGE_SIZE), SIZE, table), -ENXIO);
    t.is(dmaMmapNoncontiguous(dev, users.vma(space, USER, 2 * PAGE_SIZE), SIZE, table), 0);
    for (const page of [USER, USER + PAGE_SIZE]) users.unmapPage(space, page);
    users.destroy(space);
    dmaVunmapNoncontiguous(dev, at);
    dmaFreeNoncontiguous(dev, SIZE, table, Bidirectional);
    t.deepEqual(inUse(), before);
  });
}

test('rules 58, 60: pages from a zone, and attributes that mean nothing, are refused with a warning', t => {
  const { dev: good, machine } = bench('versatile-pb', false);
  const observer = new RecordingObserver();
  const dev = copyOf(good, {}, observer);
  for (const gfp of [{ dma: true }, { dma32: true }, { highmem: true }]) {
    t.is(dmaAllocPages(dev, 64, ToDevice, gfp), null);
    t.is(dmaAllocNoncoherent(dev, 64, ToDevice, gfp), null);
  }
  t.is(dmaAllocNoncontiguous(dev, 64, ToDevice, GFP_KERNEL, DmaAttr.WriteCombine), null);
  const blind = copyOf(good, { coherentMask: 0 }, observer);
  t.is(dmaAllocPages(blind, 64, ToDevice, GFP_KERNEL), null);
  t.is(observer.take().filter(told => told.startsWith('warned')).length, 8);
  const single = dmaAllocNoncontiguous(dev, 64, ToDevice, GFP_KERNEL, DmaAttr.AllocSinglePages);
  t.not(single, null, 'rule 66: a hint');
  if (single !== null) dmaFreeNoncontiguous(dev, 64, single, ToDevice);
  t.is(machine.kernel.mm.pages.isFree(single?.sgl[0]?.page ?? pfnToPage(0)), true);
});

test('rule 39: DMA_NONE is a kernel bug in every allocation that has a direction', t => {
  const { dev } = bench('versatile-pb', false);
  for (const call of [
    () => dmaAllocPages(dev, 64, None, GFP_KERNEL),
    () => dmaAllocNoncoherent(dev, 64, None, GFP_KERNEL),
    () => dmaAllocNoncontiguous(dev, 64, None, GFP_KERNEL, 0),
    () => {
      dmaFreePages(dev, 64, pfnToPage(1), dmaAddr(0), None);
    },
    () => {
      dmaFreeNoncontiguous(dev, 64, new SgTable([]), None);
    },
  ]) {
    t.throws(call, { instanceOf: KernelOops, message: /^kernel BUG/ });
  }
});

test('rule 8: no bytes, more than there are, or a device that is not set up: null', t => {
  const { dev } = bench('versatile-pb', false);
  for (const size of [0, 2 ** 31, 2 ** 45]) {
    t.is(dmaAllocCoherent(dev, size, { noWarn: true }), null);
    t.is(dmaAllocPages(dev, size, ToDevice, GFP_KERNEL), null);
    t.is(dmaAllocAttrs(dev, size, GFP_KERNEL, DmaAttr.NoKernelMapping), null);
  }
  const nowhere = copyOf(dev, { ops: null });
  t.is(dmaAllocCoherent(nowhere, 64, GFP_KERNEL), null);
  t.is(dmaAllocPages(nowhere, 64, ToDevice, GFP_KERNEL), null);
  t.is(dmaGetSgtable(nowhere, cpuAddr(0), dmaAddr(0), 64), -ENXIO);
  t.false(dmaCanMmap(nowhere));
  dmaFreeCoherent(dev, 64, null, dmaAddr(0));
});

test('rule 67: a refusal is told to the log, with its reason, unless NO_WARN or __GFP_NOWARN', t => {
  const { dev, machine } = bench('versatile-pb', false);
  const { log } = machine.kernel;
  const before = log.lines.length;
  const size = 2 ** 31;
  t.is(dmaAllocAttrs(dev, size, GFP_KERNEL, DmaAttr.NoWarn), null);
  t.is(dmaAllocCoherent(dev, size, { noWarn: true }), null);
  t.is(dmaAllocWc(dev, size, { noWarn: true }), null);
  t.is(log.lines.length, before);
  t.is(dmaAllocCoherent(dev, size, GFP_KERNEL), null);
  t.regex(log.lines[before]?.text ?? '', /^test-master \S+: no coherent memory: /);
});

test('rule 9: zones that the caller names mean nothing', t => {
  const { dev } = bench('versatile-pb', false);
  const memory = dmaAllocCoherent(dev, 64, { dma: true, highmem: true });
  t.not(memory, null);
  if (memory !== null) dmaFreeCoherent(dev, 64, memory.cpuAddr, memory.dmaHandle);
});

test('rule 5: coherent memory freed while interrupts are handled is told', t => {
  const { dev: good, machine } = bench('pandaboard', false);
  const observer = new RecordingObserver();
  const dev = copyOf(good, {}, observer);
  const { cpu } = machine.kernel;
  for (const [enabled, warnings] of [
    [true, 0],
    [false, 1],
  ] as const) {
    const memory = dmaAllocCoherent(dev, 64, GFP_KERNEL);
    if (memory === null) throw new Error('no memory');
    cpu.setInterruptsEnabled(enabled);
    dmaFreeCoherent(dev, 64, memory.cpuAddr, memory.dmaHandle);
    cpu.setInterruptsEnabled(true);
    const told = observer.take().filter(one => one.includes('interrupts disabled'));
    t.is(told.length, warnings);
  }
});

test('an observer is told of every allocation, with its memory, and of its end before it ends', t => {
  const { dev: good } = bench('pandaboard', false);
  const observer = new RecordingObserver();
  const dev = copyOf(good, {}, observer);
  const memory = dmaAllocCoherent(dev, 100, GFP_KERNEL);
  if (memory === null) throw new Error('no memory');
  dmaFreeCoherent(dev, 100, memory.cpuAddr, memory.dmaHandle);
  const bus = memory.dmaHandle;
  const coherent = observer.take();
  t.is(coherent.length, 2);
  t.regex(coherent[0] ?? '', new RegExp(`^memory allocated ${bus}\\+4096 as .*coherent`));
  t.regex(coherent[1] ?? '', /^memory freed .*coherent/);
  const pages = dmaAllocPages(dev, 100, ToDevice, GFP_KERNEL);
  if (pages === null) throw new Error('no pages');
  dmaFreePages(dev, 100, pages.page, pages.dmaHandle, ToDevice);
  const noncoherent = observer.take();
  t.regex(noncoherent[0] ?? '', new RegExp(`^memory allocated ${pages.dmaHandle}\\+100 as `));
  t.regex(noncoherent[1] ?? '', /^memory freed .*noncoherent/);
  const table = dmaAllocNoncontiguous(dev, 100, ToDevice, GFP_KERNEL, 0);
  if (table === null) throw new Error('no table');
  dmaFreeNoncontiguous(dev, 100, table, ToDevice);
  const told = observer.take().map(one => one.split(' ').slice(0, 2).join(' '));
  t.deepEqual(
    told.filter(one => one.startsWith('sg')),
    ['sg map', 'sg allocated', 'sg unmap', 'sg unmapped'],
  );
});

test('a caller that cannot sleep gets memory where its architecture can give it, and never waits', t => {
  const { dev, inUse } = bench('juno', true);
  const before = inUse();
  const memory = dmaAllocCoherent(dev, SIZE, GFP_ATOMIC);
  if (memory === null) throw new Error('no memory');
  dmaFreeCoherent(dev, SIZE, memory.cpuAddr, memory.dmaHandle);
  t.deepEqual(inUse(), before);
});
