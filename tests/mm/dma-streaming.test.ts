import test from 'ava';
import fc from 'fast-check';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaBitMask,
  dmaMapPage,
  dmaMapSingle,
  dmaMappingError,
  dmaSetCoherentMask,
  dmaSetMask,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaSyncSingleRangeForDevice,
  dmaUnmapPage,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { GFP_HIGHUSER, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { pageToPhys } from '../../mm/page-alloc';
import type { Machine } from '../../machines/machine';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DeviceDma } from '../../drivers/base/kernel/device';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import { GIB, MIB, PAGE_SIZE, isPowerOfTwo } from '../../drivers/base/types/bits';
import { patternByte } from '../../drivers/misc/test-master/regs';
import type { TestMasterDevice } from '../../drivers/misc/test-master/driver';
import { boot } from '../support/booted';
import { directOps } from '../support/direct-ops';

/*
 * The rules of the DMA API's documents for streaming mappings, as direct mapping shows them: by the
 * number each has in the list of rules this bench is held against.
 */

const { ToDevice, FromDevice, Bidirectional } = DmaDirection;
const LENGTH = 256;

/** An ARMv7 with an outer cache, an ARMv5, and an arm64; each with masters that do not snoop. */
const BOARDS = ['pandaboard', 'versatile-pb', 'imx8mm'] as const;

interface Bench {
  readonly machine: Machine;
  readonly master: TestMasterDevice;
  /** A buffer that shares no line with anything, cached and filled with the pattern of `seed` by the CPU. */
  readonly buffer: (seed: number) => CpuAddr;
  readonly fill: (at: CpuAddr, seed: number) => void;
  /** Whether the CPU reads the pattern of `seed` there. */
  readonly reads: (at: CpuAddr, seed: number) => boolean;
}

const bench = (board: string): Bench => {
  const machine = boot(board);
  const { cpu, slab } = machine.kernel;
  const master = machine.masters.find(({ device }) => !device.dev.dma.coherent)?.device;
  if (master === undefined) throw new Error(`${board} has no master that does not snoop`);
  const fill = (at: CpuAddr, seed: number): void => {
    for (let i = 0; i < LENGTH; i++) {
      // ARMv5 allocates no line for a store: the load does.
      cpu.load8(at + i);
      cpu.store8(at + i, patternByte(seed, i));
    }
  };
  return {
    machine,
    master,
    fill,
    buffer: seed => {
      const at = slab.kmalloc(LENGTH, GFP_KERNEL);
      if (at === null) throw new Error('no memory');
      fill(at, seed);
      return at;
    },
    reads: (at, seed) =>
      Array.from({ length: LENGTH }, (_, i) => cpu.load8(at + i)).every(
        (byte, i) => byte === patternByte(seed, i),
      ),
  };
};

for (const board of BOARDS) {
  test(`${board}: rule 34: the device sees what was written before the hand-over, not after it`, t => {
    const { master, buffer, fill } = bench(board);
    const { dev } = master;
    const at = buffer(1);
    const address = dmaMapSingle(dev, at, LENGTH, ToDevice);
    t.is(dmaMappingError(dev, address), 0);
    t.is(master.checkPattern(address, LENGTH, 1).mismatches, 0);
    fill(at, 2);
    t.is(master.checkPattern(address, LENGTH, 1).mismatches, 0, 'the CPU had no business there');
    dmaSyncSingleForDevice(dev, address, LENGTH, ToDevice);
    t.is(master.checkPattern(address, LENGTH, 2).mismatches, 0);
    dmaUnmapSingle(dev, address, LENGTH, ToDevice);
  });

  test(`${board}: rule 44: a part is handed back alone, and the device sees the rest as it was`, t => {
    const { master, buffer, fill } = bench(board);
    const { dev } = master;
    const at = buffer(1);
    const address = dmaMapSingle(dev, at, LENGTH, ToDevice);
    fill(at, 3);
    dmaSyncSingleRangeForDevice(dev, address, 64, 128, ToDevice);
    t.like(master.checkPattern(address, LENGTH, 1), { mismatches: 128, first: 64 });
    t.like(master.checkPattern(address, LENGTH, 3), { mismatches: 128, first: 0 });
    dmaUnmapSingle(dev, address, LENGTH, ToDevice);
  });

  test(`${board}: rule 36: the CPU reads what the device wrote after sync_for_cpu or unmap`, t => {
    const { master, buffer, reads } = bench(board);
    const { dev } = master;
    const at = buffer(1);
    const address = dmaMapSingle(dev, at, LENGTH, Bidirectional);
    t.true(reads(at, 1), 'and has the lines from now on, against the rule');
    t.is(master.writePattern(address, LENGTH, 2), 0);
    const sees = reads(at, 2);
    dmaSyncSingleForCpu(dev, address, LENGTH, Bidirectional);
    // ARMv5 does nothing then: what it flushed when it mapped has come back by our own read.
    const hasSecondSync = board !== 'versatile-pb';
    t.deepEqual([sees, reads(at, 2)], [false, hasSecondSync]);
    dmaSyncSingleForDevice(dev, address, LENGTH, Bidirectional);
    t.is(master.writePattern(address, LENGTH, 3), 0);
    dmaUnmapSingle(dev, address, LENGTH, Bidirectional);
    t.true(reads(at, 3));
  });

  test(`${board}: rules 37, 42: an untouched buffer needs no sync, and what the CPU wrote is lost`, t => {
    const { master, buffer, fill, reads } = bench(board);
    const { dev } = master;
    const at = buffer(1);
    const address = dmaMapSingle(dev, at, LENGTH, FromDevice);
    t.is(master.writePattern(address, LENGTH, 2), 0);
    dmaUnmapSingle(dev, address, LENGTH, FromDevice);
    t.true(reads(at, 2));
    const again = dmaMapSingle(dev, at, LENGTH, FromDevice);
    t.is(master.writePattern(again, LENGTH, 3), 0);
    if (board !== 'versatile-pb') fill(at, 4);
    dmaUnmapSingle(dev, again, LENGTH, FromDevice);
    t.true(reads(at, 3));
  });

  test(`${board}: rule 64: with SKIP_CPU_SYNC the caller synchronises, or nobody does`, t => {
    const { master, buffer } = bench(board);
    const { dev } = master;
    const skip = DmaAttr.SkipCpuSync;
    const at = buffer(1);
    dmaUnmapSingle(dev, dmaMapSingle(dev, at, LENGTH, Bidirectional), LENGTH, Bidirectional);
    const young = buffer(5);
    const address = dmaMapSingle(dev, young, LENGTH, ToDevice, skip);
    t.true(master.checkPattern(address, LENGTH, 5).mismatches > 0);
    dmaSyncSingleForDevice(dev, address, LENGTH, ToDevice);
    t.is(master.checkPattern(address, LENGTH, 5).mismatches, 0);
    dmaUnmapSingle(dev, address, LENGTH, ToDevice, skip);
  });

  test(`${board}: rule 30: kmalloc memory is aligned to a power of two that no line exceeds`, t => {
    const { machine } = bench(board);
    const { arch, mm, slab } = machine.kernel;
    t.true(isPowerOfTwo(arch.minAlign));
    t.true(arch.minAlign >= mm.info.lineSize && mm.info.lineSize > 0);
    for (const size of [1, 63, 65, 200]) {
      t.is((slab.kmalloc(size, GFP_KERNEL) ?? 1) % arch.minAlign, 0);
    }
  });
}

test('rules 25, 28, 32: kmap, vmalloc and register addresses are refused, a highmem page is not', t => {
  const machine = boot('pandaboard');
  const { mm, mappings } = machine.kernel;
  const master = machine.masters[0]?.device;
  const page = mm.pages.allocPages(GFP_HIGHUSER, 0);
  if (master === undefined || page === null) return t.fail();
  const { dev } = master;
  t.true(mm.pages.isHighmem(page));
  mm.kmap.with(page, address => {
    t.is(dmaMapSingle(dev, address, LENGTH, ToDevice), DMA_MAPPING_ERROR);
    for (let i = 0; i < LENGTH; i++) mm.cpu.store8(address + i, patternByte(3, i));
  });
  const vmalloc = mappings.vmalloc(PAGE_SIZE);
  t.is(dmaMapSingle(dev, vmalloc ?? cpuAddr(0), LENGTH, ToDevice), DMA_MAPPING_ERROR);
  t.is(dmaMapSingle(dev, cpuAddr(0x40_0000), LENGTH, ToDevice), DMA_MAPPING_ERROR, 'user space');
  const address = dmaMapPage(dev, page, 0, LENGTH, Bidirectional);
  t.is(dmaMappingError(dev, address), 0);
  t.is(master.checkPattern(address, LENGTH, 3).mismatches, 0);
  t.is(master.writePattern(address, LENGTH, 4), 0);
  dmaUnmapPage(dev, address, LENGTH, Bidirectional);
  mm.kmap.with(page, at => {
    const bytes = Array.from({ length: LENGTH }, (_, i) => mm.cpu.load8(at + i));
    t.deepEqual(
      bytes,
      Array.from(bytes, (_, i) => patternByte(4, i)),
    );
  });
});

test('rule 38: BIDIRECTIONAL is maintained before and after, inner before outer and then the reverse', t => {
  const { kernel, masters } = boot('pandaboard');
  const { mm } = kernel;
  const dev = masters.find(({ device }) => !device.dev.dma.coherent)?.device.dev;
  const page = mm.pages.allocPages(GFP_KERNEL, 0);
  if (dev === undefined || page === null) return t.fail();
  const calls: string[] = [];
  const tell = (name: string) => (): void => {
    calls.push(name);
  };
  mm.outer = {
    ...mm.outer,
    invRange: tell('outer inv'),
    cleanRange: tell('outer clean'),
    flushRange: tell('outer flush'),
  };
  Object.assign(mm.cache, { dmaMapArea: tell('inner map'), dmaUnmapArea: tell('inner unmap') });
  const order = (direction: DmaDirection): string[] => {
    const address = dmaMapPage(dev, page, 0, LENGTH, direction);
    calls.push('|');
    dmaUnmapPage(dev, address, LENGTH, direction);
    return calls.splice(0);
  };
  const after = ['|', 'outer inv', 'inner unmap'];
  t.deepEqual(order(Bidirectional), ['inner map', 'outer clean', ...after]);
  t.deepEqual(order(FromDevice), ['inner map', 'outer inv', ...after]);
  t.deepEqual(order(ToDevice), ['inner map', 'outer clean', '|']);
});

/** A device on a machine of 1 GiB, and how often its caches were maintained. */
const plain = (dma: Partial<DeviceDma>): { dev: Device; synced: () => number } => {
  let calls = 0;
  const sync = (): void => {
    calls++;
  };
  const cache = { syncForDevice: sync, syncForCpu: sync };
  const dev = new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf({ ops: directOps(cache, { maxAddress: GIB, dmaZoneLimit: null }), ...dma }),
    registers: [],
    irqs: [],
    services: boot('versatile-pb').kernel.services,
  });
  return { dev, synced: () => calls };
};

test('rule 24: every address lies within the mask and the bus, or the mapping fails and touches nothing', t => {
  const mapped = plain({}).dev.services;
  fc.assert(
    fc.property(
      fc.integer({ min: 20, max: 40 }),
      fc.option(fc.integer({ min: 20, max: 40 })),
      fc.option(fc.nat(2 * 1024)),
      // The last page below a power of two is where masks end.
      fc.oneof(
        fc.nat(GIB / PAGE_SIZE - 1),
        fc.integer({ min: 8, max: 18 }).map(bits => 2 ** bits - 1),
      ),
      fc.nat(PAGE_SIZE - 1),
      fc.integer({ min: 1, max: 64 * 1024 }),
      (maskBits, busBits, offset, pfn, within, size) => {
        let calls = 0;
        const sync = (): void => {
          calls++;
        };
        const cache = { syncForDevice: sync, syncForCpu: sync };
        const rangeMap =
          offset === null ? null : [{ dma: dmaAddr(offset * MIB), cpu: physAddr(0), size: GIB }];
        const dma = deviceDmaOf({
          mask: dmaBitMask(maskBits),
          coherentMask: dmaBitMask(maskBits),
          busLimit: busBits === null ? null : dmaBitMask(busBits),
          rangeMap,
          ops: directOps(cache, { maxAddress: GIB, dmaZoneLimit: null }),
        });
        const fields = { name: 'dev', ofPath: null, registers: [], irqs: [], services: mapped };
        const dev = new Device({ ...fields, dma });
        const address = dmaMapPage(dev, pfn as Page, within, size, FromDevice);
        const bus = (offset ?? 0) * MIB + pfn * PAGE_SIZE + within;
        const fits = bus + size <= 2 ** Math.min(maskBits, busBits ?? maskBits);
        t.is(address, fits ? dmaAddr(bus) : DMA_MAPPING_ERROR);
        t.is(calls, fits ? 1 : 0);
      },
    ),
    { numRuns: 300 },
  );
});

test('rule 18: a coherent mask no wider than the streaming one is always granted', t => {
  for (let bits = 30; bits <= 64; bits++) {
    const { dev } = plain({});
    t.is(dmaSetMask(dev, dmaBitMask(bits)), 0);
    for (const narrower of [bits, Math.max(30, bits - 3)]) {
      t.is(dmaSetCoherentMask(dev, dmaBitMask(narrower)), 0);
    }
  }
});

test('rule 48: when one of several mappings fails, those before it can be undone, each once', t => {
  const { dev, synced } = plain({ mask: 4 * PAGE_SIZE - 1 });
  const mapped: number[] = [];
  for (let page = 0; page < 8; page++) {
    const address = dmaMapPage(dev, page as Page, 0, PAGE_SIZE, FromDevice);
    if (dmaMappingError(dev, address) !== 0) break;
    mapped.push(address);
  }
  t.deepEqual(
    mapped,
    [0, 1, 2, 3].map(page => page * PAGE_SIZE),
  );
  t.is(synced(), 4);
  for (const address of mapped) dmaUnmapPage(dev, dmaAddr(address), PAGE_SIZE, FromDevice);
  t.is(synced(), 8);
});

test('rule 56: no attributes is the same as none given; rule 31: a buffer is one run of addresses', t => {
  const { dev } = plain({});
  const { memory } = dev.services;
  const at = memory.physToVirt(pageToPhys(5 as Page));
  if (at === null) return t.fail();
  const plainAddress = dmaMapSingle(dev, at, 3 * PAGE_SIZE, ToDevice);
  t.is(dmaMapSingle(dev, at, 3 * PAGE_SIZE, ToDevice, DmaAttr.None), plainAddress);
  for (const offset of [1, PAGE_SIZE - 1, PAGE_SIZE, 2 * PAGE_SIZE + 17]) {
    const part = dmaMapSingle(dev, cpuAddr(at + offset), 8, ToDevice);
    t.is(part, dmaAddr(plainAddress + offset));
  }
});
