import test from 'ava';
import fc from 'fast-check';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { BusDmaRegion, DeviceDma, DmaMapOps } from '../../drivers/base/kernel/device';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { EIO, ENOMEM } from '../../drivers/base/kernel/errno';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import { bootMachine } from '../../machines/boot';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { Random } from '../../drivers/base/types/random';
import { openBoard, planBoard } from '../../tools/board/open';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaBitMask,
  dmaGetMask,
  dmaGetRequiredMask,
  dmaMapPage,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMask,
  dmaSetMaskAndCoherent,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaSyncSingleRangeForCpu,
  dmaUnmapPage,
} from '../../mm/dma-mapping-common';
import { dmaCapable, dmaToPhys, physToDma } from '../../mm/dma-direct';
import { directOps } from '../support/direct-ops';
import { dmaDevice } from '../support/dma-device';

const { services } = bootMachine(
  planBoard(openBoard('versatile-pb', []), { memory: null, quirks: [] }),
  {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'earliest',
    streaming: ALL_STEPS,
  },
).kernel;

const device = (dma: Partial<DeviceDma>): Device =>
  new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf(dma),
    registers: [],
    irqs: [],
    services,
  });

const region = (dma: number, cpu: number, size: number): BusDmaRegion => ({
  dma: dmaAddr(dma),
  cpu: physAddr(cpu),
  size,
});

/** Direct DMA over 1 GiB of RAM, and what it asked of the caches. */
const direct = (dmaZoneLimit: number | null = null): { ops: DmaMapOps; calls: string[] } => {
  const calls: string[] = [];
  const tell =
    (verb: string) =>
    (address: number, size: number, direction: DmaDirection): void => {
      calls.push(`${verb} ${address} ${size} ${direction}`);
    };
  const cache = { syncForDevice: tell('device'), syncForCpu: tell('cpu') };
  return { ops: directOps(cache, { maxAddress: 2 ** 30, dmaZoneLimit }), calls };
};

/** Disjoint windows, in any order on both sides. */
const maps = fc
  .array(fc.tuple(fc.nat(2 ** 20), fc.integer({ min: 1, max: 2 ** 20 })), {
    minLength: 1,
    maxLength: 5,
  })
  .map(list =>
    list.map(([offset, size], i) =>
      region(i * 2 ** 22 + offset, (list.length - i) * 2 ** 33 + offset * 4, size),
    ),
  );

test('physical to bus and back is the identity inside every window, and nothing outside', t => {
  fc.assert(
    fc.property(maps, rangeMap => {
      const dev = device({ rangeMap });
      for (const { dma, cpu, size } of rangeMap) {
        for (const offset of [0, size >> 1, size - 1]) {
          const physical = physAddr(cpu + offset);
          t.is(physToDma(dev, physical), dmaAddr(dma + offset));
          t.is(dmaToPhys(dev, dmaAddr(dma + offset)), physical);
        }
        t.is(physToDma(dev, physAddr(cpu - 1)), DMA_MAPPING_ERROR);
        t.is(physToDma(dev, physAddr(cpu + size)), DMA_MAPPING_ERROR);
        t.is(dmaToPhys(dev, dmaAddr(dma + size)), null);
      }
    }),
    { numRuns: 50 },
  );
  t.is(physToDma(device({}), physAddr(5)), dmaAddr(5));
});

test('a device reaches up to its mask and the limit of its bus, to the byte', t => {
  const limit = 2 ** 30 - 1;
  for (const [mask, busLimit, last] of [
    [dmaBitMask(32), null, 2 ** 32 - 1],
    [dmaBitMask(32), 0, 2 ** 32 - 1],
    [dmaBitMask(32), limit, limit],
    [dmaBitMask(24), limit, 2 ** 24 - 1],
    [dmaBitMask(64), null, 2 ** 40],
  ] as const) {
    const dev = device({ mask, busLimit });
    t.true(dmaCapable(dev, dmaAddr(last - 9), 10), `${mask}`);
    t.is(dmaCapable(dev, dmaAddr(last - 8), 10), mask === 2 ** 64);
  }
  t.false(dmaCapable(device({ mask: dmaBitMask(64) }), DMA_MAPPING_ERROR, 1));
});

test('rule 19: a mask that is too small is -EIO and the old one stays; 20: asking changes nothing', t => {
  const { ops } = direct();
  const dev = device({ ops });
  t.is(dmaSetMask(dev, dmaBitMask(29)), -EIO);
  t.is(dmaSetMaskAndCoherent(dev, dmaBitMask(29)), -EIO);
  t.deepEqual([dmaGetMask(dev), dev.dma.coherentMask], [2 ** 32 - 1, 2 ** 32 - 1]);
  t.is(dmaGetRequiredMask(dev), 2 ** 30 - 1);
  t.is(dmaGetMask(dev), 2 ** 32 - 1);
  t.is(dmaSetMaskAndCoherent(dev, dmaBitMask(30)), 0);
  t.deepEqual([dmaGetMask(dev), dev.dma.coherentMask], [2 ** 30 - 1, 2 ** 30 - 1]);
  t.is(dmaSetMask(device({ ops: direct(2 ** 24 - 1).ops }), dmaBitMask(24)), 0);
});

test('rule 17: a mask of 32 bits or more never fails', t => {
  const dev = device({ ops: direct().ops, rangeMap: [region(0, 2 ** 35, 16)] });
  for (const bits of [32, 33, 40, 53, 64]) t.is(dmaSetMask(dev, dmaBitMask(bits)), 0);
  t.is(dmaSetMask(dev, dmaBitMask(31)), -EIO);
});

test('rules 46, 47: an address is told from an error by dmaMappingError alone, and 0 is good', t => {
  const { ops } = direct();
  const dev = device({ ops });
  const zero = dmaMapPage(dev, 0 as Page, 0, 64, DmaDirection.ToDevice);
  t.deepEqual([zero, dmaMappingError(dev, zero)], [dmaAddr(0), 0]);
  const narrow = device({ ops, mask: 0xfff });
  const refused = dmaMapPage(narrow, 1 as Page, 0, 64, DmaDirection.ToDevice);
  t.is(refused, DMA_MAPPING_ERROR);
  t.is(dmaMappingError(narrow, refused), -ENOMEM);
  const vmalloc = dmaMapSingle(dev, cpuAddr(0xf000_0000), 64, DmaDirection.ToDevice);
  t.is(vmalloc, DMA_MAPPING_ERROR);
  t.is(dmaMapPage(device({}), 0 as Page, 0, 64, DmaDirection.ToDevice), DMA_MAPPING_ERROR);
});

test('rule 39: DMA_NONE is a kernel bug in every call that takes a direction', t => {
  const dev = device({ ops: direct().ops });
  const none = DmaDirection.None;
  for (const call of [
    () => dmaMapPage(dev, 0 as Page, 0, 64, none),
    () => dmaMapSingle(dev, cpuAddr(0), 64, none),
    () => {
      dmaUnmapPage(dev, dmaAddr(0), 64, none);
    },
    () => {
      dmaSyncSingleForCpu(dev, dmaAddr(0), 64, none);
    },
    () => {
      dmaSyncSingleForDevice(dev, dmaAddr(0), 64, none);
    },
  ]) {
    t.throws(call, { instanceOf: KernelOops, message: /^kernel BUG/ });
  }
});

test('rules 44, 64: a part is synced alone, SKIP_CPU_SYNC and a device that snoops sync nothing', t => {
  const { ops, calls } = direct();
  const dev = device({ ops, rangeMap: [region(0, 0x1000, 0x10000)] });
  const from = DmaDirection.FromDevice;
  const address = dmaMapPage(dev, 2 as Page, 16, 512, from);
  dmaSyncSingleRangeForCpu(dev, address, 32, 64, from);
  dmaUnmapPage(dev, address, 512, from);
  t.deepEqual(calls.splice(0), ['device 8208 512 2', 'cpu 8240 64 2', 'cpu 8208 512 2']);
  dmaUnmapPage(
    dev,
    dmaMapPage(dev, 2 as Page, 0, 8, from, DmaAttr.SkipCpuSync),
    8,
    from,
    DmaAttr.SkipCpuSync,
  );
  const memory = { maxAddress: 2 ** 30, dmaZoneLimit: null };
  const snoops = device({ ops: directOps(null, memory), coherent: true });
  const same = dmaMapPage(snoops, 2 as Page, 0, 8, from);
  dmaSyncSingleForCpu(snoops, same, 8, from);
  dmaSyncSingleForDevice(snoops, same, 8, from);
  dmaUnmapPage(snoops, same, 8, from);
  t.deepEqual(calls, []);
});

test('rule 40: a bus address that no memory has cannot be synced or unmapped', t => {
  const dev = device({ ops: direct().ops, rangeMap: [region(0, 0x1000, 0x1000)] });
  for (const address of [dmaAddr(0x1000), DMA_MAPPING_ERROR]) {
    const run = (): void => {
      dmaUnmapPage(dev, address, 8, DmaDirection.FromDevice);
    };
    t.throws(run, { instanceOf: KernelOops, message: /no memory at bus address/ });
  }
});

test('memory that a device cannot reach is told to the log, in the words of Linux, once', t => {
  const log = new KernelLog();
  const dev = dmaDevice(
    { ...services, log },
    { ops: direct().ops, mask: 0xff_ffff, busLimit: 0x1_0000_0000 },
  );
  for (const page of [0x1000, 0x1001]) dmaMapPage(dev, page as Page, 4, 8, DmaDirection.ToDevice);
  const what = 'DMA addr 0x01000004+8 overflow (mask ffffff, bus limit 100000000).';
  t.deepEqual(log.lines, [{ level: 'warn', text: `platform dev: ${what}` }]);
  const far = dmaDevice(
    { ...services, log: new KernelLog() },
    { ops: direct().ops, rangeMap: [region(0, 0, 16)], mask: dmaBitMask(64) },
  );
  dmaMapPage(far, 1 as Page, 0, 8, DmaDirection.ToDevice);
  t.regex(far.services.log.lines[0]?.text ?? '', /addr 0xf{16}\+8 overflow \(mask f{16}, bus/);
});
