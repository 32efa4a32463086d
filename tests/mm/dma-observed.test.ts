import test from 'ava';
import { Device, deviceDmaOf, probeDevice } from '../../drivers/base/kernel/device';
import type { DmaMapOps, LinearMap } from '../../drivers/base/kernel/device';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import { SgEntry } from '../../drivers/base/kernel/scatterlist';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaMapPage,
  dmaMapResource,
  dmaMapSg,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSgForCpu,
  dmaSyncSgForDevice,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaSyncSingleRangeForCpu,
  dmaUnmapResource,
  dmaUnmapSg,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { beginSgCall, beginSgMap, endSgMap, tellWarning } from '../../mm/dma-observed';
import { PageAllocator, pfnToPage } from '../../mm/page-alloc';
import { Slab } from '../../mm/slab';
import { boot } from '../support/booted';
import { RecordingObserver } from './recording-observer';

const { FromDevice, ToDevice } = DmaDirection;
const OFFSET = 0xc000_0000;
const linear: LinearMap = {
  virtToPhys: address => (address >= OFFSET ? physAddr(address - OFFSET) : null),
  physToVirt: address => cpuAddr(address + OFFSET),
};

/** A device whose bus adds 1000 to addresses and reaches page 8 and below; what `ops` did is told. */
const make = () => {
  const observer = new RecordingObserver();
  const nothing = (): void => undefined;
  const ops: DmaMapOps = {
    mapPage: (_dev, page, offset) => {
      observer.told.push('ops');
      return page > 8 ? DMA_MAPPING_ERROR : dmaAddr(page * PAGE_SIZE + offset + 1000);
    },
    unmapPage: (_dev, address) => {
      observer.told.push('ops');
      if (address < 1000) throw new KernelOops('no memory');
    },
    syncSingleForCpu: () => observer.told.push('ops'),
    syncSingleForDevice: () => observer.told.push('ops'),
    mapSg: (_dev, entries) => {
      observer.told.push('ops');
      for (const entry of entries) {
        entry.dmaAddress = dmaAddr(entry.page * PAGE_SIZE + 1000);
        entry.dmaLength = entry.length;
      }
      return entries.length > 1 ? entries.length : -5;
    },
    unmapSg: () => observer.told.push('ops'),
    syncSgForCpu: () => observer.told.push('ops'),
    syncSgForDevice: () => observer.told.push('ops'),
    mapResource: (_dev, physical) => {
      observer.told.push('ops');
      return dmaAddr(physical);
    },
    unmapResource: () => observer.told.push('ops'),
    dmaSupported: () => true,
    getRequiredMask: () => 0,
  };
  const { services } = boot('versatile-pb').kernel;
  const dev = new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf({ mask: 0, coherentMask: 0, ops }),
    registers: [],
    irqs: [],
    services: { ...services, memory: linear, observer, ioremap: () => null, iounmap: nothing },
  });
  return { dev, observer };
};

test('every call of the DMA API is told before and after its work, with the device, its driver and the direction', t => {
  const { dev, observer } = make();
  const address = dmaMapSingle(dev, cpuAddr(OFFSET + 2 * PAGE_SIZE + 16), 64, FromDevice);
  t.deepEqual(observer.take(), [
    'map begins 8208 64 from-device platform dev',
    'ops',
    'mapped 8208 as 9208 64 from-device platform dev',
  ]);
  t.is(dmaMappingError(dev, address), 0);
  dmaSyncSingleForCpu(dev, address, 64, FromDevice);
  dmaSyncSingleRangeForCpu(dev, address, 32, 16, FromDevice);
  dmaSyncSingleForDevice(dev, address, 64, ToDevice);
  dmaUnmapSingle(dev, address, 64, FromDevice, DmaAttr.SkipCpuSync);
  t.deepEqual(observer.take(), [
    'checked 9208 dev',
    'sync for CPU begins 9208 64 from-device platform dev',
    'ops',
    'synced for CPU 9208 64 from-device platform dev',
    'sync for CPU begins 9240 16 from-device platform dev',
    'ops',
    'synced for CPU 9240 16 from-device platform dev',
    'sync for device begins 9208 64 to-device platform dev',
    'ops',
    'synced for device 9208 64 to-device platform dev',
    'unmap begins 9208 64 from-device platform dev skips',
    'ops',
    'unmapped 9208 64 from-device platform dev skips',
  ]);
});

test('maps that fail, checks of what failed, and memory that is refused are told too', t => {
  const { dev, observer } = make();
  const failed = dmaMapPage(dev, pfnToPage(9), 0, 32, ToDevice, DmaAttr.SkipCpuSync);
  t.true(dmaMappingError(dev, failed) < 0);
  t.is(dmaMapSingle(dev, cpuAddr(0x1234), 32, ToDevice), DMA_MAPPING_ERROR);
  t.deepEqual(observer.take(), [
    'map begins 36864 32 to-device platform dev skips',
    'ops',
    'map failed 36864 32 to-device platform dev skips',
    `checked ${2 ** 64} dev`,
    'refused 4660 32 dev',
  ]);
});

test('calls on a list are told with each entry, as it is then', t => {
  const { dev, observer } = make();
  const sgl = [new SgEntry(pfnToPage(2), 0, 64), new SgEntry(pfnToPage(5), 16, 32)];
  const before = Number(/test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1]);
  t.is(dmaMapSg(dev, sgl, 2, FromDevice), 2);
  dmaSyncSgForCpu(dev, sgl, 2, FromDevice);
  dmaSyncSgForDevice(dev, sgl, 1, FromDevice);
  dmaUnmapSg(dev, sgl, 2, FromDevice, DmaAttr.SkipCpuSync);
  const list = '8192+64@9192+64 20496+32@21480+32 from-device platform dev';
  t.deepEqual(observer.take(), [
    'sg map begins 8192+64@0+0 20496+32@0+0 from-device platform dev',
    'ops',
    `sg mapped 2 ${list} 65536 4294967295`,
    `sg sync for CPU begins ${list}`,
    'ops',
    `sg synced for CPU ${list}`,
    'sg sync for device begins 8192+64@9192+64 from-device platform dev',
    'ops',
    'sg synced for device 8192+64@9192+64 from-device platform dev',
    `sg unmap begins ${list} skips`,
    'ops',
    `sg unmapped ${list} skips`,
  ]);
  t.deepEqual(
    observer.sites,
    [1, 1, 2, 2, 3, 3, 4, 4].map(lines => `tests/mm/dma-observed.test.ts:${before + lines}`),
  );
  t.is(dmaMapSg(dev, sgl, 1, ToDevice), 0);
  t.deepEqual(
    observer.take().map(text => text.split(' 8192')[0]),
    ['sg map begins', 'ops', 'sg map failed'],
  );
});

test('registers are told of as what they are', t => {
  const { dev, observer } = make();
  const address = dmaMapResource(dev, physAddr(0x9008), 4, ToDevice);
  dmaUnmapResource(dev, address, 4, ToDevice);
  t.deepEqual(observer.take(), [
    'map begins 36872 4 resource to-device platform dev',
    'ops',
    'mapped 36872 as 36872 4 resource to-device platform dev',
    'unmap begins 36872 4 resource to-device platform dev',
    'ops',
    'unmapped 36872 4 resource to-device platform dev',
  ]);
});

test('without an observer nothing is told, and nothing fails', t => {
  const { dev, observer } = make();
  const { name, ofPath, dma, registers, irqs, services } = dev;
  const unwatched = { ...services, observer: null };
  const quiet = new Device({ name, ofPath, dma, registers, irqs, services: unwatched });
  t.is(beginSgMap(quiet, [], ToDevice, 0), null);
  t.is(beginSgCall('unmap', quiet, [], ToDevice), null);
  endSgMap(null, quiet, [], 1);
  tellWarning(quiet, 'x');
  t.deepEqual(observer.take(), []);
  tellWarning(dev, 'a misuse');
  t.deepEqual(observer.take(), ['warned a misuse dev']);
});

test('a call in which the kernel crashes is told to its end', t => {
  const { dev, observer } = make();
  t.throws(() => {
    dmaUnmapSingle(dev, dmaAddr(0), 8, ToDevice);
  });
  t.deepEqual(observer.take(), [
    'unmap begins 0 8 to-device platform dev',
    'ops',
    'unmapped 0 8 to-device platform dev',
  ]);
});

test('a site is the line of the driver that made the call', t => {
  const { dev, observer } = make();
  const before = Number(/test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1]);
  dmaMapSingle(dev, cpuAddr(OFFSET), 8, ToDevice);
  dmaSyncSingleRangeForCpu(dev, dmaAddr(1000), 4, 4, ToDevice);
  t.deepEqual(
    observer.sites,
    [1, 1, 2, 2].map(lines => `tests/mm/dma-observed.test.ts:${before + lines}`),
  );
});

test('a device has the name of its driver from the probe on, unless that fails', t => {
  const { dev, observer } = make();
  const map = (): number => dmaMapSingle(dev, cpuAddr(OFFSET), 8, ToDevice);
  const probed = probeDevice({ name: 'good', compatible: [], probe: () => ({ at: map() }) }, dev);
  t.deepEqual(probed, { at: 1000 });
  t.is(observer.take()[0], 'map begins 0 8 to-device good dev');
  t.is(probeDevice({ name: 'bad', compatible: [], probe: () => -5 }, dev), -5);
  map();
  t.is(observer.take()[0], 'map begins 0 8 to-device platform dev');
});

test('allocations are told with the room they have; not the pages that kmalloc itself keeps', t => {
  const layout = { ranges: [{ start: 16, end: 64 }], dmaEnd: null, dma32End: null, lowEnd: 64 };
  const observer = new RecordingObserver();
  const clearer = { clearPage: () => observer.told.push('cleared') };
  const pages = new PageAllocator(layout, clearer);
  const slab = new Slab(pages, linear, 64);
  pages.observer = observer;
  slab.observer = observer;
  const page = pages.allocPages({ ...GFP_KERNEL, zero: true }, 1);
  const at = (page ?? 0) * PAGE_SIZE;
  t.deepEqual(observer.take(), [`allocated ${at} 8192`, 'cleared', 'cleared']);
  const small = slab.kmalloc(100, GFP_KERNEL) ?? cpuAddr(0);
  const large = slab.kmalloc(10_000, GFP_KERNEL) ?? cpuAddr(0);
  t.deepEqual(observer.take(), [
    `allocated ${small - OFFSET} 128`,
    `allocated ${large - OFFSET} 16384`,
  ]);
  slab.kfree(small);
  if (page !== null) pages.freePagesAt(page, 1);
  t.deepEqual(observer.take(), [`freed ${small - OFFSET} 128`, `freed ${at} 8192`]);
  t.not(pages.allocKernelPages(GFP_KERNEL, 0), null);
  t.is(slab.kmalloc(2 ** 40, GFP_KERNEL), null);
  t.deepEqual(observer.take(), []);
});
